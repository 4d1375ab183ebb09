"""What a strategy does with its position: enter, enlarge, reduce and leave it, and where its exits are to be."""

from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal
from math import isfinite
from typing import Any

from nautilus_trader.model import ClientOrderId, LiquiditySide, OrderFilled, OrderSide

from liqstrat.backtest.account.known import times_touched
from liqstrat.backtest.account.ledger import Entry, LevelKnown
from liqstrat.backtest.desk import Desk
from liqstrat.backtest.entering import Entering
from liqstrat.backtest.entries import Side, Target, make_plan
from liqstrat.backtest.exits import Exits
from liqstrat.backtest.records import tags_of
from liqstrat.backtest.ticket import ABSENT, LIQUIDATED, NO_POSITION, NOT_BETWEEN, NOT_FLAT, STALE, Ticket
from liqstrat.backtest.trade import Trade, trade_of
from liqstrat.backtest.trading import Setup
from liqstrat.errors import LiqstratError
from liqstrat.liquidation.clusters import Cluster

#: As far back as it is known how often price was at a level.
_HOURS_REMEMBERED = 14 * 24


class Holding(Entering):
    """One position at a time, and the orders around it."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._exit_orders: list[ClientOrderId] = []
        self._leaving = False
        self._desk: Desk | None = None
        self._exits: Exits | None = None
        #: Entry orders that `on_entered` was called for, and those that were taken back.
        self._told: set[ClientOrderId] = set()
        self._taken_back: set[ClientOrderId] = set()
        self._looking = False
        #: Where the stop was last asked to be, and how far behind the price it is to follow.
        self._stop = 0.0
        self._distance: float | None = None
        self._closed_ns: int | None = None

    # -- for strategies to write ---------------------------------------------------------------------------------------

    def on_entered(self, ticket: Ticket) -> None:
        """Called once for each entry that is filled, or a part of it, as soon as that moment is over."""

    def on_closed(self, trade: Trade) -> None:
        """Called once for each position, as soon as nothing is left of it."""

    # -- for strategies to use -----------------------------------------------------------------------------------------

    def enter(
        self,
        side: Side,
        *,
        stop: float,
        target: float | None = None,
        targets: Sequence[Target] | None = None,
        at: float | None = None,
        expires: str | None = None,
        share: float = 1.0,
        level: Cluster | None = None,
        reason: str = "",
    ) -> Ticket:
        """Send an order with its stop (market) and targets (limits), if any; what is reached cancels the rest.

        at: a limit that waits at this price; without it, an order at the market. expires: how long it waits ("90s",
        "30m", "4h", "2d"). targets: pairs of a price and a share of the position instead of one target for all of it;
        what they leave over ends at the stop.

        The size is such that the stop loses `params.risk` of equity, or a `share` of it. The ticket is false, and
        nothing is sent, while there is a position, when price is stale, when price (or `at`) is not between stop and
        targets, or when account, exchange or market have no room for what the exchange accepts at least; its `reason`
        says which. The results count them. Raises `LiqstratError` for arguments that make no sense.
        """
        plan = make_plan(side, stop, target, targets, at, expires)
        if not 0 < share <= 1:
            raise LiqstratError(f"enter: share is {share!r}, expected one above 0 and up to 1")
        price = self.price if at is None else at
        if self._over or self._is_absent():
            return self._refuse(side, LIQUIDATED if self._over else ABSENT)
        if not self.flat:
            return self._refuse(side, NOT_FLAT)
        if not plan.ahead(price):
            told = ", ".join(f"target {target:.10g}" for target, _ in plan.targets)
            return self._refuse(side, NOT_BETWEEN, detail=f"stop {stop:.10g}, price {price:.10g}, {told}".rstrip(", "))
        if self.price_age > self.params.stale_seconds:
            return self._refuse(side, STALE, detail=f"nothing has traded for {self.price_age:.0f} s")
        size = self._size(price, stop, share=share)
        if (refusal := self._refuse_size(side, size)) is not None:
            return refusal
        self._leaving, self._distance, self._stop = False, None, stop
        self._desk = Desk(
            plan.side, self, self._setup.prints, self._setup.fills, self._submit_at_exchange, self._modify_at_exchange
        )
        self._entries = []
        step = self._instrument().size_increment.as_decimal()
        entry = Entry("", level, reason, self._known_of(level, price))
        if plan.simple:
            orders = self._bracket(plan, size.contracts, price)
            self._exits = Exits(plan, step, self._desk, [order.client_order_id for order in orders[1:]])
            self.submit_order_list(orders)
            return self._ticket(size.contracts, orders[0].client_order_id, entry)
        self._exits = Exits(plan, step, self._desk)
        return self._send_entry(plan, size.contracts, price, entry)

    def add(self, share: float, *, at: float | None = None, expires: str | None = None, reason: str = "") -> Ticket:
        """Enlarge the position by a share of what it holds, at the market or by a limit that waits `at` a price; stop
        and targets grow with it. The ticket is false where there is no position or no room."""
        held = self._held()
        side: Side = "long" if held > 0 else "short"
        if not isfinite(share) or share <= 0:
            raise LiqstratError(f"add: share is {share!r}, expected one above 0: 0.5 adds half of what is held")
        if self._is_absent():
            return self._refuse(side, ABSENT)
        if self._over or not held or self._exits is None or self._leaving:
            return self._refuse(side, LIQUIDATED if self._over else NO_POSITION)
        plan = make_plan(side, self._stop, at=at, expires=expires)
        price = self.price if at is None else at
        if not plan.ahead(price):
            return self._refuse(side, NOT_BETWEEN, detail=f"stop {self._stop:.10g}, price {price:.10g}")
        wanted = abs(held) * Decimal(str(share))
        size = self._size(price, self._stop, wanted=wanted)
        if (refusal := self._refuse_size(side, size, abs(held))) is not None:
            return refusal
        return self._send_entry(plan, size.contracts, price, Entry("", None, reason))

    def reduce(self, share: float) -> bool:
        """Close a share of the position at the market; stop and targets shrink with it. False where there is nothing
        to close, or less than the exchange's least step."""
        if not 0 < share <= 1:
            raise LiqstratError(f"reduce: share is {share!r}, expected one above 0 and up to 1")
        held = self._held()
        if not held or self._leaving or self._over or self._is_absent():
            return False
        step = self._instrument().size_increment.as_decimal()
        part = (abs(held) * Decimal(str(share)) / step).to_integral_value(ROUND_DOWN) * step
        if part >= abs(held):
            self.exit()
        elif part:
            self._close(part, OrderSide.SELL if held > 0 else OrderSide.BUY)
        return bool(part)

    def move_stop(self, price: float) -> bool:
        """Move the stop, of a position or of an entry that waits. False, and nothing is sent, where there is neither,
        or where the last price is beyond it already."""
        if not isfinite(price) or price <= 0:
            raise LiqstratError(f"move_stop: price is {price!r}, expected one above 0 (USDT)")
        exits = self._exits
        if self._is_absent():
            return False
        if exits is None or self._over or self._leaving or self.flat or not self._is_before(exits, price):
            return False
        self._stop = price
        self._wire.send(self.clock, lambda: self._set_stop(exits, price))
        return True

    def trail(self, distance: float) -> None:
        """From now on, at each decision, pull the stop behind the last price, `distance` (USDT) away; never back."""
        if not isfinite(distance) or distance <= 0:
            raise LiqstratError(f"trail: distance is {distance!r}, expected one above 0 (USDT)")
        self._distance = distance
        self._pull_stop()

    def exit(self) -> None:
        """Cancel stop and target and close the position at the market, all of it, also what is still being filled."""
        self._leaving = True
        self._leave()

    # -- how it works --------------------------------------------------------------------------------------------------

    def on_order_filled(self, event: OrderFilled) -> None:
        """Something of ours has been filled: see to the exits when this moment is over."""
        self._has_filled(event)

    def _has_filled(self, event: OrderFilled) -> None:
        resting = event.liquidity_side == LiquiditySide.MAKER and self._setup.bar_minutes
        if resting and self._desk and any(event.client_order_id == order_id for _, order_id in self._entries):
            self._desk.filled_in = event.ts_event
        if not self._looking:
            self._looking = True
            self._wire.after(self.clock, 1, self._look)

    def _look(self) -> None:
        self._looking = False
        held, exits = self._held(), self._exits
        if held and exits and not self._leaving and not self._over:
            step = self._instrument().size_increment.as_decimal()
            exits.look(round(abs(held) / step))
            if exits.begun:
                self._take_entries_back()
        for ticket, order_id in self._entries:
            order = self.cache.order(order_id)
            if order is not None and order.filled_qty.as_decimal() and order_id not in self._told:
                self._told.add(order_id)
                self.on_entered(ticket)
        if not held:
            self._tell_of_the_end()

    def _tell_of_the_end(self) -> None:
        closed: list[Any] = self.cache.positions_closed(None, self.instrument_id, self.strategy_id)
        if not closed or closed[-1].ts_closed == self._closed_ns:
            return
        self._closed_ns = closed[-1].ts_closed
        self._take_entries_back()
        self._over_with.update(order_id for _, order_id in self._entries)
        self.on_closed(trade_of(closed[-1], self.cache))

    def _take_entries_back(self) -> None:
        for _, order_id in self._entries:
            if not self._is_closed(order_id) and order_id not in self._taken_back:
                self._taken_back.add(order_id)
                self.cancel_order(order_id)

    def _is_before(self, exits: Exits, price: float) -> bool:
        """Whether a stop at `price` would wait, as things are."""
        return price < self.price if exits.side == "long" else price > self.price

    def _set_stop(self, exits: Exits, price: float) -> None:
        """The wish to move the stop has come to the exchange."""
        if exits is self._exits and self._is_before(exits, price):
            exits.stop = price
            if (held := self._held()) and not self._leaving and not self._over:
                exits.look(round(abs(held) / self._instrument().size_increment.as_decimal()))

    def _pull_stop(self) -> None:
        if self._distance is None or self._exits is None or not self._held():
            return
        up = 1 if self._exits.side == "long" else -1
        stop = self.price - up * self._distance
        if up * stop > up * self._stop:
            self.move_stop(stop)

    def _known_of(self, level: Cluster | None, price: float) -> LevelKnown | None:
        if level is None:
            return None
        hours = self._setup.markets.of(self.symbol, self.clock.timestamp_ns).bars("1h", _HOURS_REMEMBERED)
        touched = times_touched(level, hours.low, hours.high)
        return LevelKnown(level.price / price - 1, touched, self.levels.seeded_share)

    def _held(self) -> Decimal:
        """Contracts, negative when short."""
        for position in self.cache.positions_open(None, self.instrument_id, self.strategy_id):
            held: Decimal = position.quantity.as_decimal()
            return held if position.is_long else -held
        return Decimal(0)

    def _leave(self) -> None:
        """One round of orders at a time; what is left when they are done is seen at the next decision."""
        if self.flat:
            self._leaving = False
        elif all(self._is_closed(order_id) for order_id in self._exit_orders):
            self._exit_orders.clear()
            self.cancel_all_orders(self.instrument_id)
            for position in self.cache.positions_open(None, self.instrument_id, self.strategy_id):
                side = OrderSide.SELL if position.is_long else OrderSide.BUY
                self._exit_orders += self._close(position.quantity.as_decimal(), side)

    def _close(self, left: Decimal, side: OrderSide) -> list[ClientOrderId]:
        """Close that much by as many orders as the exchange's largest asks for."""
        most, sent = self._setup.room.most_quantity.get(self.symbol), []
        while left:
            part = min(left, most) if most else left
            order = self.order_factory.market(
                self.instrument_id, side, self._contracts(part), reduce_only=True, tags=tags_of("exit", self.price)
            )
            sent.append(order.client_order_id)
            self.submit_order(order)
            left -= part
        return sent
