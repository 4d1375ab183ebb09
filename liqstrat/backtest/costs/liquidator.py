"""The exchange's liquidation of the account, where its equity falls under the maintenance margin.

Nautilus liquidates only where it sees quotes and by one margin rate for all sizes. Here the rules are the exchange's
for a cross-margined account in one-way mode: the positions in a symbol count net, their maintenance margin follows
from the brackets in force, and it is compared with balance plus unrealized profit. The last price stands in for the
mark price. At the breach the exchange takes the whole account over: its positions end at what an order of their size
gets in the market then, but no worse than the bankruptcy price, at which nothing is left. What the market pays less is
the insurance fund's loss, not the account's; of what is left the exchange takes up to `CLEARANCE_RATE` of the notional.
So an account ends at zero at the lowest.

Looking at every trade from Python would cost a third of the replay's speed. The catalog's minutes tell beforehand in
which minute equity could reach the limit, so trades are watched in such minutes only; nothing of it reaches a strategy.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from nautilus_trader.common import DataActor, TimeEvent
from nautilus_trader.model import Bar, InstrumentId, PriceType, TradeTick

from liqstrat.backtest.costs.depth import RecentDepth
from liqstrat.backtest.costs.fees import ExchangeFees
from liqstrat.backtest.failure import Failures, guarded
from liqstrat.catalog.instruments import VENUE, instrument_id, minute_bars, money_of
from liqstrat.catalog.minutes import MinuteBars
from liqstrat.liquidation.brackets import BracketTable, dated_brackets, in_force
from liqstrat.moments import HOUR_NS, MINUTE_NS, at_ns

#: Share of notional by which the limit may be missed and a minute still counts as dangerous.
_PRUDENCE = 0.001

#: Below what the engine's money can tell apart after rounding each position's profit, USDT.
_HAIR = Decimal("0.0000001")
_REVIEW = "1-liquidator-review"
_TAKE_OVER = "1-liquidator-takes-over"


@dataclass(frozen=True)
class Liquidation:
    """One liquidation of the account: time (ns), equity and maintenance margin then (USDT), net contracts by symbol.

    prices: at which the positions were taken over, USDT, by symbol. insurance: what the market paid less than that,
    which is the insurance fund's loss, USDT.
    """

    time_ns: int
    equity: float
    maintenance_margin: float
    positions: dict[str, float]
    prices: dict[str, float]
    insurance: float


class Trades(Protocol):
    """A strategy whose positions are taken over: `LevelStrategy`."""

    symbol: str

    def take_over(self, price: float, reference: float) -> None: ...


@dataclass
class _Held:
    """The net position in one symbol: contracts (short: negative), what they cost (USDT), when they last changed."""

    contracts: float
    cost: float
    changed_ns: int
    brackets: BracketTable
    price: float

    def profit(self, price: Any) -> Any:
        return self.contracts * price - self.cost

    def margin(self, price: Any) -> Any:
        return self.brackets.maintenance_margin(abs(self.contracts) * price)

    def worst(self, high: Any, low: Any) -> Any:
        return low if self.contracts > 0 else high


class AccountLiquidator(DataActor):
    """Closes the account when its equity reaches the maintenance margin, and stops its strategies for good.

    `events` has what happened; `liquidated` says whether it has happened. Call `watch_over` with the strategies of the
    run before it starts: the positions are closed by orders of theirs, tagged `role=liquidation`.
    depth: what an order gets in the market; None where it gets the last price whatever its size. ahead: whether
    `minutes` are there up to the end; else every minute with a position is watched.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> "AccountLiquidator":
        return super().__new__(cls)

    def __init__(
        self,
        minutes: Mapping[str, MinuteBars],
        fees: ExchangeFees,
        depth: RecentDepth | None,
        failures: Failures,
        *,
        on_bars: bool,
        brackets: Mapping[str, Sequence[BracketTable]] = MappingProxyType({}),
        ahead: bool = True,
    ) -> None:
        super().__init__()
        self._ahead = ahead
        self.failures = failures
        self.events: list[Liquidation] = []
        self._minutes = minutes
        self._money = money_of(next(iter(minutes)))
        self._symbols = {instrument_id(symbol): symbol for symbol in minutes}
        self._brackets = {instrument_id(symbol): dated_brackets(symbol, brackets.get(symbol, ())) for symbol in minutes}
        self._fees, self._depth = fees, depth
        self._on_bars = on_bars
        self._strategies: list[Trades] = []
        self._balance = 0.0
        self._held: dict[InstrumentId, _Held] = {}
        self._watched: set[InstrumentId] = set()
        self._due: Liquidation | None = None
        self._due_at: dict[InstrumentId, float] = {}
        self._insured = 0.0

    @property
    def liquidated(self) -> bool:
        """Whether the account has been liquidated: nothing trades any more."""
        return bool(self.events)

    def watch_over(self, strategies: Iterable[Trades]) -> None:
        """The strategies that trade on the account."""
        self._strategies = list(strategies)

    def on_start(self) -> None:
        self._fees.on_fill = self._review_soon

    @guarded
    def on_trade(self, trade: TradeTick) -> None:
        held = self._held.get(trade.instrument_id)
        if held is not None:
            held.price = trade.price.as_double()
            self._liquidate_if_due()

    @guarded
    def on_bar(self, bar: Bar) -> None:
        held = self._held.get(bar.bar_type.instrument_id)
        if held is None:
            return
        if held.changed_ns < bar.ts_event:
            self._look_inside(bar, held)
        held.price = bar.close.as_double()
        self._liquidate_if_due()

    # -- when to look --------------------------------------------------------------------------------------------------

    def _review_soon(self) -> None:
        """A fill is about to change the account: look again as soon as it has."""
        self._review_at(self.clock.timestamp_ns() + 1)

    def _review_at(self, time_ns: int) -> None:
        if _REVIEW in self.clock.timer_names():
            self.clock.cancel_timer(_REVIEW)
        self.clock.set_time_alert_ns(_REVIEW, time_ns, self._review)

    @guarded
    def _review(self, event: TimeEvent) -> None:
        """Read the account, and find out when it must be looked at again."""
        now = self.clock.timestamp_ns()
        self._read_account(now)
        if self.liquidated or self._due or not self._held:
            self._watch(False)
        elif not self._liquidate_if_due():
            self._wait(now)

    def _wait(self, now: int) -> None:
        """Watch this minute if it is dangerous, else until the next such one; at the latest, look in an hour.

        Hourly, because funding settles then. Trades of a minute come after its first nanosecond, its bar comes at its
        end: the watch begins and ends just before a minute's bounds with trades, just after them with bars.
        """
        phase = 1 if self._on_bars else -1
        minute = (now - phase) // MINUTE_NS
        hour_ns = (now // HOUR_NS + 1) * HOUR_NS
        dangerous = self._first_dangerous(minute, hour_ns // MINUTE_NS + 1)
        self._watch(dangerous == minute)
        next_ns = minute + 1 if dangerous == minute else dangerous
        alert = hour_ns + 1 if next_ns is None else min(next_ns * MINUTE_NS + phase, hour_ns + 1)
        self._review_at(alert)

    def _first_dangerous(self, first: int, end: int) -> int | None:
        """The first minute (counted from 1970) of `[first, end)` whose extremes could breach the limit."""
        if not self._ahead:
            return first
        numbers = np.arange(first, end)
        spare = np.full(len(numbers), self._balance)
        for instrument, held in self._held.items():
            bars = self._minutes[self._symbols[instrument]]
            index = np.clip(numbers - bars.start_ns // MINUTE_NS, 0, len(bars) - 1)
            worst = held.worst(bars.high[index], bars.low[index])
            spare += held.profit(worst) - held.margin(worst) - _PRUDENCE * abs(held.contracts) * worst
        found = np.flatnonzero(spare <= 0)
        return int(numbers[found[0]]) if len(found) else None

    def _watch(self, on: bool) -> None:
        wanted = set(self._held) if on else set()
        for instrument in wanted - self._watched:
            if self._on_bars:
                self.subscribe_bars(minute_bars(self._symbols[instrument]))
            else:
                self.subscribe_trades(instrument)
        for instrument in self._watched - wanted:
            if self._on_bars:
                self.unsubscribe_bars(minute_bars(self._symbols[instrument]))
            else:
                self.unsubscribe_trades(instrument)
        self._watched = wanted

    # -- the account ---------------------------------------------------------------------------------------------------

    def _read_account(self, now: int) -> None:
        # The cache hands out copies of the account with all that ever happened to it: after some thousand fills, a
        # copy would take milliseconds.
        self.cache.purge_account_events(now)
        account = self.cache.account_for_venue(VENUE)
        self._balance = account.balance_total(self._money).as_double() if account else 0.0
        self._held = {}
        for position in self.cache.positions_open(VENUE):
            instrument = position.instrument_id
            held = self._held.get(instrument)
            if held is None:
                brackets = in_force(self._brackets[instrument], at_ns(now))
                held = self._held[instrument] = _Held(0.0, 0.0, 0, brackets, self._last_price(instrument))
            held.contracts += position.signed_qty
            held.cost += position.signed_qty * position.avg_px_open
            held.changed_ns = max(held.changed_ns, position.ts_last)

    def _last_price(self, instrument: InstrumentId) -> float:
        bar = self.cache.bar(minute_bars(self._symbols[instrument])) if self._on_bars else None
        last = bar.close if bar else self.cache.price(instrument, PriceType.LAST)
        assert last is not None, "there is a position, so something has traded"
        return last.as_double()

    def _equity_and_margin(self) -> tuple[float, float]:
        equity = self._balance + sum(held.profit(held.price) for held in self._held.values())
        return equity, float(sum(held.margin(held.price) for held in self._held.values()))

    def _breached(self) -> bool:
        equity, margin = self._equity_and_margin()
        return equity <= margin

    def _look_inside(self, bar: Bar, held: _Held) -> None:
        """Where inside the bar, if anywhere, the limit was reached: orders of the liquidation are filled from there."""
        safe, worst = bar.open.as_double(), held.worst(bar.high.as_double(), bar.low.as_double())
        held.price = worst
        if not self._breached():
            return
        held.price = safe
        if not self._breached():
            for _ in range(50):
                held.price = (safe + worst) / 2
                safe, worst = (safe, held.price) if self._breached() else (held.price, worst)
            held.price = worst
        self._liquidate_if_due()

    # -- liquidation ---------------------------------------------------------------------------------------------------

    def no_worse_than_bankrupt(self, symbol: str, price: float, contracts: float) -> float | None:
        """The price (USDT) that an order which closes `contracts` of the account's position (sells: negative) gets in
        place of `price`, where that would leave the account below zero; None where it would not."""
        held = self._held.get(instrument_id(symbol))
        if held is None or held.contracts * contracts >= 0:
            return None
        others = sum(one.profit(self._last_price(i)) for i, one in self._held.items() if one is not held)
        limit = (held.cost - self._balance - others) / held.contracts
        if (price - limit) * held.contracts >= 0:
            return None
        limit = self._in_favour(instrument_id(symbol), held, limit)
        self._insured += abs(contracts) * abs(limit - price)
        if not self._due:
            self._fall_due({instrument_id(symbol): price})
        return limit

    def _liquidate_if_due(self) -> bool:
        if self.liquidated or self._due or not self._breached():
            return False
        self._fall_due({})
        return True

    def _fall_due(self, prices: dict[InstrumentId, float]) -> None:
        """Take over in a moment, when all that is stamped with this one has happened."""
        equity, margin = self._equity_and_margin()
        net = {self._symbols[i]: held.contracts for i, held in self._held.items()}
        self._due = Liquidation(self.clock.timestamp_ns(), equity, margin, net, {}, 0.0)
        self._due_at = {instrument: held.price for instrument, held in self._held.items()} | prices
        self._watch(False)
        self.clock.set_time_alert_ns(_TAKE_OVER, self._due.time_ns + 1, self._take_over)

    @guarded
    def _take_over(self, event: TimeEvent) -> None:
        """Close what is still held at one price for each symbol, by orders of the strategies that hold it."""
        due, now = self._due, self.clock.timestamp_ns()
        assert due is not None, "only set when something is due"
        self._read_account(now)
        for instrument, held in self._held.items():
            held.price = self._due_at.get(instrument, held.price)
        market = {instrument: self._market_price(instrument, held, now) for instrument, held in self._held.items()}
        prices, left, insurance = self._take_over_at(market)
        self._fees.left = left
        told = {self._symbols[i]: price for i, price in prices.items()}
        reference = {self._symbols[i]: held.price for i, held in self._held.items()}
        self.events.append(replace(due, prices=told, insurance=self._insured + insurance))
        for strategy in self._strategies:
            # Who holds nothing is told too, and trades no more.
            strategy.take_over(told.get(strategy.symbol, 0.0), reference.get(strategy.symbol, 0.0))

    def _market_price(self, instrument: InstrumentId, held: _Held, now: int) -> float:
        """What an order of the position's size gets, USDT."""
        if self._depth is None or not held.contracts:
            return held.price
        away = self._depth.slippage(self._symbols[instrument], now, 0.0, abs(held.contracts), self._tick(instrument))
        return held.price - away if held.contracts > 0 else held.price + away

    def _take_over_at(self, market: dict[InstrumentId, float]) -> tuple[dict[InstrumentId, float], Decimal, float]:
        """Prices at which the account ends at zero at the lowest, what it has left then before fees, and what the
        market pays less: losses beyond the balance are kept from the positions in proportion to their size."""
        worth = self._balance + sum(held.profit(market[i]) for i, held in self._held.items())
        size = sum(abs(held.contracts) * market[i] for i, held in self._held.items())
        spared = max(-worth, 0.0) / size if size else 0.0
        prices = {
            instrument: self._in_favour(instrument, held, market[instrument] * (1 + spared * np.sign(held.contracts)))
            for instrument, held in self._held.items()
        }
        left = self._balance + sum(held.profit(prices[i]) for i, held in self._held.items())
        paid = sum(held.contracts * (prices[i] - market[i]) for i, held in self._held.items()) if spared else 0.0
        return prices, max(Decimal(str(left)) - _HAIR, Decimal(0)), paid

    def _in_favour(self, instrument: InstrumentId, held: _Held, price: float) -> float:
        """The next whole tick in the account's favour."""
        tick = self._tick(instrument)
        # But for the last bit of a division.
        whole = np.ceil(price / tick - 1e-6) if held.contracts > 0 else np.floor(price / tick + 1e-6)
        return float(whole) * tick

    def _tick(self, instrument: InstrumentId) -> float:
        found: Any = self.cache.instrument(instrument)
        return float(found.price_increment)
