"""The base of strategies that trade around liquidation levels.

A strategy says when to enter, where its stop and its target are, and which level it trades; everything else is here:

    class BuyTheSweep(LevelStrategy):
        class Params(StrategyParams):
            target: float = 0.01

        params: Params

        def on_price(self, price: float) -> None:
            below = self.levels.below()
            if self.flat and below and below.distance > -0.002:
                self.enter("long", stop=below.price_low, target=price * (1 + self.params.target), level=below)

A run file names it as `use = "my_module:BuyTheSweep"`, its parameters as `params = {target = 0.02}`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from nautilus_trader.common import TimeEvent
from nautilus_trader.model import ClientOrderId, Currency, InstrumentId, OrderRejected, OrderSide, Price, Quantity
from nautilus_trader.trading import Strategy, StrategyConfig
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from liqstrat.backtest.account.ledger import Entry
from liqstrat.backtest.failure import Failures, guarded
from liqstrat.backtest.levels.indicator import LiquidationLevels
from liqstrat.backtest.sizing import quantity_for
from liqstrat.errors import LiqstratError, did_you_mean
from liqstrat.liquidation.clusters import Cluster

Side = Literal["long", "short"]
_USDT = Currency.from_str("USDT")


class StrategyParams(BaseModel):
    """Parameters every strategy has; a strategy's own ones are added in a subclass.

    risk: share of the account's equity that is lost when a stop is hit, before costs.
    decide_seconds: market time between two calls of `on_price`; with bars it is called once a bar.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    risk: Annotated[float, Field(gt=0, le=0.2)] = 0.01
    decide_seconds: Annotated[float, Field(ge=0.1, le=86_400)] = 5.0


@dataclass(frozen=True)
class Setup:
    """What a run gives a strategy. `number` counts the run's strategies, one for each symbol they trade."""

    number: int
    label: str
    instrument_id: InstrumentId
    levels: LiquidationLevels
    params: StrategyParams
    leverage: int
    bar_minutes: int | None
    failures: Failures


def make_params(strategy: "type[LevelStrategy]", use: str, values: dict[str, Any]) -> StrategyParams:
    """Checked parameters of a strategy; `LiqstratError` names each wrong one and the nearest right name."""
    try:
        return strategy.Params.model_validate(values)
    except ValidationError as error:
        known = list(strategy.Params.model_fields)
        raise LiqstratError("\n".join(_explain(use, found, known) for found in error.errors())) from None


def _explain(use: str, found: Any, known: list[str]) -> str:
    name = ".".join(str(part) for part in found["loc"])
    if found["type"] == "extra_forbidden":
        return (
            f'strategy {use}: unknown parameter "{name}"{did_you_mean(name, known)}; expected one of {", ".join(known)}'
        )
    if found["type"] == "missing":
        return f'strategy {use}: parameter "{name}" is missing'
    reason = found["msg"].removeprefix("Value error, ")
    return f"strategy {use}: {name or 'params'} is {found['input']!r}: {reason[:1].lower()}{reason[1:]}"


class LevelStrategy(Strategy):
    """Trades one symbol, one position at a time, with a stop and a target on every entry.

    Write `on_price` (and `on_levels`, `on_begin` where needed). At hand are `levels` (the indicator), `params`,
    `price`, `now`, `flat`, `enter` and `exit`.
    """

    Params: ClassVar[type[StrategyParams]] = StrategyParams
    params: StrategyParams

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, member in list(vars(cls).items()):
            if name.startswith("on_") and callable(member) and hasattr(Strategy, name):
                setattr(cls, name, guarded(member))

    def __init__(self, setup: Setup) -> None:
        super().__init__(StrategyConfig(order_id_tag=f"{setup.number:03d}", log_events=False, log_commands=False))
        self.label = setup.label
        self.instrument_id = setup.instrument_id
        self.levels = setup.levels
        self.params = setup.params
        self.failures = setup.failures
        self.entries: list[Entry] = []
        self.too_small = 0
        self._leverage = Decimal(setup.leverage)
        self._decide_ns = round(setup.params.decide_seconds * 1e9)
        if setup.bar_minutes:
            self._decide_ns = setup.bar_minutes * 60_000_000_000
        # Events of one moment come in the order of their names: levels are brought up to date before (see feeds).
        self._timer = f"5-decide-{setup.number:03d}"
        self._known_at = 0
        # Orders since the last time without a position.
        self._sent: list[ClientOrderId] = []
        self._exit_order: ClientOrderId | None = None
        self._leaving = False

    # -- for strategies to write ---------------------------------------------------------------------------------------

    def on_begin(self) -> None:
        """Called once, before the first decision."""

    def on_levels(self) -> None:
        """Called when there is a new map: open interest has become known."""

    def on_price(self, price: float) -> None:
        """Called every `decide_seconds` of market time, or after every bar, once there are levels."""

    # -- for strategies to use -----------------------------------------------------------------------------------------

    @property
    def price(self) -> float:
        """The last price, USDT."""
        return self.levels.price

    @property
    def now(self) -> datetime:
        """Market time."""
        return datetime.fromtimestamp(self.clock.timestamp_ns() / 1e9, UTC)

    @property
    def flat(self) -> bool:
        """Whether there is no position, and no order that could still change that."""
        if self._sent and all(self._is_closed(order_id) for order_id in self._sent):
            mine = (None, self.instrument_id, self.strategy_id)
            if not self.cache.positions_open_count(*mine):
                self._sent.clear()
        return not self._sent

    def enter(self, side: Side, *, stop: float, target: float, level: Cluster | None = None, reason: str = "") -> bool:
        """Send a market order with its stop (market) and target (limit); whichever is reached cancels the other.

        The size is such that the stop loses `params.risk` of equity. Nothing is sent, and the answer is False, while
        there is a position, when price is not between stop and target, or when the size is below what the exchange
        accepts.
        """
        price = self.price
        ahead = stop < price < target if side == "long" else target < price < stop
        if not ahead or not self.flat:
            return False
        quantity = self._quantity(price, stop)
        if quantity is None:
            self.too_small += 1
            return False
        self._send(side, quantity, price, stop, target, Entry("", level, reason))
        return True

    def exit(self) -> None:
        """Cancel stop and target and close the position at the market, all of it, also what is still being filled."""
        self._leaving = True
        self._leave()

    def submit_order(self, order: Any, *args: Any, **kwargs: Any) -> None:
        """Send an order of one's own, beside those of `enter` and `exit`."""
        self._sent.append(order.client_order_id)
        super().submit_order(order, *args, **kwargs)

    # -- how it works --------------------------------------------------------------------------------------------------

    @guarded
    def on_start(self) -> None:
        start = self.clock.timestamp_ns() // self._decide_ns * self._decide_ns
        self.clock.set_timer_ns(self._timer, self._decide_ns, start_time_ns=start, callback=self._decide)
        self.on_begin()

    @guarded
    def on_stop(self) -> None:
        if self._timer in self.clock.timer_names():
            self.clock.cancel_timer(self._timer)

    @guarded
    def on_order_rejected(self, event: OrderRejected) -> None:
        """The exchange refuses a stop that price has already passed; the position must not stay without one."""
        order = self.cache.order(event.client_order_id)
        if order is not None and "role=stop" in (order.tags or []):
            self.exit()

    @guarded
    def _decide(self, event: TimeEvent) -> None:
        # Alerts come after all market data of their moment.
        self.levels.settle(event.ts_event)
        if self._leaving:
            self._leave()
        if not self.levels.initialized:
            return
        if self.levels.known_at != self._known_at:
            self._known_at = self.levels.known_at
            self.on_levels()
        self.on_price(self.levels.price)

    def _leave(self) -> None:
        """One order at a time; what is left when it is done is seen at the next decision."""
        if self.flat:
            self._leaving = False
        elif self._exit_order is None or self._is_closed(self._exit_order):
            self.cancel_all_orders(self.instrument_id)
            for position in self.cache.positions_open(None, self.instrument_id, self.strategy_id):
                side = OrderSide.SELL if position.is_long else OrderSide.BUY
                tags = self._tags("exit", self.price)
                order = self.order_factory.market(
                    self.instrument_id, side, position.quantity, reduce_only=True, tags=tags
                )
                self._exit_order = order.client_order_id
                self.submit_order(order)

    def _quantity(self, price: float, stop: float) -> Quantity | None:
        instrument = self._instrument()
        quantity = quantity_for(
            equity=self._equity(),
            risk=Decimal(str(self.params.risk)),
            price=Decimal(str(price)),
            stop=Decimal(str(stop)),
            leverage=self._leverage,
            carried=self._carried(),
            step=instrument.size_increment.as_decimal(),
            least_quantity=instrument.min_quantity.as_decimal() if instrument.min_quantity else Decimal(0),
            least_notional=instrument.min_notional.as_decimal() if instrument.min_notional else Decimal(0),
        )
        return instrument.make_qty(quantity) if quantity else None

    def _equity(self) -> Decimal:
        """Balance of the account and unrealized profit of all its positions, USDT."""
        venue = self.instrument_id.venue
        account: Any = self.portfolio.account(venue)
        unrealized = self.portfolio.unrealized_pnls(venue).get(_USDT)
        balance: Decimal = account.balance_total(_USDT).as_decimal()
        return balance + unrealized.as_decimal() if unrealized else balance

    def _carried(self) -> Decimal:
        """Notional of all open positions of the account at their entry prices, USDT."""
        positions = self.cache.positions_open()
        return sum((p.quantity.as_decimal() * Decimal(str(p.avg_px_open)) for p in positions), Decimal(0))

    def _send(self, side: Side, quantity: Quantity, price: float, stop: float, target: float, entry: Entry) -> None:
        make_price: Callable[[float], Price] = self._instrument().make_price
        orders = self.order_factory.bracket(
            self.instrument_id,
            OrderSide.BUY if side == "long" else OrderSide.SELL,
            quantity,
            sl_trigger_price=make_price(stop),
            tp_price=make_price(target),
            tp_post_only=False,
            entry_tags=self._tags("entry", price),
            sl_tags=self._tags("stop", stop),
            tp_tags=self._tags("target", target),
        )
        self._sent += [order.client_order_id for order in orders]
        self._leaving = False
        self.entries.append(replace(entry, order_id=str(orders[0].client_order_id)))
        self.submit_order_list(orders)

    def _is_closed(self, order_id: ClientOrderId) -> bool:
        # An order that was just sent is not in the cache yet.
        order = self.cache.order(order_id)
        return order is not None and bool(order.is_closed)

    def _instrument(self) -> Any:
        return self.cache.instrument(self.instrument_id)

    def _tags(self, role: str, price: float) -> list[str]:
        return [f"role={role}", f"reference={price!r}"]
