"""Databases of a catalog folder, each opened for one question at a time and closed again.

Only what was found here can be asked for, by its name: no path of a request reaches the file system. One question at a
time, because locks of files belong to processes: where two connections of one process read a file, closing one of them
lets a writer in while the other reads.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from liqstrat.errors import LiqstratError, did_you_mean
from liqstrat.market.store import Store, open_store

_SUFFIX = ".duckdb"
_DEEPEST = 4
#: Folders of many files that hold no database.
_PASSED_OVER = ("archive", "nautilus")
_LOOK_AGAIN_SECONDS = 2.0

State = tuple[int, ...]


class UnknownSourceError(LiqstratError):
    """There is no database of such a name."""


@dataclass(frozen=True)
class Source:
    """A database by its name in a catalog folder."""

    name: str
    path: Path
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def state(self) -> State:
        """What changes when the file does; all zero where it is gone."""
        try:
            stat = self.path.stat()
        except OSError:
            return (0, 0, 0)
        return (stat.st_mtime_ns, stat.st_size, stat.st_ino)

    @contextmanager
    def open(self) -> Iterator[Store]:
        """The file, to be read by one caller at a time."""
        with self._turn, open_store(self.path) as store:
            yield store


class Sources:
    """The databases below a catalog folder."""

    def __init__(self, catalog: Path) -> None:
        self.catalog = catalog
        self._found: dict[str, Source] = {}
        self._looked = float("-inf")
        self._lock = threading.Lock()

    def all(self) -> list[Source]:
        """The market of the folder itself first, then the others, the latest first."""
        with self._lock:
            if time.monotonic() - self._looked > _LOOK_AGAIN_SECONDS:
                paths = {_name(self.catalog, path): path for path in _databases(self.catalog, _DEEPEST)}
                kept = {name: one for name, one in self._found.items() if paths.get(name) == one.path}
                self._found = {name: kept.get(name) or Source(name, path) for name, path in paths.items()}
                self._looked = time.monotonic()
            found = list(self._found.values())
        return sorted(found, key=lambda one: (one.path.parent != self.catalog, -one.state()[0], one.name))

    def get(self, name: str | None) -> Source:
        """A database by name, the first by default; raises `UnknownSourceError`."""
        found = self.all()
        if not found:
            raise UnknownSourceError(
                f"{self.catalog}: has no database; make one with `liqstrat ingest PATHS`, "
                "or see everything on simulated data with `liqstrat demo`"
            )
        if name is None:
            return found[0]
        names = [one.name for one in found]
        if name not in names:
            raise UnknownSourceError(
                f'there is no data "{name[:80]}"{did_you_mean(name[:80], names)}; expected of {", ".join(names)}'
            )
        return found[names.index(name)]


def _databases(folder: Path, depth: int) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.name.endswith(_SUFFIX) and entry.is_file():
            yield folder / entry.name
        elif depth > 1 and entry.name not in _PASSED_OVER and entry.is_dir(follow_symlinks=False):
            yield from _databases(folder / entry.name, depth - 1)


def _name(catalog: Path, path: Path) -> str:
    """`market` of `catalog/market.duckdb`, `demo/BTCUSDT` of `catalog/demo/BTCUSDT/market.duckdb`."""
    below = path.relative_to(catalog).with_suffix("")
    return str(below.parent if below.name == "market" and below.parent != Path() else below)
