"""Runs held against each other."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from liqstrat.cli.options import Json
from liqstrat.cli.program import out
from liqstrat.cli.terminal import shown
from liqstrat.cli.text import new_table, print_json

if TYPE_CHECKING:
    from liqstrat.research.compare import Comparison


def compare(
    folders: Annotated[list[Path], typer.Argument(metavar="A B [C…]", help="Results folders; A is the yardstick.")],
    target: Annotated[Path | None, typer.Option("--out", help="Write a page with figures: page.html.")] = None,
    json: Json = False,
) -> None:
    """Hold runs against the first of them: what differs, figures with intervals, trades that only one has.

    Example: liqstrat compare results/fade-1 results/fade-2 --out compare.html
    """
    from liqstrat.pages import require_page
    from liqstrat.research.compare import compare as compare_runs
    from liqstrat.research.compare_page import write_compare_page

    if target is not None:
        require_page(target)
    comparison = compare_runs(folders)
    if target is not None:
        write_compare_page(comparison, target)
    if json:
        print_json(comparison.to_json())
        return
    _print_comparison(comparison)
    if target is not None:
        out.print(f"page: {target}", markup=False, soft_wrap=True)


def _print_comparison(comparison: "Comparison") -> None:
    from liqstrat.research.compare import how
    from liqstrat.research.days import FIGURES

    for one in comparison.runs:
        simulated = " SIMULATED" if one.results.run.simulated else ""
        out.print(f"{one.title}{simulated}", markup=False, soft_wrap=True)
    for text in comparison.warnings:
        out.print(f"warning: {text}", markup=False, soft_wrap=True)
    letters = [one.letter for one in comparison.runs]
    differs = new_table("\nwhat differs", ("", *letters))
    for keys in comparison.unlike.values():
        for key, values in keys.items():
            differs.add_row(key, *(_short(value) for value in values))
    out.print(differs)
    figures = new_table("\nfigures", ("", *letters))
    for name in comparison.figures:
        figures.add_row(name, *(_text(one.results.metrics.get(name)) for one in comparison.runs))
    out.print(figures)
    others = comparison.runs[1:]
    against = new_table("\nabove A, on the days that both have", ("", *(one.letter for one in others)))
    for name in FIGURES:
        cells = []
        for one in others:
            found = one.differences[name]
            interval = "" if found.low is None else f" ({_text(found.low)} to {_text(found.high)})"
            cells.append(_text(found.value) + interval)
        against.add_row(name, *cells)
    out.print(against)
    for one in others:
        out.print(f"intervals of {one.letter}: {how(one.days)}", markup=False, soft_wrap=True)
    for one in comparison.runs:
        told = f"only {one.letter} has {len(one.only):,} of its {len(one.results.positions):,} trades"
        out.print(told, markup=False, soft_wrap=True)


def _short(value: object) -> str:
    text = "–" if value is None else str(value)
    return shown(text if len(text) <= 24 else text[:12] + "…")


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
