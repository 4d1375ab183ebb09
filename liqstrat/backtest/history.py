"""What the catalog is made from: the history of one symbol, day by day, as Nautilus stores it."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from liqstrat.backtest import columns, open_interest
from liqstrat.backtest.columns import Precision
from liqstrat.errors import LiqstratError
from liqstrat.market.connection import in_utc
from liqstrat.market.selects import select
from liqstrat.market.store import FUNDING_SCHEMA, KLINES_SCHEMA, OPEN_INTEREST_SCHEMA, Store

DAY = timedelta(days=1)
_KINDS = ("trades", "klines_1m", "funding", "open_interest")
# A multiple of DuckDB's vectors and of the files' row groups.
_BATCH_ROWS = 262_144


class History:
    """The history of one symbol from `start` to `end` (midnights). All but trades is held in memory."""

    def __init__(self, store: Store, precision: Precision, start: datetime, end: datetime) -> None:
        symbol = precision.symbol
        there = {kind for kind, span in _spans(store, symbol).items() if span[0] < end and span[1] >= start}
        self._store = store
        self._precision = precision
        self._trades_by_day = _count_and_hash(store, symbol, start, end) if "trades" in there else {}
        self._klines = store.klines(symbol, start, end) if "klines_1m" in there else KLINES_SCHEMA.empty_table()
        self._open_interest = OPEN_INTEREST_SCHEMA.empty_table()
        if "open_interest" in there:
            self._open_interest = store.open_interest(symbol, start, end)
        recorded = FUNDING_SCHEMA.empty_table()
        if "funding" in there:
            # With the neighbours, which tell how long an interval is, and a settlement recorded just before midnight.
            recorded = store.funding(symbol, start - DAY, end + DAY)
        self._funding = columns.settlements(recorded)

    def trades(self, day: datetime) -> int:
        """How many trades the day has."""
        return self._trades_by_day.get(day.date(), (0, 0))[0]

    def fingerprint(self, day: datetime) -> str:
        """A text that changes when rows of the day change; comparable within one DuckDB version."""
        count, digest = self._trades_by_day.get(day.date(), (0, 0))
        rest = hashlib.sha256()
        for table in (self._klines, self._open_interest, self._funding):
            for column in _of_day(table, day).combine_chunks().columns:
                rest.update(str(column.to_pylist()).encode())
        return f"{count}:{digest:x}:{rest.hexdigest()[:32]}"

    def rows(self, day: datetime) -> Iterator[tuple[str, pa.RecordBatch | None]]:
        """The day's rows in the columns of the catalog, by kind; a kind can come in several batches.

        None in place of a batch takes back what came of the kind before.
        """
        traded: list[columns.Candles] = []
        if self.trades(day):
            for batch in trades_of_day(self._store, self._precision.symbol, day):
                if batch is None:
                    traded.clear()
                    yield "trades", None
                    continue
                yield "trades", columns.stored_trades(batch, self._precision)
                traded.append(columns.candles_of_trades(batch))
        recorded = columns.candles_of_klines(_of_day(self._klines, day))
        yield "bars", columns.stored_bars(columns.joined(traded, recorded), self._precision)
        yield "funding", columns.stored_funding(self._precision.symbol, _of_day(self._funding, day))
        yield "open_interest", open_interest.stored(self._precision.symbol, _of_day(self._open_interest, day))


def trades_of_day(store: Store, symbol: str, day: datetime) -> Iterator[pa.RecordBatch | None]:
    """The trades of a day, in the columns of `columns.TRADES_SQL`, in order of time and id.

    They are read as they lie in the table, for to sort them takes longer than all else. Where they turn out not to lie
    in order, a None takes back the batches before it, and sorted ones follow.
    """
    rows = f"{columns.TRADES_SQL} from ({store.trades_sql(symbol, day, day + DAY)})"
    # An own session: another query on the same one would end the stream.
    with in_utc(store.connection.cursor()) as session:
        last = None
        for batch in session.sql(rows).to_arrow_reader(_BATCH_ROWS):
            if not columns.in_order(batch, last):
                break
            yield batch
            last = batch.slice(batch.num_rows - 1)
        else:
            return
        yield None
        yield from session.sql(f"{rows} order by timestamp, agg_trade_id").to_arrow_reader(_BATCH_ROWS)


def precision_of(store: Store, symbol: str) -> Precision:
    """The decimals that the symbol's trades and 1m klines use, over all of its history.

    Raises `LiqstratError` where it has neither.
    """
    there = _spans(store, symbol)
    used = [(0, 0)]
    if "trades" in there:
        used.append((store.price_decimals(symbol), store.quantity_decimals(symbol)))
    if "klines_1m" in there:
        used.append(_kline_decimals(store, symbol))
    if len(used) == 1:
        raise LiqstratError(f"{store.path}: neither trades nor 1m klines of {symbol}, expected some to replay")
    return Precision(symbol, *(max(decimals) for decimals in zip(*used, strict=True)))


def whole_days(store: Store, symbol: str, start: datetime | None, end: datetime | None) -> tuple[datetime, datetime]:
    """Midnights around what the wanted range and the symbol's history have in common.

    Raises `LiqstratError` where that is nothing.
    """
    spans = _spans(store, symbol).values()
    earliest, latest = min(span[0] for span in spans), max(span[1] for span in spans)
    first, last = max(earliest, start or earliest), min(latest, end - timedelta(microseconds=1) if end else latest)
    if first > last:
        raise LiqstratError(
            f"{store.path}: no history of {symbol} from {start or 'its start'} to {end or 'its end'}; "
            f"it has {earliest:%Y-%m-%d %H:%M} to {latest:%Y-%m-%d %H:%M} UTC"
        )
    return _midnight(first), _midnight(last) + DAY


def _spans(store: Store, symbol: str) -> dict[str, tuple[datetime, datetime]]:
    kinds = set(store.kinds()).intersection(_KINDS)
    return {kind: span for kind in kinds if (span := store.span(symbol, kind))}


def _kline_decimals(store: Store, symbol: str) -> tuple[int, int]:
    rows = select(store.connection, store.path, "klines_1m", symbol)
    fractions = store.connection.sql(f"select distinct unnest([open, high, low, close]) % 1 as part from ({rows})")
    volumes = store.connection.sql(f"select distinct volume % 1 as part from ({rows})")
    price, size = (columns.digits_used(values.to_arrow_table()["part"]) for values in (fractions, volumes))
    return price, size


def _count_and_hash(store: Store, symbol: str, start: datetime, end: datetime) -> dict[date, tuple[int, int]]:
    """Per day, the number of trades and a sum over their hashes, which no order of rows changes."""
    sql = f"""
        select timestamp::date, count(*), sum(hash(agg_trade_id, timestamp, price, quantity, side)::hugeint)
        from ({store.trades_sql(symbol, start, end)}) group by all
    """
    return {day: (count, digest) for day, count, digest in store.connection.execute(sql).fetchall()}


def _of_day(table: pa.Table, day: datetime) -> pa.Table:
    time, kind = table["time"], table.schema.field("time").type
    first, last = pa.scalar(day, kind), pa.scalar(day + DAY, kind)
    return table.filter(pc.and_(pc.greater_equal(time, first), pc.less(time, last)))


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
