"""Archive files into the history: each checked as a whole, each in one transaction, each once."""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb

from liqstrat.market.archive.layout import RefusedError
from liqstrat.market.archive.names import ArchiveName, parse_name
from liqstrat.market.archive.recognise import Recognised, check_end, recognise
from liqstrat.market.archive.unpack import Unpacked, sha256_of, unpack
from liqstrat.market.connection import connect
from liqstrat.market.files import Found, Skipped, find_files
from liqstrat.market.ledger import Entry, entries
from liqstrat.market.merge import merge
from liqstrat.market.schema import existing_tables
from liqstrat.market.staging import stage, unstage
from liqstrat.progress import SILENT, Progress

State = Literal["loaded", "unchanged", "replaced", "refused"]
_MEGABYTE = 1_000_000

#: Kind by SHA-256 and symbol of the files that are in.
_Known = Mapping[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of a file. rows: how many went in. reason: why it was refused, or what else is worth saying."""

    path: Path
    state: State
    kind: str | None = None
    symbol: str | None = None
    rows: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What became of each file, and what was left alone in folders."""

    files: tuple[FileReport, ...]
    skipped: tuple[Skipped, ...]

    @property
    def refused(self) -> tuple[FileReport, ...]:
        return tuple(file for file in self.files if file.state == "refused")


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A file ready to be staged; or, with `kind`, one that is in already."""

    name: ArchiveName
    sha256: str
    kind: str | None = None
    unpacked: Unpacked | None = None
    recognised: Recognised | None = None


def ingest(paths: Sequence[Path], database: Path, progress: Progress = SILENT) -> IngestReport:
    """Load the files below `paths` into the DuckDB file `database`, which is made if there is none.

    A file that cannot be loaded is refused with a reason and leaves nothing behind; the others go in. A file that is
    in already changes nothing; a file with the name of one that is in, but other content, replaces it.
    Raises `LiqstratError` when the database cannot be written.
    """
    found, skipped = find_files([Path(path) for path in paths])
    is_new = not database.exists()
    database.parent.mkdir(parents=True, exist_ok=True)
    connection = connect(database, read_only=False)
    try:
        reports = tuple(_ingest_all(connection, database, found, progress))
        is_empty = not existing_tables(connection)
    finally:
        connection.close()
    if is_new and is_empty:
        database.unlink(missing_ok=True)
    return IngestReport(reports, tuple(skipped))


def _ingest_all(
    connection: duckdb.DuckDBPyConnection, database: Path, found: Sequence[Found], progress: Progress
) -> Iterator[FileReport]:
    sizes = [_size(file.path) for file in found]
    known = {(entry.sha256, entry.symbol): entry.kind for entry in entries(connection)}
    with _folder_for_unpacking(database) as folder, progress.task("ingest", total=sum(sizes), unit="MB") as step:
        for file, prepared, size in zip(found, _ahead(found, known, folder), sizes, strict=True):
            yield _ingest_one(connection, database, file, prepared)
            step(size)


@contextmanager
def _folder_for_unpacking(database: Path) -> Iterator[Path]:
    """A folder beside the database, which only its one writer uses: what is in it is left from a killed one."""
    folder = database.with_name(f".{database.name}.unpacked")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _ahead(found: Iterable[Found], known: _Known, folder: Path) -> Iterator["Future[_Prepared]"]:
    """The files prepared in turn, one ahead: unzipping has a processor of its own while DuckDB works."""
    with ThreadPoolExecutor(max_workers=1) as worker:
        waiting: list[Future[_Prepared]] = []
        try:
            for file in found:
                waiting.append(worker.submit(_prepare, file.path, known, folder))
                if len(waiting) > 1:
                    yield waiting.pop(0)
            yield from waiting
        finally:
            worker.shutdown(cancel_futures=True)


def _prepare(path: Path, known: _Known, folder: Path) -> _Prepared:
    """Everything about a file that needs no database; raises `RefusedError`."""
    if not path.exists():
        raise RefusedError("there is no such file")
    if path.suffix.lower() in (".json", ".jsonl"):
        raise RefusedError("is JSON, which cannot be loaded yet; expected a file of the archive (.zip or .csv)")
    if path.suffix.lower() not in (".zip", ".csv"):
        raise RefusedError(f'ends in "{path.suffix}", expected a file of the archive (.zip or .csv)')
    name = parse_name(path)
    sha256 = sha256_of(path)
    if (sha256, name.symbol) in known:
        return _Prepared(name, sha256, kind=known[sha256, name.symbol])
    unpacked = unpack(path, name.symbol, folder)
    try:
        return _Prepared(name, sha256, unpacked=unpacked, recognised=recognise(unpacked.csv, name))
    except BaseException:
        unpacked.remove()
        raise


def _ingest_one(
    connection: duckdb.DuckDBPyConnection, database: Path, file: Found, future: "Future[_Prepared]"
) -> FileReport:
    try:
        prepared = future.result()
        if prepared.unpacked is None:
            return FileReport(file.path, "unchanged", prepared.kind, prepared.name.symbol)
        try:
            return _load(connection, database, file, prepared, prepared.unpacked)
        finally:
            prepared.unpacked.remove()
            unstage(connection)
    except RefusedError as error:
        return FileReport(file.path, "refused", reason=str(error))
    except OSError as error:
        return FileReport(file.path, "refused", reason=f"cannot be read: {error.strerror or error}")


def _load(
    connection: duckdb.DuckDBPyConnection, database: Path, file: Found, prepared: _Prepared, unpacked: Unpacked
) -> FileReport:
    assert prepared.recognised is not None
    name = prepared.name
    staged = stage(connection, unpacked.csv, prepared.recognised, name.symbol, name.interval)
    check_end(unpacked.csv, prepared.recognised.layout)
    entry = Entry(
        file_name=file.path.name,
        sha256=prepared.sha256,
        kind=staged.kind,
        symbol=name.symbol,
        rows=staged.count,
        min_id=staged.first_id,
        max_id=staged.last_id,
        start=staged.first,
        end=staged.last,
        origin="simulated" if file.simulated or unpacked.simulated else "archive",
    )
    state, rows, remark = merge(connection, database, staged, entry)
    return FileReport(file.path, state, staged.kind, name.symbol, rows, remark)


def _size(path: Path) -> float:
    return path.stat().st_size / _MEGABYTE if path.exists() else 0.0
