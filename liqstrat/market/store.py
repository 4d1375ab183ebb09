"""Typed reads of a market history file: Arrow out, whatever the file's own columns and types are.

All moments are aware UTC datetimes and ranges are half-open, `[start, end)`; None is unbounded.
"""

import weakref
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import duckdb
import pyarrow as pa

from liqstrat.errors import LiqstratError, did_you_mean
from liqstrat.liquidation.brackets import DEFAULT_SYMBOL, BracketTable, dated_brackets
from liqstrat.liquidation.contract import Contract, contract_of
from liqstrat.market import candles
from liqstrat.market.brackets import read_brackets
from liqstrat.market.connection import connect, in_utc, missing
from liqstrat.market.digits import digits_used
from liqstrat.market.faults import check_sides, explained, needs_no_look, once
from liqstrat.market.file_state import identity
from liqstrat.market.fingerprint import fingerprint
from liqstrat.market.instruments import Instrument, read_instruments, seen_by
from liqstrat.market.schema import LEDGER, existing_columns, existing_tables, kinds_in, table_of
from liqstrat.market.selects import check_exchange, select, select_silent, text
from liqstrat.moments import TICK, at_us
from liqstrat.remarks import remark

_TIME = pa.timestamp("us", "UTC")
_PRICE = pa.decimal128(18, 8)
_VOLUME = pa.decimal128(28, 8)

TRADES_SCHEMA = pa.schema(
    [("id", pa.int64()), ("time", _TIME), ("price", _PRICE), ("quantity", _PRICE), ("buy", pa.bool_())]
)
OPEN_INTEREST_SCHEMA = pa.schema([("time", _TIME), ("contracts", pa.float64()), ("value", pa.float64())])
FUNDING_SCHEMA = pa.schema([("time", _TIME), ("rate", _PRICE)])
KLINES_SCHEMA = pa.schema(
    [
        ("time", _TIME),
        ("open", _PRICE),
        ("high", _PRICE),
        ("low", _PRICE),
        ("close", _PRICE),
        ("volume", _VOLUME),
        ("taker_buy_volume", _VOLUME),
    ]
)
LIQUIDATIONS_SCHEMA = pa.schema(
    [("time", _TIME), ("side", pa.string()), ("price", pa.float64()), ("contracts", pa.float64())]
)

_DAY = timedelta(days=1)
#: Values of open interest at one moment that differ by more than this share cannot both be right.
_SAME = 0.001
_AGREEING = f"max(contracts) <= min(contracts)::double * (1 + {_SAME})"
#: Symbols that an error names.
_MOST_NAMED = 8


def open_store(path: Path | str, *, read_only: bool = True, files: Iterable[Path] = ()) -> "Store":
    """The history file at `path`. Readers can share it; a writer must be alone. files: see `connection.connect`.

    Raises `LiqstratError` when the file is missing, in use by a writer, or no DuckDB file.
    """
    path = Path(path)
    if not path.exists():
        raise missing(path)
    before = identity(path)
    store = Store(path, connect(path, read_only=read_only, files=files))
    store.opened = before
    return store


class Store:
    """An open history file; a context manager. See the module for what times mean.

    Every method that takes a symbol raises `LiqstratError` for one that the file does not know, and where a row that it
    reads has a value that cannot be understood, as a side that is neither buy nor sell. So does the context manager for
    what is read of it by SQL.

    remarks: what a reader of results must know of what was read, in words; each once.
    """

    path: Path
    connection: duckdb.DuckDBPyConnection
    remarks: list[str]
    #: What `file_state.identity` said before the file was opened; None where nobody asked.
    opened: str | None = None

    def __init__(self, path: Path, connection: duckdb.DuckDBPyConnection) -> None:
        self.path = path
        self.connection = connection
        self._known: set[str] = set()
        self._looked_at: set[tuple[str, str]] = set()
        self._each_once: dict[str, bool] = {}
        self.remarks = []
        self._listeners: list[list[str]] = []
        self._decimals: dict[str, dict[str, int]] = {}
        self._streams: weakref.WeakSet[Generator[pa.RecordBatch]] = weakref.WeakSet()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        told = None
        if isinstance(error, Exception) and not self._closed:
            told = explained(self.connection, self.path, error)
        self.close()
        if told is not None:
            raise told from None

    def close(self) -> None:
        """Close the file; a stream of trades that is not read to its end raises from then on."""
        if self._closed:
            return
        self._closed = True
        for stream in list(self._streams):
            stream.close()
        self.connection.close()
        del self.connection

    def say(self, text: str) -> None:
        """Tell what a reader of results must know of what was read; each text once."""
        for listener in self._listeners:
            if text not in listener:
                listener.append(text)
        if text not in self.remarks:
            self.remarks.append(text)
            remark(text, in_results=True)

    @contextmanager
    def listening(self) -> Iterator[list[str]]:
        """A list of what is remarked meanwhile, said before or not."""
        heard: list[str] = []
        self._listeners.append(heard)
        try:
            yield heard
        finally:
            self._listeners.pop()

    def symbols(self) -> list[str]:
        """Symbols with at least one row of any kind, sorted."""
        tables = [table_of(kind) for kind in self.kinds()]
        if not tables:
            return []
        union = " union ".join(f"select distinct symbol from {table}" for table in tables)
        return [name for (name,) in self._fetch(f"select symbol from ({union}) where symbol is not null order by 1")]

    def kinds(self) -> list[str]:
        """The kinds that the file has tables for: `trades`, `open_interest`, …, `klines_1m`."""
        return kinds_in(existing_tables(self.connection))

    def simulated(self, symbol: str) -> bool:
        """Whether the symbol's history comes from the simulator."""
        self._require(symbol)
        if not existing_columns(self.connection, LEDGER):
            return False
        sql = f"select 1 from {LEDGER} where symbol = {text(symbol)} and origin = 'simulated' limit 1"
        return bool(self._fetch(sql))

    def span(self, symbol: str, kind: str) -> tuple[datetime, datetime] | None:
        """First and last timestamp of a kind (see `kinds`), None where there is no row."""
        self._require(symbol)
        rows = self._select(kind, symbol)
        if rows is None:
            return None
        first, last = self._fetch(f"select epoch_us(min(timestamp)), epoch_us(max(timestamp)) from ({rows})")[0]
        return None if first is None else (at_us(first), at_us(last))

    def rows_sql(
        self, kind: str, symbol: str, start: datetime | None = None, end: datetime | None = None
    ) -> str | None:
        """SQL for rows of a kind, unordered, in the columns of `schema.columns_of` but symbol and exchange.

        Timestamps are naive UTC. Rows that stand twice come twice. None where the file has no table of this kind.
        """
        self._require(symbol)
        return self._select(kind, symbol, start, end)

    def has(self, kind: str, symbol: str, start: datetime | None = None, end: datetime | None = None) -> bool:
        """Whether there is any row of a kind in `[start, end)`."""
        rows = self.rows_sql(kind, symbol, start, end)
        return rows is not None and bool(self._fetch(f"select 1 from ({rows}) limit 1"))

    def silent_rows(self, kind: str, symbol: str, start: datetime | None = None, end: datetime | None = None) -> int:
        """How many rows of a kind, whose table is there, say nothing and are left out: see `selects.select`."""
        self._require(symbol)
        ((count,),) = self._fetch(select_silent(self.connection, kind, symbol, start, end))
        return int(count)

    def trades_sql(self, symbol: str, start: datetime | None = None, end: datetime | None = None) -> str:
        """SQL for trades, each once, unordered: agg_trade_id, timestamp (naive UTC), price, quantity, side.

        Raises `LiqstratError` where two of one number differ.
        """
        rows = self._trades(symbol, start, end)
        if symbol not in self._each_once:
            self._each_once[symbol] = needs_no_look(self.connection, symbol)
        if self._each_once[symbol]:
            return rows
        with self._in_words():
            distinct = once(self.connection, self.path, rows)
        if distinct is None:
            return rows
        self.say(f"{symbol}: trades stand twice in {table_of('trades')}; each counts once")
        return distinct

    def trades(
        self,
        symbol: str,
        start: datetime | None = None,
        end: datetime | None = None,
        batch_rows: int = 1_000_000,
    ) -> pa.RecordBatchReader:
        """Trades in order of time and id, as `TRADES_SCHEMA`; `buy` is whether the taker bought.

        Days are read one after the other, so that history of any length streams in the memory of a day.
        """
        self._trades(symbol, start, end)
        batches = self._trade_batches(symbol, start, end, batch_rows)
        self._streams.add(batches)
        return pa.RecordBatchReader.from_batches(TRADES_SCHEMA, self._while_open(batches))

    def open_interest(self, symbol: str, start: datetime | None = None, end: datetime | None = None) -> pa.Table:
        """Open interest as `OPEN_INTEREST_SCHEMA`: time (when it was known), contracts and value (USDT, may be null).

        Rows without contracts are left out, and moments with values that contradict each other: see `contradictions`.
        """
        rows = self._open_interest(symbol, start, end)
        found = self.contradictions(symbol, start, end, most=1)
        for moment, least, largest in found:
            self.say(
                f"{symbol}: {table_of('open_interest')} has moments with different values, which are left out: the "
                f"first is {moment:%Y-%m-%d %H:%M:%S} UTC with {least:,.3f} and {largest:,.3f} contracts"
            )
        agreeing = f"having {_AGREEING}" if found else ""
        sql = f"""
            select timestamp as time, max(contracts)::double as contracts, arg_max(value, contracts)::double as value
            from ({rows}) group by all {agreeing} order by time
        """
        return self._table(sql, OPEN_INTEREST_SCHEMA)

    def contradictions(
        self, symbol: str, start: datetime | None = None, end: datetime | None = None, most: int | None = None
    ) -> list[tuple[datetime, float, float]]:
        """Moments at which open interest has values that differ by more than a thousandth, the first `most` of them.

        With each, the least and the largest in contracts.
        """
        sql = f"""
            select epoch_us(timestamp), min(contracts)::double, max(contracts)::double
            from ({self._open_interest(symbol, start, end)}) group by timestamp having not ({_AGREEING}) order by 1
            {"" if most is None else f"limit {most}"}
        """
        return [(at_us(us), least, largest) for us, least, largest in self._fetch(sql)]

    def _open_interest(self, symbol: str, start: datetime | None, end: datetime | None) -> str:
        self._require(symbol)
        rows = self._select("open_interest", symbol, start, end)
        if rows is None:
            raise self._no_table("open_interest")
        return f"""
            select timestamp, open_interest_contracts as contracts, nullif(open_interest_value, 0) as value
            from ({rows}) where open_interest_contracts > 0
        """

    def funding(self, symbol: str, start: datetime | None = None, end: datetime | None = None) -> pa.Table:
        """Funding rates as `FUNDING_SCHEMA`, with the times as recorded: some milliseconds after the settlement."""
        self._require(symbol)
        rows = self._select("funding", symbol, start, end)
        if rows is None:
            return FUNDING_SCHEMA.empty_table()
        sql = f"select timestamp as time, max(funding_rate) as rate from ({rows}) group by all order by time"
        return self._table(sql, FUNDING_SCHEMA)

    def klines(
        self, symbol: str, start: datetime | None = None, end: datetime | None = None, interval: str = "1m"
    ) -> pa.Table:
        """Candles of an interval as `KLINES_SCHEMA`; `time` is the open time, volumes are in contracts.

        From the table of that interval where it has rows in the range, else built from `klines_1m` or other shorter
        ones that go into it, else from the trades. `taker_buy_volume` is null where the recorded candles lack it.
        """
        self._require(symbol)
        shorter = candles.shorter(interval, [kind.removeprefix("klines_") for kind in self.kinds()])
        for kind in (f"klines_{name}" for name in (interval, *shorter)):
            rows = self._select(kind, symbol, start, end)
            if rows is not None and self._fetch(f"select 1 from ({rows}) limit 1"):
                if kind == f"klines_{interval}":
                    return self._table(candles.as_recorded(rows), KLINES_SCHEMA)
                whole = self._select(kind, symbol, start, candles.whole_end(end, interval))
                return self._table(candles.from_candles(str(whole), interval, start, end), KLINES_SCHEMA)
        if "trades" not in self.kinds():
            return KLINES_SCHEMA.empty_table()
        rows = self.trades_sql(symbol, start, candles.whole_end(end, interval))
        return self._table(candles.from_trades(rows, interval, start, end), KLINES_SCHEMA)

    def liquidations(self, symbol: str, start: datetime | None = None, end: datetime | None = None) -> pa.Table:
        """Liquidations as `LIQUIDATIONS_SCHEMA`, exact duplicates once.

        `side` is the position that was liquidated (`long` or `short`), `price` the average price of the execution or,
        where that was not recorded, the order's.
        """
        self._require(symbol)
        rows = self._select("liquidations", symbol, start, end)
        if rows is None:
            return LIQUIDATIONS_SCHEMA.empty_table()
        sql = f"""
            select timestamp as time,
                   case side when 'sell' then 'long' when 'buy' then 'short' end as side,
                   coalesce(nullif(average_price, 0), price)::double as price,
                   quantity::double as contracts
            from (select distinct * from ({rows}))
            order by time, side, price, contracts
        """
        return self._table(sql, LIQUIDATIONS_SCHEMA)

    def brackets(self, symbol: str) -> list[BracketTable]:
        """Leverage brackets that were loaded for the symbol, one table a day, oldest first; empty where none were.

        Of an inverse market all there are, shipped ones too, with the size of its contracts as it was loaded.
        """
        loaded, contract = read_brackets(self.connection, self.path, symbol), self.contract(symbol)
        tables = dated_brackets(symbol, loaded)
        if tables[0].symbol != symbol:
            self.say(
                f"{symbol}: no leverage brackets are known, {_assumed(tables[0])}; `liqstrat brackets` loads its own"
            )
        if not contract.inverse:
            return loaded
        return [replace(table, contract=contract) for table in tables]

    def contract(self, symbol: str) -> Contract:
        """What a contract of the symbol is, by its name and, of an inverse one, by the size that was loaded."""
        contract = contract_of(symbol)
        sizes = [market.contract_size for market in self.instruments(symbol) if market.contract_size]
        return replace(contract, size=float(sizes[-1])) if contract.inverse and sizes else contract

    def instrument(self, symbol: str, at: datetime | None = None) -> Instrument | None:
        """The symbol's steps and limits as last seen by `at` (default now), None where they were not loaded."""
        return seen_by(at or datetime.now(UTC), self.instruments(symbol))

    def instruments(self, symbol: str) -> list[Instrument]:
        """Steps and limits that were loaded for the symbol, one a day, oldest first; empty where none were."""
        return read_instruments(self.connection, symbol)

    def price_decimals(self, symbol: str) -> int:
        """Digits after the point that the prices of the trades really use."""
        return self._digits(symbol)["price"]

    def quantity_decimals(self, symbol: str) -> int:
        """Digits after the point that the quantities of the trades really use."""
        return self._digits(symbol)["quantity"]

    def fingerprint(self, symbol: str, start: datetime | None = None, end: datetime | None = None) -> str:
        """SHA-256 of the symbol's rows of every kind in the range, and of the brackets that were loaded for it.

        The same for the same rows in any order. Brackets seen after the range do not count, unless there are no others.
        """
        self._require(symbol)
        selects = {kind: self._select(kind, symbol, start, end) for kind in self.kinds()}
        brackets = self.brackets(symbol)
        if end is not None:
            brackets = [table for table in brackets if table.as_of <= end.astimezone(UTC).date()] or brackets[:1]
        known = {kind: rows for kind, rows in selects.items() if rows}
        if "trades" in known:
            known["trades"] = self.trades_sql(symbol, start, end)
        return fingerprint(self.connection, symbol, known, brackets)

    def _trade_batches(
        self, symbol: str, start: datetime | None, end: datetime | None, batch_rows: int
    ) -> Generator[pa.RecordBatch]:
        # An own session: another query on the same one would end this stream.
        with in_utc(self.connection.cursor()) as session:
            for first, last in self._days(symbol, start, end):
                sql = f"""
                    select agg_trade_id as id, timestamp as time, price, quantity, side = 'buy' as buy
                    from ({self.trades_sql(symbol, first, last)})
                    order by time, id
                """
                for batch in session.sql(sql).to_arrow_reader(batch_rows):
                    yield batch.cast(TRADES_SCHEMA)

    def _while_open(self, batches: Generator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The batches; an error, not a seeming end, when the store is closed before they are read."""
        with self._in_words():
            yield from batches
        if self._closed:
            raise LiqstratError(f"{self.path}: was closed while its trades were being read")

    def _days(self, symbol: str, start: datetime | None, end: datetime | None) -> Iterator[tuple[datetime, datetime]]:
        """The range cut at midnights, within what there is."""
        span = self.span(symbol, "trades")
        if span is None:
            return
        first = max(start or span[0], span[0])
        last = min(end or span[1] + _DAY, span[1] + TICK)
        while first < last:
            midnight = first.replace(hour=0, minute=0, second=0, microsecond=0) + _DAY
            yield first, min(midnight, last)
            first = midnight

    def _digits(self, symbol: str) -> dict[str, int]:
        """Of price and quantity, which one pass over all trades tells."""
        if symbol not in self._decimals:
            found = digits_used(self.connection, self._trades(symbol), ("price", "quantity"))
            if found is None:
                raise LiqstratError(f"{self.path}: no trades of {symbol}, which would tell the digits of their prices")
            self._decimals[symbol] = found
        return self._decimals[symbol]

    def _require(self, symbol: str) -> None:
        """Raise unless some table has a row of `symbol`; a look for one row is cheap where a list of all is not."""
        if symbol in self._known:
            return
        tables = [table_of(kind) for kind in self.kinds()]
        if not tables:
            raise self._no_table("trades")
        if not any(self._fetch(f"select 1 from {table} where symbol = {text(symbol)} limit 1") for table in tables):
            known = self.symbols()
            more = f" and {len(known) - _MOST_NAMED} more" if len(known) > _MOST_NAMED else ""
            listed = f"; it has {', '.join(known[:_MOST_NAMED])}{more}" if known else "; it is empty"
            raise LiqstratError(f"{self.path}: no history of {symbol}{did_you_mean(symbol, known)}{listed}")
        self._known.add(symbol)

    def _no_table(self, kind: str) -> LiqstratError:
        found, table = existing_tables(self.connection), table_of(kind)
        hint = did_you_mean(table, set(found) - {table_of(known) for known in kinds_in(found)})
        return LiqstratError(f"{self.path}: has no table {table}{hint}; it has {', '.join(found) or 'none'}")

    def _trades(self, symbol: str, start: datetime | None = None, end: datetime | None = None) -> str:
        """SQL for trades; those that stand twice come twice."""
        self._require(symbol)
        rows = self._select("trades", symbol, start, end)
        if rows is None:
            raise self._no_table("trades")
        return rows

    def _select(self, kind: str, symbol: str, start: datetime | None = None, end: datetime | None = None) -> str | None:
        rows = select(self.connection, self.path, kind, symbol, start, end)
        if rows is not None and (kind, symbol) not in self._looked_at:
            if kind == "trades":
                check_exchange(self.connection, self.path, symbol)
            check_sides(self.connection, self.path, kind, symbol)
            self._looked_at.add((kind, symbol))
        return rows

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        """An error of DuckDB's that is the file's fault becomes one that can be understood."""
        try:
            yield
        except (duckdb.Error, OSError) as error:
            told = explained(self.connection, self.path, error) if not self._closed else None
            if told is None:
                raise
            raise told from None

    def _fetch(self, sql: str) -> list[tuple[Any, ...]]:
        with self._in_words():
            return self.connection.execute(sql).fetchall()

    def _table(self, sql: str, schema: pa.Schema) -> pa.Table:
        with self._in_words():
            return self.connection.sql(sql).to_arrow_table().cast(schema)


def _assumed(table: BracketTable) -> str:
    """What a market without brackets is taken to have."""
    if table.symbol != DEFAULT_SYMBOL:
        return f"so it is taken to have those of {table.symbol}"
    if table.contract.inverse:
        return (
            f"so positions of any size are taken to have {table.max_leverage[0]}x at most and {table.rates[0]:.2%} of "
            "maintenance margin"
        )
    return f"so it is taken to have those of a typical mid-sized market, {table.max_leverage[0]}x at most"
