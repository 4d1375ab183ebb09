"""Files into the history: each checked as a whole, each in one transaction, each once."""

import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import duckdb

from liqstrat.market.additions import add
from liqstrat.market.archive.layout import RefusedError
from liqstrat.market.archive.mapping import Mapping
from liqstrat.market.archive.recognise import check_end
from liqstrat.market.brackets import write_brackets
from liqstrat.market.connection import connect, in_utc
from liqstrat.market.files import Found, Skipped, find_files
from liqstrat.market.instruments import write_instruments
from liqstrat.market.ledger import Entry, entries
from liqstrat.market.mapped import mapped_kinds, prepare_mapped
from liqstrat.market.merge import merge
from liqstrat.market.preparing import Archived, InAlready, Known, Prepared, Recorded, Reference, check_file, prepare
from liqstrat.market.schema import existing_tables
from liqstrat.market.selects import text
from liqstrat.market.staging import SymbolRows, stage, stage_symbols, unstage
from liqstrat.progress import SILENT, Progress

State = Literal["loaded", "unchanged", "replaced", "refused"]
_MEGABYTE = 1_000_000
_LONGEST_REASON = 800


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of a file. rows: how many went in. reason: why it was refused, or what else is worth saying.

    symbol: None also where the file is of many. The reason is one line, whatever names of files and cells are in it.
    """

    path: Path
    state: State
    kind: str | None = None
    symbol: str | None = None
    rows: int = 0
    reason: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", " ".join(self.reason.split())[:_LONGEST_REASON])


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What became of each file, and what was left alone in folders."""

    files: tuple[FileReport, ...]
    skipped: tuple[Skipped, ...]

    @property
    def refused(self) -> tuple[FileReport, ...]:
        return tuple(file for file in self.files if file.state == "refused")


def ingest(
    paths: Sequence[Path], database: Path, progress: Progress = SILENT, mapping: Mapping | None = None
) -> IngestReport:
    """Load the files below `paths` into the DuckDB file `database`, which is made if there is none.

    mapping: which columns hold what, of tables that are no files of the exchange; each kind in them has its own report.

    A file that cannot be loaded is refused with a reason and leaves nothing behind; the others go in. A file that is
    in already changes nothing; a file with the name of one that is in, but other content, replaces it.
    Raises `LiqstratError` when the database cannot be written.
    """
    found, skipped = find_files([Path(path) for path in paths])
    is_new = not database.exists()
    database.parent.mkdir(parents=True, exist_ok=True)
    connection = connect(database, read_only=False)
    try:
        reports = tuple(_ingest_all(connection, database, found, progress, mapping))
        is_empty = not existing_tables(connection)
    finally:
        connection.close()
    if is_new and is_empty:
        database.unlink(missing_ok=True)
    return IngestReport(reports, tuple(skipped))


def _ingest_all(
    connection: duckdb.DuckDBPyConnection,
    database: Path,
    found: Sequence[Found],
    progress: Progress,
    mapping: Mapping | None,
) -> Iterator[FileReport]:
    """Files in turn, two under way: while one is inserted, the next one is unzipped, parsed and checked."""
    parts = [(file, part) for file in found for part in _parts(file.path, mapping)]
    sizes = [_size(file.path) for file, _ in parts]
    known = {(entry.sha256, entry.symbol): entry.kind for entry in entries(connection)}
    turns = _Turns()
    with (
        _folder_for_unpacking(database) as folder,
        progress.task("ingest", total=sum(sizes), unit="MB") as step,
        ThreadPoolExecutor(max_workers=2) as workers,
    ):
        _share_out(connection, folder)
        try:
            under_way = [
                workers.submit(_ingest_one, connection, database, file, part, known, folder, turns.take())
                for file, part in parts
            ]
            for report, size in zip(under_way, sizes, strict=True):
                yield report.result()
                step(size)
        finally:
            workers.shutdown(cancel_futures=True)


def _share_out(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Leave a processor to the second file under way; what does not fit into memory spills into `folder`."""
    connection.execute(f"set threads = {max((os.process_cpu_count() or 1) - 1, 1)}")
    connection.execute(f"set temp_directory = {text(str(folder / 'spilled'))}")


class _Turns:
    """Lets threads write one after the other, in the order in which they were given their turns."""

    def __init__(self) -> None:
        self._last = threading.Event()
        self._last.set()

    def take(self) -> "_Turn":
        turn = _Turn(self._last, threading.Event())
        self._last = turn.over
        return turn


@dataclass(frozen=True, slots=True)
class _Turn:
    """`begin` is set when the one before is over. Used as a context, it is over at the end, come what may."""

    begin: threading.Event
    over: threading.Event

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.begin.wait()
        self.over.set()


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


def _parts(path: Path, mapping: Mapping | None) -> list["_Part"]:
    kinds = mapped_kinds(path, mapping)
    return [_Part(kind, mapping) for kind in kinds] if kinds else [_Part(None, None)]


@dataclass(frozen=True, slots=True)
class _Part:
    """What is to be read of a file: all, or one kind of a table by a mapping, or as it is known of a vendor."""

    kind: str | None
    mapping: Mapping | None

    @property
    def named(self) -> str:
        """Which of several kinds of a table is meant, before what is said of it."""
        several = self.kind is not None and self.mapping is not None and len(self.mapping.kinds) > 1
        return f"{self.kind.replace('_', ' ')}: " if self.kind and several else ""

    def prepared(self, path: Path, known: Known, folder: Path) -> Prepared:
        if self.kind is None:
            return prepare(path, known, folder)
        check_file(path)
        return prepare_mapped(path, self.kind, self.mapping, known, folder)


def _ingest_one(
    connection: duckdb.DuckDBPyConnection,
    database: Path,
    file: Found,
    part: _Part,
    known: Known,
    folder: Path,
    turn: _Turn,
) -> FileReport:
    with turn, in_utc(connection.cursor()) as session:
        try:
            match part.prepared(file.path, known, folder):
                case InAlready(kind, symbol):
                    return FileReport(file.path, "unchanged", kind, symbol)
                case Archived() as prepared:
                    with _cleared(session, prepared):
                        return _load_archived(session, database, file, prepared, turn)
                case Recorded() as prepared:
                    with _cleared(session, prepared):
                        return _load_recorded(session, database, file, prepared, turn)
                case Reference() as prepared:
                    return _load_reference(session, database, file, prepared, turn)
        except RefusedError as error:
            return FileReport(file.path, "refused", reason=f"{part.named}{error}")
        except OSError as error:
            return FileReport(file.path, "refused", reason=f"cannot be read: {error.strerror or error}")
        except Exception as fault:  # of ours; the other files go in all the same
            reason = f"cannot be read, by a fault of this program ({type(fault).__name__}: {fault}); please report it"
            return FileReport(file.path, "refused", reason=reason)


@contextmanager
def _cleared(connection: duckdb.DuckDBPyConnection, prepared: Archived | Recorded) -> Iterator[None]:
    try:
        yield
    finally:
        prepared.unpacked.remove()
        unstage(connection)


def _load_archived(
    connection: duckdb.DuckDBPyConnection, database: Path, file: Found, prepared: Archived, turn: _Turn
) -> FileReport:
    name, csv = prepared.name, prepared.unpacked.csv
    check_end(csv, prepared.recognised.layout)
    staged = stage(connection, file.path, csv, prepared.recognised, name)
    rows = SymbolRows(name.symbol, staged.count, staged.first, staged.last, staged.first_id, staged.last_id)
    simulated = file.simulated or prepared.unpacked.simulated
    entry = _entry(file, prepared.sha256, staged.kind, rows, simulated=simulated)
    turn.begin.wait()
    state, count, remark = merge(connection, database, staged, entry)
    return FileReport(file.path, state, staged.kind, name.symbol, count, remark)


def _load_recorded(
    connection: duckdb.DuckDBPyConnection, database: Path, file: Found, prepared: Recorded, turn: _Turn
) -> FileReport:
    staged = stage_symbols(connection, prepared.unpacked.csv, prepared.recognised, prepared.symbol)
    added = [_entry(file, prepared.sha256, staged.kind, rows, simulated=file.simulated) for rows in staged.symbols]
    turn.begin.wait()
    count, contradicted = add(connection, database, staged, added)
    there = sum(rows.count for rows in staged.symbols) - count
    told = f"{there:,} of its rows were there already or are in it twice" if there else ""
    if contradicted:
        told += f", {contradicted:,} of them with other values, which stay"
    remarks = [prepared.remark, *staged.remarks, told]
    symbol = added[0].symbol if len(added) == 1 else None
    return FileReport(file.path, "loaded", staged.kind, symbol, count, "; ".join(filter(None, remarks)))


def _load_reference(
    connection: duckdb.DuckDBPyConnection, database: Path, file: Found, prepared: Reference, turn: _Turn
) -> FileReport:
    write = write_brackets if prepared.kind == "brackets" else write_instruments
    turn.begin.wait()
    written = write(connection, database, prepared.document, prepared.as_of)
    state: State = "loaded" if written.rows else "unchanged"
    return FileReport(file.path, state, prepared.kind, None, written.rows, written.remark)


def _entry(file: Found, sha256: str, kind: str, rows: SymbolRows, *, simulated: bool) -> Entry:
    return Entry(
        file_name=file.path.name,
        sha256=sha256,
        kind=kind,
        symbol=rows.symbol,
        rows=rows.count,
        min_id=rows.first_id,
        max_id=rows.last_id,
        start=rows.first,
        end=rows.last,
        origin="simulated" if simulated else "archive",
    )


def _size(path: Path) -> float:
    return path.stat().st_size / _MEGABYTE if path.is_file() else 0.0
