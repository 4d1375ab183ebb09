"""When price was last where: how old the levels are that stand there."""

import numpy as np

from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.grid import Floats, Ints, bin_at

_NS_PER_HOUR = 3_600_000_000_000
_NEVER = -1
_SPARE_BINS = 256


class LastSeen:
    """By price bin, the end of the last interval in which price was there; between intervals it jumps over nothing."""

    def __init__(self, width: float) -> None:
        self._width = width
        self._first = 0
        self._times: Ints = np.zeros(0, dtype=np.int64)
        self._close: int | None = None

    def copy(self) -> "LastSeen":
        """As it is now."""
        other = LastSeen(self._width)
        other._first, other._times, other._close = self._first, self._times.copy(), self._close
        return other

    def add(self, flow: Flow) -> None:
        """Add an interval."""
        if not flow.volume > 0:
            return
        low, high, close = (bin_at(price, self._width) for price in (flow.low, flow.high, flow.close))
        if self._close is not None:
            low, high = min(low, self._close), max(high, self._close)
        self._reach(low, high + 1)
        self._times[low - self._first : high + 1 - self._first] = flow.end_ns
        self._close = close

    def hours(self, first: int, stop: int, now_ns: int) -> Floats:
        """Hours since price was in each of the bins from `first` up to `stop`, infinite where it never was."""
        found = np.full(stop - first, _NEVER, dtype=np.int64)
        low, high = max(first, self._first), min(stop, self._first + len(self._times))
        if high > low:
            found[low - first : high - first] = self._times[low - self._first : high - self._first]
        return np.where(found == _NEVER, np.inf, (now_ns - found) / _NS_PER_HOUR)

    def _reach(self, first: int, stop: int) -> None:
        if not len(self._times):
            self._first = first
        before = max(self._first - first + _SPARE_BINS, 0) if first < self._first else 0
        behind = max(stop - self._first - len(self._times), 0)
        if before or behind:
            widths = (before, behind + _SPARE_BINS if behind else 0)
            self._times = np.pad(self._times, widths, constant_values=_NEVER)
            self._first -= before
