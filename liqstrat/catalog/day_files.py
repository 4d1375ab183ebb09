"""The catalog's files: one for each day and kind, seen by readers only when it is complete."""

import os
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from isal import isal_zlib

from liqstrat.catalog import open_interest
from liqstrat.catalog.instruments import instrument_id, minute_bars
from liqstrat.catalog.manifest import PART, Made
from liqstrat.errors import LiqstratError

KINDS = ("trades", "bars", "funding", "open_interest")
#: Rows in a group of a file.
ROW_GROUP = 131_072
_NANOSECOND_FORMAT = "%Y-%m-%dT%H-%M-%S"
_NAME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d)-(\d{9})Z_(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d)-(\d{9})Z\.parquet")
_CHUNK = 4_000_000

# Measured on trades shaped like real ones, each column by its time and its bytes. Prices and sizes repeat, even those
# of a heavy tail: they are worth a dictionary, which must be large enough never to give way. Of milliseconds told in
# nanoseconds, packing alone leaves much that says nothing. LZ4 takes half the time of zstd and leaves a fifth more.
_ENCODINGS = {"ts_event": "DELTA_BINARY_PACKED", "ts_init": "DELTA_BINARY_PACKED"}
_DICTIONARIES = ("aggressor_side", "price", "size", "instrument_id", "type", "data_type")
_DICTIONARY_BYTES = 16 * ROW_GROUP
_CODECS = {"price": "lz4", "aggressor_side": "none", "ts_event": "lz4", "ts_init": "lz4"}
_CODEC = "zstd"
_ZSTD_LEVEL = 1
#: Readers look for times only.
_STATISTICS = ("ts_event", "ts_init")


def folder(catalog_path: Path, symbol: str, kind: str) -> Path:
    """Where Nautilus looks for one kind of one symbol."""
    data, identifier = catalog_path / "data", str(instrument_id(symbol))
    return {
        "trades": data / "trades" / identifier,
        "bars": data / "bars" / str(minute_bars(symbol)),
        "funding": data / "funding_rates" / identifier,
        "open_interest": open_interest.folder(catalog_path, symbol),
    }[kind]


class DayFiles:
    """The files of one day while they are being written: a context manager, which leaves no trace before `complete`."""

    def __init__(self, catalog_path: Path, symbol: str, day: datetime) -> None:
        self.rows = dict.fromkeys(KINDS, 0)
        #: Of the complete files.
        self.checksums: dict[str, int] = {}
        self._targets = {kind: folder(catalog_path, symbol, kind) / _name(kind, day) for kind in KINDS}
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._complete = False

    def __enter__(self) -> "DayFiles":
        return self

    def __exit__(self, *_: object) -> None:
        if self._complete:
            return
        for kind, writer in self._writers.items():
            writer.close()
            _part(self._targets[kind]).unlink(missing_ok=True)
        self._writers.clear()

    def write(self, kind: str, batch: pa.RecordBatch) -> None:
        """Append rows, which must be later than those before them."""
        if not batch.num_rows:
            return
        if kind not in self._writers:
            self._writers[kind] = _open(_part(self._targets[kind]), batch.schema)
        self._writers[kind].write_batch(batch, row_group_size=ROW_GROUP)
        self.rows[kind] += batch.num_rows

    def take_back(self, kind: str) -> None:
        """Forget the rows of a kind, so that it can be written anew."""
        if writer := self._writers.pop(kind, None):
            writer.close()
        self.rows[kind] = 0

    def complete(self) -> None:
        """No more rows will come."""
        for kind, writer in self._writers.items():
            writer.close()
            self.checksums[kind] = checksum(_part(self._targets[kind]))
        self._writers.clear()
        self._complete = True

    def publish(self) -> None:
        """Put the complete files where those before were; a kind that has no rows has no file any more."""
        for kind, target in self._targets.items():
            if self.rows[kind]:
                os.replace(_part(target), target)
            else:
                target.unlink(missing_ok=True)


class Coverage:
    """Which days have a file of each kind, as of now, also where Nautilus has put files of several days together."""

    def __init__(self, catalog_path: Path, symbol: str) -> None:
        self._folders = {kind: folder(catalog_path, symbol, kind) for kind in KINDS}
        self._spans = {kind: list(spans(path)) for kind, path in self._folders.items()}
        self._names = {kind: {name for _, _, name in found} for kind, found in self._spans.items()}

    def whole(self, days: Iterable[tuple[datetime, Made]]) -> set[datetime]:
        """Those of the days of which every kind that has rows is in a file, and their own files are as they were made.

        All of them are read: a bit that flips on a disk would be another price, and nothing would tell.
        """
        with ThreadPoolExecutor(thread_name_prefix="checksum") as threads:
            return {day for day, whole in threads.map(lambda one: (one[0], self._is_whole(*one)), days) if whole}

    def days(self) -> set[datetime]:
        """The days in whose middle some file has something."""
        days: set[datetime] = set()
        for spans in self._spans.values():
            for first, last, _ in spans:
                midnight = first.replace(hour=0, minute=0, second=0)
                days.update(midnight + timedelta(days=n) for n in range((last - midnight).days + 1))
        return {day for day in days if any(self._at(kind, day) for kind in self._spans)}

    def _is_whole(self, day: datetime, made: Made) -> bool:
        for kind, rows in made.rows.items():
            if not rows:
                continue
            name = self._at(kind, day)
            if name is None:
                return False
            try:
                if name == _name(kind, day) and checksum(self._folders[kind] / name) != made.checksums.get(kind):
                    return False
            except OSError:
                return False
        return True

    def _at(self, kind: str, day: datetime) -> str | None:
        """The file that has a day of a kind: its own, or one into which Nautilus has put several days."""
        if (own := _name(kind, day)) in self._names[kind]:
            return own
        middle = day + timedelta(hours=12)
        return next((name for first, last, name in self._spans[kind] if first <= middle <= last), None)

    def require_own_files(self, day: datetime) -> None:
        """Raise `LiqstratError` where a day that must be written anew is part of a larger file."""
        middle = day + timedelta(hours=12)
        for kind, spans in self._spans.items():
            for first, last, name in spans:
                if first <= middle <= last and name != _name(kind, day):
                    raise LiqstratError(
                        f"{self._folders[kind] / name}: holds more than {day:%Y-%m-%d}, whose history has changed; "
                        f"delete {self._folders[kind]} and build the catalog again"
                    )


def spans(path: Path) -> Iterator[tuple[datetime, datetime, str]]:
    """The files in a folder of the catalog: from when to when each reaches, to the second, and its name."""
    for file in path.glob("*.parquet"):
        if found := _NAME.fullmatch(file.name):
            yield _second(found[1]), _second(found[3]), file.name


def _second(stamp: str) -> datetime:
    # There are thousands of them in a year of days, and `strptime` takes sixteen times as long.
    day, clock = stamp.split("T")
    return datetime.fromisoformat(f"{day}T{clock.replace('-', ':')}+00:00")


def remove_leftovers(catalog_path: Path, symbol: str) -> None:
    """Delete what an interrupted build has left; only for whoever has the lock of the symbol."""
    for kind in KINDS:
        for path in folder(catalog_path, symbol, kind).glob(f".*{PART}"):
            path.unlink(missing_ok=True)


def checksum(path: Path) -> int:
    """CRC-32 of a file."""
    found = 0
    with path.open("rb") as file:
        while part := file.read(_CHUNK):
            found = isal_zlib.crc32(part, found)
    return found


def _open(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    path.parent.mkdir(parents=True, exist_ok=True)
    return pq.ParquetWriter(
        path,
        schema,
        compression={name: _CODECS.get(name, _CODEC) for name in schema.names},
        compression_level={name: _ZSTD_LEVEL for name in schema.names if name not in _CODECS},
        use_dictionary=[name for name in _DICTIONARIES if name in schema.names],
        dictionary_pagesize_limit=_DICTIONARY_BYTES,
        write_page_checksum=True,
        write_statistics=[name for name in _STATISTICS if name in schema.names],
        column_encoding={name: encoding for name, encoding in _ENCODINGS.items() if name in schema.names},
    )


def _part(target: Path) -> Path:
    return target.with_name(f".{target.name}{PART}")


def _name(kind: str, day: datetime) -> str:
    """The interval of the file in nanoseconds. Bars are stamped with their close: the last one is of midnight."""
    shift = 1 if kind == "bars" else 0
    return f"{_stamp(day, shift)}_{_stamp(day + timedelta(days=1), shift - 1)}.parquet"


def _stamp(moment: datetime, nanoseconds: int) -> str:
    if nanoseconds < 0:
        moment, nanoseconds = moment - timedelta(seconds=1), nanoseconds + 1_000_000_000
    return f"{moment:{_NANOSECOND_FORMAT}}-{nanoseconds:09d}Z"
