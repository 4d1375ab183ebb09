"""Contracts by leverage tier and liquidation price, of all longs or of all shorts, and what price takes of them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from liqstrat.liquidation.brackets import BracketTable
from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.grid import Floats, Ints, bin_of, log_step
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.liquidation.model import Consumed, LiquidationModel
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

    def of(self, brackets: Ints) -> "Tiers":
        """The rows of `brackets`."""
        return Tiers(self.share[brackets], self.shift[brackets], self.fraction[brackets], self.placed[brackets])


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
        self._seed_unplaced = np.zeros(tiers)
        self._reach = 0

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
        return float(self._sums @ self._scale)

    @property
    def by_tier(self) -> Floats:
        """Contracts of each tier, placed or not."""
        return self._sums * self._scale

    @property
    def seeded(self) -> float:
        """Contracts that were open when history began."""
        return float((self._seed.sum(axis=1) + self._seed_unplaced) @ self._scale)

    def unplaced_now(self) -> Floats:
        """Contracts of each tier that no price liquidates."""
        return self._unplaced * self._scale

    def take_out(self, edge: int) -> tuple[int, Floats]:
        """Remove all from bin `edge` towards the price's old side; returns the first bin and what was there."""
        cut = min(max(edge - self.first + (self.sign < 0), 0), self.bins)
        if self.sign > 0:
            gone = slice(cut, max(self._reach - self.first, cut))
        else:
            gone = slice(max(min(self._reach - self.first, cut), 0), cut)
        taken = self._contracts[:, gone].copy()
        if taken.size:
            self._contracts[:, gone] = 0.0
            self._hours[:, gone] = 0.0
            if self._seed.size:
                self._seed[:, gone] = 0.0
            self._sums -= taken.sum(axis=1)
            self._reach = self.first + (gone.start if self.sign > 0 else gone.stop)
        return self.first + gone.start, taken * self._scale[:, np.newaxis]

    def keep(self, kept: Floats | float) -> None:
        """Keep a share of each tier (or the same of all); the rest closes."""
        self._scale = self._scale * kept
        if self._scale.min() < _SMALLEST_SCALE:
            self._settle()

    def _settle(self) -> None:
        """Multiply the factors into the arrays, and count anew what sums had drifted from."""
        for amounts in (self._contracts, self._hours, self._seed):
            amounts *= self._scale[:, np.newaxis]
        self._unplaced *= self._scale
        self._seed_unplaced *= self._scale
        self._scale = np.ones(len(self._scale))
        self._sums = self._contracts.sum(axis=1) + self._unplaced

    def add(
        self, bins: Ints, tiers: Tiers, share: Floats, amount: float, edge: int, hour: float, *, seed: bool = False
    ) -> Floats:
        """Open `amount` contracts with entries in `bins`, `share[entry, tier]` saying how they spread.

        `share` counts before anything dies: `edge` is the bin of the price reached against this side, and what would be
        liquidated there has opened and died inside the interval, so the rest is scaled up to `amount`. Rows of
        `tiers` are those of the entries. Returns what opened and died, contracts by tier.
        """
        target = bins[:, np.newaxis] + tiers.shift
        bound = edge - 1 if self.sign > 0 else edge + 1
        near = _alive(target, self.sign, bound) & tiers.placed
        far = _alive(target + 1, self.sign, bound) & tiers.placed
        lower = np.where(near, share * (1 - tiers.fraction), 0.0)
        upper = np.where(far, share * tiers.fraction, 0.0)
        unplaced = np.where(tiers.placed, 0.0, share).sum(axis=0)
        by_tier = lower.sum(axis=0) + upper.sum(axis=0) + unplaced
        weight = float(by_tier.sum())
        died = (share.sum(axis=0) - by_tier) * (amount / weight) if weight > 0 else np.zeros(len(by_tier))
        if not weight > 0:
            lower, upper = share, np.zeros_like(share)
            target = np.full_like(target, bound)
            unplaced, by_tier = np.zeros(len(unplaced)), share.sum(axis=0)
            weight = float(by_tier.sum())
            near, far = np.ones_like(near), np.zeros_like(far)
        self._make_room(int(target.min()), int(target.max()) + 1)
        factor = amount / weight / self._scale
        slot = (target - self.first + np.arange(len(factor)) * self.bins).ravel()
        for slots, part in ((slot, lower), (slot + 1, upper)):
            added = (part * factor).ravel()
            np.add.at(self._contracts.reshape(-1), slots, added)
            np.add.at(self._hours.reshape(-1), slots, added * hour)
        self._unplaced += unplaced * factor
        self._sums += by_tier * factor
        self._extend_reach(target, near, far)
        if seed:
            self._settle()
            self._seed, self._seed_unplaced = self._contracts.copy(), self._unplaced.copy()
        return died

    def _extend_reach(self, target: Ints, near: npt.NDArray[np.bool_], far: npt.NDArray[np.bool_]) -> None:
        """Remember the bin nearest to price that can hold something: only from there on is there anything to take."""
        if self.sign > 0:
            highest = np.where(far, target + 2, np.where(near, target + 1, self.first))
            self._reach = max(self._reach, int(highest.max()))
        else:
            none = self.first + self.bins
            lowest = np.where(near, target, np.where(far, target + 1, none))
            self._reach = min(self._reach, int(lowest.min()))

    def _make_room(self, low: int, high: int) -> None:
        if not self.bins:
            self.first = low - _SPARE_BINS
            self._reach = self.first if self.sign > 0 else high + 1 + _SPARE_BINS
        before = self.first - low + _SPARE_BINS if low < self.first else 0
        after = high + 1 - self.first - self.bins + _SPARE_BINS if high + 1 > self.first + self.bins else 0
        if before or after:
            pad = ((0, 0), (before, after))
            self._contracts, self._hours = np.pad(self._contracts, pad), np.pad(self._hours, pad)
            if self._seed.size:
                self._seed = np.pad(self._seed, pad)
            self.first -= before

    def window(self, first: int, last: int) -> tuple[Floats, Floats]:
        """Contracts and mean opening time (hours since 1970) on the bins from `first` up to `last`."""
        contracts = np.zeros((len(self._unplaced), last - first))
        opened = np.full_like(contracts, np.nan)
        if not self.bins:
            return contracts, opened
        here = slice(self.first - first, self.first - first + self.bins)
        contracts[:, here] = self._contracts * self._scale[:, np.newaxis]
        np.divide(self._hours, self._contracts, out=opened[:, here], where=self._contracts > 0)
        return contracts, opened


def _alive(target: Ints, sign: int, bound: int) -> npt.NDArray[np.bool_]:
    return target <= bound if sign > 0 else target >= bound


def take_out(longs: Side, shorts: Side, flow: Flow, width: float) -> Consumed:
    """Remove longs liquidated at or above the interval's low and shorts at or below its high."""
    if not flow.volume > 0:
        return Consumed.nothing(flow.end_ns, longs.tiers)
    low, high = bin_of([flow.low, flow.high], width)
    return Consumed(flow.end_ns, *longs.take_out(int(low)), *shorts.take_out(int(high)))


def levels_of(
    model: LiquidationModel,
    longs: Side,
    shorts: Side,
    *,
    time_ns: int | None,
    low: float | None,
    high: float | None,
    price: float | None,
) -> LiquidationMap:
    """The map of a model that keeps its levels as two sides; for the arguments see `LiquidationModel.map`."""
    width = model.settings.bin_width
    sides = [side for side in (longs, shorts) if side.bins]
    first = min((side.first for side in sides), default=0)
    last = max((side.first + side.bins for side in sides), default=0)
    placed_longs, long_hours = longs.window(first, last)
    placed_shorts, short_hours = shorts.window(first, last)
    if low is not None and not np.isnan(low):
        placed_longs[:, max(int(bin_of(low, width)) - first, 0) :] = 0.0
    if high is not None and not np.isnan(high):
        placed_shorts[:, : max(int(bin_of(high, width)) + 1 - first, 0)] = 0.0
    return LiquidationMap(
        symbol=model.symbol,
        time_ns=model.time_ns if time_ns is None else time_ns,
        price=model.price if price is None else price,
        open_interest=model.open_interest,
        width=width,
        tiers=model.tiers,
        first_bin=first,
        longs=placed_longs,
        shorts=placed_shorts,
        long_opened=long_hours,
        short_opened=short_hours,
        long_unplaced=longs.unplaced_now(),
        short_unplaced=shorts.unplaced_now(),
        seeded_share=model.seeded_share,
    )
