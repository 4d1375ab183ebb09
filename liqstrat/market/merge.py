"""A staged file into the tables: one transaction, no row twice, simulated and real apart."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import duckdb

from liqstrat.market.archive.layout import RefusedError
from liqstrat.market.connection import first_row
from liqstrat.market.ledger import Entry, entries, record, strike
from liqstrat.market.schema import (
    EXCHANGE,
    create_tables,
    existing_columns,
    existing_tables,
    kinds_in,
    stored_columns,
    table_of,
)
from liqstrat.market.selects import check_columns, select, text, where
from liqstrat.market.staging import Staged
from liqstrat.moments import TICK

Outcome = tuple[Literal["loaded", "unchanged", "replaced"], int, str]

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def merge(connection: duckdb.DuckDBPyConnection, database: Path, staged: Staged, entry: Entry) -> Outcome:
    """Insert the staged rows and record `entry`: what was done, how many rows went in, and a remark.

    Rows whose key is there already from another file stay as they are. Where a file of the same name is in with other
    rows, these are replaced. Raises `RefusedError` where the symbol's history is simulated and the file real, or the
    other way round.
    """
    ledger = entries(connection, entry.symbol)
    check_origin(connection, database, ledger, entry)
    of_kind = [old for old in ledger if old.kind == entry.kind]
    if any(old.sha256 == entry.sha256 for old in of_kind):
        return "unchanged", 0, ""
    earlier = [old for old in of_kind if old.stem == entry.stem]
    others = [old for old in of_kind if old.stem != entry.stem]
    try:
        with transaction(connection):
            create_tables(connection, entry.kind)
            check_columns(database, entry.kind, existing_columns(connection, table_of(entry.kind)))
            same = bool(earlier) and _holds_the_same(connection, database, staged, entry, earlier)
            if earlier and not same:
                _remove(connection, entry, earlier, others)
            rows, remark = (0, "") if same else _insert(connection, database, staged, entry)
            record(connection, entry)
    except duckdb.Error as error:
        raise RefusedError(f"cannot be written to {table_of(entry.kind)} of {database}: {error}") from None
    if same:
        return "unchanged", 0, ""
    return "replaced" if earlier else "loaded", rows, "; ".join(filter(None, (*staged.remarks, remark)))


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All that is done inside, or nothing."""
    connection.execute("begin")
    try:
        yield
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")


def check_origin(connection: duckdb.DuckDBPyConnection, database: Path, ledger: list[Entry], entry: Entry) -> None:
    """Raise `RefusedError` where `entry` would mix simulated and real history; `ledger`: what is in of its symbol."""
    origins = {old.origin for old in ledger}
    if not origins and entry.origin == "simulated" and _has_rows(connection, entry.symbol):
        origins = {"archive"}
    if origins - {entry.origin}:
        words = {"simulated": "SIMULATED", "archive": "real"}
        raise RefusedError(
            f"is {words[entry.origin]}, and {database} holds {words[origins.pop()]} history of {entry.symbol}; "
            "keep them in different databases (--db)"
        )


def _has_rows(connection: duckdb.DuckDBPyConnection, symbol: str) -> bool:
    tables = [table_of(kind) for kind in kinds_in(existing_tables(connection))]
    return any(
        first_row(connection, f"select 1 from {table} where symbol = {text(symbol)} limit 1") for table in tables
    )


def _holds_the_same(
    connection: duckdb.DuckDBPyConnection, database: Path, staged: Staged, entry: Entry, earlier: list[Entry]
) -> bool:
    """Whether the table has exactly the staged rows, as after loading the same file zipped otherwise or unzipped."""
    found = stored_columns(connection, table_of(entry.kind))
    columns = ", ".join(name for name in staged.columns if name in found)
    there = f"select {columns} from ({_existing(connection, database, [entry, *earlier])})"
    new = f"select {columns} from ({staged.rows_sql})"
    return not any(
        first_row(connection, f"select 1 from ({one} except all {other}) limit 1")
        for one, other in ((there, new), (new, there))
    )


def _remove(connection: duckdb.DuckDBPyConnection, entry: Entry, earlier: list[Entry], others: list[Entry]) -> None:
    """Delete what the earlier files brought and no other file has too, and whatever the new one covers."""
    table = table_of(entry.kind)
    found = stored_columns(connection, table)

    def within(of: Entry) -> str:
        return f"({where(entry.kind, found, entry.symbol, *_range([of]))})"

    kept = " or ".join(within(other) for other in others) or "false"
    for old in earlier:
        connection.execute(f"delete from {table} where {within(old)} and not ({kept})")
        strike(connection, old)
    connection.execute(f"delete from {table} where {within(entry)}")


def _insert(connection: duckdb.DuckDBPyConnection, database: Path, staged: Staged, entry: Entry) -> tuple[int, str]:
    """Rows inserted: those whose key is not in the table, which is looked at only where the times overlap.

    And what is worth saying of the others.
    """
    table = table_of(entry.kind)
    found = stored_columns(connection, table)
    rows = staged.rows_sql
    existing = _existing(connection, database, [entry])
    other = 0
    if first_row(connection, f"select 1 from ({existing}) limit 1"):
        same = " and ".join(f"there.{key} is not distinct from new.{key}" for key in staged.key)
        other = _others(connection, staged, existing, same, [name for name in staged.columns if name in found])
        rows = f"select * from ({rows}) as new where not exists (select 1 from ({existing}) as there where {same})"
    values = {name: name for name in staged.columns} | {"symbol": text(entry.symbol), "exchange": text(EXCHANGE)}
    columns = [name for name in values if name in found]
    selected = ", ".join(values[name] for name in columns)
    sql = f"insert into {table} ({', '.join(columns)}) select {selected} from ({rows})"
    (inserted,) = first_row(connection, sql) or (0,)
    there, twice = staged.unique - int(inserted), staged.count - staged.unique
    told = [
        f"{there:,} of its rows were there already" if there else "",
        f"{twice:,} stand in it twice" if twice else "",
    ]
    if other:
        told[0] += f", {other:,} of them with other values, which stay"
    return int(inserted), "; ".join(filter(None, told))


def _others(connection: duckdb.DuckDBPyConnection, staged: Staged, existing: str, same: str, columns: list[str]) -> int:
    """Staged rows whose key is in the table, with other values: prices, quantities, open interest."""
    told = [name for name in columns if name not in (*staged.key, "gross_value")]
    equal = " and ".join(f"there.{name} is not distinct from new.{name}" for name in told) or "true"
    sql = f"""
        select count(*) from ({staged.rows_sql}) as new
        where exists (select 1 from ({existing}) as there where {same})
          and not exists (select 1 from ({existing}) as there where {same} and {equal})
    """
    (count,) = first_row(connection, sql) or (0,)
    return int(count)


def _existing(connection: duckdb.DuckDBPyConnection, database: Path, files: list[Entry]) -> str:
    """SQL for the symbol's rows between the first and the last row of `files`."""
    rows = select(connection, database, files[0].kind, files[0].symbol, *_range(files))
    assert rows is not None
    return rows


def _range(files: list[Entry]) -> tuple[datetime, datetime]:
    """From the first to just after the last row of `files`; nothing where they have none."""
    starts = [file.start for file in files if file.start]
    ends = [file.end for file in files if file.end]
    if not starts:
        return _NEVER, _NEVER
    return min(starts).replace(tzinfo=UTC), max(ends).replace(tzinfo=UTC) + TICK
