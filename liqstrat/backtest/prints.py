"""What trades, as the simulated exchange needs it: the print that an order waits for, and what printed at a price.

A replay knows its whole tape, a strategy does not: nothing of this is handed to one before the engine has come to it.
"""

from typing import NamedTuple, Protocol

import numpy as np

from liqstrat.catalog.minutes import MinuteBars
from liqstrat.moments import MINUTE_NS


class Print(NamedTuple):
    """A trade: when (nanoseconds, UTC) and at which price (USDT)."""

    time_ns: int
    price: float


class Prints(Protocol):
    """The prints of one symbol in a replay."""

    def at_or_after(self, time_ns: int) -> Print | None:
        """The first print from `time_ns` on; None where nothing trades any more."""

    def printed(self, time_ns: int, price: float) -> float:
        """Contracts that traded at `price` in the market data stamped `time_ns`."""

    def met_at(self, time_ns: int, trigger: float, *, buy: bool) -> float | None:
        """At which price a stop order's trigger was met in the data stamped `time_ns`; None: at the print itself."""

    def range_of(self, time_ns: int) -> tuple[float, float]:
        """The lowest and the highest price in the market data stamped `time_ns`, of bars."""


class MinutePrints:
    """Prints inside minute bars, of which open, extremes, close and volume are known, and no times.

    An order that arrives in a minute that trades meets that minute's open; between its open and its extremes price
    is taken to pass every price. `tick` is the step of prices, USDT.
    """

    def __init__(self, minutes: MinuteBars, tick: float) -> None:
        self._minutes, self._tick = minutes, tick
        self._traded = np.flatnonzero(minutes.recorded & (minutes.volume > 0))

    def at_or_after(self, time_ns: int) -> Print | None:
        """The open of the minute at `time_ns`, then; where that does not trade, of the next that does, at its start."""
        minute = (time_ns - self._minutes.start_ns) // MINUTE_NS
        place = int(self._traded.searchsorted(minute))
        if place == len(self._traded):
            return None
        found = int(self._traded[place])
        return Print(max(time_ns, self._minutes.start_ns + found * MINUTE_NS), float(self._minutes.open[found]))

    def printed(self, time_ns: int, price: float) -> float:
        """The minute's volume spread evenly over its prices: how much printed at one of them is not known."""
        ended = self._ended(time_ns)
        low, high = self._minutes.low[ended], self._minutes.high[ended]
        if not low <= price <= high:
            return 0.0
        return float(self._minutes.volume[ended] / (round((high - low) / self._tick) + 1))

    def met_at(self, time_ns: int, trigger: float, *, buy: bool) -> float | None:
        """The trigger, or the open where the minute opened beyond it."""
        opened = float(self._minutes.open[self._ended(time_ns)])
        return max(opened, trigger) if buy else min(opened, trigger)

    def range_of(self, time_ns: int) -> tuple[float, float]:
        """Low and high of the minute that ended then."""
        ended = self._ended(time_ns)
        return float(self._minutes.low[ended]), float(self._minutes.high[ended])

    def _ended(self, time_ns: int) -> int:
        """The minute that ends at `time_ns`."""
        return min(max((time_ns - self._minutes.start_ns) // MINUTE_NS - 1, 0), len(self._minutes) - 1)
