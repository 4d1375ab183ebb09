"""Volume by price, of late: what a chart's volume profile shows."""

import numpy as np

from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.grid import Floats
from liqstrat.moments import DAY_NS
from liqstrat.scoring.row import Row

#: Days after which a contract traded counts for a third.
MEMORY_DAYS = 7.0


class VolumeProfile:
    """Contracts traded by price bin, fading with `MEMORY_DAYS`; each bin is `parts` of the flow's."""

    def __init__(self, parts: int) -> None:
        self._parts = parts
        self._amounts = Row(np.float64(0.0))
        self._time_ns = 0

    def copy(self) -> "VolumeProfile":
        """The profile as it is now."""
        other = VolumeProfile(self._parts)
        other._amounts, other._time_ns = self._amounts.copy(), self._time_ns
        return other

    def add(self, flow: Flow) -> None:
        """Add an interval."""
        if self._time_ns:
            self._amounts.values *= np.exp(-(flow.end_ns - self._time_ns) / (MEMORY_DAYS * DAY_NS))
        self._time_ns = flow.end_ns
        if len(flow.bins):
            bins = flow.bins // self._parts
            first, stop = int(bins.min()), int(bins.max()) + 1
            self._amounts.reach(first, stop)[:] += np.bincount(bins - first, flow.contracts)

    def at(self, first: int, stop: int) -> Floats:
        """Contracts on the bins from `first` up to `stop`."""
        return self._amounts.at(first, stop)
