"""Orders of strategies in a replay: sent over a wire, met by the market when they arrive, and gone with the account."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from math import isnan
from typing import Any, Never

from nautilus_trader.model import ClientOrderId, InstrumentId, OrderSide
from nautilus_trader.trading import Strategy, StrategyConfig

from liqstrat.backtest.costs.fees import LIQUIDATION_TAG
from liqstrat.backtest.costs.fills import MarketFills
from liqstrat.backtest.failure import Failures, guarded
from liqstrat.backtest.journal import Journal
from liqstrat.backtest.levels.indicator import LiquidationLevels
from liqstrat.backtest.levels.reaches import Reaches
from liqstrat.backtest.markets import Markets
from liqstrat.backtest.params import StrategyParams
from liqstrat.backtest.presence import Presence
from liqstrat.backtest.prints import Print, Prints
from liqstrat.backtest.records import Records, Sent
from liqstrat.backtest.room import Room
from liqstrat.backtest.sides import SidedIndicator, Sides
from liqstrat.backtest.ticket import ABSENT, LIQUIDATED
from liqstrat.backtest.wire import Wire
from liqstrat.catalog.instruments import minute_bars
from liqstrat.errors import LiqstratError
from liqstrat.moments import SECOND_NS, at_ns


@dataclass(frozen=True)
class Setup:
    """What a run gives a strategy. `number` counts the run's strategies, one for each symbol they trade.

    taker_fee: share of notional. sides: makes what gives trades their sides; None with bars. end_ns: when the run
    ends; nothing is decided then or later. reaches: of the levels, where they are known ahead.
    """

    number: int
    label: str
    symbol: str
    instrument_id: InstrumentId
    levels: LiquidationLevels
    params: StrategyParams
    bar_minutes: int | None
    latency_ns: int
    taker_fee: Decimal
    end_ns: int
    prints: Prints
    sides: Callable[[], Sides] | None
    fills: MarketFills
    room: Room
    failures: Failures
    journal: Journal
    markets: Markets
    reaches: Reaches | None = None
    presence: Presence = field(default_factory=Presence)


class Trading(Strategy):
    """What lies between a strategy and the engine: every command takes `latency_ns`, orders that take wait for the next
    print, and a liquidated account ends all of it.

    levels: the symbol's. records: what was asked for.
    """

    def __init__(self, setup: Setup) -> None:
        super().__init__(StrategyConfig(order_id_tag=f"{setup.number:03d}", log_events=False, log_commands=False))
        self.label = setup.label
        self.symbol = setup.symbol
        self.instrument_id = setup.instrument_id
        self.levels = setup.levels
        self.failures = setup.failures
        self.records = Records()
        self._setup = setup
        self._wire = Wire(
            # Events of one moment come in the order of their names: what arrives at the exchange, then decisions.
            f"0-arrives-{setup.number:03d}",
            setup.latency_ns,
            setup.prints,
            meet=self._meet,
            lose=self._lose,
            perform=self._perform,
        )
        setup.room.under_way.append(self._under_way)
        # Orders since the last time without a position.
        self._sent: list[ClientOrderId] = []
        self._over = False

    @property
    def price(self) -> float:
        """The last price, USDT."""
        return self.levels.price

    @property
    def price_age(self) -> float:
        """Seconds of market time since something traded; with bars, since the last one that traded has closed."""
        return (self.clock.timestamp_ns() - self.levels.price_time_ns) / SECOND_NS

    @property
    def now(self) -> datetime:
        """Market time."""
        return at_ns(self.clock.timestamp_ns())

    @property
    def in_transit(self) -> bool:
        """Whether orders are under way that the exchange has not met yet."""
        return self._wire.busy

    def submit_order(self, order: Any, *args: Any, **kwargs: Any) -> None:
        """Send an order of one's own, beside those of `enter` and `exit`."""
        submit = super().submit_order
        if not order.is_reduce_only:
            self._hold_against_brackets(order)
        self._dispatch([order], lambda: submit(order, *args, **kwargs))

    def submit_order_list(self, order_list: Any, *args: Any, **kwargs: Any) -> None:
        """Send several orders of one's own at once."""
        submit = super().submit_order_list
        self._dispatch(list(order_list), lambda: submit(order_list, *args, **kwargs))

    def cancel_order(self, client_order_id: ClientOrderId, *args: Any, **kwargs: Any) -> None:
        """Take an order back, if it is still there when the wish arrives."""
        cancel = super().cancel_order
        self._cancel([client_order_id], lambda: cancel(client_order_id, *args, **kwargs))

    def cancel_orders(self, client_order_ids: Sequence[ClientOrderId], *args: Any, **kwargs: Any) -> None:
        """Take orders back, those that are still there when the wish arrives."""
        cancel = super().cancel_orders
        self._cancel(client_order_ids, lambda: cancel(client_order_ids, *args, **kwargs))

    def cancel_all_orders(self, *args: Any, **kwargs: Any) -> None:
        """Take all orders back, those that are still there when the wish arrives."""
        cancel = super().cancel_all_orders
        self._cancel(None, lambda: cancel(*args, **kwargs))

    def modify_order(self, *args: Any, **kwargs: Any) -> None:
        """Change an order, if it is still there when the wish arrives."""
        modify = super().modify_order
        if not self._is_absent():
            self._wire.send(self.clock, lambda: modify(*args, **kwargs))

    def subscribe_trades(self, *args: Any, **kwargs: Any) -> None:
        """Be told of each trade; raises `LiqstratError` in a run of bars, which has none."""
        if self._setup.bar_minutes:
            self._refuse_data("trades", "bars", 'subscribe to them, or set resolution = "tick"')
        super().subscribe_trades(*args, **kwargs)

    def register_indicator_for_trade_ticks(self, instrument_id: InstrumentId, indicator: Any) -> None:
        """Let an indicator of Nautilus's protocol hear each trade that this strategy subscribes to."""
        if self._setup.sides is not None and instrument_id == self.instrument_id:
            indicator = SidedIndicator(indicator, self._setup.sides())
        super().register_indicator_for_trade_ticks(instrument_id, indicator)

    def subscribe_bars(self, bar_type: Any, *args: Any, **kwargs: Any) -> None:
        """Be told of each minute bar; raises `LiqstratError` where the run has none of that type."""
        own = minute_bars(self.symbol)
        if not self._setup.bar_minutes:
            self._refuse_data("bars", "trades", 'subscribe to them, or set resolution = "1m"')
        if str(bar_type) != str(own):
            self._refuse_data(f"bars of type {bar_type}", f"bars of type {own}", "expected that")
        super().subscribe_bars(bar_type, *args, **kwargs)

    def subscribe_quotes(self, *args: Any, **kwargs: Any) -> None:
        """Raises `LiqstratError`: history has no quotes."""
        self._refuse_data("quotes", "trades or bars", "use self.price")

    def subscribe_book_deltas(self, *args: Any, **kwargs: Any) -> None:
        """Raises `LiqstratError`: history has no order books."""
        self._refuse_data("order books", "trades or bars", "use self.price")

    subscribe_book_depth = subscribe_book_deltas
    subscribe_book_at_interval = subscribe_book_deltas

    def take_over(self, price: float, reference: float) -> None:
        """The exchange takes the account's position over at `price`: all orders go, and nothing is traded any more.

        `reference` is the last price, USDT. Called one nanosecond ahead, so that it happens in this strategy's turn.
        """
        now = self.clock.timestamp_ns()
        name = f"0-taken-over-{self._setup.number:03d}"
        self.clock.set_time_alert_ns(
            name, now + 1, lambda event: self._perform(lambda: self._give_up(price, reference))
        )

    # -- how it works --------------------------------------------------------------------------------------------------

    @guarded
    def _perform(self, act: Callable[[], None]) -> None:
        self._stir()
        act()

    def _stir(self) -> None:
        """Something happens to this strategy's orders, or its levels."""

    def _submit_entry(self, order: Any) -> None:
        submit = super().submit_order
        self._dispatch([order], lambda: submit(order))

    def _submit_at_exchange(self, order: Any) -> None:
        self._remember([order])
        super().submit_order(order)

    def _modify_at_exchange(self, *args: Any, **kwargs: Any) -> None:
        super().modify_order(*args, **kwargs)

    def _cancel_at_exchange(self, order_id: ClientOrderId) -> None:
        super().cancel_order(order_id)

    def _give_up(self, price: float, reference: float) -> None:
        self._over = True
        self._wire.drop(None, LIQUIDATED)
        super().cancel_all_orders(self.instrument_id)
        for position in self.cache.positions_open(None, self.instrument_id, self.strategy_id):
            side = OrderSide.SELL if position.is_long else OrderSide.BUY
            tags = [LIQUIDATION_TAG, f"reference={reference!r}"]
            order = self.order_factory.market(self.instrument_id, side, position.quantity, reduce_only=True, tags=tags)
            self._setup.fills.taken_over[str(order.client_order_id)] = price
            self._remember([order])
            super().submit_order(order)

    def _dispatch(self, orders: list[Any], act: Callable[[], None]) -> None:
        self._remember(orders)
        if self._over or self._is_absent():
            self._lose([str(order.client_order_id) for order in orders], LIQUIDATED if self._over else ABSENT)
        else:
            self._wire.send_orders(self.clock, orders, lambda: self.price, act)

    def _is_absent(self) -> bool:
        return self._setup.presence.absent(self.clock.timestamp_ns())

    def _remember(self, orders: list[Any]) -> None:
        self._stir()
        now, price = self.clock.timestamp_ns(), None if isnan(self.price) else self.price
        for order in orders:
            self._sent.append(order.client_order_id)
            self.records.sent[str(order.client_order_id)] = Sent(order, now, price)

    def _hold_against_brackets(self, order: Any) -> None:
        """Note an order of a strategy's own that is larger than the exchange allows at this leverage."""
        cap = self._setup.room.cap(self.cache, self.symbol, self.now)
        # Before the first print that the levels know of there is no price, and no notional.
        if not isnan(self.price) and order.quantity.as_decimal() * Decimal(str(self.price)) > cap:
            self.records.beyond.append(max(float(cap), 0.0))

    def _meet(self, order_id: str, met: Print) -> None:
        self._setup.fills.start[order_id] = met.price

    def _lose(self, order_ids: list[str], reason: str) -> None:
        self.records.lost.update(dict.fromkeys(order_ids, reason))

    def _cancel(self, order_ids: Sequence[ClientOrderId] | None, cancel: Callable[[], None]) -> None:
        def there() -> None:
            if order_ids is None or any(self.cache.order(order_id) is not None for order_id in order_ids):
                cancel()

        names = None if order_ids is None else [str(order_id) for order_id in order_ids]
        self._wire.send_cancel(self.clock, names, there)

    def _under_way(self) -> list[tuple[str, Decimal]]:
        """What the account may come to hold by orders sent and not filled yet, at limits or prices when sent."""
        found = []
        for order_id in self._sent:
            sent = self.records.sent[str(order_id)]
            if sent.order.is_reduce_only or str(order_id) in self.records.lost:
                continue
            order = self.cache.order(order_id)
            if order is not None and order.is_closed:
                continue
            left = (order or sent.order).leaves_qty.as_decimal()
            limit = getattr(sent.order, "price", None)
            price = limit.as_decimal() if limit is not None else Decimal(str(sent.price or 0))
            found.append((self.symbol, left * price))
        return found

    def _is_closed(self, order_id: ClientOrderId) -> bool:
        if str(order_id) in self.records.lost:
            return True
        # An order that is still on its way is not in the cache yet.
        order = self.cache.order(order_id)
        return order is not None and bool(order.is_closed)

    def _refuse_data(self, wanted: str, there: str, instead: str) -> Never:
        raise LiqstratError(f"strategy {self.label}: subscribes to {wanted}, this run replays {there}; {instead}")
