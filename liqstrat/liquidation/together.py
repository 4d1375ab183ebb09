"""Maps of one coin's markets at several venues as one, in US dollars."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from liqstrat.liquidation.contract import Contract
from liqstrat.liquidation.grid import Floats
from liqstrat.liquidation.map import LiquidationMap

#: What amounts of all are counted in: dollars, of which a contract is one. Dollars of USDT and USDC count as such.
DOLLARS = Contract("USD", "USD", 1.0)


def together(symbol: str, maps: Sequence[LiquidationMap]) -> LiquidationMap:
    """The sum of maps of one moment and one width, each amount in dollars at its liquidation price.

    The price is that of the map with the largest open interest: prices of venues lie within a bin of each other. Raises
    `ValueError` where widths differ, as bins would.
    """
    if len({one.width for one in maps}) != 1:
        raise ValueError(f"widths of maps are {[one.width for one in maps]}, expected one")
    worth = [one.open_interest * float(one.contract.worth(one.price)) for one in maps]
    leading = maps[int(np.argmax(worth))]
    first = min(one.first_bin for one in maps)
    last = max(one.first_bin + one.longs.shape[1] for one in maps)
    tiers = np.unique(np.concatenate([one.tiers for one in maps]))
    sums: dict[str, Any] = {
        name: np.zeros((len(tiers), last - first)) for name in ("longs", "shorts", "long_hours", "short_hours")
    }
    unplaced: dict[str, Any] = {name: np.zeros(len(tiers)) for name in ("long_unplaced", "short_unplaced")}
    for one in maps:
        rows = np.searchsorted(tiers, one.tiers)
        here = slice(one.first_bin - first, one.first_bin - first + one.longs.shape[1])
        each: Floats = one.contract.worth(one.middles)
        for name, total in sums.items():
            total[rows, here] += getattr(one, name) * each
        for name, floating in unplaced.items():
            floating[rows] += getattr(one, name) * float(one.contract.worth(one.price))
    return replace(
        leading,
        symbol=symbol,
        open_interest=sum(worth),
        tiers=tiers,
        first_bin=first,
        seeded_share=float(np.average([one.seeded_share for one in maps], weights=worth)) if sum(worth) else 0.0,
        contract=DOLLARS,
        band=None,
        **sums,
        **unplaced,
    )
