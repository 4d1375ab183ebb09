"""A table as SQL in our own columns and types, whatever an existing file calls and types them."""

from datetime import UTC, datetime
from pathlib import Path

import duckdb

from liqstrat.errors import LiqstratError, did_you_mean
from liqstrat.liquidation.contract import venue_of
from liqstrat.market.connection import first_row
from liqstrat.market.schema import EXCHANGE, EXCHANGES, columns_of, existing_columns, table_of

_TIMESTAMPS = {"TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"}
_ZONED = "TIMESTAMP WITH TIME ZONE"
_FLOATS = {"FLOAT", "DOUBLE"}
_SIDES = "ENUM('buy', 'sell')"
#: What an ingest has made, of this version and of those before.
_OURS = (f"ENUM({', '.join(f"'{name}'" for name in EXCHANGES)})", f"ENUM('{EXCHANGE}')")

#: Rows outside of it have no time that could be right, and so say nothing.
FIRST, LAST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

#: The least that these must be for a row to say something, where not more than nothing. Open interest is the reader's
#: business.
_LEAST: dict[str, dict[str, str | None]] = {
    "trades": {"agg_trade_id": None, "price": "0.000000005", "quantity": "0.000000005"},
    "open_interest": {},
    "funding": {"funding_rate": None},
    "klines": {**dict.fromkeys(("open", "high", "low", "close"), "0.000000005"), "volume": "0"},
    "liquidations": {"price": None, "quantity": None},
    "liquidation_amounts": {"seconds": "1"},
}
#: What cannot be done without; other columns of ours are NULL where a file lacks them.
_NEEDED = {
    "trades": ("agg_trade_id", "timestamp", "symbol", "price", "quantity", "side"),
    "open_interest": ("timestamp", "symbol", "open_interest_contracts"),
    "funding": ("timestamp", "symbol", "funding_rate"),
    "klines": ("timestamp", "symbol", "open", "high", "low", "close", "volume"),
    "liquidations": ("timestamp", "symbol", "side", "quantity", "price"),
    "liquidation_amounts": ("timestamp", "symbol", "seconds", "venues"),
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

    Timestamps come as naive UTC, sides as `buy` or `sell`, those of trades as text or ENUM. Rows that say nothing are
    left out: those without a number where one is needed, as NaN or infinity, or without a time of our days. None where
    the file has no table of this kind. Raises `LiqstratError` where the table lacks a column that is needed or has it
    in a type that cannot be read. The query fails for a side that is neither; see `faults`.
    """
    found = existing_columns(connection, table_of(kind))
    if not found:
        return None
    check_columns(path, kind, found)
    wanted = {name: type_ for name, type_ in columns_of(kind).items() if name not in ("symbol", "exchange")}
    conditions = " and ".join([where(kind, found, symbol, start, end), *_has_value(kind, found)])
    return f"select {_columns(kind, wanted, found)} from {table_of(kind)} where {conditions}"


def select_silent(
    connection: duckdb.DuckDBPyConnection,
    kind: str,
    symbol: str,
    start: datetime | None = None,
    end: datetime | None = None,
) -> str:
    """SQL for a count of the rows of one symbol in `[start, end)` that `select` leaves out, whose table is there."""
    found = existing_columns(connection, table_of(kind))
    sane = " and ".join([*_range(found["timestamp"], FIRST, LAST), *_has_value(kind, found)])
    within = [f"symbol = {text(symbol)}", *_exchange(kind, found, symbol), *_range(found["timestamp"], start, end)]
    return f"select count(*) from {table_of(kind)} where {' and '.join(within)} and not coalesce({sane}, false)"


def is_ours(kind: str, found: dict[str, str]) -> bool:
    """Whether a kind's table, which has the columns `found`, was made by an ingest, which lets no wrong row in."""
    return kind == "trades" and found.get("side") == _SIDES and found.get("exchange") in _OURS


def select_all(connection: duckdb.DuckDBPyConnection, path: Path, kind: str, start: datetime, end: datetime) -> str:
    """As `select`, for a table that is there: rows of all symbols, which have `symbol` and their `rowid` too."""
    table = table_of(kind)
    found = existing_columns(connection, table)
    check_columns(path, kind, found)
    wanted = {name: type_ for name, type_ in columns_of(kind).items() if name != "exchange"}
    conditions = " and ".join([*_exchange(kind, found), *_range(found["timestamp"], start, end)])
    return f"select rowid, {_columns(kind, wanted, found)} from {table} where {conditions}"


def select_times(connection: duckdb.DuckDBPyConnection, path: Path, kind: str, symbol: str | None) -> str:
    """SQL for `symbol` and `timestamp` (naive UTC) of a kind's rows, of one symbol or of all; its table is there."""
    table = table_of(kind)
    found = existing_columns(connection, table)
    check_columns(path, kind, found)
    conditions = [*_exchange(kind, found, symbol), *_range(found["timestamp"], FIRST, LAST)]
    conditions += [f"symbol = {text(symbol)}"] if symbol else []
    timestamp = _expression(kind, "timestamp", "TIMESTAMP", found["timestamp"])
    return f"select symbol, {timestamp} as timestamp from {table} where {' and '.join(conditions)}"


def where(
    kind: str, found: dict[str, str], symbol: str, start: datetime | None = None, end: datetime | None = None
) -> str:
    """SQL condition for the rows of one symbol in `[start, end)`, in a table with the columns `found`."""
    within = _range(found["timestamp"], start or FIRST, end or LAST)
    return " and ".join([f"symbol = {text(symbol)}", *_exchange(kind, found, symbol), *within])


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
    conditions = _exchange("trades", existing_columns(connection, table), symbol)
    if not conditions:
        return
    of_symbol = f"from {table} where symbol = {text(symbol)}"
    if first_row(connection, f"select 1 {of_symbol} and {conditions[0]} limit 1"):
        return
    others = [
        str(name) for (name,) in connection.execute(f"select distinct exchange {of_symbol} order by 1").fetchall()
    ]
    if others:
        raise LiqstratError(
            f"{path}: table {table} has trades of {symbol} with exchange {', '.join(others)} only, "
            f"expected {venue_of(symbol)}"
        )


def text(value: str) -> str:
    """A SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def moment(value: datetime) -> str:
    """A SQL literal of a moment as naive UTC; `value` must say its zone."""
    if value.tzinfo is None:
        raise ValueError(f"{value} has no time zone, expected an aware datetime")
    return f"timestamp '{value.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}'"


def side_sql(column: str) -> str:
    """SQL for the side that a text column spells, in any case and with blanks around it; NULL where it is neither."""
    return f"""
        case when {column} in ('buy', 'sell') then {column}
             when lower(trim({column}, E' \\t\\r\\n')) in ('buy', 'sell') then lower(trim({column}, E' \\t\\r\\n')) end
    """


def wrong_side(kind: str, side: object) -> str:
    """What is wrong with a value of a kind's column `side`."""
    told = "missing (NULL)" if side is None else f'"{side}"'
    return f"table {table_of(kind)}: side is {told}, expected buy or sell"


def _has_value(kind: str, found: dict[str, str]) -> list[str]:
    """Conditions on the columns as they lie there; a text that is no number passes, to be refused when it is read."""
    if is_ours(kind, found):
        return []
    conditions = []
    for name, least in _LEAST["klines" if kind.startswith("klines_") else kind].items():
        type_, value = found[name], name
        if type_ == "VARCHAR":
            value = f"coalesce(try_cast({name} as double), if({name} is null, null, 1))"
        if type_ in ("VARCHAR", *_FLOATS):
            conditions.append(f"isfinite({value})")
        conditions.append(f"{value} is not null" if least is None else f"{value} >= {least}")
    return conditions


def _columns(kind: str, wanted: dict[str, str], found: dict[str, str]) -> str:
    return ", ".join(f"{_expression(kind, name, type_, found.get(name))} as {name}" for name, type_ in wanted.items())


def _expression(kind: str, name: str, wanted: str, found: str | None) -> str:
    if found is None:
        return f"cast(null as {wanted})"
    if found == _ZONED:
        return f"timezone('UTC', {name})"
    if name == "side":
        return "side" if found == _SIDES else _side(kind)
    if found in _FLOATS:
        return f"case when isfinite({name}) then {name if found == wanted else f'cast({name} as {wanted})'} end"
    return name if found == wanted else f"cast({name} as {wanted})"


def _side(kind: str) -> str:
    """The query fails where the side is neither: to take it for one of them would turn the market round."""
    column = "side::varchar"
    told = f"""{text(f"table {table_of(kind)}: side is ")} || coalesce('"' || {column} || '"', 'missing (NULL)')"""
    return f"coalesce({side_sql(column)}, error({told} || ', expected buy or sell'))"


def _exchange(kind: str, found: dict[str, str], symbol: str | None = None) -> list[str]:
    """Equality with constants, which DuckDB can check by block; a function of the column it cannot.

    Where an ingest made the table, the symbol tells the exchange.
    """
    if kind != "trades" or found.get("exchange", _OURS[0]) in _OURS:
        return []
    names = [venue_of(symbol)] if symbol else EXCHANGES
    return [f"exchange in ({', '.join(text(way) for name in names for way in (name, name.upper(), name.title()))})"]


def _range(type_: str, start: datetime | None, end: datetime | None) -> list[str]:
    """Bounds in the column's own type, so that blocks outside are skipped without being read."""
    zone = " at time zone 'UTC'" if type_ == _ZONED else ""
    bounds = ((">=", start), ("<", end))
    return [f"timestamp {sign} {moment(bound)}{zone}" for sign, bound in bounds if bound is not None]
