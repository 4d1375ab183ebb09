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
from datetime import datetime
from functools import wraps
from typing import Any, ClassVar

from nautilus_trader.common import TimeEvent
from nautilus_trader.model import OrderRejected
from nautilus_trader.trading import Strategy

from liqstrat.backtest.bars import Bars
from liqstrat.backtest.failure import guarded
from liqstrat.backtest.markets import Market
from liqstrat.backtest.pace import Pace
from liqstrat.backtest.params import StrategyParams
from liqstrat.backtest.position import Holding
from liqstrat.backtest.sketch import Note
from liqstrat.backtest.trading import Setup
from liqstrat.liquidation.signals import Signal, SignalRules
from liqstrat.moments import MINUTE_NS, SECOND_NS, nanoseconds

_RULES = SignalRules()


class LevelStrategy(Holding):
    """Trades one symbol, one position at a time, with a stop on every entry.

    Write `on_price` (and `on_levels`, `on_begin`, `on_entered`, `on_closed` where needed). At hand are `levels` (the
    indicator), `signals`, `params`, `price`, `price_age`, `now`, `bars`, `open_interest`, `funding`, `market`, `flat`,
    `enter`, `add`, `reduce`, `move_stop`, `trail`, `exit`, `rest`, `plot`, `note`, and `log`, whose lines land in the
    results.
    """

    Params: ClassVar[type[StrategyParams]] = StrategyParams
    params: StrategyParams

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, member in list(vars(cls).items()):
            if name.startswith("on_") and callable(member) and hasattr(Strategy, name):
                setattr(cls, name, guarded(_TOLD[name](member) if name in _TOLD else member))

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.params = setup.params
        self._journal = setup.journal.of(setup.label, lambda: self.clock.timestamp_ns())
        self._decide_ns = round(setup.params.decide_seconds * SECOND_NS)
        if setup.bar_minutes:
            self._decide_ns = setup.bar_minutes * MINUTE_NS
        self._presence, self._end_ns, self._settle = setup.presence, setup.end_ns, setup.markets.settle
        self._pace = Pace(
            f"5-decide-{setup.number:03d}", self._decide_ns, None if setup.params.ask_always else setup.reaches
        )
        self._known_at = 0
        self._sides = setup.sides() if setup.sides else None
        self._markets: dict[str, Market] = {}

    # -- for strategies to write ---------------------------------------------------------------------------------------

    def on_begin(self) -> None:
        """Called once, before the first decision."""

    def on_levels(self) -> None:
        """Called once for each new map, at whatever pace prices are looked at: open interest has become known."""

    def on_price(self, price: float) -> None:
        """Called every `decide_seconds` of market time, or after every bar, once there are levels."""

    # -- for strategies to use -----------------------------------------------------------------------------------------

    @property
    def open_interest(self) -> float:
        """Contracts open (base asset) as last known; NaN before the first value."""
        return self.levels.open_interest

    @property
    def funding(self) -> float:
        """The last funding rate that was settled, as a share of notional; NaN before the first."""
        return self.market(self.symbol).funding

    def bars(self, length: str, count: int) -> Bars:
        """The last `count` bars that have closed, see `Market.bars`: `self.bars("1h", 200).close.mean()`."""
        return self.market(self.symbol).bars(length, count)

    def signals(self, rules: SignalRules = _RULES) -> list[Signal]:
        """What the levels say now by rules, the strongest first: AVOID, WAIT, REVERSAL or WITH, each with its level,
        reason and strength; see `liqstrat.liquidation.signals`. Empty before there are levels."""
        return self.levels.signals(rules, self.clock.timestamp_ns()) if self.levels.initialized else []

    def market(self, symbol: str) -> Market:
        """Price, levels, bars, open interest and funding of a symbol of the run; `LiqstratError` for another."""
        if symbol not in self._markets:
            self._markets[symbol] = self._setup.markets.of(symbol, lambda: self.clock.timestamp_ns())
        return self._markets[symbol]

    def rest(self, until: datetime | None = None) -> None:
        """Say that there is nothing to decide until price runs through another level, something becomes of an order of
        yours, or the moment `until` is there: `on_price` may not be called before.

        Where history is known ahead, a replay skips what lies between, which makes it much faster; elsewhere it goes on
        asking, and decisions must be the same. Not heard while a stop follows the price, or a position is being left.
        """
        if self._presence.unbroken and self._distance is None and not self._leaving:
            self._pace.rest(None if until is None else nanoseconds(until))

    @property
    def log(self) -> Any:
        """Takes lines for the user: `self.log.info("…")`, also debug, warning and error; see `Journal`."""
        return self._journal

    def plot(self, name: str, value: float | None) -> None:
        """Draw a value onto the report: over the price where it is one, else in a pane below; None breaks the line."""
        self._setup.journal.sketch.plot(self.label, self.symbol, name, self.clock.timestamp_ns(), value)

    def note(self, text: object, price: float | None = None) -> None:
        """Mark this moment on the report, at the last price or another one (USDT), with words to be read there."""
        at = self.price if price is None else float(price)
        moment = self.clock.timestamp_ns()
        self._setup.journal.sketch.notes.append(Note(moment, self.label, self.symbol, at, str(text)))

    # -- how it works --------------------------------------------------------------------------------------------------

    @guarded
    def on_start(self) -> None:
        self._pace.begin(self.clock, self._decide)
        self.on_begin()

    @guarded
    def on_order_event(self, event: Any) -> None:
        """Whatever becomes of an order of ours."""
        self._stir()

    @guarded
    def on_order_rejected(self, event: OrderRejected) -> None:
        """The exchange refuses a stop that price has already passed; the position must not stay without one."""
        order = self.cache.order(event.client_order_id)
        if order is not None and "role=stop" in (order.tags or []):
            self.exit()

    def _stir(self) -> None:
        self._pace.wake()

    def map_has_come(self) -> None:
        """There is a new map: tell the strategy as soon as all that belongs to this moment is over."""
        # To set an alert for nothing would cost as much as a decision.
        is_heard = getattr(self.on_levels, "__func__", None) is not LevelStrategy.on_levels
        if is_heard and self._setup.levels.initialized:
            name, now = f"6-levels-{self._setup.number:03d}", self.clock.timestamp_ns()
            self.clock.set_time_alert_ns(name, now + 1, lambda event: self._perform(self._tell_of_levels))

    @guarded
    def _decide(self, event: TimeEvent) -> None:
        # Of the minutes of a year each comes through here, so that a look-up less is worth its place.
        now, presence, levels = event.ts_event, self._presence, self.levels
        if self._over or now >= self._end_ns or (not presence.unbroken and presence.absent(now)):
            return
        # Alerts come after all market data of their moment.
        self._settle(now)
        if self._leaving:
            self._leave()
        if not presence.unbroken and presence.leaving(now):
            self._go()
            return
        if not levels.initialized:
            return
        if self._distance is not None:
            self._pull_stop()
        if levels.known_at != self._known_at:
            self._known_at = levels.known_at
            self.on_levels()
        self.on_price(levels.price)

    def _go(self) -> None:
        """Close what is held and take back what is under way."""
        if not self.flat and not self._leaving:
            self._take_entries_back()
            self.exit()

    def _may_only_leave(self) -> bool:
        return self._is_absent() or self._setup.presence.leaving(self.clock.timestamp_ns())

    def _tell_of_levels(self) -> None:
        if self.levels.known_at != self._known_at and not self._over and not self._may_only_leave():
            self._known_at = self.levels.known_at
            self.on_levels()


def _with_sides(on_trade: Callable[..., None]) -> Callable[..., None]:
    """A strategy's `on_trade`, told of each trade's taker; see `sides`."""

    @wraps(on_trade)
    def told(self: Any, trade: Any) -> None:
        on_trade(self, self._sides.sided(trade) if self._sides and trade.instrument_id == self.instrument_id else trade)

    return told


def _beside(ours: Callable[[Any, Any], None]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Makes a strategy's own callback come after `ours`."""

    def both(theirs: Callable[..., None]) -> Callable[..., None]:
        @wraps(theirs)
        def told(self: Any, event: Any) -> None:
            ours(self, event)
            theirs(self, event)

        return told

    return both


_TOLD = {
    "on_trade": _with_sides,
    "on_order_filled": _beside(lambda self, event: self._has_filled(event)),
    "on_order_event": _beside(lambda self, event: self._stir()),
}
