"""When price was last where: how old the levels are that stand there."""

import numpy as np

from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.grid import Floats, bin_at
from liqstrat.moments import HOUR_NS
from liqstrat.scoring.row import Row

_NEVER = np.int64(-1)


class LastSeen:
    """By price bin, the end of the last interval in which price was there; between intervals it jumps over nothing."""

    def __init__(self, width: float) -> None:
        self._width = width
        self._times = Row(_NEVER)
        self._close: int | None = None

    def copy(self) -> "LastSeen":
        """As it is now."""
        other = LastSeen(self._width)
        other._times, other._close = self._times.copy(), self._close
        return other

    def add(self, flow: Flow) -> None:
        """Add an interval."""
        if not flow.volume > 0:
            return
        low, high, close = (bin_at(price, self._width) for price in (flow.low, flow.high, flow.close))
        if self._close is not None:
            low, high = min(low, self._close), max(high, self._close)
        self._times.reach(low, high + 1)[:] = flow.end_ns
        self._close = close

    def hours(self, first: int, stop: int, now_ns: int) -> Floats:
        """Hours since price was in each of the bins from `first` up to `stop`, infinite where it never was."""
        found = self._times.at(first, stop)
        return np.where(found == _NEVER, np.inf, (now_ns - found) / HOUR_NS)
