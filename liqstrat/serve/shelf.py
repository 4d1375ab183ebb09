"""Maps as immutable Parquet files, named by the hash of all that they are made of: data, model, moments, program.

What is on the shelf needs neither the database nor the model again. A file is written beside its name and renamed; one
that is lost or broken is made anew.
"""

import hashlib
import json
import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from liqstrat import __version__
from liqstrat.errors import LiqstratError
from liqstrat.held import partial_file

#: Bytes of files that are kept; the ones that were not used for longest go first.
MOST_BYTES = 2 * 1024**3
#: Of what the files hold; another one makes all anew.
_FORM = 2


class Shelf:
    """Tables by key, in a folder that can be deleted at any time."""

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self._folder, self._most = folder, most_bytes
        self._lock = threading.Lock()

    @staticmethod
    def key(made_of: Mapping[str, Any]) -> str:
        """The name of what is made of such things."""
        told = json.dumps({"program": __version__, "form": _FORM, **made_of}, sort_keys=True, default=str)
        return hashlib.sha256(told.encode()).hexdigest()

    def get(self, key: str) -> pa.Table | None:
        """What stands under a key, or None."""
        path = self._folder / f"{key}.parquet"
        try:
            table = pq.read_table(path, memory_map=False, read_dictionary=["side"])
        except (OSError, pa.ArrowInvalid):
            return None
        with suppress(OSError):
            os.utime(path)
        return table

    def put(self, key: str, table: pa.Table) -> None:
        """Keep a table; a folder that cannot be written to keeps nothing."""
        with suppress(LiqstratError, OSError), self._lock:
            with partial_file(self._folder / f"{key}.parquet") as partial:
                pq.write_table(table, partial, compression="zstd")
            self._make_room()

    def _make_room(self) -> None:
        files = sorted((stat.st_mtime, stat.st_size, path) for path, stat in self._files())
        held = sum(size for _, size, _ in files)
        for _, size, path in files[:-1]:
            if held <= self._most:
                return
            path.unlink(missing_ok=True)
            held -= size

    def _files(self) -> list[tuple[Path, os.stat_result]]:
        found = []
        for path in self._folder.glob("*.parquet"):
            with suppress(OSError):
                found.append((path, path.stat()))
        return found
