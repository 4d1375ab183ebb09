"""What happens when price reaches levels."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from liqstrat.cli.options import Config, Database, From, Json, Symbol, To, Warmup, model_of, parsed
from liqstrat.cli.program import out, progress
from liqstrat.cli.text import new_table, print_json
from liqstrat.inputs import DEFAULT_DATABASE, minutes_of
from liqstrat.remarks import told_with_results

if TYPE_CHECKING:
    from liqstrat.events.figures import Beside
    from liqstrat.events.study import EventStudy
    from liqstrat.scoring.intervals import Estimate


def events(
    symbol: Symbol,
    start: From = None,
    end: To = None,
    every: Annotated[
        Any, typer.Option(parser=parsed(minutes_of), metavar="LENGTH", help="How often maps are made: 5m … 4h.")
    ] = "15m",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the placebos.")] = 1,
    config: Config = None,
    db: Database = DEFAULT_DATABASE,
    warmup_days: Warmup = 14,
    target: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Write a page with figures, page.html, the touches, .parquet, or both into a folder, as results, "
            "where `liqstrat serve` shows them.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Study what happens when price reaches levels, beside placebos equally far: an idea before there is a strategy.

    Example: liqstrat events BTCUSDT --from 2024-03-01 --to 2024-06-01 --out events.html
    """
    from liqstrat.events.saved import require_target, save
    from liqstrat.events.study import study_events
    from liqstrat.market.store import open_store

    if target is not None:
        require_target(target)
    warmup, model = timedelta(days=warmup_days), model_of(config)
    with told_with_results() as told:
        with open_store(db) as store:
            study = study_events(
                store, symbol, start, end, model, warmup=warmup, every_minutes=every, seed=seed, progress=progress
            )
        written = None if target is None else save(study, target)
        if json:
            print_json(study.to_json())
        else:
            _print(study)
        told(study.notes)
    if json:
        return
    if written is not None:
        kind = {".html": "page", ".parquet": "touches"}.get(written.suffix, "study")
        out.print(f"{kind}: {written}", markup=False, soft_wrap=True)


def _print(study: "EventStudy") -> None:
    from liqstrat.events.paths import HORIZONS
    from liqstrat.events.study import WAITED
    from liqstrat.report.numbers import length

    out.print(
        f"{study.symbol}{' SIMULATED' if study.simulated else ''}  {study.start:%Y-%m-%d %H:%M} – "
        f"{study.end:%Y-%m-%d %H:%M} UTC ({study.days} days): {len(study.levels):,} levels of maps "
        f"{study.every_minutes} minutes apart, {study.touches:,} touches",
        soft_wrap=True,
    )
    table = new_table("Beside placebos, with 95 % intervals over days", ("", "levels", "placebos", "difference"))
    for hours in WAITED:
        table.add_row(f"reached within {hours} h", *_cells(study.reached(hours)))
    held = study.liquidations()
    if held is not None:
        table.add_row("liquidations when reached", *_cells(held))
    for minutes in HORIZONS:
        table.add_row(f"price back after {length(60 * minutes)}", *_cells(study.back(minutes), signed=True))
    out.print(table)
    groups = new_table("By side, size and regime: difference from placebos", ("", "touches", "back after 1 h", "4 h"))
    for name, rows in study.groups.items():
        hour, later = study.back(60, rows), study.back(240, rows)
        groups.add_row(name, f"{hour.count:,}", *(_text(one.difference, signed=True) for one in (hour, later)))
    out.print(groups)
    out.print("Back: from the close of the minute of the touch, away from the level; negative where price ran on.")
    for note in study.notes:
        out.print(f"note: {note}", markup=False, soft_wrap=True)


def _cells(found: "Beside", *, signed: bool = False) -> list[str]:
    return [_text(one, signed=signed) for one in (found.levels, found.placebos, found.difference)]


def _text(estimate: "Estimate", *, signed: bool = False) -> str:
    if estimate.value is None:
        return "–"
    form = "{:+.2%}" if signed else "{:.1%}"
    value = form.format(estimate.value)
    if estimate.low is None or estimate.high is None:
        return value
    return f"{value} ({form.format(estimate.low)} to {form.format(estimate.high)})"
