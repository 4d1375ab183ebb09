"""A session on paper, as it is kept: what it began with, what it heard and when, and when it was not there.

Together with the recordings that is all that shapes a session, so that one which was killed goes on by doing it all
again, and a backtest can be held against it. Whatever is acted upon has been written down before.
"""

import json
import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from liqstrat.backtest.presence import Presence
from liqstrat.errors import LiqstratError
from liqstrat.held import partial_file
from liqstrat.inputs import read_json
from liqstrat.live.lines import add_line, whole_lines
from liqstrat.moments import MILLISECOND_NS

ABOUT, HEARD, FED = "session.json", "heard.jsonl", "fed"

Kind = Literal["interest", "funding"]


@dataclass(frozen=True)
class Begin:
    """What a session began with.

    config: the run file. config_hash: of it, without times and places. start: when it begins in the market (ISO).
    after: by symbol, id of the last trade that is from the database, not from the recordings. rates: the last funding
    rate that was known then, and when it was settled (nanoseconds).
    """

    config: dict[str, Any]
    config_hash: str
    start: str
    recordings: str
    simulated: bool
    after: dict[str, int]
    rates: dict[str, tuple[int, float]] = field(default_factory=dict)


class Heard(NamedTuple):
    """A value, of which time (milliseconds), and when it was heard in market time (nanoseconds)."""

    at_ns: int
    time_ms: int
    value: str

    @property
    def known_ns(self) -> int:
        """When a strategy knows it: no sooner than its time."""
        return max(self.at_ns, self.time_ms * MILLISECOND_NS)


class Moved(NamedTuple):
    """Trades, by their ids, that came when their time was over, and the time that they count from (nanoseconds)."""

    first_id: int
    last_id: int
    at_ns: int

    @property
    def trades(self) -> int:
        """How many they are."""
        return self.last_id - self.first_id + 1


class Session:
    """The folder of a session. presence: when it was there. moved: by symbol, trades that came too late."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.heard: dict[tuple[Kind, str], list[Heard]] = defaultdict(list)
        self.moved: dict[str, list[Moved]] = defaultdict(list)
        self.presence = Presence()
        self.ends: list[int] = []
        if self.exists:
            self.begin = _beginning(folder / ABOUT)
            for number, entry in enumerate(whole_lines(folder / HEARD, mend=True), 1):
                try:
                    self._recall(entry)
                except (KeyError, TypeError, ValueError):
                    raise LiqstratError(f"{folder / HEARD}:{number}: is no line of a session") from None

    @property
    def exists(self) -> bool:
        """Whether it has been begun."""
        return (self.folder / ABOUT).is_file()

    def open(self, begin: Begin) -> None:
        """Begin it."""
        self.begin = begin
        with partial_file(self.folder / ABOUT) as partial:
            partial.write_text(json.dumps(asdict(begin), indent=2) + "\n", encoding="utf-8")

    def require(self, config_hash: str) -> None:
        """Raise `LiqstratError` where it is a session of another run file."""
        if self.begin.config_hash != config_hash:
            raise LiqstratError(
                f"{self.folder}: is a session of another run file, or of one that was changed since; expected a new "
                "folder (--session)"
            )

    @property
    def fed_ns(self) -> int:
        """Up to where the market had been worked when it was left or killed; 0 for a new one."""
        return self._fed()[0]

    @property
    def fed_ids(self) -> dict[str, int]:
        """By symbol, id of the last trade that had been worked then."""
        return dict(zip(sorted(self.begin.after), self._fed()[1:], strict=True))

    def note_fed(self, time_ns: int, ids: Mapping[str, int]) -> None:
        """Note up to where the market has been worked, and the last trade of each symbol."""
        text = " ".join(f"{number:0{_WIDTH}d}" for number in (time_ns, *(ids[symbol] for symbol in sorted(ids))))
        handle = os.open(self.folder / FED, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.pwrite(handle, text.encode(), 0)
        finally:
            os.close(handle)

    def _fed(self) -> list[int]:
        path, after = self.folder / FED, sorted(self.begin.after.items())
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        numbers = [int(part) for part in text.split() if part.isdecimal()]
        return numbers if len(numbers) == 1 + len(after) else [0, *(number for _, number in after)]

    def hear(self, kind: Kind, symbol: str, heard: Heard) -> None:
        """Note that a value has been heard."""
        self._write({"kind": kind, "symbol": symbol, **heard._asdict()})

    def move(self, symbol: str, moved: Moved) -> None:
        """Note that trades count from a later time than theirs."""
        self._write({"kind": "moved", "symbol": symbol, **moved._asdict()})

    def be_absent(self, begin_ns: int, end_ns: int, why: str) -> None:
        """Note that nothing is decided in that stretch."""
        self._write({"kind": "absent", "from": begin_ns, "to": end_ns, "why": why})

    def leave(self, begin_ns: int, end_ns: int) -> None:
        """Note that positions are closed from then on."""
        self._write({"kind": "leave", "from": begin_ns, "to": end_ns})

    def end(self, time_ns: int) -> None:
        """Note that it was left at that moment."""
        self._write({"kind": "end", "at": time_ns})

    def _write(self, entry: dict[str, Any]) -> None:
        self._recall(entry)
        add_line(self.folder / HEARD, entry)

    def _recall(self, entry: dict[str, Any]) -> None:
        if entry["kind"] == "absent":
            self.presence.be_absent(entry["from"], entry["to"])
        elif entry["kind"] == "leave":
            self.presence.leave(entry["from"], entry["to"])
        elif entry["kind"] == "end":
            self.ends.append(entry["at"])
        elif entry["kind"] == "moved":
            self.moved[entry["symbol"]].append(Moved(entry["first_id"], entry["last_id"], entry["at_ns"]))
        else:
            found = Heard(entry["at_ns"], entry["time_ms"], entry["value"])
            self.heard[entry["kind"], entry["symbol"]].append(found)


_WIDTH = 20


def _beginning(path: Path) -> Begin:
    try:
        return Begin(**read_json(path))
    except TypeError as error:
        raise LiqstratError(f"{path}: is not of this version, or no session: {error}") from None
