"""What history there is: by symbol and kind the range, the rows and the days without any."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

from liqstrat.market.ledger import entries
from liqstrat.market.selects import select_times
from liqstrat.market.store import Store
from liqstrat.moments import at_us


@dataclass(frozen=True, slots=True)
class KindSummary:
    """One kind of one symbol's history.

    first, last: timestamps (UTC) of the first and last row. days_missing: days (UTC) between them without a row, of
    kinds that have some every day.
    origin: `simulated`, `archive`, or `unknown` for rows that no loaded file accounts for.
    """

    symbol: str
    kind: str
    first: datetime
    last: datetime
    rows: int
    days_missing: list[date]
    origin: str


def inspect(store: Store, symbol: str | None = None) -> list[KindSummary]:
    """Summaries in order of symbol and kind, of one symbol or of all; raises `LiqstratError` for an unknown one."""
    if symbol is not None:
        store.rows_sql("trades", symbol)  # raises for an unknown one
    origins = {(entry.symbol, entry.kind): entry.origin for entry in entries(store.connection, symbol)}
    summaries: list[KindSummary] = []
    for kind in store.kinds():
        by_symbol: dict[str, list[_Day]] = {}
        for name, *day in store.connection.execute(_days_sql(store, kind, symbol)).fetchall():
            by_symbol.setdefault(name, []).append(_Day(*day))
        summaries += [_summary(name, kind, days, origins.get((name, kind))) for name, days in by_symbol.items()]
    # The sort is stable: kinds stay in their order.
    return sorted(summaries, key=lambda summary: summary.symbol)


class _Day(NamedTuple):
    """Rows of a day, and the microseconds of the first and last."""

    day: date
    rows: int
    first_us: int
    last_us: int


def _days_sql(store: Store, kind: str, symbol: str | None) -> str:
    return f"""
        select symbol, timestamp::date as day, count(*), epoch_us(min(timestamp)), epoch_us(max(timestamp))
        from ({select_times(store.connection, store.path, kind, symbol)}) where symbol is not null
        group by symbol, day order by symbol, day
    """


def _summary(symbol: str, kind: str, days: list[_Day], origin: str | None) -> KindSummary:
    return KindSummary(
        symbol=symbol,
        kind=kind,
        first=at_us(days[0].first_us),
        last=at_us(days[-1].last_us),
        rows=sum(day.rows for day in days),
        days_missing=missing_days([day.day for day in days]) if is_daily(kind) else [],
        origin=origin or "unknown",
    )


def is_daily(kind: str) -> bool:
    """Whether a kind should have a row every day, as candles of a week and liquidations have not."""
    return kind not in ("klines_3d", "klines_1w", "klines_1mo", "liquidations", "liquidation_amounts")


def missing_days(days: Sequence[date]) -> list[date]:
    """The days between the first and the last that are not among `days`, which are in order."""
    there = set(days)
    span = (days[-1] - days[0]).days
    return [day for n in range(span) if (day := days[0] + timedelta(days=n)) not in there]
