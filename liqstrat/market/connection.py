"""Opening a DuckDB file, so that every session counts in UTC and every refusal can be understood."""

import re
from pathlib import Path

import duckdb

from liqstrat.errors import LiqstratError

#: What DuckDB may hold in memory; what does not fit is read again, or spilled beside the file.
_MEMORY = "1GB"


def connect(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """A connection to the DuckDB file at `path` whose session time zone is UTC; writers make the file if needed.

    Raises `LiqstratError` when a reader's file is missing, when it is locked by another process, or is no DuckDB file.
    """
    if read_only and not path.exists():
        raise missing(path)
    if path.is_dir():
        raise LiqstratError(f"{path}: is a folder, expected a DuckDB file")
    try:
        connection = duckdb.connect(str(path), read_only=read_only)
    except duckdb.Error as error:
        raise LiqstratError(_reason(path, str(error))) from None
    # Else blocks that were read stay in memory until most of the machine's is full.
    connection.execute(f"set memory_limit = '{_MEMORY}'")
    return in_utc(connection)


def in_utc(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The same connection, its session in UTC: DuckDB shifts times by the machine's zone otherwise."""
    connection.execute("set TimeZone = 'UTC'")
    return connection


def missing(path: Path) -> LiqstratError:
    """What to say where there is no database yet."""
    return LiqstratError(
        f"{path}: there is no such database; make one with `liqstrat ingest PATHS --db {path}`, "
        "or see everything on simulated data with `liqstrat demo`"
    )


def _reason(path: Path, message: str) -> str:
    if "Could not set lock" in message:
        holder = re.search(r"PID (\d+)", message)
        by = f"process {holder[1]}" if holder else "another process"
        return f"{path}: is in use by {by}; wait until it is done (readers can share a file, a writer is alone)"
    if "different configuration" in message:
        return f"{path}: is already open in this program, for reading or for writing; close that store first"
    if "not a valid DuckDB" in message:
        return f"{path}: is not a DuckDB file"
    return f"{path}: DuckDB cannot open it: {message.splitlines()[0]}"
