"""Contracts by leverage tier and liquidation price, of all longs or of all shorts, and what price takes of them.

The loops over groups of trades and tiers are compiled (Numba) at their first use, and kept for the next process.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from numba import njit

from liqstrat.liquidation.brackets import BracketTable
from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.grid import Floats, Ints, bin_at, log_step
from liqstrat.liquidation.model import Consumed
from liqstrat.liquidation.price import Formula, liquidation_price

_SPARE_BINS = 256
_SMALLEST_SCALE = 1e-60


@dataclass(frozen=True, eq=False)
class Tiers:
    """For one bracket table: how a contract of each bracket spreads over tiers, and how far away each is liquidated.

    Arrays `[bracket, tier]`; `shift` counts bins from the entry's, `fraction` is the part that falls one bin higher,
    `placed` is false where no price liquidates (a long at 1x).
    """

    share: Floats
    shift: Ints
    fraction: Floats
    placed: npt.NDArray[np.bool_]

    @cached_property
    def reach(self) -> tuple[int, int]:
        """The smallest and the largest `shift`."""
        return int(self.shift.min()), int(self.shift.max())


def spread_over_tiers(
    brackets: BracketTable, tiers: Ints, mix: Floats, sign: int, width: float, formula: Formula
) -> Tiers:
    """Cut the mix at each bracket's highest leverage and find each tier's distance on the grid.

    The distance of a bracket is that of its geometric middle (the lowest bracket's: of half its cap).
    """
    share = np.zeros((len(brackets), len(tiers)))
    for bracket, cap in enumerate(brackets.max_leverage):
        allowed = max(int(np.searchsorted(tiers, cap, side="right")) - 1, 0)
        share[bracket, : allowed + 1] = mix[: allowed + 1]
        share[bracket, allowed] += mix[allowed + 1 :].sum()
    lows = np.where(brackets.floors > 0, brackets.floors, brackets.caps[0] / 4)
    highs = np.where(np.isfinite(brackets.caps), brackets.caps, 2 * lows)
    notional = np.sqrt(lows * highs)[:, np.newaxis]
    ratio = liquidation_price(1.0, tiers, notional, sign, brackets, formula)
    placed = ratio > 0
    distance = np.log(np.where(placed, ratio, 1.0)) / log_step(width)
    shift = np.floor(distance).astype(np.int64)
    return Tiers(share, shift, distance - shift, placed)


class Side:
    """All longs (`sign` +1) or all shorts (-1): contracts by tier and price bin, on a window of the grid that grows.

    Amounts are kept unscaled, with one factor a tier, so that closing a share of a tier touches no array.
    """

    def __init__(self, sign: int, tiers: int) -> None:
        self.sign = sign
        self.first = 0
        self._scale = np.ones(tiers)
        self._sums = np.zeros(tiers)
        self._contracts = np.zeros((tiers, 0))
        self._hours = np.zeros((tiers, 0))
        self._unplaced = np.zeros(tiers)
        self._seed = np.zeros((tiers, 0))
        self._seed_sums = np.zeros(tiers)
        self._nearest: int | None = None
        self._none = np.zeros((tiers, 0))

    @property
    def tiers(self) -> int:
        """How many tiers there are."""
        return len(self._scale)

    @property
    def bins(self) -> int:
        """How many price bins the window has."""
        return int(self._contracts.shape[1])

    @property
    def total(self) -> float:
        """Contracts of all tiers, placed or not."""
        return _dot(self._sums, self._scale)

    @property
    def by_tier(self) -> Floats:
        """Contracts of each tier, placed or not."""
        return self._sums * self._scale

    @property
    def seeded(self) -> float:
        """Contracts that were open when history began."""
        return _dot(self._seed_sums, self._scale)

    def unplaced_now(self) -> Floats:
        """Contracts of each tier that no price liquidates."""
        return self._unplaced * self._scale

    def reaches(self, edge: int) -> bool:
        """Whether anything may stand in bin `edge` or beyond it towards the price's old side."""
        return self._nearest is not None and (self._nearest - edge) * self.sign >= 0

    def take_out(self, edge: int) -> tuple[int, Floats]:
        """Remove all from bin `edge` towards the price's old side; returns the first bin and what was there."""
        nearest = self._nearest
        if nearest is None or not self.reaches(edge):
            return edge, self._none
        low, high = (edge, nearest) if self.sign > 0 else (nearest, edge)
        columns = slice(max(low - self.first, 0), min(high + 1 - self.first, self.bins))
        self._nearest = edge - self.sign
        taken = _take(
            self._contracts, self._hours, self._seed, self._sums, self._seed_sums, self._scale,
            columns.start, columns.stop,
        )  # fmt: skip
        return self.first + columns.start, taken

    def keep(self, kept: Floats | float) -> None:
        """Keep a share of each tier (or the same of all); the rest closes."""
        self._scale *= kept
        if _smallest(self._scale) < _SMALLEST_SCALE:
            self._settle()

    def _settle(self) -> None:
        """Multiply the factors into the arrays, and count anew what sums had drifted from."""
        for amounts in (self._contracts, self._hours, self._seed):
            amounts *= self._scale[:, np.newaxis]
        self._unplaced *= self._scale
        self._seed_sums *= self._scale
        self._scale = np.ones(len(self._scale))
        self._sums = self._contracts.sum(axis=1) + self._unplaced

    def add(
        self,
        bins: Ints,
        brackets: Ints,
        weights: Floats,
        tiers: Tiers,
        amount: float,
        edge: int,
        hour: float,
        *,
        seed: bool = False,
    ) -> None:
        """Open `amount` contracts with entries in `bins`, of notionals in `brackets`, in proportion to `weights`.

        `tiers.share` counts before anything dies: `edge` is the bin of the price reached against this side, and what
        would be liquidated there has opened and died inside the interval, so the rest is scaled up to `amount`.
        """
        bound = edge - self.sign
        low, high = _extremes(bins)
        self._make_room(min(low + tiers.reach[0], bound), max(high + tiers.reach[1], bound) + 1)
        nearest = _open(
            self._contracts, self._hours, self._sums, self._unplaced, self._scale,
            bins, brackets, weights, tiers.share, tiers.shift, tiers.fraction, tiers.placed,
            self.sign, bound, self.first, amount, hour,
        )  # fmt: skip
        if nearest is not None:
            known = nearest if self._nearest is None else self._nearest
            self._nearest = max(known, nearest) if self.sign > 0 else min(known, nearest)
        if seed:
            self._settle()
            self._seed, self._seed_sums = self._contracts.copy(), self._sums.copy()

    def _make_room(self, low: int, high: int) -> None:
        if not self.bins:
            self.first = low - _SPARE_BINS
        before = self.first - low + _SPARE_BINS if low < self.first else 0
        after = high + 1 - self.first - self.bins + _SPARE_BINS if high + 1 > self.first + self.bins else 0
        if before or after:
            pad = ((0, 0), (before, after))
            self._contracts, self._hours = np.pad(self._contracts, pad), np.pad(self._hours, pad)
            if self._seed.size:
                self._seed = np.pad(self._seed, pad)
            self.first -= before

    def window(self, first: int, last: int) -> tuple[Floats, Floats]:
        """Contracts, and contracts times their opening time (hours since 1970), on the bins from `first` to `last`."""
        return _window(self._contracts, self._hours, self._scale, first - self.first, last - self.first)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _window(contracts: Floats, hours: Floats, scale: Floats, first: int, last: int) -> tuple[Floats, Floats]:
    """Columns from `first` up to `last` of both, scaled by tier; zero where there are none."""
    tiers, bins = contracts.shape
    shown, shown_hours = np.zeros((tiers, last - first)), np.zeros((tiers, last - first))
    low = min(max(first, 0), bins)
    high = max(min(last, bins), low)
    for tier in range(tiers):
        for source, target in ((contracts, shown), (hours, shown_hours)):
            held, seen = source[tier, low:high], target[tier, low - first : high - first]
            for column in range(len(held)):
                seen[column] = held[column] * scale[tier]
    return shown, shown_hours


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _open(  # type: ignore[no-untyped-def]
    contracts, hours, sums, unplaced, scale, bins, brackets, weights, share, shift, fraction, placed,
    sign, bound, first, amount, hour,
):  # fmt: skip
    """The loop of `Side.add`; returns the bin nearest to price into which something was put, None where none was."""
    tiers = len(scale)
    living = 0.0
    for i in range(len(bins)):
        for tier in range(tiers):
            part, target = weights[i] * share[brackets[i], tier], bins[i] + shift[brackets[i], tier]
            if not placed[brackets[i], tier]:
                living += part
            else:
                if (bound - target) * sign >= 0:
                    living += part * (1 - fraction[brackets[i], tier])
                if (bound - target - 1) * sign >= 0:
                    living += part * fraction[brackets[i], tier]
    all_dead = not living > 0
    if all_dead:
        for i in range(len(bins)):
            for tier in range(tiers):
                living += weights[i] * share[brackets[i], tier]
    nearest = None
    for i in range(len(bins)):
        for tier in range(tiers):
            part = weights[i] * share[brackets[i], tier] * amount / living / scale[tier]
            target, upper = bins[i] + shift[brackets[i], tier], fraction[brackets[i], tier]
            if all_dead:
                # There is no room that price did not run through: next to where it ended.
                target, upper = bound, 0.0
            elif not placed[brackets[i], tier]:
                unplaced[tier] += part
                sums[tier] += part
                continue
            for step in range(2):
                added = part * (upper if step else 1 - upper)
                at = target + step
                if added > 0 and (bound - at) * sign >= 0:
                    contracts[tier, at - first] += added
                    hours[tier, at - first] += added * hour
                    sums[tier] += added
                    if nearest is None or (at - nearest) * sign > 0:
                        nearest = at
    return nearest


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _take(contracts, hours, seed, sums, seed_sums, scale, first, last):  # type: ignore[no-untyped-def]
    """The loop of `Side.take_out`: empty the bins from `first` up to `last`; what was in them, by tier and bin."""
    taken = np.zeros((len(scale), last - first))
    for tier in range(len(scale)):
        for column in range(first, last):
            sums[tier] -= contracts[tier, column]
            taken[tier, column - first] = contracts[tier, column] * scale[tier]
            contracts[tier, column] = hours[tier, column] = 0.0
            if seed.size:
                seed_sums[tier] -= seed[tier, column]
                seed[tier, column] = 0.0
    return taken


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _dot(a: Floats, b: Floats) -> float:
    return (a * b).sum()  # type: ignore[no-any-return]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _smallest(values: Floats) -> float:
    """NumPy's takes ten times as long for a few values."""
    return values.min()  # type: ignore[no-any-return]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _extremes(values: Ints) -> tuple[int, int]:
    return values.min(), values.max()  # type: ignore[return-value]


def take_out(longs: Side, shorts: Side, flow: Flow, width: float) -> Consumed:
    """Remove longs liquidated at or above the interval's low and shorts at or below its high."""
    if np.isnan(flow.low):
        return Consumed.nothing(flow.end_ns, longs.tiers)
    low, high = bin_at(flow.low, width), bin_at(flow.high, width)
    return Consumed(flow.end_ns, *longs.take_out(low), *shorts.take_out(high))
