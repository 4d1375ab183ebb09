"""Entries on their way: sized by risk and room, sent, refused or expired, and what became of them."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any, Literal

from nautilus_trader.model import ClientOrderId, OrderSide, Price, Quantity

from liqstrat.backtest.account.ledger import Entry
from liqstrat.backtest.account.worth import worth_of
from liqstrat.backtest.entries import Plan, Side
from liqstrat.backtest.params import StrategyParams
from liqstrat.backtest.records import tags_of, why_ended
from liqstrat.backtest.sizing import Size, quantity_for
from liqstrat.backtest.ticket import EXPIRED, TOO_LARGE, Refusal, State, Ticket
from liqstrat.backtest.trading import Setup, Trading
from liqstrat.catalog.instruments import money_of


class Entering(Trading):
    """Sends the entries of one position."""

    params: StrategyParams

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        #: Of the position that there is, or was last.
        self._entries: list[tuple[Ticket, ClientOrderId]] = []
        #: Entry orders whose position has ended.
        self._over_with: set[ClientOrderId] = set()

    @property
    def flat(self) -> bool:
        """Whether there is no position, and no order that could still change that."""
        # The last are those that are open, where any are.
        if self._sent and all(self._is_closed(order_id) for order_id in reversed(self._sent)):
            mine = (None, self.instrument_id, self.strategy_id)
            if not self.cache.positions_open_count(*mine):
                self._sent.clear()
        return not self._sent

    # -- how it works --------------------------------------------------------------------------------------------------

    def _refuse(self, side: Side, reason: str, quantity: Decimal = Decimal(0), detail: str = "") -> Ticket:
        order_side: Literal["buy", "sell"] = "buy" if side == "long" else "sell"
        last = self.records.refusals[-1] if self.records.refusals else None
        if last is not None and (last.side, last.reason) == (order_side, reason):
            last.times += 1
        else:
            now = self.clock.timestamp_ns()
            self.records.refusals.append(Refusal(now, self.label, self.symbol, order_side, quantity, reason, detail))
        return Ticket(refused=f"{reason}: {detail}" if detail else reason)

    def _refuse_size(self, side: Side, size: Size, held: Decimal = Decimal(0)) -> Ticket | None:
        """A refusal where there is no room for an order, or its stop (of what is held, too) would be larger than the
        exchange takes."""
        if not size.contracts:
            return self._refuse(side, size.reason)
        most = self._setup.room.most_quantity.get(self.symbol)
        if most is not None and held + size.contracts > most:
            return self._refuse(side, TOO_LARGE, size.contracts, f"the exchange takes {most:f} in one market order")
        return None

    def _size(self, price: float, stop: float, wanted: Decimal | None = None, share: float = 1.0) -> Size:
        """Contracts by a `share` of the risk, or as `wanted`, as far as there is room."""
        instrument, room, now = self._instrument(), self._setup.room, self.clock.timestamp_ns()
        equity, at, away = self._equity(), Decimal(str(price)), Decimal(str(stop))
        by_risk = wanted is None
        risk = Decimal(str(self.params.risk)) * Decimal(str(share))
        return quantity_for(
            equity=equity,
            risk=risk if wanted is None else wanted * abs(at - away) / max(equity, _LEAST),
            price=at,
            stop=away,
            leverage=Decimal(room.leverage),
            carried=room.carried(self.cache),
            cap=room.cap(self.cache, self.symbol, self.now),
            most=room.most(self.symbol, now),
            costs=self._setup.taker_fee if by_risk and self.params.risk_with_costs else Decimal(0),
            step=instrument.size_increment.as_decimal(),
            least_quantity=instrument.min_quantity.as_decimal() if instrument.min_quantity else Decimal(0),
            least_notional=instrument.min_notional.as_decimal() if instrument.min_notional else Decimal(0),
        )

    def _equity(self) -> Decimal:
        """Balance of the account and unrealized profit of all its positions."""
        return worth_of(self.portfolio, money_of(self.symbol)).equity

    def _bracket(self, plan: Plan, quantity: Decimal, price: float) -> list[Any]:
        """An order at the market, and at the exchange with it a stop and one target, each for all of it."""
        make_price: Callable[[float], Price] = self._instrument().make_price
        ((target, _),) = plan.targets
        return self.order_factory.bracket(
            self.instrument_id,
            OrderSide.BUY if plan.side == "long" else OrderSide.SELL,
            self._contracts(quantity),
            sl_trigger_price=make_price(plan.stop),
            tp_price=make_price(target),
            tp_post_only=False,
            entry_tags=tags_of("entry", price),
            sl_tags=tags_of("stop", plan.stop),
            tp_tags=tags_of("target", target),
        )

    def _send_entry(self, plan: Plan, quantity: Decimal, price: float, entry: Entry) -> Ticket:
        """Send an entry alone; its exits follow when it is filled."""
        side, factory = OrderSide.BUY if plan.side == "long" else OrderSide.SELL, self.order_factory
        contracts, tags = self._contracts(quantity), tags_of("entry", price)
        if plan.at is None:
            order: Any = factory.market(self.instrument_id, side, contracts, tags=tags)
        else:
            limit = self._instrument().make_price(plan.at)
            order = factory.limit(self.instrument_id, side, contracts, limit, tags=tags)
        self._submit_entry(order)
        if plan.expires_ns is not None:
            self._wire.after(self.clock, plan.expires_ns, lambda: self._expire(order.client_order_id))
        return self._ticket(quantity, order.client_order_id, entry)

    def _ticket(self, quantity: Decimal, order_id: ClientOrderId, entry: Entry) -> Ticket:
        self.records.entries.append(replace(entry, order_id=str(order_id)))
        ticket = Ticket(quantity, str(order_id), _look=lambda: self._state_of(order_id))
        self._entries.append((ticket, order_id))
        return ticket

    def _expire(self, order_id: ClientOrderId) -> None:
        """The exchange takes an entry back that has waited long enough; what it has filled by then stays."""
        if self._is_closed(order_id):
            return
        order = self.cache.order(order_id)
        if order is None:
            self._wire.drop([str(order_id)], EXPIRED)
        else:
            self.records.expired.add(str(order_id))
            self._cancel_at_exchange(order_id)

    def _state_of(self, entry_id: ClientOrderId) -> tuple[State, str]:
        if (lost := self.records.lost.get(str(entry_id))) is not None:
            return "gone", lost
        order = self.cache.order(entry_id)
        if order is None:
            return "sent", ""
        if order.filled_qty.as_decimal():
            return ("closed" if entry_id in self._over_with or self.flat else "open"), ""
        if not order.is_closed:
            return "working", ""
        return "gone", EXPIRED if str(entry_id) in self.records.expired else why_ended(order)

    def _instrument(self) -> Any:
        return self.cache.instrument(self.instrument_id)

    def _contracts(self, quantity: Decimal) -> Quantity:
        made: Quantity = self._instrument().make_qty(quantity)
        return made


_LEAST = Decimal("1e-9")
