"""The tables of a market history file, and the ledger of the files that went into them.

Every `timestamp` is a TIMESTAMP without zone and means UTC. Trades have no primary key: an index over billions of
rows costs more than it gives; the ledger keeps what is in apart from what is not.
"""

import re
from weakref import WeakKeyDictionary

import duckdb

from liqstrat.liquidation.contract import VENUES

LEDGER = "ingest_ledger"
EXCHANGE = "binance"
EXCHANGES = (EXCHANGE, *(venue.lower() for venue in VENUES))
#: Under this name readers attach a file; see `connection`.
HISTORY = "history"

TABLES = {
    "trades": "aggtrades_history",
    "open_interest": "open_interest_history",
    "funding": "funding_rate_history",
    "liquidations": "liquidation_history",
    "liquidation_amounts": "liquidation_amounts_history",
}

_PRICE = "DECIMAL(18,8)"
_VOLUME = "DECIMAL(28,8)"

_COLUMNS = {
    "trades": {
        "agg_trade_id": "BIGINT",
        "timestamp": "TIMESTAMP",
        "symbol": "VARCHAR",
        "exchange": "VARCHAR",
        "price": _PRICE,
        "quantity": _PRICE,
        "side": "VARCHAR",
        "gross_value": "DECIMAL(38,8)",
    },
    "open_interest": {
        "timestamp": "TIMESTAMP",
        "symbol": "VARCHAR",
        "open_interest_value": _VOLUME,
        "open_interest_contracts": _VOLUME,
        "count_toptrader_long_short_ratio": "DOUBLE",
        "sum_toptrader_long_short_ratio": "DOUBLE",
        "count_long_short_ratio": "DOUBLE",
        "sum_taker_long_short_vol_ratio": "DOUBLE",
    },
    "funding": {
        "timestamp": "TIMESTAMP",
        "symbol": "VARCHAR",
        "funding_rate": _PRICE,
        "funding_interval_hours": "INTEGER",
    },
    "klines": {
        "timestamp": "TIMESTAMP",
        "symbol": "VARCHAR",
        "open": _PRICE,
        "high": _PRICE,
        "low": _PRICE,
        "close": _PRICE,
        "volume": _VOLUME,
        "quote_volume": _VOLUME,
        "trades": "BIGINT",
        "taker_buy_volume": _VOLUME,
        "taker_buy_quote_volume": _VOLUME,
    },
    "liquidations": {
        "timestamp": "TIMESTAMP",
        "symbol": "VARCHAR",
        "side": "VARCHAR",
        "quantity": _PRICE,
        "price": _PRICE,
        "average_price": _PRICE,
        "status": "VARCHAR",
    },
    "liquidation_amounts": {
        "timestamp": "TIMESTAMP",
        "symbol": "VARCHAR",
        "seconds": "INTEGER",
        "long_contracts": _VOLUME,
        "short_contracts": _VOLUME,
        "long_value": _VOLUME,
        "short_value": _VOLUME,
        "venues": "VARCHAR",
        "record": "VARCHAR",
    },
}

#: What the exchange says of its markets, as it was on a day.
BRACKETS = "leverage_brackets"
INSTRUMENTS = "instruments"
REFERENCE_COLUMNS = {
    BRACKETS: {
        "symbol": "VARCHAR",
        "as_of": "DATE",
        "bracket": "INTEGER",
        "floor": _VOLUME,
        "cap": _VOLUME,
        "rate": _PRICE,
        "amount": _VOLUME,
        "max_leverage": "INTEGER",
    },
    INSTRUMENTS: {
        "symbol": "VARCHAR",
        "as_of": "DATE",
        "contract_type": "VARCHAR",
        "status": "VARCHAR",
        "base_asset": "VARCHAR",
        "quote_asset": "VARCHAR",
        "listed": "TIMESTAMP",
        "price_tick": _PRICE,
        "quantity_step": _PRICE,
        "min_quantity": _PRICE,
        "max_quantity": _VOLUME,
        "max_market_quantity": _VOLUME,
        "min_notional": _PRICE,
        "liquidation_fee": _PRICE,
        "margin_asset": "VARCHAR",
        "contract_size": _PRICE,
    },
}

# New tables of trades have words as numbers, and the product of two other columns is made when it is read: over
# billions of rows that is a third of the disk. Tables that store `gross_value` get it stored. The product keeps all
# sixteen digits, because DuckDB makes it for every row that is inserted, too, where rounding would take half the time.
_NEW_TRADES = _COLUMNS["trades"] | {
    "exchange": f"ENUM({', '.join(f"'{name}'" for name in EXCHANGES)})",
    "side": "ENUM('buy', 'sell')",
    "gross_value": "DECIMAL(38,16) generated always as (price::decimal(20,8) * quantity) virtual",
}

#: Readers have an own database beside the file.
_IN_FILE = f"""
    schema_name = 'main' and database_name = coalesce(
        (select any_value(database_name) from duckdb_databases() where database_name = '{HISTORY}'), current_database()
    )
"""

#: Of readers, by table the names and types of its columns; by None the tables.
_looked_at: WeakKeyDictionary[duckdb.DuckDBPyConnection, dict[str | None, dict[str, str]]] = WeakKeyDictionary()

_LEDGER_COLUMNS = {
    "file_name": "VARCHAR",
    "sha256": "VARCHAR",
    "kind": "VARCHAR",
    "symbol": "VARCHAR",
    "rows": "BIGINT",
    "min_id": "BIGINT",
    "max_id": "BIGINT",
    "start": "TIMESTAMP",
    "end": "TIMESTAMP",
    "origin": "VARCHAR",
    "ingested_at": "TIMESTAMP",
}


def table_of(kind: str) -> str:
    """The table of a kind, as `trades`, `open_interest`, `funding`, `liquidations` or `klines_<interval>`."""
    return TABLES.get(kind, f"{kind}_history")


def kinds_in(tables: list[str]) -> list[str]:
    """The kinds that `tables` (names) hold, the known ones first and then klines by interval."""
    known = [kind for kind, table in TABLES.items() if table in tables]
    klines = [m[1] for table in tables if (m := re.fullmatch(r"(klines_\d+[smhdwM]o?)_history", table))]
    return known + sorted(klines)


def columns_of(kind: str) -> dict[str, str]:
    """Names and types of the columns of a kind, as they are read."""
    return _COLUMNS["klines" if kind.startswith("klines_") else kind]


def create_tables(connection: duckdb.DuckDBPyConnection, kind: str) -> None:
    """Make the ledger and the table of `kind` where they are missing."""
    _create(connection, LEDGER, _LEDGER_COLUMNS)
    _create(connection, table_of(kind), _NEW_TRADES if kind == "trades" else columns_of(kind))


def admit_venues(connection: duckdb.DuckDBPyConnection) -> None:
    """Let a table of trades that an earlier version made for Binance alone take those of other venues, too."""
    table, wanted = table_of("trades"), _NEW_TRADES["exchange"]
    found = existing_columns(connection, table).get("exchange", "")
    if found.startswith("ENUM") and found != wanted:
        connection.execute(f"alter table {table} alter exchange type {wanted}")


def exchange_sql(symbol: str) -> str:
    """SQL for the exchange of a symbol (SQL)."""
    cases = " ".join(f"when {symbol} like '%.{venue}' then '{venue.lower()}'" for venue in VENUES)
    return f"case {cases} else '{EXCHANGE}' end"


def create_reference_table(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """Make `BRACKETS` or `INSTRUMENTS` where it is missing, and what columns it lacks."""
    _create(connection, table, REFERENCE_COLUMNS[table])
    for name in REFERENCE_COLUMNS[table].keys() - existing_columns(connection, table).keys():
        connection.execute(f'alter table {table} add column "{name}" {REFERENCE_COLUMNS[table][name]}')


def is_known(table: str) -> bool:
    """Whether a table of this name is one that we read."""
    return table in (LEDGER, BRACKETS, INSTRUMENTS) or bool(kinds_in([table]))


def look_once(connection: duckdb.DuckDBPyConnection) -> None:
    """Keep in mind which tables and columns this connection has, once asked for: of a reader, for whom none changes."""
    _looked_at[connection] = {}


def existing_tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Names of the tables and views of the file."""
    seen = _looked_at.get(connection, {})
    if None not in seen:
        seen[None] = dict.fromkeys(_tables(connection), "")
    return list(seen[None])


def _tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    sql = f"""
        select table_name from duckdb_tables() where {_IN_FILE} union all
        select view_name from duckdb_views() where {_IN_FILE} order by all
    """
    return [name for (name,) in connection.execute(sql).fetchall()]


def existing_columns(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """Names and types of the columns that `table` really has; empty where there is no such table."""
    seen = _looked_at.get(connection, {})
    if table not in seen:
        seen[table] = _columns(connection, table) if connection not in _looked_at else _read(connection, table)
    return dict(seen[table])


def stored_columns(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """Those of the existing columns that rows can be written to: DuckDB makes the others when they are read."""
    return _columns(connection, table, "not is_generated")


def _read(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """The columns that a reader finds: in a seventh of the time of `_columns`, which a missing table would not stop."""
    if table not in existing_tables(connection):
        return {}
    return dict(connection.execute(f"select name, type from pragma_table_info('{HISTORY}.main.{table}')").fetchall())


def _columns(connection: duckdb.DuckDBPyConnection, table: str, which: str = "true") -> dict[str, str]:
    # What the standard's information_schema says comes from these functions, and takes three times as long.
    sql = f"""
        select column_name, data_type from duckdb_columns() where {_IN_FILE} and table_name = ? and {which}
        order by column_index
    """
    return dict(connection.execute(sql, [table]).fetchall())


def _create(connection: duckdb.DuckDBPyConnection, table: str, columns: dict[str, str]) -> None:
    lines = ", ".join(f'"{name}" {type_}' for name, type_ in columns.items())
    connection.execute(f"create table if not exists {table} ({lines})")
