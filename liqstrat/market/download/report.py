"""What became of every file of a download, and what is missing, by symbol and kind."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from typing import Literal

from liqstrat.market.download.plan import ArchiveFile

State = Literal["fetched", "present", "missing", "failed"]


@dataclass(frozen=True, slots=True)
class FileReport:
    """`state`: fetched now; present and verified before; missing in the archive; or failed, for `reason`.

    `path` is where the zip lies (or would), `bytes` its size when it is there. `unusable`: the archive has the
    file, but not as its checksum says, so that trying again is of no use.
    """

    file: ArchiveFile
    path: Path
    state: State
    reason: str = ""
    bytes: int = 0
    unusable: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """One symbol's files of one kind: how many of each state, bytes on disk, and the days (first, last) that the
    archive does not have, joined to ranges."""

    symbol: str
    kind: str
    fetched: int
    present: int
    missing: int
    failed: int
    bytes: int
    gaps: tuple[tuple[date, date], ...]


@dataclass(frozen=True, slots=True)
class DownloadReport:
    """What became of every file, by symbol, kind and time. A month that the archive lacks stands here as its days."""

    target: Path
    files: tuple[FileReport, ...]

    def of(self, state: State) -> tuple[FileReport, ...]:
        return tuple(file for file in self.files if file.state == state)

    @property
    def fetched(self) -> tuple[FileReport, ...]:
        return self.of("fetched")

    @property
    def present(self) -> tuple[FileReport, ...]:
        return self.of("present")

    @property
    def missing(self) -> tuple[FileReport, ...]:
        return self.of("missing")

    @property
    def failed(self) -> tuple[FileReport, ...]:
        return self.of("failed")

    @property
    def bytes_fetched(self) -> int:
        return sum(file.bytes for file in self.fetched)

    def groups(self) -> list[Group]:
        """Totals by symbol and kind, in the order of the files."""
        return [
            _group(symbol, kind, list(files))
            for (symbol, kind), files in groupby(self.files, key=lambda f: (f.file.symbol, f.file.kind))
        ]


def _group(symbol: str, kind: str, files: list[FileReport]) -> Group:
    count = Counter(file.state for file in files)
    gaps = _joined(file.file for file in files if file.state == "missing")
    size = sum(file.bytes for file in files)
    return Group(symbol, kind, count["fetched"], count["present"], count["missing"], count["failed"], size, tuple(gaps))


def _joined(files: Iterable[ArchiveFile]) -> list[tuple[date, date]]:
    ranges: list[tuple[date, date]] = []
    for file in files:
        if ranges and file.first <= ranges[-1][1] + timedelta(days=1):
            ranges[-1] = (ranges[-1][0], file.last)
        else:
            ranges.append((file.first, file.last))
    return ranges
