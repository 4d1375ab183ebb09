"""What the account of a run can still carry: every strategy's positions count, and every order that is under way."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from nautilus_trader.common import Cache

from liqstrat.backtest.costs.depth import RecentDepth
from liqstrat.catalog.instruments import instrument_id
from liqstrat.liquidation.brackets import BracketTable, dated_brackets, in_force

_NOTHING = Decimal(0)
#: Orders under way of one strategy: symbol and notional (USDT) of what is not filled yet.
UnderWay = Callable[[], Sequence[tuple[str, Decimal]]]


@dataclass(eq=False)
class Room:
    """One for all strategies of a run, each of which adds to `under_way` what it has ordered.

    brackets: by symbol, besides the ones shipped. participation: share of recent volume that one entry may take; None
    where that is not bounded. most_quantity: what the exchange takes in one order, by symbol, where it is known.
    """

    leverage: int
    depth: RecentDepth
    brackets: Mapping[str, Sequence[BracketTable]] = field(default_factory=dict)
    participation: float | None = None
    most_quantity: Mapping[str, Decimal] = field(default_factory=dict)
    under_way: list[UnderWay] = field(default_factory=list)

    def carried(self, cache: Cache, symbol: str | None = None) -> Decimal:
        """Notional (USDT) of open positions, at their entry prices, and of orders under way; of a symbol or of all."""
        wanted = None if symbol is None else instrument_id(symbol)
        positions: list[Any] = cache.positions_open(None, wanted)
        held = sum((p.quantity.as_decimal() * Decimal(str(p.avg_px_open)) for p in positions), _NOTHING)
        ordered = (part for strategy in self.under_way for part in strategy())
        return held + sum((notional for name, notional in ordered if symbol in (None, name)), _NOTHING)

    def cap(self, cache: Cache, symbol: str, at: datetime) -> Decimal:
        """Notional (USDT) that the day's brackets leave for more of `symbol` at the account's leverage."""
        table = in_force(dated_brackets(symbol, self.brackets.get(symbol, ())), at)
        return Decimal(str(table.most_notional(self.leverage))) - self.carried(cache, symbol)

    def most(self, symbol: str, now_ns: int) -> Decimal:
        """Contracts that an entry may take of what has traded lately; unbounded where nothing is known or asked."""
        recent = self.depth.recent_volume(symbol, now_ns)
        if self.participation is None or not recent:
            return Decimal("Infinity")
        return Decimal(str(self.participation * recent))
