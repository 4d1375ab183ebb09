"""Which trades are large: by their value, the largest few, or those that make a part of what was traded."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from liqstrat.liquidation.grid import Floats, Ints

LargeBy = Literal["value", "top", "portion"]


@dataclass(frozen=True)
class LargeRule:
    """How large trades are chosen among those of an interval.

    by: "value", all of at least `amount` USDT; "top", the `amount` largest; "portion", the largest that together reach
    the share `amount` of the interval's USDT. Of equal ones the earlier is taken first.
    """

    by: LargeBy
    amount: float

    def __post_init__(self) -> None:
        if self.by not in get_args(LargeBy):
            raise ValueError(f'large_by is "{self.by}", expected one of {", ".join(get_args(LargeBy))}')
        if not self.amount > 0 or (self.by == "portion" and self.amount > 1):
            expected = {"value": "USDT above 0", "top": "a number above 0", "portion": "a share above 0 up to 1"}
            raise ValueError(f'large is {self.amount}, expected {expected[self.by]} where large_by is "{self.by}"')

    def chosen(self, notional: Floats) -> npt.NDArray[np.bool_]:
        """Which trades of one interval are large; `notional` (USDT) is in their order."""
        if self.by == "value":
            return np.asarray(notional >= self.amount)
        order = np.argsort(-notional, kind="stable")
        largest = np.zeros(len(notional), dtype=np.bool_)
        if self.by == "top":
            largest[order[: int(self.amount)]] = True
        else:
            before = np.cumsum(notional[order]) - notional[order]
            largest[order[before < self.amount * notional.sum()]] = True
        return largest


@dataclass(frozen=True, eq=False)
class LargeTrades:
    """The large trades of an interval, in groups: price bin, whether the taker bought, and contracts."""

    bins: Ints
    buy: npt.NDArray[np.bool_]
    contracts: Floats
