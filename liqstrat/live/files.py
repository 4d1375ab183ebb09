"""Recordings: a file of JSON lines for each symbol, kind and day, which a kill at any moment leaves whole.

Lines are handed to the operating system as soon as they are acknowledged, so that only a failing machine can lose them.
What a killed recorder left of a line is cut off before anything is added to it.
"""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from liqstrat.errors import LiqstratError
from liqstrat.held import hold, written

_TAIL = 1 << 16
_ENDING = ".jsonl"
_LOCK = ".recording"


@contextmanager
def recording_alone(folder: Path, symbols: Iterable[str]) -> Iterator[None]:
    """Be the only program that records those symbols there; raises `LiqstratError` where another one does."""
    with ExitStack() as held:
        for symbol in symbols:
            place = folder / symbol
            with written(place):
                place.mkdir(parents=True, exist_ok=True)
                handle = os.open(place / _LOCK, os.O_CREAT | os.O_RDWR, 0o644)
            held.callback(os.close, handle)
            if not hold(handle):
                whose = os.pread(handle, 20, 0).decode(errors="replace").strip() or "?"
                raise LiqstratError(
                    f"{place}: process {whose} records there already (record, watch and paper all do); expected a "
                    "folder of its own (--to-folder)"
                )
            os.ftruncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield


class Recording:
    """The files of one symbol and kind in a folder: `BTCUSDT/BTCUSDT-aggTrades-2024-03-01.jsonl`.

    time_key: which key, or place, of an entry has its time, in milliseconds; that tells the day.
    """

    def __init__(self, folder: Path, symbol: str, kind: str, time_key: str | int) -> None:
        self._folder, self._stem, self._time_key = folder / symbol, f"{symbol}-{kind}-", time_key
        self._day: date | None = None
        self._handle: int | None = None
        self._finished: list[Path] = []
        self.lines = 0

    def add(self, entries: Iterable[Any]) -> None:
        """Append entries that belong to the days of their times; raises `LiqstratError` where that cannot be done."""
        waiting: list[str] = []
        for entry in entries:
            day = datetime.fromtimestamp(int(entry[self._time_key]) / 1000, UTC).date()
            if day != self._day:
                self._write(waiting)
                waiting = []
                self._open(day)
            waiting.append(json.dumps(entry, separators=(",", ":")))
        self._write(waiting)

    def last(self) -> Any:
        """The last entry that was recorded, by this process or one before; None where there is none."""
        for path in reversed(self._files()):
            _cut_half_line(path)
            if found := _last_line(path):
                return json.loads(found)
        return None

    def take_finished(self) -> list[Path]:
        """Files of days that are over, since this was asked last."""
        finished, self._finished = self._finished, []
        return finished

    def close(self) -> Path | None:
        """Close the file of the day and return it."""
        if self._handle is None or self._day is None:
            return None
        os.close(self._handle)
        self._handle = None
        return self._path(self._day)

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob(f"{self._stem}*{_ENDING}"))

    def _path(self, day: date) -> Path:
        return self._folder / f"{self._stem}{day}{_ENDING}"

    def _open(self, day: date) -> None:
        if before := self.close():
            self._finished.append(before)
        path = self._path(day)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _cut_half_line(path)
            self._handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        except OSError as error:
            raise LiqstratError(f"{path}: cannot be written: {error.strerror}") from None
        self._day = day

    def _write(self, lines: list[str]) -> None:
        if not lines or self._handle is None or self._day is None:
            return
        data = memoryview("".join(f"{line}\n" for line in lines).encode())
        try:
            while data:
                data = data[os.write(self._handle, data) :]
        except OSError as error:
            raise LiqstratError(f"{self._path(self._day)}: cannot be written: {error.strerror}") from None
        self.lines += len(lines)


def _cut_half_line(path: Path) -> None:
    if not path.exists():
        return
    with path.open("rb+") as file:
        size = end = file.seek(0, os.SEEK_END)
        while end > 0:
            begin = max(end - _TAIL, 0)
            file.seek(begin)
            at = file.read(end - begin).rfind(b"\n")
            if at >= 0:
                end = begin + at + 1
                break
            end = begin
        if end < size:
            file.truncate(end)


def _last_line(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(file.seek(0, os.SEEK_END) - _TAIL, 0))
        return (file.read().splitlines() or [b""])[-1]
