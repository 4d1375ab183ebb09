"""What is printed of maps that are held against real positions."""

from typing import TYPE_CHECKING

from liqstrat.cli.program import out
from liqstrat.cli.text import new_table, print_json

if TYPE_CHECKING:
    from liqstrat.scoring.positions import Distances, PositionsScore


def print_positions(scored: "PositionsScore", *, json: bool) -> None:
    """Distances to liquidation, of positions and of each model, by side."""
    from liqstrat.scoring.positions import SHARES

    if json:
        print_json(scored.to_json())
        return
    simulated = " SIMULATED" if scored.simulated else ""
    out.print(
        f"{scored.symbol}{simulated}  {scored.positions:,} positions in {scored.snapshots:,} snapshots. Within how "
        "many % of price the nearest part of the notional is liquidated:",
        soft_wrap=True,
    )
    table = new_table("", ("", "side", *(f"{share:.0%}" for share in SHARES), "never"))
    for name, sides in [("positions", scored.real), *scored.models.items()]:
        for side, found in sides.items():
            table.add_row(name, side, *_cells(found))
    out.print(table)
    for model, apart in scored.apart.items():
        out.print(
            f"{model}: shares of the notional that are nearer than some distance differ by up to {apart:.0%}. "
            "Positions that can be seen are of some accounts, mostly large and cross: a bound from one side, no truth.",
            soft_wrap=True,
        )
    for remark in scored.remarks:
        out.print(f"note: {remark}", markup=False, soft_wrap=True)


def _cells(found: "Distances") -> list[str]:
    far = f"{found.far:.0%}" if found.notional else "–"
    return [*("–" if one is None else f"{100 * one:.1f}" for one in found.quantiles), far]
