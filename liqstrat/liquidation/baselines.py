"""Two ways of drawing liquidation levels that are widely used, for comparison. Neither knows what closed."""

from collections.abc import Sequence
from dataclasses import replace
from math import nan

import numpy as np

from liqstrat.liquidation.brackets import BracketTable
from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.grid import Floats, Ints, bin_at, log_step
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.liquidation.model import NOTHING, Consumed, Since
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.liquidation.side import Side, Tiers, spread_over_tiers
from liqstrat.liquidation.two_sided import TwoSidedModel
from liqstrat.moments import HOUR_NS

#: Distances at which large trades draw levels, as fractions of price, by the leverage they stand for.
_DISTANCES = {10: 0.10, 25: 0.04, 50: 0.02, 100: 0.01}


class _Drawn(TwoSidedModel):
    """Levels that are drawn and not booked: what both ways have in common."""

    @property
    def seeded_share(self) -> float:
        """0: nothing is drawn for the time before history."""
        return 0.0

    def _draw(self, side: Side, bins: Ints, brackets: Ints, contracts: Floats, tiers: Tiers, edge: int) -> None:
        amount = float(contracts.sum())
        if amount > 0:
            side.add(bins, brackets, contracts, tiers, amount, edge, self.time_ns / HOUR_NS)


class LargeTradeModel(_Drawn):
    """Every large trade draws a level 1, 2, 4 and 10 % below its price where the taker bought, above where he sold.

    Which trades are large, `ModelSettings.large_by` says. Levels stay for ever, also when price has run through them,
    and open interest is not looked at.
    """

    def __init__(self, settings: ModelSettings, symbol: str, loaded: Sequence[BracketTable] = ()) -> None:
        super().__init__(settings, symbol, loaded, np.array(list(_DISTANCES), dtype=np.int64))
        self._spread = {sign: self._fixed(sign) for sign in (+1, -1)}

    def step(self, flow: Flow, open_interest: float) -> Consumed:
        """Draw the levels of the interval's large trades."""
        self.time_ns, self.open_interest = flow.end_ns, open_interest
        if flow.volume > 0:
            self.price = flow.close
        large = flow.large
        if large is not None and len(large.bins):
            for side, taker in ((self._longs, large.buy), (self._shorts, ~large.buy)):
                bins, alike = large.bins[taker], np.zeros(int(taker.sum()), dtype=np.int64)
                # Nothing that is drawn is ever run through: the price reached is taken to be beyond all trades.
                beyond = int(large.bins.max()) + 2 if side.sign > 0 else int(large.bins.min()) - 2
                self._draw(side, bins, alike, large.contracts[taker], self._spread[side.sign], beyond)
        return Consumed.nothing(flow.end_ns, len(self.tiers))

    def map(self, since: Since = NOTHING, *, span: float | None = None) -> LiquidationMap:
        """All levels ever drawn."""
        return super().map(replace(since, low=nan, high=nan), span=span)

    def _fixed(self, sign: int) -> Tiers:
        away = np.array([[1 - sign * distance for distance in _DISTANCES.values()]])
        bins = np.log(away) / log_step(self._width)
        shift = np.floor(bins).astype(np.int64)
        even = np.full(away.shape, 1 / len(self.tiers))
        return Tiers(even, shift, bins - shift, np.ones(away.shape, dtype=np.bool_))


class CandleModel(_Drawn):
    """What open interest grew by is taken for longs where the interval's candle rose and for shorts where it fell.

    Levels follow the leverage mix; what price runs through goes. Nothing goes when open interest shrinks. With
    `formula = "linear"` this is the usual way.
    """

    def __init__(self, settings: ModelSettings, symbol: str, loaded: Sequence[BracketTable] = ()) -> None:
        super().__init__(settings, symbol, loaded, np.array(sorted(settings.leverage), dtype=np.int64))
        shares = np.array([settings.leverage[int(tier)] for tier in self.tiers], dtype=np.float64)
        self._mix = shares / shares.sum()
        self._spreads: dict[tuple[BracketTable, int], Tiers] = {}

    def step(self, flow: Flow, open_interest: float) -> Consumed:
        """Remove what price ran through, then draw what open interest grew by."""
        consumed = self._take_out(flow)
        opened, grown = self.price, open_interest - self.open_interest
        first = self.time_ns == 0
        self.time_ns, self.open_interest = flow.end_ns, open_interest
        if not flow.volume > 0:
            return consumed
        self.price = flow.close
        if first or grown <= 0 or np.isnan(opened) or flow.close == opened:
            return consumed
        side = self._longs if flow.close > opened else self._shorts
        reached = flow.low if side.sign > 0 else flow.high
        edge = bin_at(reached, self._width)
        tiers = self._tiers_of(self.brackets(flow.end_ns), side.sign)
        self._draw(side, flow.bins, flow.brackets, flow.contracts * (grown / flow.volume), tiers, edge)
        return consumed

    def _take_out(self, flow: Flow) -> Consumed:
        """Remove longs liquidated at or above the interval's low and shorts at or below its high."""
        if np.isnan(flow.low):
            return Consumed.nothing(flow.end_ns, len(self.tiers))
        low, high = (bin_at(price, self._width) for price in (flow.low, flow.high))
        return Consumed(flow.end_ns, *self._longs.take_out(low), *self._shorts.take_out(high))

    def _tiers_of(self, brackets: BracketTable, sign: int) -> Tiers:
        if (brackets, sign) not in self._spreads:
            self._spreads[brackets, sign] = spread_over_tiers(
                brackets, self.tiers, self._mix, sign, self._width, self.settings.formula
            )
        return self._spreads[brackets, sign]
