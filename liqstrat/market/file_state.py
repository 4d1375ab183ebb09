"""Whether a database file is still the one that was looked at before."""

import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

from liqstrat.market.connection import first_row
from liqstrat.market.schema import HISTORY
from liqstrat.moments import SECOND_NS

if TYPE_CHECKING:
    from liqstrat.market.store import Store

#: File systems keep the time of a change to two seconds at worst: what changed just now could change again unnoticed.
_UNSETTLED_NS = 2 * SECOND_NS
#: Here DuckDB counts the times that it has written its file.
_HEADER_BYTES = 3 * 4096


def file_state(store: "Store") -> str | None:
    """A text that is another one as soon as anything has been written to the store's file.

    It is made from what `identity` sees of the file. None where that does not tell: the file has changed within the
    last two seconds, is another than the one that is open, or shows rows of other files by views.
    """
    if first_row(store.connection, f"select 1 from duckdb_views() where database_name = '{HISTORY}' limit 1"):
        return None
    now = identity(store.path)
    if now is None or now != store.opened:
        return None
    changed = max(file.stat().st_mtime_ns for file in _files(store.path))
    return now if time.time_ns() - changed >= _UNSETTLED_NS else None


def identity(path: Path) -> str | None:
    """A hash of where a DuckDB file and the log beside it lie, of their sizes and times, and of the file's header.

    Copies that keep the time of change have another inode and another time of status. None where it cannot be read.
    """
    told = hashlib.sha256(str(path.resolve()).encode())
    try:
        for one in _files(path):
            found = one.stat()
            numbers = (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
            told.update(f"{one.name} {numbers}".encode())
        with path.open("rb") as file:
            told.update(file.read(_HEADER_BYTES))
    except OSError:
        return None
    return told.hexdigest()[:32]


def _files(path: Path) -> list[Path]:
    path = path.resolve()
    log = path.with_name(f"{path.name}.wal")
    return [path, log] if log.exists() else [path]
