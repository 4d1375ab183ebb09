"""Models judged on simulated markets, printed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from liqstrat.printing.text import new_table

if TYPE_CHECKING:
    from liqstrat.bench.judge import Verdict
    from liqstrat.liquidation.agreement import Agreement


def print_verdicts(out: Console, verdicts: Sequence["Verdict"]) -> None:
    table = new_table(
        "Agreement with the true map (SIMULATED markets): rank correlation, linear correlation, overlap",
        ("model", "regime", "seeds", "agreement", "share of the bound", "of the strict bound", "lowest share"),
    )
    models = list(dict.fromkeys(v.model for v in verdicts))
    regimes = list(dict.fromkeys(v.regime for v in verdicts))
    for model in models:
        own = [v for v in verdicts if v.model == model]
        rows = [(regime, [v for v in own if v.regime == regime]) for regime in regimes]
        for regime, these in [*rows, ("mean", own)] if len(regimes) > 1 else rows:
            columns = ([v.agreement for v in these], [v.share for v in these], [v.strict_share for v in these])
            lowest = min(figure for v in these for figure in _three(v.share))
            table.add_row(model, regime, str(len(these)), *(_means_text(column) for column in columns), f"{lowest:.2f}")
    out.print(table)
    out.print(
        "Bound: side, entry and size of every position known, leverage only by the mix. "
        "Strict bound: also which leverages price has run through since each position opened."
    )


def _three(agreement: "Agreement") -> tuple[float, float, float]:
    return agreement.rank, agreement.linear, agreement.overlap


def _means_text(agreements: Sequence["Agreement"]) -> str:
    return "  ".join(f"{sum(column) / len(column):.2f}" for column in zip(*map(_three, agreements), strict=True))
