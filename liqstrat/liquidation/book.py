"""The liquidation book: an estimate of all open positions by liquidation price that conserves open interest.

Every contract is one long and one short, so after every interval the longs sum to the open interest and so do the
shorts. An interval is worked in three steps: what price ran through is taken out, holders close (`_kept`), and what is
then missing opens where the interval traded (`_work`).

Assumptions, and where they fail:

- Leverage is hidden. The mix of `ModelSettings.leverage` holds for every trader, price and time; a mix that drifts,
  or differs between large and small traders, is not seen.
- Who opens and who closes is hidden. Positions of one leverage close in proportion to what is open, whatever their age
  or profit; the higher the leverage, the sooner (`haste`, `unrest`).
- A position is one trade: its maintenance rate and its leverage cap follow that trade's notional. Positions built from
  many trades have higher maintenance than we think.
- Margin is isolated. Cross margin, hedged accounts and margin added later move the liquidation price away.
- The open interest at the start of history was opened before it: its entries are spread around the first price
  (`seed_spread`), and `seeded_share` says how much of the book is still that guess.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import ceil, exp, hypot, isnan, log

import numpy as np
import numpy.typing as npt

from liqstrat.liquidation.brackets import BracketTable
from liqstrat.liquidation.compiled import compiled
from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.grid import Floats, Ints, bin_at, log_step
from liqstrat.liquidation.model import Brief, Consumed, Saved
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.liquidation.side import SCALE, SUMS, Side, Tiers, keep, put, spread_over_tiers, take, total
from liqstrat.liquidation.two_sided import TwoSidedModel
from liqstrat.moments import HOUR_NS

#: Farthest distance of seeded entries from the first price, in units of `seed_spread`.
_FARTHEST_SEED = 5.0
#: The leverage whose holders close at the usual rate.
_USUAL_LEVERAGE = 10.0
#: Of Newton's method.
_ROUNDS = 4
#: Hours in which the memory of usual volume fades by half.
_USUAL_HOURS = 7 * 24.0
#: However far price went, some have neither stop nor target.
_MOST_UNREST = 3.0


class LiquidationBook(TwoSidedModel):
    """Steps through intervals and knows the map after each; `brief` ones tells what was open within one only."""

    def __init__(
        self, settings: ModelSettings, symbol: str, loaded: Sequence[BracketTable] = (), *, brief: bool = False
    ) -> None:
        super().__init__(settings, symbol, loaded, np.array(sorted(settings.leverage), dtype=np.int64))
        self._brief = brief
        shares = np.array([settings.leverage[int(tier)] for tier in self.tiers], dtype=np.float64)
        self._mix = shares / shares.sum()
        #: How much sooner than usual each tier closes.
        self._haste = (self.tiers / _USUAL_LEVERAGE) ** settings.haste
        self._used: BracketTable | None = None
        self._spread: dict[int, Tiers] = {}
        self._seeded = False
        #: Contracts of open interest that the book believes in, contracts traded and the hours in which they were.
        self._calm, self._traded, self._hours = 0.0, 0.0, 0.0

    def step(self, flow: Flow, open_interest: float) -> Consumed:
        """Work one interval that ended at `flow.end_ns` with `open_interest` contracts; returns what was liquidated.

        Until the first trade is seen there is no price to place positions at, and the book stays empty. Raises
        `ValueError` for a flow that was counted in other bins or brackets than the book's.
        """
        self._use(self.brackets(flow.end_ns))
        hours = (flow.end_ns - (self.time_ns or flow.start_ns)) / HOUR_NS
        self.time_ns, volume, width = flow.end_ns, flow.volume, self._width
        before = self.price
        if volume > 0:
            self.price = flow.close
        if isnan(self.price):
            return Consumed.nothing(flow.end_ns, len(self.tiers))
        at = bin_at(self.price, width)
        low, high = (at, at) if isnan(flow.low) else (bin_at(flow.low, width), bin_at(flow.high, width))
        if not self._seeded:
            self._check(flow, low, high)
            self.open_interest, self._calm, self._seeded = open_interest, open_interest, True
            self._remember(volume, hours)
            self._seed(self._longs, flow, at, low)
            self._seed(self._shorts, flow, at, high)
            return Consumed.nothing(flow.end_ns, len(self.tiers))
        unrest = self.settings.unrest * log(flow.high / flow.low) ** 2 if volume > 0 else 0.0
        opened = min(max(bin_at(before, width), low), high)
        return self._work(flow, open_interest, (low, at, high), opened, unrest, volume, hours)

    def _usual(self, volume: float, hours: float) -> float:
        """Contracts closed in this volume while open interest does not change."""
        expected = self._traded / self._hours * hours if self._hours > 0 else 0.0
        rush = (volume / expected) ** (self.settings.bustle - 1) if volume > 0 and expected > 0 else 1.0
        return self.settings.turnover * volume * rush

    def _remember(self, volume: float, hours: float) -> None:
        """What is usual volume; an interval without a beginning tells nothing of it."""
        if not hours > 0:
            return
        fade = 0.5 ** (hours / _USUAL_HOURS)
        self._traded, self._hours = self._traded * fade + volume, self._hours * fade + hours

    def saved(self) -> Saved:
        """All that was learnt, see `LiquidationModel.saved`."""
        pace = np.array([self._calm, self._traded, self._hours])
        return {**super().saved(), "seeded": np.array(self._seeded), "pace": pace}

    def restore(self, saved: Saved) -> None:
        """Become what was saved."""
        super().restore(saved)
        self._seeded = bool(saved["seeded"])
        self._calm, self._traded, self._hours = saved["pace"].tolist()

    def _check(self, flow: Flow, low: int, high: int) -> None:
        """Compiled code does not look where it writes."""
        lowest, highest, bracket = _extremes(flow.bins, flow.brackets)
        brackets = len(self._spread[+1].share)
        if len(flow.bins) and (lowest < low - 1 or highest > high + 1 or bracket >= brackets):
            raise ValueError(
                f"trades are in bins {lowest} to {highest} and brackets up to {bracket}, expected bins {low} to {high} "
                f"(width {self._width:.6g}) and {brackets} brackets"
            )

    def _work(
        self,
        flow: Flow,
        open_interest: float,
        bins: tuple[int, int, int],
        opened: int,
        unrest: float,
        volume: float,
        hours: float,
    ) -> Consumed:
        """A step of both sides, see the module; `bins` are those of the low, the close and the high, and `opened` that
        of the price before."""
        longs, shorts, settings, (low, at, high) = self._longs, self._shorts, self.settings, bins
        bought, sold = self._spread[+1], self._spread[-1]
        sure = settings.first_against
        low_first = sure if at >= opened else 1 - sure
        calmed = self._calm / self.open_interest if self.open_interest > 0 else 1.0
        patience = settings.patience
        believed = 1 - 0.5 ** (hours / patience) if patience > 0 else 1.0
        calm = self._calm + believed * (open_interest - self._calm)
        brief_longs, brief_shorts = np.zeros((2, len(self.tiers), high - low + 1 if self._brief else 0))
        longs.make_room(min(bins), max(bins), bought, low)
        shorts.make_room(min(bins), max(bins), sold, high)
        fits, long_first, taken_longs, long_nearest, short_first, taken_shorts, short_nearest = _work_both(
            longs.amounts, longs.rows, longs.first, longs.nearest,
            shorts.amounts, shorts.rows, shorts.first, shorts.nearest,
            flow.bins, flow.buy, flow.brackets, flow.contracts, low, at, high, opened, low_first,
            bought.share, bought.shift, bought.fraction, bought.placed,
            sold.share, sold.shift, sold.fraction, sold.placed,
            self.tiers, self._haste, unrest, self._usual(volume, hours), settings.taker_weight,
            calmed, calm, open_interest / calm if calm > 0 else 1.0, flow.end_ns / HOUR_NS, brief_longs, brief_shorts,
        )  # fmt: skip
        if not fits:
            self._check(flow, low, high)
        self._remember(volume, hours)
        self.open_interest, self._calm = open_interest, calm
        longs.nearest, shorts.nearest = long_nearest, short_nearest
        brief = Brief(low, brief_longs, brief_shorts) if self._brief else None
        return Consumed(flow.end_ns, long_first, taken_longs, short_first, taken_shorts, brief)

    def _seed(self, side: Side, flow: Flow, at: int, edge: int) -> None:
        """What was open before history was opened around the first price, as far as price wanders in the time for which
        positions are held (a Laplace law of its logarithm); of those who close sooner there are fewer."""
        if self.open_interest <= 0:
            return
        bins, brackets, weights = _entries(
            flow.bins, flow.buy, flow.brackets, flow.contracts, at, side.sign > 0, self.settings.taker_weight
        )
        if self.settings.seed_spread > 0:
            step = log_step(self._width) / self.settings.seed_spread
            away = np.arange(-ceil(_FARTHEST_SEED / step), ceil(_FARTHEST_SEED / step) + 1)
            by_bracket = np.bincount(brackets, weights)
            present = np.flatnonzero(by_bracket)
            bins, brackets = np.tile(at + away, len(present)), np.repeat(present, len(away))
            weights = np.outer(by_bracket[present], np.exp(-np.abs(away) * step)).ravel()
        spread = self._spread[side.sign]
        share = spread.share / self._haste
        held = replace(spread, share=share / share.sum(axis=1, keepdims=True))
        side.add(bins, brackets, weights, held, self.open_interest, edge, flow.end_ns / HOUR_NS)
        side.call_seed()

    def _use(self, brackets: BracketTable) -> None:
        if brackets is self._used:
            return
        self._used = brackets
        for sign in (+1, -1):
            self._spread[sign] = spread_over_tiers(
                brackets, self.tiers, self._mix, sign, self._width, self.settings.formula
            )


@compiled
def _extremes(bins: Ints, brackets: Ints) -> tuple[int, int, int]:
    """Lowest and highest bin, and highest bracket; zeros where there are none."""
    if not len(bins):
        return 0, 0, 0
    lowest, highest, bracket = bins[0], bins[0], brackets[0]
    for i in range(len(bins)):
        lowest, highest, bracket = min(lowest, bins[i]), max(highest, bins[i]), max(bracket, brackets[i])
    return lowest, highest, bracket


@compiled
def _work_both(  # type: ignore[no-untyped-def]
    long_amounts, long_rows, long_first, long_nearest, short_amounts, short_rows, short_first, short_nearest,
    bins, buy, brackets, contracts, low, at, high, opened, low_first,
    long_share, long_shift, long_fraction, long_placed, short_share, short_shift, short_fraction, short_placed,
    tiers, haste, unrest, usual, taker_weight, calmed, calm, stirred, hour, brief_longs, brief_shorts,
):  # fmt: skip
    """`_work` of both sides in one call, which costs as much as a step itself; first, whether the flow fits the book:
    where it does not, nothing is done."""
    if len(bins):
        lowest, highest, bracket = _extremes(bins, brackets)
        if lowest < low - 1 or highest > high + 1 or bracket >= len(long_share):
            nothing = np.zeros((len(tiers), 0))
            return False, 0, nothing, long_nearest, 0, nothing, short_nearest
    begin, taken, long_nearest = _work(
        long_amounts, long_rows, long_first, long_nearest, 1, bins, buy, brackets, contracts,
        low, at, high, opened, low_first,
        long_share, long_shift, long_fraction, long_placed, tiers, haste, unrest, usual, taker_weight,
        calmed, calm, stirred, hour, low, brief_longs,
    )  # fmt: skip
    short_begin, taken_shorts, short_nearest = _work(
        short_amounts, short_rows, short_first, short_nearest, -1, bins, buy, brackets, contracts,
        high, at, low, opened, 1 - low_first,
        short_share, short_shift, short_fraction, short_placed, tiers, haste, unrest, usual, taker_weight,
        calmed, calm, stirred, hour, low, brief_shorts,
    )  # fmt: skip
    return True, begin, taken, long_nearest, short_begin, taken_shorts, short_nearest


@compiled
def _work(  # type: ignore[no-untyped-def]
    amounts, rows, first, nearest, sign, bins, buy, brackets, contracts, edge, at, other, opened, edge_first,
    share, shift, fraction, placed, tiers, haste, unrest, usual, taker_weight, calmed, calm, stirred, hour, low, brief,
):  # fmt: skip
    """What price ran through is taken out; holders close; what is then missing to reach the open interest opens where
    the interval traded. `edge` is the bin of the price reached against this side, `other` that on the other side, and
    `edge_first` how sure it is that the edge was reached first; `brief` see `put`. What is there is first scaled by
    `calmed` and at last by `stirred`, and the book has `calm` contracts between. Returns the first bin and contracts
    of what was taken, and the nearest bin from now on."""
    begin, taken, nearest = take(amounts, rows, first, nearest, sign, edge)
    keep(amounts, rows, np.full(len(tiers), calmed))
    keep(amounts, rows, _kept(rows, tiers, haste, unrest, usual, calm))
    missing = calm - total(rows)
    if missing > 0:
        entries = _entries(bins, buy, brackets, contracts, at, sign > 0, taker_weight)
        nearest = put(
            amounts, rows, first, nearest, sign, *_on_the_way(*entries, sign, edge, at, other, opened, edge_first),
            share, shift, fraction, placed, missing, edge, hour, low, brief,
        )  # fmt: skip
        brief *= stirred
    keep(amounts, rows, np.full(len(tiers), stirred))
    return begin, taken, nearest


@compiled
def _entries(
    bins: Ints, buy: npt.NDArray[np.bool_], brackets: Ints, contracts: Floats, at: int, longs: bool, taker_weight: float
) -> tuple[Ints, Ints, Floats]:
    """Where a side opened, bins, brackets and weights: the buyer of a trade opens longs, the seller shorts, the taker
    more often; at the price's bin `at` where nothing traded."""
    weights, any_traded = np.empty_like(contracts), False
    for i in range(len(contracts)):
        weights[i] = contracts[i] * (taker_weight if buy[i] == longs else 1.0)
        any_traded |= weights[i] > 0
    if any_traded:
        return bins, brackets, weights
    return np.full(1, at), np.zeros(1, dtype=np.int64), np.ones(1)


@compiled
def _on_the_way(  # type: ignore[no-untyped-def]
    bins, brackets, weights, sign, edge, close, other, opened, edge_first
):  # fmt: skip
    """Entries by how far price went against them afterwards: bins, brackets, weights, and the bin of that price.

    Of an interval it is known where price began and ended, and how far it went to both sides, not what came first.
    Where it went to the edge first, it came from the beginning to the edge, crossed to the other side and came back to
    where it ended; else it went to the other side first. An entry is shared among the times that price passed it.
    """
    count = 0
    at = np.empty(3 * len(bins), dtype=np.int64)
    of, edges, parts = np.empty_like(at), np.empty_like(at), np.empty(3 * len(bins))
    for i in range(len(bins)):
        # As if for longs: the edge is the lowest.
        entry, low, end, begin = bins[i] * sign, edge * sign, close * sign, opened * sign
        falls, falls_back = entry <= begin, entry >= end
        rises, rises_back = entry >= begin, entry <= end
        first, then = edge_first / (1 + falls + falls_back), (1 - edge_first) / (1 + rises + rises_back)
        to_edge = first * falls + then * (1 + rises)
        to_close = first * falls_back + (0.0 if entry < end else first)
        to_none = then * rises_back + (first if entry < end else 0.0)
        for reached, part in ((low, to_edge), (end, to_close), (entry, to_none)):
            if part > 0:
                at[count], of[count], edges[count], parts[count] = (
                    bins[i],
                    brackets[i],
                    reached * sign,
                    part * weights[i],
                )
                count += 1
    return at[:count], of[:count], parts[:count], edges[:count]


@compiled
def _kept(rows: Floats, tiers: Ints, haste: Floats, unrest: float, usual: float, open_interest: float) -> Floats:
    """The share of each tier that stays; see `Side.rows`.

    Stops and targets are set in proportion to the way to liquidation, about 1/leverage, and price takes the square of a
    distance to wander it: so the interval's range, squared, in units of that way says how many are reached (`unrest`
    times the leverage squared).

    Opened less closed is what open interest says, `missing`; without that knowledge each would be `usual`, a share of
    volume. `opened * closed = usual**2` joins the two smoothly: what is opened rises with `missing` from 0 over
    `usual` to `missing` itself. That form is a choice, kept because it measured better than a fixed share.

    What then closes does so at rates in proportion to `haste`: `sum(held * (1 - exp(-time * haste))) = closed` is
    solved for `time` by Newton's method, from below.
    """
    count, open_before = len(tiers), 0.0
    kept, held = np.zeros(count), np.empty(count)
    for tier in range(count):
        kept[tier] = exp(-min(unrest * tiers[tier] ** 2, _MOST_UNREST))
        held[tier] = rows[SUMS, tier] * rows[SCALE, tier] * kept[tier]
        open_before += held[tier]
    missing = open_interest - open_before
    closed = (hypot(missing, 2 * usual) - missing) / 2
    if closed >= open_before:
        return np.zeros(count)
    time = 0.0
    for _ in range(_ROUNDS if closed > 0 else 0):
        gone, rate = 0.0, 0.0
        for tier in range(count):
            staying = held[tier] * exp(-time * haste[tier])
            gone += held[tier] - staying
            rate += staying * haste[tier]
        time += (closed - gone) / rate
    left = 0.0
    for tier in range(count):
        kept[tier] *= exp(-time * haste[tier])
        left += rows[SUMS, tier] * rows[SCALE, tier] * kept[tier]
    for tier in range(count):
        kept[tier] *= min(open_interest / left, 1.0) if left > 0 else 1.0
    return kept
