"""Two ways of drawing liquidation levels that are widely used, for comparison. Neither knows what closed."""

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
_FAR = 1 << 40
#: Distances at which large trades draw levels, as fractions of price, by the leverage they stand for.
_DISTANCES = {10: 0.10, 25: 0.04, 50: 0.02, 100: 0.01}


class _Drawn:
    """Levels that are drawn, side by side, and what both ways have in common."""

    tiers: Ints

    def __init__(self, settings: ModelSettings, symbol: str, loaded: Sequence[BracketTable] = ()) -> None:
        self.settings = settings
        self.symbol = symbol
        self._dated = dated_brackets(symbol, loaded)
        self.open_interest = 0.0
        self.price = np.nan
        self.time_ns = 0
        self._longs = Side(+1, len(self.tiers))
        self._shorts = Side(-1, len(self.tiers))

    def step(self, flow: Flow, open_interest: float) -> Consumed:
        """Work one interval, see `LiquidationModel.step`."""
        raise NotImplementedError

    @property
    def seeded_share(self) -> float:
        """0: nothing is drawn for the time before history."""
        return 0.0

    def brackets(self, time_ns: int) -> BracketTable:
        """The bracket table in force at `time_ns`."""
        return in_force(self._dated, datetime.fromtimestamp(time_ns / 1e9, UTC))

    def map(
        self,
        *,
        time_ns: int | None = None,
        low: float | None = None,
        high: float | None = None,
        price: float | None = None,
    ) -> LiquidationMap:
        """The levels drawn up to the last step, less what `low` and `high` reached since then ran through."""
        return levels_of(self, self._longs, self._shorts, time_ns=time_ns, low=low, high=high, price=price)

    def _draw(self, side: Side, bins: Ints, contracts: Floats, tiers: Tiers, edge: int) -> None:
        if contracts.sum() > 0:
            shares = contracts[:, np.newaxis] * tiers.share
            side.add(bins, tiers, shares, float(contracts.sum()), edge, self.time_ns / _NS_PER_HOUR)


class LargeTradeModel(_Drawn):
    """Every large trade draws a level 1, 2, 4 and 10 % below its price where the taker bought, above where he sold.

    Large is a trade whose notional lies in a bracket that begins at `settings.large_trade` USDT or more. Levels
    stay for ever, also when price has run through them, and open interest is not looked at.
    """

    def __init__(self, settings: ModelSettings, symbol: str, loaded: Sequence[BracketTable] = ()) -> None:
        self.tiers = np.array(list(_DISTANCES), dtype=np.int64)
        super().__init__(settings, symbol, loaded)
        self._spread = {sign: self._fixed(sign) for sign in (+1, -1)}

    def step(self, flow: Flow, open_interest: float) -> Consumed:
        """Draw the levels of the interval's large trades."""
        self.time_ns, self.open_interest = flow.end_ns, open_interest
        if flow.volume > 0:
            self.price = flow.close
        least = int(np.searchsorted(self.brackets(flow.end_ns).floors, self.settings.large_trade * (1 - 1e-9)))
        for side, taker in ((self._longs, flow.buy), (self._shorts, ~flow.buy)):
            large = taker & (flow.brackets >= least)
            rows = self._spread[side.sign].of(np.zeros(int(large.sum()), dtype=np.int64))
            self._draw(side, flow.bins[large], flow.contracts[large], rows, side.sign * _FAR)
        return Consumed.nothing(flow.end_ns, len(self.tiers))

    def map(
        self,
        *,
        time_ns: int | None = None,
        low: float | None = None,
        high: float | None = None,
        price: float | None = None,
    ) -> LiquidationMap:
        """All levels ever drawn."""
        return super().map(time_ns=time_ns, price=price)

    def _fixed(self, sign: int) -> Tiers:
        away = np.array([[1 - sign * distance for distance in _DISTANCES.values()]])
        bins = np.log(away) / log_step(self.settings.bin_width)
        shift = np.floor(bins).astype(np.int64)
        even = np.full(away.shape, 1 / len(self.tiers))
        return Tiers(even, shift, bins - shift, np.ones(away.shape, dtype=np.bool_))


class CandleModel(_Drawn):
    """What open interest grew by is taken for longs where the interval's candle rose and for shorts where it fell.

    Levels follow the leverage mix; what price runs through goes. Nothing goes when open interest shrinks. With
    `formula = "linear"` this is the usual way.
    """

    def __init__(self, settings: ModelSettings, symbol: str, loaded: Sequence[BracketTable] = ()) -> None:
        self.tiers = np.array(sorted(settings.leverage), dtype=np.int64)
        super().__init__(settings, symbol, loaded)
        shares = np.array([settings.leverage[int(tier)] for tier in self.tiers], dtype=np.float64)
        self._mix = shares / shares.sum()
        self._spreads: dict[tuple[BracketTable, int], Tiers] = {}

    def step(self, flow: Flow, open_interest: float) -> Consumed:
        """Remove what price ran through, then draw what open interest grew by."""
        consumed = take_out(self._longs, self._shorts, flow, self.settings.bin_width)
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
        edge = int(bin_of(reached, self.settings.bin_width))
        rows = self._tiers_of(self.brackets(flow.end_ns), side.sign).of(flow.brackets)
        self._draw(side, flow.bins, flow.contracts * (grown / flow.volume), rows, edge)
        return consumed

    def _tiers_of(self, brackets: BracketTable, sign: int) -> Tiers:
        if (brackets, sign) not in self._spreads:
            self._spreads[brackets, sign] = spread_over_tiers(
                brackets, self.tiers, self._mix, sign, self.settings.bin_width, self.settings.formula
            )
        return self._spreads[brackets, sign]
