"""Recordings read while they are written."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_BYTES = 4 << 20


class Tail:
    """The entries of a kind of recording, from the day of `since_ms` on: those there are, and those that come."""

    def __init__(self, folder: Path, symbol: str, kind: str, since_ms: int) -> None:
        self._folder, self._stem = folder / symbol, f"{symbol}-{kind}-"
        self._first = f"{self._stem}{datetime.fromtimestamp(since_ms / 1000, UTC).date()}.jsonl"
        self._name: str | None = None
        self._place = 0

    def read(self) -> list[Any]:
        """Of the entries that have not been read, as many as are handled at once; none where there are none now."""
        while True:
            if self._name is None and not self._go_on():
                return []
            assert self._name is not None, "there is a file"
            with (self._folder / self._name).open("rb") as file:
                file.seek(self._place)
                data = file.read(_BYTES)
            whole = data[: data.rfind(b"\n") + 1]
            if whole:
                self._place += len(whole)
                return [json.loads(line) for line in whole.splitlines()]
            if not self._go_on():
                return []

    def _go_on(self) -> bool:
        """To the file of the next day, which is begun when the one before is over."""
        last = self._name or ""
        names = sorted(path.name for path in self._folder.glob(f"{self._stem}*.jsonl"))
        following = next((name for name in names if name > last and name >= self._first), None)
        if following is None:
            return False
        self._name, self._place = following, 0
        return True
