"""What may be open where contracts come in lumps, and nobody knows how many are to be expected.

Positions are few, large or small: where a book expects `e` contracts and a position usually has `l`, what is open has a
gamma law of mean `e` and shape `e / l`. Where several books may be right, it has the mean of their laws. A law of a sum
of bins is that of their sums, as long as lumps are the same.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from statistics import NormalDist

import numpy as np

from liqstrat.liquidation.grid import Floats, Ints, bin_of

#: The least and the most contracts.
Bounds = tuple[Floats, Floats]

#: Less than this part of a lump is nothing: a gamma law knows no zero.
NOTHING = 0.01
_NORMAL = NormalDist()
#: Halvings of the logarithm of a quantile's range.
_ROUNDS = 20


def chance(contracts: Floats, expected: Floats, lump: float) -> Floats:
    """How sure it is that no more than `contracts[...]` are open where books expect `expected[book, ...]`."""
    from scipy.special import gammainc  # takes a third of a second, and most never ask

    # A gamma law without any shape is refused.
    shapes = np.maximum(expected / lump, 1e-12)
    found: Floats = gammainc(shapes, np.maximum(contracts / lump, NOTHING)).mean(axis=0)
    return found


def quantile(level: float, expected: Floats, lump: float) -> Floats:
    """The contracts that are not exceeded with probability `level`, for each of `expected[book, ...]`."""
    most = expected.max(axis=0)
    low = np.full(most.shape, np.log(NOTHING * lump))
    high = np.log(3 * most + 30 * lump)
    nothing = chance(np.exp(low), expected, lump) >= level
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        less = chance(np.exp(middle), expected, lump) < level
        low, high = np.where(less, middle, low), np.where(less, high, middle)
    return np.where(nothing, 0.0, np.exp(high))


@dataclass(frozen=True, eq=False)
class Band:
    """What may be open: contracts that books expect, `expected[book, side, bin]`, longs first, from bin `first_bin` on.

    lump: contracts of a usual position. out: how far out in their law the least and the most lie, in standard
    deviations of a normal law: 1.645 has nine of ten of it.
    liquidations: how many of them that is by; intervals: how many taught how far out.
    """

    first_bin: int
    width: float
    expected: Floats
    lump: float
    out: float
    liquidations: int = 0
    intervals: int = 0

    def part(self, first: int, stop: int) -> "Band":
        """That of the bins from one place up to another."""
        return replace(self, first_bin=self.first_bin + first, expected=self.expected[:, :, first:stop])

    @cached_property
    def bins(self) -> Bounds:
        """The least and the most that stands in each bin, `[side, bin]` each."""
        return self.bounds(self.expected)

    @cached_property
    def together(self) -> Bounds:
        """The same of both sides together, `[bin]` each."""
        return self.bounds(self.expected.sum(axis=1))

    def bounds(self, expected: Floats) -> Bounds:
        """The least and the most of sums of bins, of which books expect `expected[book, ...]`."""
        low, high = (quantile(_NORMAL.cdf(out), expected, self.lump) for out in (-self.out, self.out))
        return low, high

    def between(self, side: str, price_low: float, price_high: float) -> tuple[float, float]:
        """The least and the most of a side ("long", "short") from one price up to another, both edges of bins."""
        first, stop = bin_of([price_low, price_high], self.width) - self.first_bin
        (low,), (high,) = self.ranges(np.array([0 if side == "long" else 1]), np.array([first]), np.array([stop]))
        return float(low), float(high)

    def ranges(self, sides: Ints, first: Ints, stop: Ints) -> Bounds:
        """As `between`, of ranges of bins, from the place `first` up to `stop`; 0 is for longs, 1 for shorts."""
        bins, at = self.expected.shape[2], np.arange(len(first))
        before = self._before[:, sides]
        return self.bounds(
            np.maximum(before[:, at, np.clip(stop, 0, bins)] - before[:, at, np.clip(first, 0, bins)], 0)
        )

    @cached_property
    def _before(self) -> Floats:
        """What stands in all bins before each, and at last in all, `[book, side, bin]`."""
        return np.pad(np.cumsum(self.expected, axis=2), ((0, 0), (0, 0), (1, 0)))
