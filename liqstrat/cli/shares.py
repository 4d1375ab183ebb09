"""A fitted leverage mix as it is printed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from liqstrat.cli.text import new_table

if TYPE_CHECKING:
    from liqstrat.calibration.apart import Together
    from liqstrat.calibration.calibrate import Share


def shares_table(shares: Sequence["Share"]) -> Table:
    """Tiers with their shares and intervals, beside the default's."""
    columns = ("leverage", "fitted", "95 % interval", "default")
    table = new_table("Leverage mix, effective shares of opened contracts", columns)
    for one in shares:
        table.add_row(f"{one.leverage}x", f"{one.share:.3f}", f"{one.low:.3f} – {one.high:.3f}", f"{one.default:.3f}")
    return table


def together_text(group: "Together") -> str:
    """That some tiers cannot be told apart."""
    names = [f"{tier}x" for tier in group.tiers]
    listed = f"{', '.join(names[:-1])} from {names[-1]}"
    return f"the data cannot tell {listed}: their sum is {group.share:.2f} ({group.low:.2f} to {group.high:.2f})"
