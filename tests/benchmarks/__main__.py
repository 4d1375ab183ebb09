"""Measure how fast history goes through: `uv run python -m tests.benchmarks --help`."""

import importlib
import signal
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from tests.benchmarks.measure import Place, Row, machine, markdown

ROWS = ("start", "results", "ingest", "catalog", "flow", "book", "replay", "memory", "serve", "pages", "live", "sweep")
_LARGE = 100_000_000


def main(
    rows: Annotated[
        list[str] | None, typer.Argument(help=f"Which to measure: {', '.join(ROWS)}; all by default.")
    ] = None,
    trades: Annotated[int, typer.Option(min=100_000, help="Trades to generate.")] = 10_000_000,
    repeats: Annotated[int, typer.Option(min=1, help="The best of so many counts.")] = 3,
    data: Annotated[Path | None, typer.Option(help="Keep generated data here, and use what is there.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the table to this file, too.")] = None,
    large: Annotated[bool, typer.Option("--large", help="Measure memory with 100 million trades as well.")] = False,
) -> None:
    """Measure each row against its yardstick in this process and print a Markdown table.

    Example: python -m tests.benchmarks flow catalog --data /tmp/benchmarks
    """
    for name in rows or ():
        if name not in ROWS:
            raise typer.BadParameter(f'"{name}" is not among {", ".join(ROWS)}')
    # So that what was generated goes, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix="liqstrat-benchmarks-") as aside:
        place = Place(data or Path(aside), trades, repeats)
        measured = [pair for name in rows or ROWS for pair in _measured(name, place)]
        if large:
            measured += _measured("memory", Place(place.folder, _LARGE, repeats))
    table = markdown(measured)
    print(table)
    if out:
        out.write_text(table + "\n", encoding="utf-8")


def _measured(name: str, place: Place) -> list[tuple[Row, str]]:
    """The rows of a module, each with the machine as it was then."""
    return [(row, machine()) for row in importlib.import_module(f"tests.benchmarks.bench_{name}").measure(place)]


if __name__ == "__main__":
    typer.run(main)
