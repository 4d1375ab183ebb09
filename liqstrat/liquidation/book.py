"""The liquidation book: an estimate of all open positions by liquidation price that conserves open interest.

Every contract is one long and one short, so after every interval the longs sum to the open interest and so do the
shorts. An interval is worked in three steps, `_consume`, `_turn_over` and `_open`, each a function below.

Assumptions, and where they fail:

- Leverage is hidden. The mix of `ModelSettings.leverage` holds for every trader, price and time; a mix that drifts,
  or differs between large and small traders, is not seen.
- Who opens and who closes is hidden. Positions close in proportion to what is open, whatever their age or profit.
- A position is one trade: its maintenance rate and its leverage cap follow that trade's notional. Positions built from
  many trades have higher maintenance than we think.
- Margin is isolated. Cross margin, hedged accounts and margin added later move the liquidation price away.
- The open interest at the start of history was opened before it: it is placed as if opened at the first prices, and
  `seeded_share` says how much of the book is still that guess.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from liqstrat.liquidation.brackets import BracketTable, brackets_for
from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.grid import Floats, Ints, bin_of, log_step
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.liquidation.price import liquidation_price
from liqstrat.liquidation.settings import ModelSettings

_NS_PER_HOUR = 3_600_000_000_000
_SPARE_BINS = 256
_SMALLEST_SCALE = 1e-60


@dataclass(frozen=True, eq=False)
class Consumed:
    """What one interval ran through: contracts by tier and price bin, `longs[tier, bin]` from bin `long_first` on."""

    time_ns: int
    long_first: int
    longs: Floats
    short_first: int
    shorts: Floats


@dataclass(frozen=True, eq=False)
class _Tiers:
    """For one bracket table: how a contract of each bracket spreads over tiers, and how far away each is liquidated.

    Arrays `[bracket, tier]`; `shift` counts bins from the entry's, `fraction` is the part that falls one bin higher,
    `placed` is false where no price liquidates (a long at 1x).
    """

    share: Floats
    shift: Ints
    fraction: Floats
    placed: npt.NDArray[np.bool_]


class LiquidationBook:
    """Steps through intervals and knows the map after each; `symbol` chooses the dated brackets."""

    def __init__(self, settings: ModelSettings, symbol: str) -> None:
        self.settings = settings
        self.symbol = symbol
        self.open_interest = 0.0
        self.price = np.nan
        self.time_ns = 0
        self.tiers = np.array(sorted(settings.leverage), dtype=np.int64)
        shares = np.array([settings.leverage[int(tier)] for tier in self.tiers], dtype=np.float64)
        self._mix = shares / shares.sum()
        self._longs = _Side(+1, self.tiers)
        self._shorts = _Side(-1, self.tiers)
        self._brackets: BracketTable | None = None
        self._spread: dict[int, _Tiers] = {}

    def brackets(self, time_ns: int) -> BracketTable:
        """The bracket table in force at `time_ns`."""
        return brackets_for(self.symbol, datetime.fromtimestamp(time_ns / 1e9, UTC))

    def step(self, flow: Flow, open_interest: float) -> Consumed:
        """Work one interval that ended at `flow.end_ns` with `open_interest` contracts; returns what was liquidated.

        Until the first trade is seen there is no price to place positions at, and the book stays empty.
        """
        self._use(self.brackets(flow.end_ns))
        if flow.volume > 0:
            self.price = flow.close
        self.time_ns = flow.end_ns
        consumed = self._consume(flow)
        if np.isnan(self.price):
            return consumed
        self._turn_over(flow.volume)
        self._open(flow, open_interest)
        self.open_interest = open_interest
        return consumed

    def _consume(self, flow: Flow) -> Consumed:
        """Longs liquidated at or above the low and shorts at or below the high leave the book."""
        if not flow.volume > 0:
            nothing = np.zeros((len(self.tiers), 0))
            return Consumed(flow.end_ns, 0, nothing, 0, nothing)
        low, high = bin_of([flow.low, flow.high], self.settings.bin_width)
        long_first, longs = self._longs.take_out(int(low))
        short_first, shorts = self._shorts.take_out(int(high))
        return Consumed(flow.end_ns, long_first, longs, short_first, shorts)

    def _turn_over(self, volume: float) -> None:
        """Holders close a share of the book that grows with traded volume, pro rata."""
        if self.open_interest > 0:
            kept = np.exp(-self.settings.turnover * volume / self.open_interest)
            self._longs.scale_by(kept)
            self._shorts.scale_by(kept)

    def _open(self, flow: Flow, open_interest: float) -> None:
        """What is missing to reach the open interest opens where the interval traded; what is too much closes."""
        for side in (self._longs, self._shorts):
            missing = open_interest - side.total
            if missing <= 0:
                side.scale_by(open_interest / side.total if side.total > 0 else 0.0)
                continue
            bins, brackets, weights = self._entries(flow, side.sign)
            reached = flow.low if side.sign > 0 else flow.high
            edge = int(bin_of(self.price if np.isnan(reached) else reached, self.settings.bin_width))
            spread = self._spread[side.sign]
            side.add(bins, spread, brackets, weights, missing, edge, flow.end_ns / _NS_PER_HOUR)

    def _entries(self, flow: Flow, sign: int) -> tuple[Ints, Ints, Floats]:
        """Where this side opened: the buyer of a trade opens longs, the seller shorts, the taker more often."""
        taker = flow.buy if sign > 0 else ~flow.buy
        weights = flow.contracts * np.where(taker, self.settings.taker_weight, 1.0)
        if weights.sum() > 0:
            return flow.bins, flow.brackets, weights
        return bin_of([self.price], self.settings.bin_width), np.zeros(1, dtype=np.int64), np.ones(1)

    def map(
        self,
        *,
        time_ns: int | None = None,
        low: float | None = None,
        high: float | None = None,
        price: float | None = None,
    ) -> LiquidationMap:
        """The book as of the last step. `low` and `high` reached since then leave out what they ran through; `time_ns`
        is the moment of asking and `price` the current one (default: the last step's end and close)."""
        width = self.settings.bin_width
        first = min(self._longs.first, self._shorts.first)
        last = max(self._longs.first + self._longs.bins, self._shorts.first + self._shorts.bins)
        longs, long_hours = self._longs.window(first, last)
        shorts, short_hours = self._shorts.window(first, last)
        if low is not None and not np.isnan(low):
            longs[:, max(int(bin_of(low, width)) - first, 0) :] = 0.0
        if high is not None and not np.isnan(high):
            shorts[:, : max(int(bin_of(high, width)) + 1 - first, 0)] = 0.0
        return LiquidationMap(
            symbol=self.symbol,
            time_ns=self.time_ns if time_ns is None else time_ns,
            price=self.price if price is None else price,
            open_interest=self.open_interest,
            width=width,
            tiers=self.tiers,
            first_bin=first,
            longs=longs,
            shorts=shorts,
            long_opened=long_hours,
            short_opened=short_hours,
            long_unplaced=self._longs.unplaced_now(),
            short_unplaced=self._shorts.unplaced_now(),
            seeded_share=self.seeded_share,
        )

    @property
    def seeded_share(self) -> float:
        """Part of the book that was open when history began, and stands where the first trades were."""
        total = self._longs.total + self._shorts.total
        return (self._longs.seeded + self._shorts.seeded) / total if total > 0 else 0.0

    def _use(self, brackets: BracketTable) -> None:
        if brackets is self._brackets:
            return
        self._brackets = brackets
        for sign in (+1, -1):
            self._spread[sign] = _spread(brackets, self.tiers, self._mix, sign, self.settings)


def _spread(brackets: BracketTable, tiers: Ints, mix: Floats, sign: int, settings: ModelSettings) -> _Tiers:
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
    ratio = liquidation_price(1.0, tiers, notional, sign, brackets, settings.formula)
    placed = ratio > 0
    distance = np.log(np.where(placed, ratio, 1.0)) / log_step(settings.bin_width)
    shift = np.floor(distance).astype(np.int64)
    return _Tiers(share, shift, distance - shift, placed)


class _Side:
    """All longs or all shorts: contracts by tier and price bin, on a window of the grid that grows as needed.

    Amounts are kept unscaled, with one factor for all, so that closing pro rata touches no array.
    """

    def __init__(self, sign: int, tiers: Ints) -> None:
        self.sign = sign
        self.first = 0
        self.total = 0.0
        self._scale = 1.0
        self._contracts = np.zeros((len(tiers), 0))
        self._hours = np.zeros((len(tiers), 0))
        self._unplaced = np.zeros(len(tiers))
        self._seed = np.zeros((len(tiers), 0))
        self._seed_unplaced = 0.0
        self._reach = 0

    @property
    def bins(self) -> int:
        return int(self._contracts.shape[1])

    @property
    def seeded(self) -> float:
        return float(self._seed.sum() + self._seed_unplaced) * self._scale

    def unplaced_now(self) -> Floats:
        return self._unplaced * self._scale

    def take_out(self, edge: int) -> tuple[int, Floats]:
        """Remove all from bin `edge` towards the price's old side; returns the first bin and what was there."""
        cut = min(max(edge - self.first + (self.sign < 0), 0), self.bins)
        if self.sign > 0:
            gone = slice(cut, max(self._reach - self.first, cut))
        else:
            gone = slice(max(min(self._reach - self.first, cut), 0), cut)
        taken = self._contracts[:, gone] * self._scale
        if taken.size:
            self._contracts[:, gone] = 0.0
            self._hours[:, gone] = 0.0
            if self._seed.size:
                self._seed[:, gone] = 0.0
            self.total -= float(taken.sum())
            self._reach = self.first + (gone.start if self.sign > 0 else gone.stop)
        return self.first + gone.start, taken

    def scale_by(self, kept: float) -> None:
        self._scale *= kept
        self.total *= kept
        if self._scale < _SMALLEST_SCALE:
            self._settle()

    def _settle(self) -> None:
        """Multiply the factor into the arrays, and count anew what sums had drifted from."""
        for amounts in (self._contracts, self._hours, self._unplaced, self._seed):
            amounts *= self._scale
        self._seed_unplaced *= self._scale
        self._scale = 1.0
        self.total = float(self._contracts.sum() + self._unplaced.sum())

    def add(
        self, bins: Ints, spread: _Tiers, brackets: Ints, weights: Floats, amount: float, edge: int, hour: float
    ) -> None:
        """Open `amount` contracts with entries in `bins`, as `weights` say.

        `edge` is the bin of the price reached against this side: what would be liquidated there has opened and died
        inside the interval, so the rest is scaled up to `amount`.
        """
        share = weights[:, np.newaxis] * spread.share[brackets]
        placed = spread.placed[brackets]
        target = bins[:, np.newaxis] + spread.shift[brackets]
        fraction = spread.fraction[brackets]
        bound = edge - 1 if self.sign > 0 else edge + 1
        near = _alive(target, self.sign, bound) & placed
        far = _alive(target + 1, self.sign, bound) & placed
        lower = np.where(near, share * (1 - fraction), 0.0)
        upper = np.where(far, share * fraction, 0.0)
        unplaced = np.where(placed, 0.0, share).sum(axis=0)
        weight = float(lower.sum() + upper.sum() + unplaced.sum())
        if not weight > 0:
            lower, upper = share, np.zeros_like(share)
            target = np.full_like(target, bound)
            unplaced, weight = np.zeros(len(unplaced)), float(share.sum())
            near, far = np.ones_like(near), np.zeros_like(far)
        self._make_room(int(target.min()), int(target.max()) + 1)
        factor = amount / weight / self._scale
        tier = np.broadcast_to(np.arange(share.shape[1]) * self.bins, target.shape)
        slot = (tier + (target - self.first)).ravel()
        seeding = not self._seed.size
        for slots, part in ((slot, lower), (slot + 1, upper)):
            added = (part * factor).ravel()
            np.add.at(self._contracts.reshape(-1), slots, added)
            np.add.at(self._hours.reshape(-1), slots, added * hour)
        self._unplaced += unplaced * factor
        self._extend_reach(target, near, far)
        self.total += amount
        if seeding:
            self._settle()
            self._seed, self._seed_unplaced = self._contracts.copy(), float(self._unplaced.sum())

    def _extend_reach(self, target: Ints, near: npt.NDArray[np.bool_], far: npt.NDArray[np.bool_]) -> None:
        """Remember the bin nearest to price that can hold something: only from there on is there anything to take."""
        if self.sign > 0:
            highest = np.where(far, target + 2, np.where(near, target + 1, self.first))
            self._reach = max(self._reach, int(highest.max()))
        else:
            none = self.first + self.bins
            lowest = np.where(near, target, np.where(far, target + 1, none))
            self._reach = min(self._reach, int(lowest.min())) if self.total > 0 else int(lowest.min())

    def _make_room(self, low: int, high: int) -> None:
        if not self.bins:
            self.first, self._reach = low - _SPARE_BINS, low - _SPARE_BINS
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
        here = slice(self.first - first, self.first - first + self.bins)
        contracts[:, here] = self._contracts * self._scale
        np.divide(self._hours, self._contracts, out=opened[:, here], where=self._contracts > 0)
        return contracts, opened


def _alive(target: Ints, sign: int, bound: int) -> npt.NDArray[np.bool_]:
    return target <= bound if sign > 0 else target >= bound
