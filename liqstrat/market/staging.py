"""A CSV file read into a temporary table and checked there, so that only whole and right files touch the history."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from liqstrat.market.archive.klines import interval_name
from liqstrat.market.archive.layout import Column, Layout, RefusedError
from liqstrat.market.archive.recognise import Recognised
from liqstrat.market.selects import text

_TABLE = "staged_file"
_READABLE = {
    "BIGINT": "a whole number",
    "INTEGER": "a whole number",
    "BOOLEAN": "true or false",
    "TIMESTAMP": "a time as YYYY-MM-DD HH:MM:SS",
    "VARCHAR": "a word",
}


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


def stage(
    connection: duckdb.DuckDBPyConnection, csv: Path, recognised: Recognised, symbol: str, interval: str | None
) -> Staged:
    """Read and check `csv`; the temporary table is that of one file at a time.

    Raises `RefusedError` with the line, what was found and what was expected.
    """
    layout, header = recognised.layout, recognised.has_header
    _read(connection, csv, layout, header)
    _check_rows(connection, layout, header)
    _check_symbol(connection, layout, symbol)
    _check_file(connection, layout)
    kind = f"klines_{_interval(connection, layout, interval)}" if layout.kind == "klines" else layout.kind
    rows = _rows(connection, layout)
    ids = "agg_trade_id" if "agg_trade_id" in layout.rows else "null"
    count, first, last, first_id, last_id = _one(
        connection, f"select count(*), min(timestamp), max(timestamp), min({ids}), max({ids}) from ({_raw(layout)})"
    )
    return Staged(kind, rows, tuple(layout.rows), layout.key, count, first, last, first_id, last_id)


def unstage(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop the temporary table."""
    connection.execute(f"drop table if exists {_TABLE}")


def _read(connection: duckdb.DuckDBPyConnection, csv: Path, layout: Layout, header: bool) -> None:
    types = ", ".join(f"{text(column.name)}: {text(column.type)}" for column in layout.columns)
    used = ", ".join(f'"{column.name}"' for column in layout.columns if column.used)
    sql = f"""
        create or replace temp table {_TABLE} as select {used} from read_csv(
            {text(str(csv))}, columns = {{{types}}}, header = {header},
            auto_detect = false, delim = ',', quote = '"', escape = '"', nullstr = ''
        )
    """
    try:
        connection.execute(sql)
    except duckdb.Error as error:
        raise RefusedError(_read_error(str(error), layout)) from None


def _read_error(message: str, layout: Layout) -> str:
    """DuckDB's message, less its advice on how to read the file all the same."""
    line = re.search(r"CSV Error on Line: (\d+)", message)
    where = f"line {line[1]}: " if line else ""
    cell = re.search(r'Error when converting column "([^"]+)". Could not convert string "(.*?)" to', message, re.DOTALL)
    if cell:
        type_ = next((column.type for column in layout.columns if column.name == cell[1]), "")
        return f'{where}{cell[1]} is "{cell[2][:40]}", expected {_READABLE.get(type_, "a number")}'
    columns = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message)
    if columns:
        return f"{where}has {columns[2]} columns, expected {columns[1]} ({','.join(layout.header)})"
    return f"{where}cannot be read as {layout.name}: {message.splitlines()[-1 if not line else 0][:200]}"


def _check_rows(connection: duckdb.DuckDBPyConnection, layout: Layout, header: bool) -> None:
    checks = [(f'"{c.name}" is null', c.name, _expected(c)) for c in layout.columns if c.used and not c.optional]
    checks += [(check.wrong, check.column, check.expected) for check in layout.checks]
    firsts = ", ".join(f"min(rowid) filter ({wrong})" for wrong, _, _ in checks)
    found = _one(connection, f"select {firsts} from {_TABLE}")
    wrong = [(row, *check[1:]) for row, check in zip(found, checks, strict=True) if row is not None]
    if wrong:
        row, column, expected = min(wrong)
        (value,) = _one(connection, f'select "{column}" from {_TABLE} where rowid = {row}')
        shown = "blank" if value is None else value
        raise RefusedError(f"line {row + 1 + header}: {column} is {shown}, expected {expected}")


def _expected(column: Column) -> str:
    return _READABLE.get(column.type, "a number")


def _check_symbol(connection: duckdb.DuckDBPyConnection, layout: Layout, symbol: str) -> None:
    if layout.symbol_column is None:
        return
    sql = f"select min({layout.symbol_column}) from {_TABLE} where {layout.symbol_column} != {text(symbol)}"
    (other,) = _one(connection, sql)
    if other is not None:
        raise RefusedError(f"is named for {symbol}, but has rows of {other}")


def _check_file(connection: duckdb.DuckDBPyConnection, layout: Layout) -> None:
    for condition, what in layout.file_checks:
        if _one(connection, f"select {condition} from {_TABLE}")[0]:
            raise RefusedError(what)


def _interval(connection: duckdb.DuckDBPyConnection, layout: Layout, named: str | None) -> str:
    """The candles' length: as the columns or else the steps tell, held against the name."""
    if layout.candle_ms:
        sql = f"select min({layout.candle_ms}), max({layout.candle_ms}) from {_TABLE}"
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
    return f"select {', '.join(f'{sql} as {name}' for name, sql in layout.rows.items())} from {_TABLE}"


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
    sql = f"select {layout.key[0]} from ({distinct}) group by {keys} having count(*) > 1 order by 1 limit 1"
    twice = connection.execute(sql).fetchone()
    if twice:
        raise RefusedError(f"has two different rows with {layout.key[0]} {twice[0]}, expected each once")


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    return connection.execute(sql).fetchone() or ()
