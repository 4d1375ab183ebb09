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

`enter` answers a ticket, which is false where nothing was sent and says why: `self.enter(...).reason`.

A run file names it as `use = "my_module:BuyTheSweep"`, its parameters as `params = {target = 0.02}`.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import wraps
from typing import Annotated, Any, ClassVar, Literal

from nautilus_trader.common import TimeEvent
from nautilus_trader.model import ClientOrderId, Currency, OrderRejected, OrderSide, Price, Quantity
from nautilus_trader.trading import Strategy
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from liqstrat.backtest.account.ledger import Entry
from liqstrat.backtest.failure import guarded
from liqstrat.backtest.records import why_ended
from liqstrat.backtest.sizing import Size, quantity_for
from liqstrat.backtest.ticket import LIQUIDATED, NOT_BETWEEN, NOT_FLAT, STALE, TOO_LARGE, Refusal, State, Ticket
from liqstrat.backtest.trading import Setup, Trading
from liqstrat.errors import LiqstratError, did_you_mean
from liqstrat.liquidation.clusters import Cluster

Side = Literal["long", "short"]
_USDT = Currency.from_str("USDT")


class StrategyParams(BaseModel):
    """Parameters every strategy has; a strategy's own ones are added in a subclass.

    risk: share of the account's equity that is lost when a stop is hit, before costs.
    risk_with_costs: count the taker's fees of entry and stop into that loss.
    decide_seconds: market time between two calls of `on_price`; with bars it is called once a bar.
    stale_seconds: market time without a print after which `enter` refuses.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    risk: Annotated[float, Field(gt=0, le=0.2)] = 0.01
    risk_with_costs: bool = False
    decide_seconds: Annotated[float, Field(ge=0.1, le=86_400)] = 5.0
    stale_seconds: Annotated[float, Field(gt=0)] = 120.0


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


class LevelStrategy(Trading):
    """Trades one symbol, one position at a time, with a stop and a target on every entry.

    Write `on_price` (and `on_levels`, `on_begin` where needed). At hand are `levels` (the indicator), `params`,
    `price`, `price_age`, `now`, `flat`, `enter`, `exit`, and `log`, whose lines land in the results.
    """

    Params: ClassVar[type[StrategyParams]] = StrategyParams
    params: StrategyParams

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, member in list(vars(cls).items()):
            if name.startswith("on_") and callable(member) and hasattr(Strategy, name):
                setattr(cls, name, guarded(_with_sides(member) if name == "on_trade" else member))

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.params = setup.params
        self._journal = setup.journal.of(setup.label, lambda: self.clock.timestamp_ns())
        self._decide_ns = round(setup.params.decide_seconds * 1e9)
        if setup.bar_minutes:
            self._decide_ns = setup.bar_minutes * 60_000_000_000
        self._timer = f"5-decide-{setup.number:03d}"
        self._known_at = 0
        self._exit_orders: list[ClientOrderId] = []
        self._leaving = False
        self._sides = setup.sides() if setup.sides else None

    # -- for strategies to write ---------------------------------------------------------------------------------------

    def on_begin(self) -> None:
        """Called once, before the first decision."""

    def on_levels(self) -> None:
        """Called once for each new map, at whatever pace prices are looked at: open interest has become known."""

    def on_price(self, price: float) -> None:
        """Called every `decide_seconds` of market time, or after every bar, once there are levels."""

    # -- for strategies to use -----------------------------------------------------------------------------------------

    @property
    def price_age(self) -> float:
        """Seconds of market time since something traded; with bars, since the last one that traded has closed."""
        return (self.clock.timestamp_ns() - self.levels.price_time_ns) / 1e9

    @property
    def now(self) -> datetime:
        """Market time."""
        return datetime.fromtimestamp(self.clock.timestamp_ns() / 1e9, UTC)

    @property
    def log(self) -> Any:
        """Takes lines for the user: `self.log.info("…")`, also debug, warning and error; see `Journal`."""
        return self._journal

    @property
    def flat(self) -> bool:
        """Whether there is no position, and no order that could still change that."""
        if self._sent and all(self._is_closed(order_id) for order_id in self._sent):
            mine = (None, self.instrument_id, self.strategy_id)
            if not self.cache.positions_open_count(*mine):
                self._sent.clear()
        return not self._sent

    def enter(
        self, side: Side, *, stop: float, target: float, level: Cluster | None = None, reason: str = ""
    ) -> Ticket:
        """Send a market order with its stop (market) and target (limit); whichever is reached cancels the other.

        The size is such that the stop loses `params.risk` of equity. The ticket is false, and nothing is sent, while
        there is a position, when price is stale or not between stop and target, or when account, exchange or market
        have no room for what the exchange accepts at least; its `reason` says which. The results count them.
        """
        price = self.price
        ahead = stop < price < target if side == "long" else target < price < stop
        if self._over:
            return self._refuse(side, LIQUIDATED)
        if not self.flat:
            return self._refuse(side, NOT_FLAT)
        if not ahead:
            return self._refuse(side, NOT_BETWEEN, detail=f"stop {stop:.10g}, price {price:.10g}, target {target:.10g}")
        if self.price_age > self.params.stale_seconds:
            return self._refuse(side, STALE, detail=f"nothing has traded for {self.price_age:.0f} s")
        size = self._size(price, stop)
        if not size.contracts:
            return self._refuse(side, size.reason)
        most = self._setup.room.most_quantity.get(self.symbol)
        if most is not None and size.contracts > most:
            return self._refuse(side, TOO_LARGE, size.contracts, f"the exchange takes {most:f} in one market order")
        return self._send(side, size.contracts, price, stop, target, Entry("", level, reason))

    def exit(self) -> None:
        """Cancel stop and target and close the position at the market, all of it, also what is still being filled."""
        self._leaving = True
        self._leave()

    # -- how it works --------------------------------------------------------------------------------------------------

    @guarded
    def on_start(self) -> None:
        start = self.clock.timestamp_ns() // self._decide_ns * self._decide_ns
        self.clock.set_timer_ns(self._timer, self._decide_ns, start_time_ns=start, callback=self._decide)
        self.on_begin()

    @guarded
    def on_order_rejected(self, event: OrderRejected) -> None:
        """The exchange refuses a stop that price has already passed; the position must not stay without one."""
        order = self.cache.order(event.client_order_id)
        if order is not None and "role=stop" in (order.tags or []):
            self.exit()

    def map_has_come(self) -> None:
        """There is a new map: tell the strategy as soon as all that belongs to this moment is over."""
        if self._setup.levels.initialized:
            name, now = f"6-levels-{self._setup.number:03d}", self.clock.timestamp_ns()
            self.clock.set_time_alert_ns(name, now + 1, lambda event: self._perform(self._tell_of_levels))

    @guarded
    def _decide(self, event: TimeEvent) -> None:
        if self._over or event.ts_event >= self._setup.end_ns:
            return
        # Alerts come after all market data of their moment.
        self.levels.settle(event.ts_event)
        if self._leaving:
            self._leave()
        if not self.levels.initialized:
            return
        self._tell_of_levels()
        self.on_price(self.levels.price)

    def _tell_of_levels(self) -> None:
        if self.levels.known_at != self._known_at and not self._over:
            self._known_at = self.levels.known_at
            self.on_levels()

    def _leave(self) -> None:
        """One round of orders at a time; what is left when they are done is seen at the next decision."""
        if self.flat:
            self._leaving = False
        elif all(self._is_closed(order_id) for order_id in self._exit_orders):
            self._exit_orders.clear()
            self.cancel_all_orders(self.instrument_id)
            for position in self.cache.positions_open(None, self.instrument_id, self.strategy_id):
                self._close(position)

    def _close(self, position: Any) -> None:
        """Close it by as many orders as the exchange's largest asks for."""
        side = OrderSide.SELL if position.is_long else OrderSide.BUY
        left, most = position.quantity.as_decimal(), self._setup.room.most_quantity.get(self.symbol)
        while left:
            part = min(left, most) if most else left
            order = self.order_factory.market(
                self.instrument_id, side, self._contracts(part), reduce_only=True, tags=self._tags("exit", self.price)
            )
            self._exit_orders.append(order.client_order_id)
            self.submit_order(order)
            left -= part

    # -- entries -------------------------------------------------------------------------------------------------------

    def _refuse(self, side: Side, reason: str, quantity: Decimal = Decimal(0), detail: str = "") -> Ticket:
        order_side: Literal["buy", "sell"] = "buy" if side == "long" else "sell"
        last = self.records.refusals[-1] if self.records.refusals else None
        if last is not None and (last.side, last.reason) == (order_side, reason):
            last.times += 1
        else:
            now = self.clock.timestamp_ns()
            self.records.refusals.append(Refusal(now, self.label, self.symbol, order_side, quantity, reason, detail))
        return Ticket(refused=f"{reason}: {detail}" if detail else reason)

    def _size(self, price: float, stop: float) -> Size:
        instrument, room, now = self._instrument(), self._setup.room, self.clock.timestamp_ns()
        return quantity_for(
            equity=self._equity(),
            risk=Decimal(str(self.params.risk)),
            price=Decimal(str(price)),
            stop=Decimal(str(stop)),
            leverage=Decimal(room.leverage),
            carried=room.carried(self.cache),
            cap=room.cap(self.cache, self.symbol, self.now),
            most=room.most(self.symbol, now),
            costs=self._setup.taker_fee if self.params.risk_with_costs else Decimal(0),
            step=instrument.size_increment.as_decimal(),
            least_quantity=instrument.min_quantity.as_decimal() if instrument.min_quantity else Decimal(0),
            least_notional=instrument.min_notional.as_decimal() if instrument.min_notional else Decimal(0),
        )

    def _equity(self) -> Decimal:
        """Balance of the account and unrealized profit of all its positions, USDT."""
        venue = self.instrument_id.venue
        account: Any = self.portfolio.account(venue)
        unrealized = self.portfolio.unrealized_pnls(venue).get(_USDT)
        balance: Decimal = account.balance_total(_USDT).as_decimal()
        return balance + unrealized.as_decimal() if unrealized else balance

    def _send(self, side: Side, quantity: Decimal, price: float, stop: float, target: float, entry: Entry) -> Ticket:
        make_price: Callable[[float], Price] = self._instrument().make_price
        orders = self.order_factory.bracket(
            self.instrument_id,
            OrderSide.BUY if side == "long" else OrderSide.SELL,
            self._contracts(quantity),
            sl_trigger_price=make_price(stop),
            tp_price=make_price(target),
            tp_post_only=False,
            entry_tags=self._tags("entry", price),
            sl_tags=self._tags("stop", stop),
            tp_tags=self._tags("target", target),
        )
        self._leaving = False
        first = orders[0].client_order_id
        self.records.entries.append(replace(entry, order_id=str(first)))
        self.submit_order_list(orders)
        return Ticket(quantity, str(first), _look=lambda: self._state_of(first))

    def _state_of(self, entry_id: ClientOrderId) -> tuple[State, str]:
        if (lost := self.records.lost.get(str(entry_id))) is not None:
            return "gone", lost
        order = self.cache.order(entry_id)
        if order is None:
            return "sent", ""
        if order.filled_qty.as_decimal():
            return ("closed" if self._sent == [] or self.flat else "open"), ""
        return ("gone", why_ended(order)) if order.is_closed else ("working", "")

    def _instrument(self) -> Any:
        return self.cache.instrument(self.instrument_id)

    def _contracts(self, quantity: Decimal) -> Quantity:
        made: Quantity = self._instrument().make_qty(quantity)
        return made

    def _tags(self, role: str, price: float) -> list[str]:
        return [f"role={role}", f"reference={price!r}"]


def _with_sides(on_trade: Callable[..., None]) -> Callable[..., None]:
    """A strategy's `on_trade`, told of each trade's taker; see `sides`."""

    @wraps(on_trade)
    def told(self: Any, trade: Any) -> None:
        on_trade(self, self._sides.sided(trade) if self._sides and trade.instrument_id == self.instrument_id else trade)

    return told
