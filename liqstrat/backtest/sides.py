"""The taker's side of trades, for strategies that listen to them: the engine gets trades without it (see `stream`)."""

from typing import Any

from nautilus_trader.model import AggressorSide, TradeTick

from liqstrat.backtest.stream import MarketStream


class Sides:
    """Gives trades of one symbol their sides back; the trades must come in order, some may be missing."""

    def __init__(self, stream: MarketStream) -> None:
        self._stream = stream
        self._slice, self._next = -1, 0

    def sided(self, trade: Any) -> TradeTick:
        """The trade as it is in the history."""
        number, times, buys = self._stream.playing
        if number != self._slice:
            self._slice, self._next = number, 0
        time_ns = trade.ts_event
        if self._next >= len(times) or times[self._next] != time_ns:
            self._next = int(times.searchsorted(time_ns))
        side = AggressorSide.BUY if buys[self._next] else AggressorSide.SELL
        self._next += 1
        return TradeTick(trade.instrument_id, trade.price, trade.size, side, trade.trade_id, time_ns, trade.ts_init)


class SidedIndicator:
    """An indicator that hears of trades with their sides; by Nautilus's protocol."""

    def __init__(self, indicator: Any, sides: Sides) -> None:
        self._indicator, self._sides = indicator, sides

    @property
    def name(self) -> str:
        """That of the indicator itself."""
        return str(self._indicator.name)

    @property
    def has_inputs(self) -> bool:
        """Whether it has heard of anything."""
        return bool(self._indicator.has_inputs)

    @property
    def initialized(self) -> bool:
        """Whether it has heard enough."""
        return bool(self._indicator.initialized)

    def handle_trade_tick(self, trade: Any) -> None:
        """Hear of a trade."""
        self._indicator.handle_trade_tick(self._sides.sided(trade))

    def handle_quote_tick(self, quote: Any) -> None:
        """There are none."""

    def handle_bar(self, bar: Any) -> None:
        """Hear of a bar."""
        self._indicator.handle_bar(bar)

    def reset(self) -> None:
        """Forget everything."""
        self._indicator.reset()
