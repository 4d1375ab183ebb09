"""Opening a DuckDB file, so that every session counts in UTC, none runs SQL of the file's own making unasked, and every
refusal can be understood.

Readers see a file from a database of their own, into which it is attached: functions are looked up in theirs, so that
no macro of the file can stand in for one of DuckDB's. What lies outside of the file stays closed: no extension is
loaded, no other file read, and no setting changed any more.
"""

import os
import re
import time
from collections.abc import Iterable
from pathlib import Path
from shlex import quote
from typing import Any

import duckdb

from liqstrat.errors import InUseError, LiqstratError
from liqstrat.market.schema import HISTORY, existing_tables, is_known, look_once

#: What DuckDB may hold in memory; what does not fit is read again, or spilled beside the file.
_MEMORY = "1GB"
_NO_EXTENSIONS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
}
#: Settings of a session that readers go on making.
_OF_SESSIONS = "['TimeZone', 'arrow_output_version']"

#: How DuckDB says that another process has the file, and how long a writer waits for that.
_LOCKED = "Could not set lock"
_PATIENCE_SECONDS, _LOOK_EVERY_SECONDS = 10.0, 0.02

_allowed: list[Path] = []


def allow(folders: Iterable[Path]) -> None:
    """Let views of the files that are opened from now on read what lies in `folders` only, as Parquet."""
    _allowed[:] = folders


def connect(path: Path, *, read_only: bool, files: Iterable[Path] = ()) -> duckdb.DuckDBPyConnection:
    """A connection to the DuckDB file at `path` whose session time zone is UTC; writers make the file if needed.

    files: folders that a reader's views may read besides those of `allow`.

    Raises `LiqstratError` when a reader's file is missing, when it is locked by another process (a writer waits some
    seconds before), is no DuckDB file, or has views of other files.
    """
    if read_only and not path.exists():
        raise missing(path)
    if path.is_dir():
        raise LiqstratError(f"{path}: is a folder, expected a DuckDB file")
    if not read_only and "?" in str(path.absolute()):
        raise LiqstratError(f"{path}: has a ? in its path, from which on DuckDB would write elsewhere; rename it")
    try:
        return _reader(path, [*_allowed, *files]) if read_only else _writer_in_turn(path)
    except duckdb.Error as error:
        raise _refusal(path, str(error)) from None


def in_utc(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The same connection, its session in UTC: DuckDB shifts times by the machine's zone otherwise."""
    connection.execute("set TimeZone = 'UTC'")
    return connection


def first_row(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...] | None:
    """The first row of a query that has few; None where it has none.

    All are fetched: a connection with rows that nobody has taken may refuse other work.
    """
    rows = connection.execute(sql).fetchall()
    return rows[0] if rows else None


def missing(path: Path) -> LiqstratError:
    """What to say where there is no database yet: where one of the demo is, how to take that."""
    said = f"{path}: there is no such database; make one with `liqstrat ingest PATHS --db {path}`, or "
    made = max(path.parent.glob("demo/*/market.duckdb"), key=lambda one: one.stat().st_mtime_ns, default=None)
    if made is None:
        return LiqstratError(f"{said}see everything on simulated data with `liqstrat demo`")
    db, catalog = quote(str(made)), quote(str(made.with_name("nautilus")))
    return LiqstratError(
        f"{said}take the SIMULATED one of the demo: --db {db}, "
        f"or with a run file --set data.db={db} --set data.catalog={catalog}"
    )


def _reader(path: Path, files: Iterable[Path]) -> duckdb.DuckDBPyConnection:
    connection = _limited(duckdb.connect(":memory:", config=_NO_EXTENSIONS))
    try:
        # Else what does not fit into memory would be spilled where the command was typed.
        connection.execute(f"set temp_directory = {_literal(f'{os.path.abspath(path)}.tmp')}")
        connection.execute(f"attach {_literal(os.path.abspath(path))} as {HISTORY} (type duckdb, read_only)")
        folders = ", ".join(_literal(os.path.join(os.path.abspath(folder), "")) for folder in files)
        connection.execute(f"set allowed_directories = [{folders}]")
        connection.execute("set enable_external_access = false")
        connection.execute(f"set allowed_configs = {_OF_SESSIONS}")
        connection.execute("set lock_configuration = true")
        look_once(connection)
        for table in filter(is_known, existing_tables(connection)):
            _show(connection, path, table)
    except BaseException:
        connection.close()
        raise
    return connection


def _show(connection: duckdb.DuckDBPyConnection, path: Path, table: str) -> None:
    """Make a table of the file known by its name."""
    try:
        connection.execute(f'create view "{table}" as select * from {HISTORY}."{table}"')
    except duckdb.PermissionException as error:
        file = re.search(r'"([^"]+)"', str(error))
        raise LiqstratError(
            f"{path}: {table} is a view that reads {file[1] if file else 'other files'}; where that is wanted, allow "
            "it with `liqstrat --allow-files FOLDER …`, or allow_files in [data] of the run file"
        ) from None
    except duckdb.Error as error:
        raise LiqstratError(f"{path}: {table} cannot be read: {_first_line(str(error))}") from None


def _writer_in_turn(path: Path) -> duckdb.DuckDBPyConnection:
    """A writer; who reads the file for a moment, as a server does, is waited for."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return _writer(path)
        except duckdb.IOException as error:
            if _LOCKED not in str(error) or time.monotonic() > until:
                raise
            time.sleep(_LOOK_EVERY_SECONDS)


def _writer(path: Path) -> duckdb.DuckDBPyConnection:
    is_new = not path.exists()
    connection = _limited(duckdb.connect(str(path), config=_NO_EXTENSIONS))
    if is_new:
        return connection
    sql = """
        select function_name from system.main.duckdb_functions()
        group by 1 having bool_or(internal) and not bool_and(internal) order by 1
    """
    macros = [name for (name,) in connection.execute(sql).fetchall()]
    if macros:
        connection.close()
        raise LiqstratError(
            f"{path}: has macros in the place of DuckDB's own {', '.join(macros)}; drop them, or write to another file"
        )
    return connection


def _limited(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    # Else blocks that were read stay in memory until most of the machine's is full.
    connection.execute(f"set memory_limit = '{_MEMORY}'")
    return in_utc(connection)


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _refusal(path: Path, message: str) -> LiqstratError:
    if _LOCKED in message:
        holder = re.search(r"PID (\d+)", message)
        by = f"process {holder[1]}" if holder else "another process"
        told = f"{path}: is in use by {by}; wait until it is done (readers can share a file, a writer is alone)"
        return InUseError(told)
    return LiqstratError(_reason(path, message))


def _reason(path: Path, message: str) -> str:
    if "different configuration" in message or "Unique file handle conflict" in message:
        return f"{path}: is already open in this program, for reading or for writing; close that store first"
    if "not a valid DuckDB" in message:
        return f"{path}: is not a DuckDB file"
    return f"{path}: DuckDB cannot open it: {_first_line(message)}"


def _first_line(message: str) -> str:
    return message.strip().splitlines()[0]
