"""The ledger: which files are in, told apart by their content, so that loading them again changes nothing."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath
from typing import Any

import duckdb

from liqstrat.market.schema import LEDGER, existing_columns

JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")

_COLUMNS = 'file_name, sha256, kind, symbol, rows, min_id, max_id, start, "end", origin'


@dataclass(frozen=True, slots=True)
class Entry:
    """A file that is in: its name and SHA-256, what it held (start and end are naive UTC), and where it is from."""

    file_name: str
    sha256: str
    kind: str
    symbol: str
    rows: int
    min_id: int | None
    max_id: int | None
    start: datetime | None
    end: datetime | None
    origin: str

    @property
    def stem(self) -> str:
        """The name less its ending: a file of the archive is the same one zipped and unzipped.

        That of JSON keeps it: an answer or a recording is no version of a file of the archive.
        """
        name = PurePath(self.file_name)
        return name.name if name.suffix.lower() in JSON_SUFFIXES else name.name.split(".", 1)[0]


def entries(connection: duckdb.DuckDBPyConnection, symbol: str | None = None) -> list[Entry]:
    """What is in; of one symbol, or of all."""
    if not existing_columns(connection, LEDGER):
        return []
    sql = f"select {_COLUMNS} from {LEDGER} where coalesce(symbol = ?, true) order by all"
    return [Entry(*row) for row in connection.execute(sql, [symbol]).fetchall()]


def record(connection: duckdb.DuckDBPyConnection, entry: Entry) -> None:
    """Note that a file is in."""
    values: list[Any] = [getattr(entry, name.strip(' "')) for name in _COLUMNS.split(",")]
    marks = ", ".join("?" * len(values))
    connection.execute(
        f"insert into {LEDGER} ({_COLUMNS}, ingested_at) values ({marks}, now() at time zone 'UTC')", values
    )


def strike(connection: duckdb.DuckDBPyConnection, entry: Entry) -> None:
    """Note that a file is in no more."""
    sql = f"delete from {LEDGER} where file_name = ? and sha256 = ? and kind = ? and symbol = ?"
    connection.execute(sql, [entry.file_name, entry.sha256, entry.kind, entry.symbol])
