"""A file's rows checked as a whole in a temporary table, so that only whole and right files touch the history."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from liqstrat.market.archive.klines import interval_name
from liqstrat.market.archive.layout import Layout, RefusedError
from liqstrat.market.archive.names import check_symbol
from liqstrat.market.archive.recognise import Recognised
from liqstrat.market.reading import TABLE, read
from liqstrat.market.selects import text


@dataclass(frozen=True, slots=True)
class Staged:
    """A file's rows, waiting. `rows_sql` gives them in the columns of the schema, one for each key, in order of time.

    count: rows in the file, with those that it has twice. first, last: naive UTC; None where there is no row.
    """

    kind: str
    rows_sql: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    count: int
    first: datetime | None
    last: datetime | None
    first_id: int | None
    last_id: int | None


@dataclass(frozen=True, slots=True)
class SymbolRows:
    """What a file has of one symbol; see `Staged`."""

    symbol: str
    count: int
    first: datetime | None
    last: datetime | None
    first_id: int | None
    last_id: int | None


@dataclass(frozen=True, slots=True)
class StagedSymbols:
    """The rows of a file that may be of many symbols, waiting; `rows_sql` has a column `symbol`, and so has the key.

    prefer: the column whose largest value tells which of several rows with one key is the better one, if any.
    """

    kind: str
    rows_sql: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    prefer: str | None
    symbols: tuple[SymbolRows, ...]


def stage(
    connection: duckdb.DuckDBPyConnection, csv: Path, recognised: Recognised, symbol: str, interval: str | None
) -> Staged:
    """Read and check `csv`; the temporary table is that of one file at a time.

    Raises `RefusedError` with the line, what was found and what was expected.
    """
    layout = recognised.layout
    read(connection, csv, recognised)
    _check_symbol(connection, layout, symbol)
    _check_file(connection, layout)
    kind = f"klines_{_interval(connection, layout, interval)}" if layout.kind == "klines" else layout.kind
    rows = _rows(connection, layout)
    ids = "agg_trade_id" if "agg_trade_id" in layout.rows else "null"
    count, first, last, first_id, last_id = _one(
        connection, f"select count(*), min(timestamp), max(timestamp), min({ids}), max({ids}) from ({_raw(layout)})"
    )
    return Staged(kind, rows, tuple(layout.rows), layout.key, count, first, last, first_id, last_id)


def stage_symbols(
    connection: duckdb.DuckDBPyConnection, csv: Path, recognised: Recognised, symbol: str | None
) -> StagedSymbols:
    """As `stage`, for rows that say of which symbol they are; `symbol` is that of the others.

    Raises `RefusedError` also where neither says it.
    """
    layout = recognised.layout
    said = layout.symbol_column or (symbol and text(symbol))
    if not said:
        raise RefusedError(f"{layout.name} do not say of which symbol they are, nor does the file's name")
    read(connection, csv, recognised)
    _check_file(connection, layout)
    kind = f"klines_{_interval(connection, layout, None)}" if layout.kind == "klines" else layout.kind
    layout = replace(layout, rows={"symbol": said, **layout.rows}, key=("symbol", *layout.key))
    ids = "agg_trade_id" if "agg_trade_id" in layout.rows else "null"
    sql = f"""
        select symbol, count(*), min(timestamp), max(timestamp), min({ids}), max({ids}) from ({_raw(layout)})
        group by symbol order by symbol
    """
    symbols = tuple(SymbolRows(*row) for row in connection.execute(sql).fetchall())
    for found in symbols:
        check_symbol(found.symbol)
    return StagedSymbols(kind, _rows(connection, layout), tuple(layout.rows), layout.key, layout.prefer, symbols)


def unstage(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop the temporary table."""
    connection.execute(f"drop table if exists {TABLE}")


def _check_symbol(connection: duckdb.DuckDBPyConnection, layout: Layout, symbol: str) -> None:
    if layout.symbol_column is None:
        return
    sql = f"select min({layout.symbol_column}) from {TABLE} where {layout.symbol_column} != {text(symbol)}"
    (other,) = _one(connection, sql)
    if other is not None:
        raise RefusedError(f"is named for {symbol}, but has rows of {other}")


def _check_file(connection: duckdb.DuckDBPyConnection, layout: Layout) -> None:
    for condition, what in layout.file_checks:
        if _one(connection, f"select {condition} from {TABLE}")[0]:
            raise RefusedError(what)


def _interval(connection: duckdb.DuckDBPyConnection, layout: Layout, named: str | None) -> str:
    """The candles' length: as the columns or else the steps tell, held against the name."""
    if layout.candle_ms:
        sql = f"select min({layout.candle_ms}), max({layout.candle_ms}) from {TABLE}"
    else:
        steps = "epoch_ms(timestamp) - lag(epoch_ms(timestamp)) over (order by timestamp)"
        sql = f"select min(step), min(step) from (select {steps} as step from ({_raw(layout)})) where step > 0"
    shortest, longest = _one(connection, sql)
    if shortest is None:
        if named is None:
            raise RefusedError("holds one candle, and its name does not say of what length, as in BTCUSDT-1m-2024-03")
        return named
    found = [interval_name(timedelta(milliseconds=length)) for length in (shortest, longest)]
    if found[0] != found[1]:
        raise RefusedError(f"has candles of {found[0]} and of {found[1]}, expected one length")
    if named not in (None, found[0]):
        raise RefusedError(f"is named as klines of {named}, but its candles are of {found[0]}")
    return found[0]


def _raw(layout: Layout) -> str:
    return f"select {', '.join(f'{sql} as {name}' for name, sql in layout.rows.items())} from {TABLE}"


def _rows(connection: duckdb.DuckDBPyConnection, layout: Layout) -> str:
    """SQL for the rows in order, each once. Most files have them so already, which is cheap to see."""
    keys = ", ".join(layout.key)
    if _is_ordered(connection, layout):
        return _raw(layout)
    distinct = f"select distinct * from ({_raw(layout)})"
    if layout.prefer is None:
        _check_conflicts(connection, distinct, layout)
        return f"{distinct} order by timestamp, {keys}"
    order = f"timestamp, {keys}, {layout.prefer} desc nulls last"
    return f"select distinct on ({keys}) * from ({distinct}) order by {order}"


def _is_ordered(connection: duckdb.DuckDBPyConnection, layout: Layout) -> bool:
    """Whether one column is the key and rises from row to row."""
    if len(layout.key) > 1:
        return False
    steps = f"select {layout.key[0]} <= lag({layout.key[0]}) over () as back from ({_raw(layout)})"
    return not _one(connection, f"select bool_or(back) from ({steps})")[0]


def _check_conflicts(connection: duckdb.DuckDBPyConnection, distinct: str, layout: Layout) -> None:
    keys = ", ".join(layout.key)
    sql = f"select {layout.key[-1]} from ({distinct}) group by {keys} having count(*) > 1 order by 1 limit 1"
    twice = connection.execute(sql).fetchone()
    if twice:
        raise RefusedError(f"has two different rows with {layout.key[-1]} {twice[0]}, expected each once")


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    return connection.execute(sql).fetchone() or ()
