"""A file's rows checked as a whole in a temporary table, so that only whole and right files touch the history."""

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import duckdb

from liqstrat.market.archive.klines import interval_length, interval_name, is_length
from liqstrat.market.archive.layout import Layout, RefusedError
from liqstrat.market.archive.names import ArchiveName, check_symbol
from liqstrat.market.archive.recognise import Recognised
from liqstrat.market.connection import first_row
from liqstrat.market.labels import read_labels
from liqstrat.market.reading import TABLE, line_of, read, refused
from liqstrat.market.selects import text

#: Funding is calculated around its time, some milliseconds late as a rule.
_JITTER = timedelta(minutes=1)
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Staged:
    """A file's rows, waiting. `rows_sql` gives them in the columns of the schema, one for each key, in order of time.

    count: rows in the file, with those that it has twice; unique: without. first, last: naive UTC; None where there is
    no row. remarks: what is worth saying of the file.
    """

    kind: str
    rows_sql: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    count: int
    unique: int
    first: datetime | None
    last: datetime | None
    first_id: int | None
    last_id: int | None
    remarks: tuple[str, ...]


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
    conflict: SQL over several rows with one key under which they contradict each other.
    """

    kind: str
    rows_sql: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    prefer: str | None
    conflict: str | None
    symbols: tuple[SymbolRows, ...]
    remarks: tuple[str, ...]


def stage(
    connection: duckdb.DuckDBPyConnection, path: Path, csv: Path, recognised: Recognised, name: ArchiveName
) -> Staged:
    """Read and check `csv`, which `path` is or holds; the temporary table is that of one file at a time.

    Raises `RefusedError` with the line, what was found and what was expected.
    """
    layout = recognised.layout
    remarks = read(connection, csv, recognised)
    _check_symbol(connection, layout, name.symbol)
    _check_file(connection, layout)
    kind = _kind(connection, csv, recognised, name.interval, remarks)
    if layout.labels:
        labels = read_labels(connection, layout.rows["timestamp"], path, name.period)
        layout = replace(layout, rows={**layout.rows, "timestamp": labels.timestamp})
        remarks.append(labels.remark)
    rows, unique = _rows(connection, layout, remarks)
    ids = "agg_trade_id" if "agg_trade_id" in layout.rows else "null"
    count, first, last, first_id, last_id = _one(
        connection, f"select count(*), min(timestamp), max(timestamp), min({ids}), max({ids}) from ({_raw(layout)})"
    )
    if name.period and first:
        remarks.append(_check_period(connection, layout, name.period, first, last))
    told = tuple(filter(None, remarks))
    return Staged(kind, rows, tuple(layout.rows), layout.key, count, unique, first, last, first_id, last_id, told)


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
    remarks = read(connection, csv, recognised)
    _check_file(connection, layout)
    kind = _kind(connection, csv, recognised, None, remarks)
    layout = replace(layout, rows={"symbol": said, **layout.rows}, key=("symbol", *layout.key))
    ids = "agg_trade_id" if "agg_trade_id" in layout.rows else "null"
    sql = f"""
        select symbol, count(*), min(timestamp), max(timestamp), min({ids}), max({ids}) from ({_raw(layout)})
        group by symbol order by symbol
    """
    symbols = tuple(SymbolRows(*row) for row in connection.execute(sql).fetchall())
    for found in symbols:
        check_symbol(found.symbol)
    rows, _ = _rows(connection, layout, remarks)
    told = tuple(filter(None, remarks))
    return StagedSymbols(kind, rows, tuple(layout.rows), layout.key, layout.prefer, layout.conflict, symbols, told)


def unstage(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop the temporary table."""
    connection.execute(f"drop table if exists {TABLE}")


def _check_symbol(connection: duckdb.DuckDBPyConnection, layout: Layout, symbol: str) -> None:
    if layout.symbol_column is None:
        return
    sql = f"select min({layout.symbol_column}) from {TABLE} where {layout.symbol_column} != {text(symbol)}"
    (other,) = _one(connection, sql)
    if other is not None:
        raise RefusedError(f"is named for {symbol}, but has rows of {other[:40]}")


def _check_file(connection: duckdb.DuckDBPyConnection, layout: Layout) -> None:
    for condition, what in layout.file_checks:
        if _one(connection, f"select {condition} from {TABLE}")[0]:
            raise RefusedError(what)


def _check_period(
    connection: duckdb.DuckDBPyConnection, layout: Layout, period: tuple[date, date], first: datetime, last: datetime
) -> str:
    """Raise where all rows are of other days than the file is named for; what to say where some are."""
    begin, end = (datetime.combine(day, time()) for day in period)
    # Open interest is known at the end of its five minutes, and the last of a day at midnight.
    sign = "<=" if layout.kind == "open_interest" else "<"
    if begin <= first and last < end:
        return ""
    low, high = begin - _JITTER, end + (_JITTER if layout.kind == "funding" else timedelta())
    within = f"timestamp >= timestamp '{low}' and timestamp {sign} timestamp '{high}'"
    sql = f"""
        select count(*), count(*) filter (not ({within})), min(timestamp) filter (not ({within})) from ({_raw(layout)})
    """
    count, outside, first_outside = _one(connection, sql)
    named = f"{period[0]}" if (period[1] - period[0]).days == 1 else f"{period[0]:%Y-%m}"
    if not outside:
        return ""
    if outside < count:
        return (
            f"is named for {named}, but {outside:,} of its rows are not (the first of {first_outside:%Y-%m-%d %H:%M})"
        )
    found = f"{first:%Y-%m-%d}" if first.date() == last.date() else f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"
    raise RefusedError(f"is named for {named}, but has rows of {found}")


def _kind(
    connection: duckdb.DuckDBPyConnection, csv: Path, recognised: Recognised, named: str | None, remarks: list[str]
) -> str:
    layout = recognised.layout
    if layout.kind != "klines":
        return layout.kind
    if layout.opens:
        found: str | None = _length_by_columns(connection, csv, recognised, named, remarks)
    else:
        found = _length_by_steps(connection, layout)
    if found is None and named is None:
        raise RefusedError("holds one candle, and its name does not say of what length, as in BTCUSDT-1m-2024-03")
    if found and named not in (None, found):
        raise RefusedError(f"is named as klines of {named}, but its candles are of {found}")
    return f"klines_{found or named}"


def _length_by_columns(
    connection: duckdb.DuckDBPyConnection, csv: Path, recognised: Recognised, named: str | None, remarks: list[str]
) -> str:
    """The length of most candles. One may close early, as where the exchange halted; longer ones are none of them."""
    layout = recognised.layout
    length = f"{layout.closes} - {layout.opens} + 1"
    counts = connection.execute(f"select {length} as length, count(*) from {TABLE} group by 1 order by 2, 1").fetchall()
    usual = counts[-1][0]
    named_ms = interval_length(named) if named else None
    if named_ms and usual < named_ms and not is_length(usual):
        usual = named_ms
    interval = interval_name(usual)
    if named not in (None, interval):
        return interval
    fitting = [found for found, _ in counts if found == usual or (interval == "1mo" and is_length(found, "1mo"))]
    early = [found for found, _ in counts if 0 < found < usual and found not in fitting and not is_length(found)]
    wrong = [found for found, _ in counts if found not in (*fitting, *early)]
    if wrong:
        row = _first_row(connection, f"{length} in ({', '.join(map(str, wrong))})")
        (opened,) = _one(connection, f"select {layout.opens} from {TABLE} where rowid = {row}")
        raise refused(csv, recognised, row, str(layout.closes), f"{opened + usual - 1} in candles of {interval}")
    if usual <= _DAY_MS:
        off = f"{layout.opens} % {usual} != 0"
        if (row := _first_row(connection, off)) is not None:
            raise refused(csv, recognised, row, str(layout.opens), f"a multiple of {usual} in candles of {interval}")
    if early:
        row = _first_row(connection, f"{length} in ({', '.join(map(str, early))})")
        number, _ = line_of(csv, recognised, row)
        closing = sum(count for found, count in counts if found in early)
        remarks.append(f"{closing:,} of its candles close early (the first in {recognised.row} {number:,})")
    return interval


def _length_by_steps(connection: duckdb.DuckDBPyConnection, layout: Layout) -> str | None:
    """The step from most candles to the next; every other one must be a multiple of it."""
    steps = "epoch_ms(timestamp) - lag(epoch_ms(timestamp)) over (order by timestamp)"
    counted = f"select step, count(*) from (select {steps} as step from ({_raw(layout)})) where step > 0 group by 1"
    counts = connection.execute(f"{counted} order by 2, 1").fetchall()
    if not counts:
        return None
    usual = counts[-1][0]
    interval = interval_name(usual)
    odd = [step for step, _ in counts if step % usual]
    if odd and interval != "1mo":
        raise RefusedError(f"has candles {timedelta(milliseconds=odd[0])} apart, expected steps of {interval}")
    return interval


def _first_row(connection: duckdb.DuckDBPyConnection, condition: str) -> Any:
    return _one(connection, f"select min(rowid) from {TABLE} where {condition}")[0]


def _raw(layout: Layout) -> str:
    return f"select {', '.join(f'{sql} as {name}' for name, sql in layout.rows.items())} from {TABLE}"


def _rows(connection: duckdb.DuckDBPyConnection, layout: Layout, remarks: list[str]) -> tuple[str, int]:
    """SQL for the rows in order, each once, and how many. Most files have them so already, which is cheap to see."""
    keys = ", ".join(layout.key)
    count = int(_one(connection, f"select count(*) from {TABLE}")[0])
    if _is_ordered(connection, layout):
        return _raw(layout), count
    if layout.prefer is None:
        rows = f"select distinct * from ({_raw(layout)})"
        _check_conflicts(connection, rows, layout)
        rows = f"{rows} order by timestamp, {keys}"
    else:
        # Of equally good ones the first in the file, so that one file always gives the same.
        numbered = f"select *, row_number() over () as place from ({_raw(layout)})"
        order = f"{keys}, {layout.prefer} desc nulls last, place"
        rows = f"select distinct on ({keys}) * exclude (place) from ({numbered}) order by {order}"
        remark, without = _conflicts(connection, layout)
        if remark:
            rows = f"select * from ({rows}) where {without}"
            remarks.append(remark)
        rows = f"select * from ({rows}) order by timestamp"
    unique = int(_one(connection, f"select count(*) from ({rows})")[0])
    if count and not unique:
        raise RefusedError(remarks[-1])
    return rows, unique


def _is_ordered(connection: duckdb.DuckDBPyConnection, layout: Layout) -> bool:
    """Whether one column is the key and rises from row to row."""
    if len(layout.key) > 1:
        return False
    steps = f"select {layout.key[0]} <= lag({layout.key[0]}) over () as back from ({_raw(layout)})"
    return not _one(connection, f"select bool_or(back) from ({steps})")[0]


def _check_conflicts(connection: duckdb.DuckDBPyConnection, distinct: str, layout: Layout) -> None:
    keys = ", ".join(layout.key)
    sql = f"select {keys} from ({distinct}) group by {keys} having count(*) > 1 order by {keys} limit 1"
    twice = first_row(connection, sql)
    if twice:
        told = [f"{name} {value}" for name, value in zip(layout.key, twice, strict=True) if name != "symbol"]
        raise RefusedError(f"has two different rows with {', '.join(told)}, expected each once")


def _conflicts(connection: duckdb.DuckDBPyConnection, layout: Layout) -> tuple[str, str]:
    """What to say where rows with one key contradict each other, and SQL for the keys of the others."""
    keys = ", ".join(layout.key)
    sql = f"select {keys} from ({_raw(layout)}) group by {keys} having {layout.conflict}"
    count, first = _one(connection, f"select count(*), min(timestamp) from ({sql})")
    if not count:
        return "", ""
    values = f"select distinct {layout.prefer} from ({_raw(layout)}) where timestamp = timestamp '{first}' limit 5"
    shown = sorted(f"{value:,f}" for (value,) in connection.execute(values).fetchall() if value is not None)
    remark = (
        f"{count:,} moments have two different rows and were left out (the first {first:%Y-%m-%d %H:%M:%S}, "
        f"{layout.prefer} {' and '.join(shown)})"
    )
    return remark, f"({keys}) not in ({sql})"


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    return first_row(connection, sql) or ()
