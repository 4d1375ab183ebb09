"""What was open before history, told apart from what was seen to open."""

import numpy as np

from liqstrat.liquidation.grid import Floats
from liqstrat.liquidation.map import LiquidationMap

#: Bins with less than this share of a tier's densest are too empty to tell how much has closed.
_EMPTY = 1e-6


class Seeds:
    """Where a book's first map put contracts, and how much of them is left.

    They are still there beyond the lowest and highest bin ever traded at. Each leverage closes in proportion, so what
    is left of a tier shows where nothing has been added to it.
    """

    def __init__(self, first: LiquidationMap, low: int, high: int) -> None:
        self._first = first.first_bin
        self._placed = (first.longs, first.shorts)
        self._lowest, self._highest = low, high

    def breaks(self, low: int, high: int) -> bool:
        """Whether price goes where it has not been."""
        return low < self._lowest or high > self._highest

    def extend(self, low: int, high: int) -> None:
        """Price has traded from bin `low` to bin `high`."""
        self._lowest, self._highest = min(low, self._lowest), max(high, self._highest)

    def left(self, now: LiquidationMap) -> tuple[Floats, Floats]:
        """Share of each tier's seeds that is still open, of longs and of shorts; above one where open interest grew."""
        shares = []
        for placed, held in zip(self._placed, (now.longs, now.shorts), strict=True):
            start = self._first - now.first_bin
            present = held[:, start : start + placed.shape[1]]
            known = (placed > placed.max(axis=1, keepdims=True) * _EMPTY) & (present > 0)
            share = np.divide(present, placed, out=np.full(placed.shape, np.inf), where=known).min(axis=1)
            shares.append(np.where(np.isfinite(share), share, 0.0))
        return shares[0], shares[1]

    def among(self, side: int, first: int, consumed: Floats, left: Floats) -> Floats:
        """How much of `consumed[tier, bin]`, from bin `first` on, were seeds; `left` is their share by tier."""
        found = np.zeros_like(consumed)
        bins = np.arange(first, first + consumed.shape[1])
        new = bins < self._lowest if side == 0 else bins > self._highest
        column = bins - self._first
        here = new & (column >= 0) & (column < self._placed[side].shape[1])
        found[:, here] = self._placed[side][:, column[here]] * left[:, np.newaxis]
        return np.minimum(found, consumed)
