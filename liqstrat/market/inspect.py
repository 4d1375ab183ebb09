"""What history there is: by symbol and kind the range, the rows and the days without any."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from liqstrat.market.ledger import entries
from liqstrat.market.store import Store


@dataclass(frozen=True, slots=True)
class KindSummary:
    """One kind of one symbol's history.

    first, last: timestamps (UTC) of the first and last row. days_missing: days (UTC) between them without a row.
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
    symbols = [symbol] if symbol else store.symbols()
    return [summary for name in symbols for summary in _summaries(store, name)]


def _summaries(store: Store, symbol: str) -> Iterator[KindSummary]:
    origins = {entry.kind: entry.origin for entry in entries(store.connection, symbol)}
    for kind in store.kinds():
        rows = store.rows_sql(kind, symbol)
        sql = f"""
            select timestamp::date as day, count(*), epoch_us(min(timestamp)), epoch_us(max(timestamp))
            from ({rows}) group by day order by day
        """
        days = store.connection.execute(sql).fetchall()
        if days:
            yield KindSummary(
                symbol=symbol,
                kind=kind,
                first=_moment(days[0][2]),
                last=_moment(days[-1][3]),
                rows=sum(count for _, count, _, _ in days),
                days_missing=missing_days([day for day, *_ in days]) if is_daily(kind) else [],
                origin=origins.get(kind, "unknown"),
            )


def is_daily(kind: str) -> bool:
    """Whether a kind should have a row every day, as candles of a week have not."""
    return kind not in ("klines_3d", "klines_1w", "klines_1mo")


def missing_days(days: Sequence[date]) -> list[date]:
    """The days between the first and the last that are not among `days`, which are in order."""
    there = set(days)
    span = (days[-1] - days[0]).days
    return [day for n in range(span) if (day := days[0] + timedelta(days=n)) not in there]


def _moment(us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
