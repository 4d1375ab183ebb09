"""The liquidation book: an estimate of all open positions by liquidation price that conserves open interest.

Every contract is one long and one short, so after every interval the longs sum to the open interest and so do the
shorts. An interval is worked in three steps: what price ran through is
taken out (`take_out`), then `_close` and `_open` below.

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
from datetime import UTC, datetime

import numpy as np

from liqstrat.liquidation.brackets import BracketTable, dated_brackets, in_force
from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.grid import Floats, Ints, bin_of, log_step
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.liquidation.model import Consumed
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.liquidation.side import Side, Tiers, levels_of, spread_over_tiers, take_out

_NS_PER_HOUR = 3_600_000_000_000
#: Distances of seeded entries from the first price, in units of `seed_spread`, and their weights (a Laplace law).
_SEED_STEPS = np.linspace(-5.0, 5.0, 201)
_SEED_WEIGHTS = np.exp(-np.abs(_SEED_STEPS))
#: The leverage whose holders close at the usual rate.
_USUAL_LEVERAGE = 10.0
_ROUNDS = 3
#: However far price went, some have neither stop nor target.
_MOST_UNREST = 3.0


class LiquidationBook:
    """Steps through intervals and knows the map after each; `symbol` chooses the dated brackets, of
    those shipped and those `loaded` besides."""

    def __init__(self, settings: ModelSettings, symbol: str, loaded: Sequence[BracketTable] = ()) -> None:
        self.settings = settings
        self.symbol = symbol
        self._dated = dated_brackets(symbol, loaded)
        self.open_interest = 0.0
        self.price = np.nan
        self.time_ns = 0
        self.tiers = np.array(sorted(settings.leverage), dtype=np.int64)
        shares = np.array([settings.leverage[int(tier)] for tier in self.tiers], dtype=np.float64)
        self._mix = shares / shares.sum()
        #: How much sooner than usual each tier closes.
        self._haste = (self.tiers / _USUAL_LEVERAGE) ** settings.haste
        self._longs = Side(+1, len(self.tiers))
        self._shorts = Side(-1, len(self.tiers))
        self._brackets: BracketTable | None = None
        self._spread: dict[int, Tiers] = {}
        self._seeded = False

    def brackets(self, time_ns: int) -> BracketTable:
        """The bracket table in force at `time_ns`."""
        return in_force(self._dated, datetime.fromtimestamp(time_ns / 1e9, UTC))

    def step(self, flow: Flow, open_interest: float) -> Consumed:
        """Work one interval that ended at `flow.end_ns` with `open_interest` contracts; returns what was liquidated.

        Until the first trade is seen there is no price to place positions at, and the book stays empty.
        """
        self._use(self.brackets(flow.end_ns))
        if flow.volume > 0:
            self.price = flow.close
        self.time_ns = flow.end_ns
        consumed = take_out(self._longs, self._shorts, flow, self.settings.bin_width)
        if np.isnan(self.price):
            return consumed
        for side in (self._longs, self._shorts):
            if self._seeded:
                self._close(side, flow, open_interest)
            self._open(side, flow, open_interest)
        self._seeded = True
        self.open_interest = open_interest
        return consumed

    def _close(self, side: Side, flow: Flow, open_interest: float) -> None:
        """Holders close, the highly leveraged sooner.

        Stops and targets are set in proportion to the way to liquidation, about 1/leverage, and price takes the square
        of a distance to wander it: so the interval's range, squared, in units of that way says how many are reached.

        Opened less closed is what open interest says, `missing`; without that knowledge each would be `usual`, a share
        of volume. `opened * closed = usual**2` joins the two smoothly: what is opened rises with `missing` from 0 over
        `usual` to `missing` itself. That form is a choice, kept because it measured better than a fixed share.
        """
        if flow.volume > 0 and self.settings.unrest > 0:
            ways = np.log(flow.high / flow.low) * self.tiers
            side.keep(np.exp(-np.minimum(self.settings.unrest * ways**2, _MOST_UNREST)))
        held = side.total
        missing, usual = open_interest - held, self.settings.turnover * flow.volume
        closed = (np.hypot(missing, 2 * usual) - missing) / 2
        if closed >= held:
            side.keep(0.0)
        elif closed > 0:
            side.keep(_kept(side.by_tier, self._haste, closed))
        if side.total > open_interest:
            side.keep(open_interest / side.total)

    def _open(self, side: Side, flow: Flow, open_interest: float) -> None:
        """What is missing to reach the open interest opens where the interval traded."""
        missing = open_interest - side.total
        if missing <= 0:
            return
        bins, brackets, weights = self._entries(flow, side.sign)
        spread = self._spread[side.sign]
        if self._seeded:
            share = spread.share
        else:
            if self.settings.seed_spread > 0:
                bins, brackets, weights = self._seed_entries(brackets, weights)
            share = spread.share / self._haste
            share = share / share.sum(axis=1, keepdims=True)
        reached = flow.low if side.sign > 0 else flow.high
        edge = int(bin_of(self.price if np.isnan(reached) else reached, self.settings.bin_width))
        entries = weights[:, np.newaxis] * share[brackets]
        hour = flow.end_ns / _NS_PER_HOUR
        side.add(bins, spread.of(brackets), entries, missing, edge, hour, seed=not self._seeded)

    def _entries(self, flow: Flow, sign: int) -> tuple[Ints, Ints, Floats]:
        """Where this side opened: the buyer of a trade opens longs, the seller shorts, the taker more often."""
        taker = flow.buy if sign > 0 else ~flow.buy
        weights = flow.contracts * np.where(taker, self.settings.taker_weight, 1.0)
        if weights.sum() > 0:
            return flow.bins, flow.brackets, weights
        return bin_of([self.price], self.settings.bin_width), np.zeros(1, dtype=np.int64), np.ones(1)

    def _seed_entries(self, brackets: Ints, weights: Floats) -> tuple[Ints, Ints, Floats]:
        """Where what was open before history was opened: around the first price, as far as price wanders in the time
        for which positions are held."""
        by_bracket = np.bincount(brackets, weights)
        present = np.flatnonzero(by_bracket)
        logs = np.log(self.price) + _SEED_STEPS * self.settings.seed_spread
        bins = np.floor(logs / log_step(self.settings.bin_width)).astype(np.int64)
        all_weights = np.outer(by_bracket[present], _SEED_WEIGHTS).ravel()
        return np.tile(bins, len(present)), np.repeat(present, len(bins)), all_weights

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
        return levels_of(self, self._longs, self._shorts, time_ns=time_ns, low=low, high=high, price=price)

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
            self._spread[sign] = spread_over_tiers(
                brackets, self.tiers, self._mix, sign, self.settings.bin_width, self.settings.formula
            )


def _kept(by_tier: Floats, haste: Floats, closed: float) -> Floats:
    """The share of each tier that stays when `closed` contracts of all close, at rates in proportion to `haste`.

    Solves `sum(by_tier * (1 - exp(-x * haste))) = closed` for `x` by Newton's method, from below.
    """
    time = closed / float(by_tier @ haste)
    for _ in range(_ROUNDS):
        staying = by_tier * np.exp(-time * haste)
        time += (closed - float((by_tier - staying).sum())) / float(staying @ haste)
    kept: Floats = np.exp(-time * haste)
    return kept
