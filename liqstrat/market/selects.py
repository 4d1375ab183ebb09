"""A table as SQL in our own columns and types, whatever an existing file calls and types them."""

from datetime import UTC, datetime
from pathlib import Path

import duckdb

from liqstrat.errors import LiqstratError, did_you_mean
from liqstrat.market.schema import EXCHANGE, columns_of, existing_columns, table_of

_TIMESTAMPS = {"TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"}
_ZONED = "TIMESTAMP WITH TIME ZONE"
_SIDES = "ENUM('buy', 'sell')"
_OURS_ALONE = f"ENUM('{EXCHANGE}')"

#: What cannot be done without; other columns of ours are NULL where a file lacks them.
_NEEDED = {
    "trades": ("agg_trade_id", "timestamp", "symbol", "price", "quantity", "side"),
    "open_interest": ("timestamp", "symbol", "open_interest_contracts"),
    "funding": ("timestamp", "symbol", "funding_rate"),
    "klines": ("timestamp", "symbol", "open", "high", "low", "close", "volume"),
    "liquidations": ("timestamp", "symbol", "side", "quantity", "price"),
}


def select(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    kind: str,
    symbol: str,
    start: datetime | None = None,
    end: datetime | None = None,
) -> str | None:
    """SQL for the rows of one symbol in `[start, end)`: `columns_of(kind)` but for symbol and exchange, in its types.

    Timestamps come as naive UTC, sides in lower case, those of trades as text or ENUM. None where the file has no
    table of this kind. Raises `LiqstratError` where the table lacks a column that is needed or has it in a type that
    cannot be read.
    """
    table = table_of(kind)
    found = existing_columns(connection, table)
    if not found:
        return None
    check_columns(path, kind, found)
    wanted = {name: type_ for name, type_ in columns_of(kind).items() if name not in ("symbol", "exchange")}
    return f"select {_columns(wanted, found)} from {table} where {where(kind, found, symbol, start, end)}"


def select_all(connection: duckdb.DuckDBPyConnection, path: Path, kind: str, start: datetime, end: datetime) -> str:
    """As `select`, for a table that is there: rows of all symbols, which have `symbol` and their `rowid` too."""
    table = table_of(kind)
    found = existing_columns(connection, table)
    check_columns(path, kind, found)
    wanted = {name: type_ for name, type_ in columns_of(kind).items() if name != "exchange"}
    conditions = " and ".join([*_exchange(kind, found), *_range(found["timestamp"], start, end)])
    return f"select rowid, {_columns(wanted, found)} from {table} where {conditions}"


def select_times(connection: duckdb.DuckDBPyConnection, path: Path, kind: str, symbol: str | None) -> str:
    """SQL for `symbol` and `timestamp` (naive UTC) of a kind's rows, of one symbol or of all; its table is there."""
    table = table_of(kind)
    found = existing_columns(connection, table)
    check_columns(path, kind, found)
    conditions = [*_exchange(kind, found), *([f"symbol = {text(symbol)}"] if symbol else [])] or ["true"]
    timestamp = _expression("timestamp", "TIMESTAMP", found["timestamp"])
    return f"select symbol, {timestamp} as timestamp from {table} where {' and '.join(conditions)}"


def where(
    kind: str, found: dict[str, str], symbol: str, start: datetime | None = None, end: datetime | None = None
) -> str:
    """SQL condition for the rows of one symbol in `[start, end)`, in a table with the columns `found`."""
    return " and ".join([f"symbol = {text(symbol)}", *_exchange(kind, found), *_range(found["timestamp"], start, end)])


def check_columns(path: Path, kind: str, found: dict[str, str]) -> None:
    """Raise `LiqstratError` where the columns `found` of a kind's table are not enough."""
    table = table_of(kind)
    for name in _NEEDED["klines" if kind.startswith("klines_") else kind]:
        if name not in found:
            raise LiqstratError(
                f"{path}: table {table} has no column {name}{did_you_mean(name, found)}; it has {', '.join(found)}"
            )
    type_ = found["timestamp"]
    if type_ not in _TIMESTAMPS and type_ != _ZONED:
        raise LiqstratError(f"{path}: column timestamp of table {table} is {type_}, expected TIMESTAMP (UTC)")


def check_exchange(connection: duckdb.DuckDBPyConnection, path: Path, symbol: str) -> None:
    """Raise `LiqstratError` where a file has trades of `symbol`, and all of other exchanges: they would seem lost."""
    table = table_of("trades")
    conditions = _exchange("trades", existing_columns(connection, table))
    if not conditions:
        return
    of_symbol = f"from {table} where symbol = {text(symbol)}"
    if connection.execute(f"select 1 {of_symbol} and {conditions[0]} limit 1").fetchone():
        return
    others = [
        str(name) for (name,) in connection.execute(f"select distinct exchange {of_symbol} order by 1").fetchall()
    ]
    if others:
        raise LiqstratError(
            f"{path}: table {table} has trades of {symbol} with exchange {', '.join(others)} only, expected {EXCHANGE}"
        )


def text(value: str) -> str:
    """A SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def moment(value: datetime) -> str:
    """A SQL literal of a moment as naive UTC; `value` must say its zone."""
    if value.tzinfo is None:
        raise ValueError(f"{value} has no time zone, expected an aware datetime")
    return f"timestamp '{value.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}'"


def _columns(wanted: dict[str, str], found: dict[str, str]) -> str:
    return ", ".join(f"{_expression(name, type_, found.get(name))} as {name}" for name, type_ in wanted.items())


def _expression(name: str, wanted: str, found: str | None) -> str:
    if found is None:
        return f"cast(null as {wanted})"
    if found == _ZONED:
        return f"timezone('UTC', {name})"
    if name == "side":
        return "side" if found == _SIDES else "lower(side)"
    return name if found == wanted else f"cast({name} as {wanted})"


def _exchange(kind: str, found: dict[str, str]) -> list[str]:
    """Equality with constants, which DuckDB can check by block; a function of the column it cannot."""
    if kind != "trades" or found.get("exchange", _OURS_ALONE) == _OURS_ALONE:
        return []
    return [f"exchange in ({text(EXCHANGE)}, {text(EXCHANGE.upper())}, {text(EXCHANGE.title())})"]


def _range(type_: str, start: datetime | None, end: datetime | None) -> list[str]:
    """Bounds in the column's own type, so that blocks outside are skipped without being read."""
    zone = " at time zone 'UTC'" if type_ == _ZONED else ""
    bounds = ((">=", start), ("<", end))
    return [f"timestamp {sign} {moment(bound)}{zone}" for sign, bound in bounds if bound is not None]
