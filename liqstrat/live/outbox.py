"""What is to be sent and has not been, kept in a file until it has: a program that is killed sends it when it begins
anew."""

import os
from pathlib import Path
from typing import Any

from liqstrat.live.lines import add_line, whole_lines


class Outbox:
    """Entries in a file at `path`. waiting: those that a program of before has left; they stay until `empty`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.waiting = whole_lines(path, mend=True)
        self._is_empty = not self.waiting

    def put(self, entry: dict[str, Any]) -> None:
        """Keep one more."""
        add_line(self._path, entry)
        self._is_empty = False

    def empty(self) -> None:
        """All has been sent."""
        if not self._is_empty:
            os.truncate(self._path, 0)
            self._is_empty = True
