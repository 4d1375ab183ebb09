"""What the catalog is made from: the history of one symbol, day by day, as Nautilus stores it."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from liqstrat.catalog import columns, open_interest
from liqstrat.catalog.candles import candle_kinds, longer_candles
from liqstrat.catalog.day_files import ROW_GROUP
from liqstrat.catalog.perpetual import Precision
from liqstrat.errors import LiqstratError
from liqstrat.market.connection import in_utc
from liqstrat.market.digits import digits_used
from liqstrat.market.selects import select
from liqstrat.market.store import FUNDING_SCHEMA, KLINES_SCHEMA, OPEN_INTEREST_SCHEMA, Store
from liqstrat.moments import TICK

DAY = timedelta(days=1)
_KINDS = ("trades", "klines_1m", "funding", "open_interest")


@dataclass(eq=False)
class DayOfHistory:
    """One day of a symbol's history, from its midnight `start` on.

    trades: how many there are, and the sum of their hashes; None where these were not asked for. `trades_sql` selects
    them. The rest is here: candles, longer candles (see `longer_candles`), settlements (see `columns.settlements`) and
    open interest.
    """

    start: datetime
    trades: tuple[int, int] | None
    trades_sql: str
    klines: pa.Table
    longer: pa.Table
    funding: pa.Table
    open_interest: pa.Table

    def fingerprint(self) -> str | None:
        """A text that changes when any of the history does; comparable within one version of DuckDB and Arrow.

        None as long as the trades are not known.
        """
        if self.trades is None:
            return None
        rest = hashlib.sha256()
        for table in (self.klines, self.funding, self.open_interest, *([self.longer] if len(self.longer) else [])):
            rest.update(f"{len(table)}:".encode())
            for batch in table.combine_chunks().to_batches():
                rest.update(batch.serialize())
        count, total = self.trades
        return f"{count}:{total % 2**64:x}:{rest.hexdigest()[:32]}"

    def rows(
        self, connection: duckdb.DuckDBPyConnection, precision: Precision
    ) -> Iterator[tuple[str, pa.RecordBatch | None]]:
        """The rows in the columns of the catalog, by kind; a kind can come in several batches.

        None in place of a batch takes back what came of the kind before. At the end, `trades` are those that came.
        """
        count, total = 0, 0
        traded: list[columns.Candles] = []
        for batch in in_order(connection, self.trades_sql) if self.trades_sql else ():
            if batch is None:
                count, total = 0, 0
                traded.clear()
                yield "trades", None
                continue
            yield "trades", columns.stored_trades(batch, precision)
            traded.append(columns.candles_of_trades(batch))
            count, total = count + batch.num_rows, total + columns.hash_of(batch)
        self.trades = count, total
        recorded = columns.candles_of_klines(self.klines)
        longer, minutes = columns.candles_of_klines(self.longer), self.longer["minutes"].to_numpy()
        yield "bars", columns.stored_bars(columns.joined(traded, recorded, longer, minutes), precision)
        yield "funding", columns.stored_funding(precision.symbol, self.funding)
        yield "open_interest", open_interest.stored(precision.symbol, self.open_interest)


class History:
    """The history of one symbol on `days`: midnights, in order, at least one. All but trades is read by the month.

    compared: days of which the trades are counted and hashed beforehand. trades: how many there are in all.
    """

    def __init__(self, store: Store, symbol: str, days: Sequence[datetime], compared: Sequence[datetime]) -> None:
        self._store = store
        self._symbol = symbol
        self._days = days
        self._compared = dict.fromkeys(compared, (0, 0))
        self._has_trades = "trades" in store.kinds()
        if compared and self._has_trades:
            self._compared |= _count_and_hash(store, symbol, compared[0], compared[-1] + DAY)
        self.trades = _count(store, symbol, days[0], days[-1] + DAY) if self._has_trades else 0

    def __iter__(self) -> Iterator[DayOfHistory]:
        for _, days in groupby(self._days, lambda day: (day.year, day.month)):
            yield from self._of_month(list(days))

    def _of_month(self, days: list[datetime]) -> Iterator[DayOfHistory]:
        start, end = days[0], days[-1] + DAY
        klines = self._read("klines_1m", self._store.klines, start, end, KLINES_SCHEMA)
        klines = klines.drop_columns("taker_buy_volume")
        longer = longer_candles(self._store, self._symbol, start, end)
        interest = self._read("open_interest", self._store.open_interest, start, end, OPEN_INTEREST_SCHEMA)
        interest = interest.drop_columns("value")
        # With the neighbours, which tell how long an interval is, and a settlement recorded just before midnight.
        recorded = self._read("funding", self._store.funding, start - DAY, end + DAY, FUNDING_SCHEMA)
        settled = columns.settlements(recorded)
        for day in days:
            yield DayOfHistory(
                start=day,
                trades=self._compared.get(day),
                trades_sql=self._store.trades_sql(self._symbol, day, day + DAY) if self._has_trades else "",
                klines=_of_day(klines, day),
                longer=_of_day(longer, day),
                funding=_of_day(settled, day),
                open_interest=_of_day(interest, day),
            )

    def _read(
        self, kind: str, read: Callable[..., pa.Table], start: datetime, end: datetime, schema: pa.Schema
    ) -> pa.Table:
        """Rows of a kind; where it has none, they must not be made from others."""
        if self._store.has(kind, self._symbol, start, end):
            return read(self._symbol, start, end)
        return schema.empty_table()


def in_order(connection: duckdb.DuckDBPyConnection, trades_sql: str) -> Iterator[pa.RecordBatch | None]:
    """Trades in the columns of `columns.TRADES_SQL`, in order of time and id.

    They are read as they lie in the table, for to sort them takes longer than all else. Where they turn out not to lie
    in order, a None takes back the batches before it, and sorted ones follow.
    """
    rows = f"{columns.TRADES_SQL} from ({trades_sql})"
    # An own session: another query on the same one would end the stream.
    with in_utc(connection.cursor()) as session:
        session.execute(columns.NARROW_DECIMALS)
        last = None
        for batch in session.sql(rows).to_arrow_reader(ROW_GROUP):
            if not columns.in_order(batch, last):
                break
            yield batch
            last = batch.slice(batch.num_rows - 1)
        else:
            return
        yield None
        yield from session.sql(f"{rows} order by timestamp, agg_trade_id").to_arrow_reader(ROW_GROUP)


def precision_of(store: Store, symbol: str) -> Precision:
    """The decimals that the symbol's trades and candles use, over all of its history.

    Raises `LiqstratError` where it has neither.
    """
    there = _spans(store, symbol)
    used = []
    if "trades" in there:
        used.append((store.price_decimals(symbol), store.quantity_decimals(symbol)))
    used += [_kline_decimals(store, kind, symbol) for kind in candle_kinds(store) if kind in there]
    if not used:
        raise LiqstratError(f"{store.path}: neither trades nor klines of {symbol}, expected some to replay")
    return Precision(symbol, *(max(decimals) for decimals in zip(*used, strict=True)))


def whole_days(store: Store, symbol: str, start: datetime | None, end: datetime | None) -> tuple[datetime, datetime]:
    """Midnights around what the wanted range and the symbol's history have in common.

    Raises `LiqstratError` where that is nothing.
    """
    spans = _spans(store, symbol).values()
    earliest, latest = min(span[0] for span in spans), max(span[1] for span in spans)
    first, last = max(earliest, start or earliest), min(latest, end - TICK if end else latest)
    if first > last:
        raise LiqstratError(
            f"{store.path}: no history of {symbol} from {start or 'its start'} to {end or 'its end'}; "
            f"it has {earliest:%Y-%m-%d %H:%M} to {latest:%Y-%m-%d %H:%M} UTC"
        )
    return _midnight(first), _midnight(last) + DAY


def _spans(store: Store, symbol: str) -> dict[str, tuple[datetime, datetime]]:
    kinds = set(store.kinds()).intersection([*_KINDS, *candle_kinds(store)])
    return {kind: span for kind in kinds if (span := store.span(symbol, kind))}


def _kline_decimals(store: Store, kind: str, symbol: str) -> tuple[int, int]:
    rows = select(store.connection, store.path, kind, symbol)
    prices = f"select unnest([open, high, low, close]) as price from ({rows})"
    price = digits_used(store.connection, prices, ["price"]) or {}
    size = digits_used(store.connection, str(rows), ["volume"]) or {}
    return price.get("price", 0), size.get("volume", 0)


def _count(store: Store, symbol: str, start: datetime, end: datetime) -> int:
    (counted,) = store.connection.execute(f"select count(*) from ({store.trades_sql(symbol, start, end)})").fetchall()
    return int(counted[0])


def _count_and_hash(store: Store, symbol: str, start: datetime, end: datetime) -> dict[datetime, tuple[int, int]]:
    """Per day, the number of trades and a sum over their hashes, which no order of rows changes."""
    sql = f"""
        select timestamp::date, count(*), sum({columns.TRADE_HASH}::hugeint)
        from ({store.trades_sql(symbol, start, end)}) group by all
    """
    days = store.connection.execute(sql).fetchall()
    return {datetime(day.year, day.month, day.day, tzinfo=UTC): (count, total) for day, count, total in days}


def _of_day(table: pa.Table, day: datetime) -> pa.Table:
    time, kind = table["time"], table.schema.field("time").type
    first, last = pa.scalar(day, kind), pa.scalar(day + DAY, kind)
    return table.filter(pc.and_(pc.greater_equal(time, first), pc.less(time, last)))


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
