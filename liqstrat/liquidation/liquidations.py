"""What was really liquidated."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from liqstrat.liquidation.grid import Floats, Ints


@dataclass(frozen=True, eq=False)
class Liquidations:
    """Recorded liquidations in time order, arrays of one entry each: when (nanoseconds, UTC), at which price (USDT),
    how many contracts, and whether a long was liquidated."""

    time_ns: Ints
    price: Floats
    contracts: Floats
    long: npt.NDArray[np.bool_]

    def only(self, chosen: npt.NDArray[np.bool_]) -> "Liquidations":
        """Those for which `chosen` is true."""
        return Liquidations(self.time_ns[chosen], self.price[chosen], self.contracts[chosen], self.long[chosen])
