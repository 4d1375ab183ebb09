"""The ledger of a run, read out of the engine's cache and what strategies sent, exact to its last digit."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from nautilus_trader.common import Cache
from nautilus_trader.model import LiquiditySide, OrderFilled, OrderSide, PositionAdjustmentType

from liqstrat.backtest.account.ledger import Fill, Funding, Ledger, OrderRecord, RoundTrip, follow
from liqstrat.backtest.records import Sent, role_of, tagged, why_ended
from liqstrat.backtest.strategy import LevelStrategy
from liqstrat.backtest.ticket import EXPIRED

_NOTHING = Decimal(0)
#: Why an order never met the market, where nothing else happened to it.
NO_END = "the run ended first"


def read_ledger(cache: Cache, strategies: Sequence[LevelStrategy]) -> Ledger:
    """Everything in the engine's cache after a run, and what of the strategies' wishes never came there."""
    labels = {str(strategy.strategy_id): strategy.label for strategy in strategies}
    entries = {entry.order_id: entry for strategy in strategies for entry in strategy.records.entries}
    sent = {name: one for strategy in strategies for name, one in strategy.records.sent.items()}
    expired = {name for strategy in strategies for name in strategy.records.expired}
    orders = {
        name: _order(order, labels, sent.get(name), expired=name in expired)
        for order in cache.orders()
        if (name := _name(order))
    }
    for trader in strategies:
        for name, one in trader.records.sent.items():
            if name not in orders:
                orders[name] = _lost(one, trader, trader.records.lost.get(name, NO_END))
    beyond = {one.label: caps for one in strategies if (caps := one.records.beyond)}
    refusals = [refusal for trader in strategies for refusal in trader.records.refusals]
    positions: list[Any] = sorted(
        [*cache.position_snapshots(), *cache.positions()],
        key=lambda p: (p.ts_opened, str(p.strategy_id), str(p.instrument_id), p.ts_last),
    )
    numbers: Counter[tuple[str, str]] = Counter()
    ledger = Ledger([], [], [], [], sorted(refusals, key=lambda refusal: refusal.time_ns), beyond)
    for position in positions:
        strategy, symbol = labels[str(position.strategy_id)], _symbol(position.instrument_id)
        numbers[strategy, symbol] += 1
        fills = [_fill(event, orders[str(event.client_order_id)]) for event in position.events()]
        funding = [Funding(ts, strategy, symbol, amount) for ts, amount in _payments(position)]
        trip = _trip(position, f"{strategy}-{symbol}-{numbers[strategy, symbol]}", fills, funding, orders)
        ledger.fills.extend(fills)
        ledger.funding.extend(funding)
        ledger.trips.append(replace(trip, entry=entries.get(str(position.opening_order_id))))
    averages = _averages(ledger.fills)
    ledger.orders.extend(replace(order, average_price=averages.get(name)) for name, order in orders.items())
    ledger.orders.sort(key=lambda order: (order.submitted_ns or 0, order.order_id))
    ledger.fills.sort(key=lambda fill: (fill.time_ns, fill.symbol, fill.number))
    ledger.funding.sort(key=lambda payment: (payment.time_ns, payment.strategy, payment.symbol))
    return ledger


def _name(order: Any) -> str:
    return str(order.client_order_id)


def _order(order: Any, labels: dict[str, str], sent: Sent | None, *, expired: bool) -> OrderRecord:
    reference = tagged(order.tags, "reference") or (repr(sent.price) if sent and sent.price else None)
    trigger = getattr(order, "trigger_price", None)
    if trigger is not None and trigger != order.init_event.trigger_price:
        reference = str(trigger)
    return OrderRecord(
        **_as_sent(order),
        strategy=labels[str(order.strategy_id)],
        status=EXPIRED if expired else order.status.name.lower(),
        filled=order.filled_qty.as_decimal(),
        submitted_ns=sent.time_ns if sent else order.ts_submitted,
        closed_ns=order.ts_closed,
        reference=Decimal(reference) if reference else None,
        reason=_why(order, expired=expired) if order.is_closed and not order.filled_qty.as_decimal() else "",
    )


def _why(order: Any, *, expired: bool) -> str:
    return EXPIRED if expired else why_ended(order)


def _lost(sent: Sent, strategy: LevelStrategy, reason: str) -> OrderRecord:
    """An order that ended before the engine had it."""
    return OrderRecord(
        **_as_sent(sent.order),
        strategy=strategy.label,
        status={NO_END: "lost", EXPIRED: EXPIRED}.get(reason, "canceled"),
        filled=_NOTHING,
        submitted_ns=sent.time_ns,
        closed_ns=None,
        reference=None if sent.price is None else Decimal(repr(sent.price)),
        reason=reason,
    )


def _as_sent(order: Any) -> dict[str, Any]:
    """What was asked for; the engine's own quantity shrinks to what is left when the other half of a pair fills."""
    first = order.init_event
    price, trigger = getattr(order, "price", None), getattr(order, "trigger_price", None)
    first_trigger = first.trigger_price if trigger is not None else None
    return {
        "order_id": _name(order),
        "symbol": _symbol(order.instrument_id),
        "side": "buy" if order.side == OrderSide.BUY else "sell",
        "type": order.order_type.name.lower(),
        "quantity": first.quantity.as_decimal(),
        "price": price.as_decimal() if price is not None else None,
        "trigger_price": trigger.as_decimal() if trigger is not None else None,
        "first_trigger": Decimal(str(first_trigger)) if first_trigger is not None else None,
        "reduce_only": order.is_reduce_only,
        "role": role_of(order),
        "average_price": None,
    }


def _fill(event: OrderFilled, order: OrderRecord) -> Fill:
    quantity, price = event.last_qty.as_decimal(), event.last_px.as_decimal()
    worse = 1 if order.side == "buy" else -1
    return Fill(
        time_ns=event.ts_event,
        number=int(str(event.trade_id).rpartition("-")[2]),
        order_id=order.order_id,
        strategy=order.strategy,
        symbol=order.symbol,
        side=order.side,
        quantity=quantity,
        price=price,
        fee=event.commission.as_decimal() if event.commission else _NOTHING,
        maker=event.liquidity_side == LiquiditySide.MAKER,
        role=order.role,
        slippage=worse * (price - order.reference) * quantity if order.reference is not None else _NOTHING,
    )


def _payments(position: Any) -> Iterable[tuple[int, Decimal]]:
    for change in position.adjustments():
        if change.adjustment_type == PositionAdjustmentType.FUNDING and change.pnl_change is not None:
            yield change.ts_event, change.pnl_change.as_decimal()


def _trip(
    position: Any, name: str, fills: list[Fill], funding: list[Funding], orders: dict[str, OrderRecord]
) -> RoundTrip:
    long = position.entry == OrderSide.BUY
    opening, closing = ([fill for fill in fills if (fill.side == "buy") == side] for side in (long, not long))
    closed = position.closing_order_id if position.is_closed else None
    paid = sum((payment.amount for payment in funding), _NOTHING)
    return RoundTrip(
        position_id=name,
        strategy=fills[0].strategy,
        symbol=fills[0].symbol,
        side="long" if long else "short",
        opened_ns=position.ts_opened,
        closed_ns=position.ts_closed if closed else None,
        quantity=position.peak_qty.as_decimal(),
        entry_price=_average(opening),
        exit_price=_average(closing) if closed else None,
        pnl=follow(fills)[-1].realized + paid,
        fees=sum((fill.fee for fill in fills), _NOTHING),
        funding=paid,
        exit_role=orders[str(closed)].role if closed else None,
        entry=None,
    )


def _average(fills: Sequence[Fill]) -> float:
    return float(sum(fill.quantity * fill.price for fill in fills) / sum(fill.quantity for fill in fills))


def _averages(fills: Iterable[Fill]) -> dict[str, float]:
    by_order: dict[str, list[Fill]] = {}
    for fill in fills:
        by_order.setdefault(fill.order_id, []).append(fill)
    return {name: _average(own) for name, own in by_order.items()}


def _symbol(instrument_id: Any) -> str:
    return str(instrument_id.symbol).removesuffix("-PERP")
