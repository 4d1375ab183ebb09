"""Volume by price, of late: what a chart's volume profile shows."""

import numpy as np

from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.grid import Floats

#: Days after which a contract traded counts for a third.
MEMORY_DAYS = 7.0
_NS_PER_DAY = 86_400_000_000_000
_SPARE_BINS = 128


class VolumeProfile:
    """Contracts traded by price bin, fading with `MEMORY_DAYS`; each bin is `parts` of the flow's."""

    def __init__(self, parts: int) -> None:
        self._parts = parts
        self._first = 0
        self._amounts: Floats = np.zeros(0)
        self._time_ns = 0

    def copy(self) -> "VolumeProfile":
        """The profile as it is now."""
        other = VolumeProfile(self._parts)
        other._first, other._amounts, other._time_ns = self._first, self._amounts.copy(), self._time_ns
        return other

    def add(self, flow: Flow) -> None:
        """Add an interval."""
        if self._time_ns:
            self._amounts *= np.exp(-(flow.end_ns - self._time_ns) / (MEMORY_DAYS * _NS_PER_DAY))
        self._time_ns = flow.end_ns
        if len(flow.bins):
            bins = flow.bins // self._parts
            self._reach(int(bins.min()), int(bins.max()) + 1)
            part = np.bincount(bins - self._first, flow.contracts, minlength=len(self._amounts))
            self._amounts += part

    def at(self, first: int, stop: int) -> Floats:
        """Contracts on the bins from `first` up to `stop`."""
        found = np.zeros(stop - first)
        low, high = max(first, self._first), min(stop, self._first + len(self._amounts))
        if high > low:
            found[low - first : high - first] = self._amounts[low - self._first : high - self._first]
        return found

    def _reach(self, first: int, stop: int) -> None:
        if not len(self._amounts):
            self._first = first
        before = max(self._first - first + _SPARE_BINS, 0) if first < self._first else 0
        behind = max(stop - self._first - len(self._amounts), 0)
        if before or behind:
            self._amounts = np.pad(self._amounts, (before, behind + _SPARE_BINS if behind else 0))
            self._first -= before
