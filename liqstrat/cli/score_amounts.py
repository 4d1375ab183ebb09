"""What is printed of models that are held against liquidated amounts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from liqstrat.cli.program import out
from liqstrat.cli.text import print_json

if TYPE_CHECKING:
    from liqstrat.scoring.amounts.history import AmountsScore, Part
    from liqstrat.scoring.amounts.judge import Gain
    from liqstrat.scoring.intervals import Estimate

_SIDES = ("longs", "shorts")


def print_amounts(scored: "AmountsScore", *, json: bool) -> None:
    """A table of all parts and models, a sentence for each model, and what the record leaves out."""
    if json:
        print_json(scored.to_json())
        return
    inside = " and the path inside the interval" if all(part.strict for part in scored.parts) else ""
    simulated = " SIMULATED" if scored.simulated else ""
    out.print(
        f"{scored.symbol}{simulated}  amounts every {scored.every_hours:.10g} h, candles of {scored.path}. What maps "
        f"add, in weeks not fitted, to the R² of a baseline that knows distance, volatility, volume, recency{inside}:",
        soft_wrap=True,
    )
    for source in dict.fromkeys((part.venues, part.record) for part in scored.parts):
        out.print(_table(source, [part for part in scored.parts if (part.venues, part.record) == source]))
    for model, words in scored.words().items():
        out.print(f"{model}: {words}", soft_wrap=True)
    for remark in scored.remarks:
        out.print(f"note: {remark}", markup=False, soft_wrap=True)


def _table(source: tuple[str, str], parts: Sequence["Part"]) -> Table:
    venues, record = source
    table = Table(title=f"{venues}, record {record}", title_justify="left", box=None, pad_edge=False)
    for name in ("part", "model"):
        table.add_column(name, no_wrap=True)
    for name in ("intervals", *(f"{side} {figure}" for side in _SIDES for figure in ("R²", "add", "rank"))):
        table.add_column(name, justify="right")
    for part in parts:
        whole = part.name == "all"
        for model, gains in part.gains.items():
            figures = [cell for side in _SIDES for cell in _figures(gains[side])]
            named = f"{part.start:%Y-%m} – {part.end:%Y-%m}" if whole else f"  {part.name}"
            count = f"{gains[_SIDES[0]].intervals:,}"
            table.add_row(named, model, count, *figures, style=None if whole else "dim")
    return table


def _figures(gain: "Gain") -> tuple[str, str, str]:
    return f"{gain.baseline:.3f}", _estimate(gain.adds), "–" if gain.rank is None else f"{gain.rank:.2f}"


def _estimate(estimate: "Estimate") -> str:
    if estimate.value is None:
        return "–"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:+.3f}"
    return f"{estimate.value:+.3f} ({estimate.low:.3f} to {estimate.high:.3f})"
