"""The exchange's liquidation of the account, where its equity falls under the maintenance margin.

Nautilus liquidates only where it sees quotes and by one margin rate for all sizes. Here the rules are the exchange's
for a cross-margined account in one-way mode: the positions in a symbol count net, their maintenance margin follows
from the brackets in force, and it is compared with balance plus unrealized profit. The last price stands in for the
mark price. The whole account is closed at the market, one latency after the breach. The exchange keeps what is left,
up to `CLEARANCE_RATE` of the notional; where price has jumped, the account can end below zero by what an insurance
fund would pay.

Looking at every trade from Python would cost a third of the replay's speed. The catalog's minutes tell beforehand in
which minute equity could reach the limit, so trades are watched in such minutes only; nothing of it reaches a strategy.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import numpy as np
from nautilus_trader.common import DataActor, TimeEvent
from nautilus_trader.model import Bar, InstrumentId, PriceType, TradeTick
from nautilus_trader.trading import Strategy

from liqstrat.backtest.costs.fees import LIQUIDATION_TAG, ExchangeFees
from liqstrat.backtest.failure import Failures, guarded
from liqstrat.catalog.instruments import QUOTE, VENUE, instrument_id, minute_bars
from liqstrat.catalog.minutes import MINUTE_NS, MinuteBars
from liqstrat.liquidation.brackets import BracketTable, dated_brackets, in_force

#: Share of the liquidated notional that the exchange takes at most for itself: `liquidationFee` of BTCUSDT.
CLEARANCE_RATE = Decimal("0.0125")

#: Share of notional by which the limit may be missed and a minute still counts as dangerous.
_PRUDENCE = 0.001

_HOUR_NS = 60 * MINUTE_NS
_REVIEW = "1-liquidator-review"


@dataclass(frozen=True)
class Liquidation:
    """One liquidation of the account: time (ns), equity and maintenance margin then (USDT), net contracts by symbol."""

    time_ns: int
    equity: float
    maintenance_margin: float
    positions: dict[str, float]


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
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> "AccountLiquidator":
        return super().__new__(cls)

    def __init__(
        self,
        minutes: Mapping[str, MinuteBars],
        fees: ExchangeFees,
        failures: Failures,
        *,
        on_bars: bool,
        brackets: Mapping[str, Sequence[BracketTable]] = MappingProxyType({}),
    ) -> None:
        super().__init__()
        self.failures = failures
        self.events: list[Liquidation] = []
        self._minutes = minutes
        self._symbols = {instrument_id(symbol): symbol for symbol in minutes}
        self._brackets = {instrument_id(symbol): dated_brackets(symbol, brackets.get(symbol, ())) for symbol in minutes}
        self._fees = fees
        self._on_bars = on_bars
        self._strategies: list[Strategy] = []
        self._balance = 0.0
        self._held: dict[InstrumentId, _Held] = {}
        self._watched: set[InstrumentId] = set()

    @property
    def liquidated(self) -> bool:
        """Whether the account has been liquidated: nothing trades any more."""
        return bool(self.events)

    def watch_over(self, strategies: Iterable[Strategy]) -> None:
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
        if self.liquidated:
            self._close_what_is_left()
        elif not self._held:
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
        hour_ns = (now // _HOUR_NS + 1) * _HOUR_NS
        dangerous = self._first_dangerous(minute, hour_ns // MINUTE_NS + 1)
        self._watch(dangerous == minute)
        next_ns = minute + 1 if dangerous == minute else dangerous
        alert = hour_ns + 1 if next_ns is None else min(next_ns * MINUTE_NS + phase, hour_ns + 1)
        self._review_at(alert)

    def _first_dangerous(self, first: int, end: int) -> int | None:
        """The first minute (counted from 1970) of `[first, end)` whose extremes could breach the limit."""
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
        self._balance = account.balance_total(QUOTE).as_double() if account else 0.0
        self._held = {}
        for position in self.cache.positions_open(VENUE):
            instrument = position.instrument_id
            held = self._held.get(instrument)
            if held is None:
                brackets = in_force(self._brackets[instrument], datetime.fromtimestamp(now / 1e9, UTC))
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
        self._fees.liquidated_at[self._symbols[bar.bar_type.instrument_id]] = Decimal(held.price)
        self._liquidate_if_due()

    # -- liquidation ---------------------------------------------------------------------------------------------------

    def _liquidate_if_due(self) -> bool:
        if self.liquidated or not self._breached():
            return False
        equity, margin = self._equity_and_margin()
        net = {self._symbols[i]: held.contracts for i, held in self._held.items()}
        self.events.append(Liquidation(self.clock.timestamp_ns(), equity, margin, net))
        notional = sum(abs(held.contracts) * held.price for held in self._held.values())
        left = Decimal(equity / notional) - self._fees.taker
        self._fees.clearance_rate = min(max(left, Decimal(0)), CLEARANCE_RATE)
        self._watch(False)
        self._close_all()
        return True

    def _close_all(self) -> None:
        for strategy in self._strategies:
            for instrument in self._symbols:
                strategy.cancel_all_orders(instrument)
                strategy.close_all_positions(instrument, tags=[LIQUIDATION_TAG], reduce_only=True)

    def _close_what_is_left(self) -> None:
        """An order that was on its way can have filled after the liquidation; when all is flat, trading is over."""
        if self.cache.orders_inflight_count(VENUE):
            return
        if self._held:
            self._close_all()
            return
        self._fees.liquidated_at.clear()
        for strategy in self._strategies:
            if strategy.is_running():
                strategy.stop()
