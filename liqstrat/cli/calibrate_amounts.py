"""What is printed of a fit to liquidated amounts."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from liqstrat.cli.program import out
from liqstrat.cli.shares import shares_table, together_text
from liqstrat.cli.text import print_json

if TYPE_CHECKING:
    from liqstrat.calibration.amounts_history import AmountsCalibration


def print_amounts_calibration(symbol: str, found: "AmountsCalibration", *, simulated: bool, json: bool) -> None:
    """Shares with intervals, what the record leaves out, whether to use the fit, and the recommended block."""
    if json:
        told = {"symbol": symbol, "simulated": simulated, "source": "amounts", "better": found.better}
        print_json({**told, "verdict": verdict_text(found), **asdict(found), "model": block_of(symbol, found)})
        return
    out.print(f"{symbol}{' SIMULATED' if simulated else ''}: {source_text(found)}", markup=False, soft_wrap=True)
    out.print(shares_table(found.shares))
    for group in found.together:
        out.print(together_text(group), markup=False, soft_wrap=True)
    for remark in found.remarks:
        out.print(f"note: {remark}", markup=False, soft_wrap=True)
    out.print(verdict_text(found), markup=False, soft_wrap=True)
    out.print()
    out.print(block_of(symbol, found), markup=False, soft_wrap=True, end="")


def block_of(symbol: str, found: "AmountsCalibration") -> str:
    """The recommended `[model]` block."""
    from liqstrat.calibration.block import model_block

    return model_block(found.settings, [f"{symbol}: {source_text(found)}.", verdict_text(found)])


def source_text(found: "AmountsCalibration") -> str:
    """What it was fitted to."""
    return (
        f"fitted to what was liquidated in {found.intervals:,} intervals of {found.every_hours:.10g} h and sides, "
        f"{found.weeks} weeks of {found.venues}, record {found.record}"
    )


def verdict_text(found: "AmountsCalibration") -> str:
    """Whether to use the fit."""
    if not found.agree:
        return f"Fits from other starts end {found.apart:.2f} apart, the data do not tell: the default is recommended."
    adds = found.adds
    if adds.value is None or adds.low is None or adds.high is None:
        return "There are not enough weeks to judge the fit on weeks it has not seen: the default is recommended."
    longs, shorts = found.by_side
    gain = (
        f"In weeks left out of the fit its maps add {adds.value:+.4f} of R² ({adds.low:+.4f} to {adds.high:+.4f}) over "
        f"the default's, {longs:+.4f} on longs and {shorts:+.4f} on shorts"
    )
    if found.better:
        return f"{gain}: better, the fit is recommended."
    how = "not better" if adds.value <= 0 else "too little, no better than chance could do, or worse on a side"
    return f"{gain}: {how}, the default is recommended."
