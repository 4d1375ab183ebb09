"""What is wrong with a file that somebody else wrote, in words: sides, trades twice, values that do not fit."""

import re
from pathlib import Path

import duckdb

from liqstrat.errors import LiqstratError
from liqstrat.market.connection import first_row
from liqstrat.market.ledger import entries
from liqstrat.market.schema import columns_of, existing_columns, existing_tables, kinds_in, table_of
from liqstrat.market.selects import is_ours, side_sql, text, wrong_side

_SAMPLE = 100_000
_BLOCK = 4096
#: Of a trade, but its value: that follows from the rest.
_TRADE = "agg_trade_id, timestamp, price, quantity, side"
#: As DuckDB begins its errors, also where Arrow hands them on.
_SORTS = re.compile(r"^(?:[A-Z][A-Za-z]+ )+[Ee]rror: ")


def check_sides(connection: duckdb.DuckDBPyConnection, path: Path, kind: str, symbol: str) -> None:
    """Raise `LiqstratError` where the first rows of a symbol have a side that is neither buy nor sell.

    The others are looked at as they are read: see `selects.select`.
    """
    table = table_of(kind)
    found = existing_columns(connection, table)
    if "side" not in found or is_ours(kind, found):
        return
    some = f"select side::varchar as side from {table} where symbol = {text(symbol)} limit {_SAMPLE}"
    sql = f"select side from (select distinct side from ({some})) where {side_sql('side')} is null order by 1 limit 1"
    wrong = first_row(connection, sql)
    if wrong:
        raise LiqstratError(f"{path}: {wrong_side(kind, wrong[0])}")


def needs_no_look(connection: duckdb.DuckDBPyConnection, symbol: str) -> bool:
    """Whether all trades of a symbol came in by files of the ledger, of which each is in once."""
    if not is_ours("trades", existing_columns(connection, table_of("trades"))):
        return False
    known = sum(entry.rows for entry in entries(connection, symbol) if entry.kind == "trades")
    sql = f"select count(*) from {table_of('trades')} where symbol = {text(symbol)}"
    ((rows,),) = connection.execute(sql).fetchall()
    return bool(rows <= known)


def once(connection: duckdb.DuckDBPyConnection, path: Path, trades: str) -> str | None:
    """SQL for `trades` (SQL) with each once, where some stand there twice; None where none does.

    Raises `LiqstratError` where two with one number differ.
    """
    if not _stand_twice(connection, trades):
        return None
    distinct = f"select distinct {_TRADE} from ({trades})"
    sql = f"""
        select agg_trade_id, min(timestamp) from ({distinct}) group by agg_trade_id having count(*) > 1
        order by 1 limit 1
    """
    unlike = first_row(connection, sql)
    if unlike:
        raise LiqstratError(
            f"{path}: table {table_of('trades')} has different trades with agg_trade_id {unlike[0]}, the first at "
            f"{unlike[1]:%Y-%m-%d %H:%M:%S} UTC; expected each once"
        )
    return distinct


def explained(connection: duckdb.DuckDBPyConnection, path: Path, error: Exception) -> LiqstratError | None:
    """An error of DuckDB's while it read the file, in words; None where it is a mistake of ours."""
    message = _first_line(error)
    if isinstance(error, duckdb.ConversionException) or message.startswith("Conversion Error"):
        return LiqstratError(f"{path}: {_unfit(connection) or _plain(message)}")
    if message.startswith("Invalid Input Error: table "):
        return LiqstratError(f"{path}: {_plain(message)}")
    ours = (duckdb.ProgrammingError, duckdb.NotSupportedError, duckdb.InterruptException)
    if isinstance(error, duckdb.Error) and not isinstance(error, ours):
        return LiqstratError(f"{path}: DuckDB cannot read it: {_plain(message)}")
    return None


def _stand_twice(connection: duckdb.DuckDBPyConnection, trades: str) -> bool:
    """Blocks of ids that are unbroken are cheap to see; only where some are not, ids are counted one by one."""
    sql = f"""
        select coalesce(bool_or(count != last - first + 1 or 2 * total != (first + last) * count), false) from (
            select count(*) as count, sum(agg_trade_id::hugeint) as total,
                   min(agg_trade_id)::hugeint as first, max(agg_trade_id)::hugeint as last
            from ({trades}) group by agg_trade_id // {_BLOCK}
        )
    """
    ((broken,),) = connection.execute(sql).fetchall()
    if not broken:
        return False
    ((more,),) = connection.execute(f"select count(*) - count(distinct agg_trade_id) from ({trades})").fetchall()
    return bool(more)


def _unfit(connection: duckdb.DuckDBPyConnection) -> str | None:
    """The first value that does not fit into the type it is read in."""
    try:
        for kind in kinds_in(existing_tables(connection)):
            table, found = table_of(kind), existing_columns(connection, table_of(kind))
            for name, type_ in columns_of(kind).items():
                if name not in found or name in ("symbol", "exchange", "side", "timestamp") or found[name] == type_:
                    continue
                sql = f"""
                    select {name}::varchar, timestamp from {table}
                    where {name} is not null and try_cast({name} as {type_}) is null
                      and coalesce(isfinite(try_cast({name} as double)), true) limit 1
                """
                if wrong := first_row(connection, sql):
                    return f"table {table}: {name} is {wrong[0]} at {wrong[1]} UTC, expected {_range_of(type_)}"
    except duckdb.Error:
        return None
    return None


def _range_of(type_: str) -> str:
    """The numbers that a type holds, in words."""
    if decimal := re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", type_):
        return f"a number below {10 ** (int(decimal[1]) - int(decimal[2])):,}"
    return "a whole number" if type_ in ("BIGINT", "INTEGER") else "a number"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _plain(message: str) -> str:
    return _SORTS.sub("", message)
