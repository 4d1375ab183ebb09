"""The ledger of a run, read out of the engine's cache, exact to its last digit.

The engine charges what an order paid for depth with the commission (see `fees`); here it is moved into the prices of
the fills, where it belongs. Profits are the same either way.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

from nautilus_trader.common import Cache
from nautilus_trader.model import LiquiditySide, OrderFilled, OrderSide, PositionAdjustmentType

from liqstrat.backtest.account.ledger import Fill, Funding, Ledger, OrderRecord, Role, RoundTrip, follow
from liqstrat.backtest.strategy import LevelStrategy

_ROLES = ("entry", "stop", "target", "exit", "liquidation")
_NOTHING = Decimal(0)

#: By order and trade id: contracts of a fill, and what depth cost it.
_Impact = dict[tuple[str, str], tuple[Decimal, Decimal]]


def read_ledger(cache: Cache, strategies: Sequence[LevelStrategy], impact: Mapping[str, Sequence[Decimal]]) -> Ledger:
    """Everything in the engine's cache after a run.

    `strategies` tell their names and why they entered; `impact` is what depth cost each fill of an order, in order.
    """
    labels = {str(strategy.strategy_id): strategy.label for strategy in strategies}
    entries = {entry.order_id: entry for strategy in strategies for entry in strategy.entries}
    orders = {order.order_id: order for order in (_order(order, labels) for order in cache.orders())}
    impacts = _impacts(cache.orders(), impact)
    positions: list[Any] = sorted(
        [*cache.position_snapshots(), *cache.positions()],
        key=lambda p: (p.ts_opened, str(p.strategy_id), str(p.instrument_id), p.ts_last),
    )
    numbers: Counter[tuple[str, str]] = Counter()
    ledger = Ledger([], [], [], [])
    for position in positions:
        strategy, symbol = labels[str(position.strategy_id)], _symbol(position.instrument_id)
        numbers[strategy, symbol] += 1
        fills = [_fill(event, orders[str(event.client_order_id)], impacts) for event in position.events()]
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


def _order(order: Any, labels: dict[str, str]) -> OrderRecord:
    price, trigger = getattr(order, "price", None), getattr(order, "trigger_price", None)
    reference = _tagged(order.tags, "reference")
    return OrderRecord(
        order_id=str(order.client_order_id),
        strategy=labels[str(order.strategy_id)],
        symbol=_symbol(order.instrument_id),
        side="buy" if order.side == OrderSide.BUY else "sell",
        type=order.order_type.name.lower(),
        quantity=order.quantity.as_decimal(),
        price=price.as_decimal() if price is not None else None,
        trigger_price=trigger.as_decimal() if trigger is not None else None,
        status=order.status.name.lower(),
        filled=order.filled_qty.as_decimal(),
        average_price=None,
        reduce_only=order.is_reduce_only,
        role=_role(order),
        submitted_ns=order.ts_submitted,
        closed_ns=order.ts_closed,
        reference=Decimal(reference) if reference else None,
    )


def _role(order: Any) -> Role:
    """What the order's tag says; an order of a strategy's own making exits if it may only reduce, else it enters."""
    told = _tagged(order.tags, "role")
    if told in _ROLES:
        return cast(Role, told)
    return "exit" if order.is_reduce_only else "entry"


def _tagged(tags: Iterable[str] | None, name: str) -> str | None:
    return next((tag.partition("=")[2] for tag in tags or () if tag.startswith(f"{name}=")), None)


def _impacts(orders: Iterable[Any], impact: Mapping[str, Sequence[Decimal]]) -> _Impact:
    found: _Impact = {}
    for order in orders:
        name = str(order.client_order_id)
        filled = [event for event in order.events() if isinstance(event, OrderFilled)]
        for event, cost in zip(filled, impact.get(name, ()), strict=False):
            found[name, str(event.trade_id)] = event.last_qty.as_decimal(), cost
    return found


def _fill(event: OrderFilled, order: OrderRecord, impacts: _Impact) -> Fill:
    quantity = event.last_qty.as_decimal()
    # A fill that turns a position around is split between the two positions.
    whole, cost = impacts.get((order.order_id, str(event.trade_id)), (quantity, _NOTHING))
    impact = cost * quantity / whole
    worse = 1 if order.side == "buy" else -1
    price = event.last_px.as_decimal() + worse * impact / quantity
    slippage = worse * (price - order.reference) * quantity if order.reference is not None else _NOTHING
    return Fill(
        time_ns=event.ts_event,
        number=int(str(event.trade_id).rpartition("-")[2]),
        order_id=order.order_id,
        strategy=order.strategy,
        symbol=order.symbol,
        side=order.side,
        quantity=quantity,
        price=price,
        fee=(event.commission.as_decimal() if event.commission else _NOTHING) - impact,
        maker=event.liquidity_side == LiquiditySide.MAKER,
        role=order.role,
        slippage=slippage,
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
