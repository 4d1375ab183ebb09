"""How a session on paper stands at a moment: account, positions, resting orders, levels near price, last decisions."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import isnan
from typing import Any

from nautilus_trader.model import Currency

from liqstrat.backtest.account.ledger import Ledger
from liqstrat.backtest.account.worth import worth_of
from liqstrat.backtest.records import role_of
from liqstrat.backtest.strategy import LevelStrategy
from liqstrat.liquidation.clusters import Cluster, find_clusters
from liqstrat.moments import at_ns

#: What must be the same when a killed session has done everything again.
MUST_COME_AGAIN = ("balance", "equity", "positions", "resting", "levels", "orders", "fills")
_DECISIONS, _CLUSTERS_A_SIDE = 30, 4

Facts = dict[str, Any]


def standing(
    engine: Any,
    strategies: Sequence[LevelStrategy],
    now_ns: int,
    ledger: Ledger,
    last: Mapping[str, float],
    money: Currency,
) -> Facts:
    """All of it, as JSON has it; `last`: prices by symbol, `money`: what the account is in. Contracts in base asset,
    times UTC."""
    cache = engine.cache
    labels = {str(one.strategy_id): one.label for one in strategies}
    worth = worth_of(engine.portfolio, money)
    return {
        "time": at_ns(now_ns).isoformat(),
        "currency": money.code,
        "balance": str(worth.balance),
        "equity": str(worth.equity),
        "positions": [_position(one, labels, last) for one in cache.positions_open()],
        "resting": [_resting(one, labels) for one in cache.orders_open()],
        "levels": _levels(strategies, last),
        "orders": len(ledger.orders),
        "fills": len(ledger.fills),
        "funding": str(sum((payment.amount for payment in ledger.funding), Decimal(0))),
        "decisions": _decisions(ledger),
    }


def _position(position: Any, labels: Mapping[str, str], last: Mapping[str, float]) -> Facts:
    symbol, entry = _symbol(position), float(position.avg_px_open)
    contracts = float(position.quantity) * (1 if position.is_long else -1)
    return {
        "strategy": labels[str(position.strategy_id)],
        "symbol": symbol,
        "side": "long" if position.is_long else "short",
        "contracts": str(position.quantity),
        "entry": entry,
        "opened": at_ns(position.ts_opened).isoformat(),
        "unrealized": round(contracts * (last[symbol] - entry), 8),
    }


def _resting(order: Any, labels: Mapping[str, str]) -> Facts:
    return {
        "strategy": labels[str(order.strategy_id)],
        "symbol": _symbol(order),
        "side": order.side.name.lower(),
        "type": order.order_type.name.lower(),
        "role": role_of(order),
        "contracts": str(order.leaves_qty),
        "price": str(getattr(order, "price", None) or getattr(order, "trigger_price", None) or ""),
    }


def _levels(strategies: Sequence[LevelStrategy], last: Mapping[str, float]) -> dict[str, Facts]:
    """By symbol: the last price, when the open interest was known that the map is made of, and the next clusters."""
    found: dict[str, Facts] = {}
    for symbol, levels in {one.symbol: one.levels for one in strategies if one.levels.initialized}.items():
        seen = levels.seen(levels.span)
        price = seen.price if isnan(last[symbol]) else last[symbol]
        clusters = _clusters(find_clusters(seen, span=levels.span), price)
        found[symbol] = {"price": price, "known_at": at_ns(levels.known_at).isoformat(), "clusters": clusters}
    return found


def _clusters(found: Sequence[Cluster], price: float) -> list[Facts]:
    """The nearest of each side, the highest first."""
    near = [one for side in ("long", "short") for one in [c for c in found if c.side == side][:_CLUSTERS_A_SIDE]]
    return [
        {
            "side": one.side,
            "low": one.price_low,
            "high": one.price_high,
            "notional": one.notional,
            "distance": one.price / price - 1,
        }
        for one in sorted(near, key=lambda one: -one.price)
    ]


def _decisions(ledger: Ledger) -> list[Facts]:
    """The last orders that were sent and entries that were not, newest first, each with its reason."""
    why = {trip.entry.order_id: trip.entry.reason for trip in ledger.trips if trip.entry}
    orders = [
        (
            one.submitted_ns or 0,
            {
                "strategy": one.strategy,
                "symbol": one.symbol,
                "what": f"{one.role}: {one.side} {one.quantity}{_at(one.price or one.trigger_price)}",
                "state": one.status.replace("_", " "),
                "why": one.reason or why.get(one.order_id, ""),
            },
        )
        for one in ledger.orders[-_DECISIONS:]
    ]
    refusals = [
        (
            one.time_ns,
            {
                "strategy": one.strategy,
                "symbol": one.symbol,
                "what": f"entry: {one.side}" + (f" {one.quantity}" if one.quantity else ""),
                "state": "not sent" + (f", {one.times:,} times" if one.times > 1 else ""),
                "why": f"{one.reason}: {one.detail}" if one.detail else one.reason,
            },
        )
        for one in ledger.refusals[-_DECISIONS:]
    ]
    newest = sorted([*orders, *refusals], key=lambda pair: pair[0], reverse=True)[:_DECISIONS]
    return [{"time": at_ns(time_ns).isoformat(), **fact} for time_ns, fact in newest]


def _at(price: Decimal | None) -> str:
    return "" if price is None else f" at {price}"


def _symbol(one: Any) -> str:
    return str(one.instrument_id).partition("-")[0]
