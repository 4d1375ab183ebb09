"""One value a price bin, on a window of the grid that grows."""

from typing import Any

import numpy as np
import numpy.typing as npt

_SPARE_BINS = 256


class Row[Value: np.generic]:
    """`values[i]` is that of bin `first + i`; bins that were never reached have the value `empty`."""

    def __init__(self, empty: Value) -> None:
        self._empty = empty
        self.first = 0
        self.values: npt.NDArray[Value] = np.zeros(0, dtype=empty.dtype)

    def copy(self) -> "Row[Value]":
        """As it is now."""
        other = Row(self._empty)
        other.first, other.values = self.first, self.values.copy()
        return other

    def at(self, first: int, stop: int) -> npt.NDArray[Value]:
        """The values of the bins from `first` up to `stop`."""
        found = np.full(stop - first, self._empty)
        low, high = max(first, self.first), min(stop, self.first + len(self.values))
        if high > low:
            found[low - first : high - first] = self.values[low - self.first : high - self.first]
        return found

    def reach(self, first: int, stop: int) -> npt.NDArray[Value]:
        """The values of the bins from `first` up to `stop`, to be changed in place."""
        if not len(self.values):
            self.first = first
        before = max(self.first - first + _SPARE_BINS, 0) if first < self.first else 0
        behind = max(stop - self.first - len(self.values), 0)
        if before or behind:
            widths, empty = (before, behind + _SPARE_BINS if behind else 0), self._empty
            padded: npt.NDArray[Any] = np.pad(self.values, widths, constant_values=empty)
            self.values, self.first = padded, self.first - before
        return self.values[first - self.first : stop - self.first]
