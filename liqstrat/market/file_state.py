"""Whether a database file is still the one that was looked at before."""

import hashlib
import time

from liqstrat.market.schema import HISTORY
from liqstrat.market.store import Store

#: File systems keep the time of a change to two seconds at worst: what changed just now could change again unnoticed.
_UNSETTLED_NS = 2_000_000_000


def file_state(store: Store) -> str | None:
    """A text that is another one as soon as anything has been written to the store's file.

    It is made from the size and time of change of the file and of DuckDB's log beside it. None where that does not
    tell: the file has changed within the last two seconds, or shows rows of other files by views.
    """
    if store.connection.execute(f"select 1 from duckdb_views() where database_name = '{HISTORY}' limit 1").fetchone():
        return None
    path = store.path.resolve()
    told = [str(path)]
    for file in (path, path.with_name(f"{path.name}.wal")):
        if file.exists():
            found = file.stat()
            if time.time_ns() - found.st_mtime_ns < _UNSETTLED_NS:
                return None
            told += [file.name, str(found.st_size), str(found.st_mtime_ns)]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]
