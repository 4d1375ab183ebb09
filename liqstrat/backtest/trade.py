"""A trade that is over, as a strategy is told of it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from nautilus_trader.common import Cache
from nautilus_trader.model import OrderSide

from liqstrat.backtest.account.ledger import Role
from liqstrat.backtest.entries import Side
from liqstrat.backtest.records import role_of
from liqstrat.moments import at_ns


@dataclass(frozen=True)
class Trade:
    """One position from flat to flat.

    Prices are averages in USDT; quantity: the most it held, in base asset; pnl: USDT, net of fees and funding.
    reason: what closed the last of it. opened, closed: market time, UTC.
    """

    side: Side
    entry_price: float
    exit_price: float
    quantity: Decimal
    pnl: float
    reason: Role
    opened: datetime
    closed: datetime


def trade_of(position: Any, cache: Cache) -> Trade:
    """The trade of a closed position of the engine."""
    order: Any = cache.order(position.closing_order_id)
    return Trade(
        side="long" if position.entry == OrderSide.BUY else "short",
        entry_price=position.avg_px_open,
        exit_price=position.avg_px_close,
        quantity=position.peak_qty.as_decimal(),
        pnl=position.realized_pnl.as_double(),
        reason=role_of(order),
        opened=at_ns(position.ts_opened),
        closed=at_ns(position.ts_closed),
    )
