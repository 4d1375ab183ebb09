"""Rows of answers and recordings into the tables: added to what is there, since each is a piece of a longer story."""

from datetime import UTC
from pathlib import Path

import duckdb

from liqstrat.liquidation.contract import venue_of
from liqstrat.market.archive.layout import RefusedError
from liqstrat.market.connection import first_row
from liqstrat.market.ledger import Entry, entries, record
from liqstrat.market.merge import check_origin, transaction
from liqstrat.market.schema import EXCHANGE, admit_venues, create_tables, exchange_sql, stored_columns, table_of
from liqstrat.market.selects import select_all
from liqstrat.market.staging import StagedSymbols
from liqstrat.moments import TICK


def add(
    connection: duckdb.DuckDBPyConnection, database: Path, staged: StagedSymbols, added: list[Entry]
) -> tuple[int, int]:
    """Insert the staged rows that are not there yet and record `added`, one entry a symbol.

    Where a row with the key is there and the staged one is preferred to it, as the finished candle is to the one that
    was still open when it was asked for, it takes its place; where the two contradict each other, what is there stays.
    How many went in, and how many contradicted. Raises `RefusedError` as `merge` does.
    """
    of_symbol: dict[str, list[Entry]] = {}
    for old in entries(connection):
        of_symbol.setdefault(old.symbol, []).append(old)
    for entry in added:
        check_origin(connection, database, of_symbol.get(entry.symbol, []), entry)
    try:
        with transaction(connection):
            create_tables(connection, staged.kind)
            if staged.kind == "trades" and any(venue_of(entry.symbol) != EXCHANGE for entry in added):
                admit_venues(connection)
            counts = _insert(connection, database, staged) if added else (0, 0)
            for entry in added:
                record(connection, entry)
    except duckdb.Error as error:
        raise RefusedError(f"cannot be written to {table_of(staged.kind)} of {database}: {error}") from None
    return counts


def _insert(connection: duckdb.DuckDBPyConnection, database: Path, staged: StagedSymbols) -> tuple[int, int]:
    table = table_of(staged.kind)
    first = min(rows.first for rows in staged.symbols if rows.first).replace(tzinfo=UTC)
    last = max(rows.last for rows in staged.symbols if rows.last).replace(tzinfo=UTC)
    there = select_all(connection, database, staged.kind, first, last + TICK)
    same = " and ".join(f"there.{key} is not distinct from new.{key}" for key in staged.key)
    contradicted = 0
    if staged.prefer:
        keys = ", ".join(staged.key)
        all_columns = ", ".join(staged.columns)
        both = f"select {all_columns} from ({there}) union all select {all_columns} from ({staged.rows_sql})"
        against = f"select {keys} from ({both}) group by {keys} having {staged.conflict}"
        contradicted = len(connection.execute(against).fetchall())
        better = f"new.{staged.prefer} > there.{staged.prefer} or there.{staged.prefer} is null"
        connection.execute(
            f"delete from {table} where rowid in (select there.rowid from ({there}) as there "
            f"join ({staged.rows_sql}) as new on {same} where new.{staged.prefer} is not null and ({better}) "
            f"and ({', '.join(f'new.{key}' for key in staged.key)}) not in ({against}))"
        )
    found = stored_columns(connection, table)
    values = {name: name for name in staged.columns} | {"exchange": exchange_sql("symbol")}
    columns = [name for name in values if name in found]
    sql = f"""
        insert into {table} ({", ".join(columns)}) select {", ".join(values[name] for name in columns)}
        from ({staged.rows_sql}) as new where not exists (select 1 from ({there}) as there where {same})
    """
    (inserted,) = first_row(connection, sql) or (0,)
    return int(inserted), contradicted
