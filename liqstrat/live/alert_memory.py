"""What alerts have been called for: written down before anything is sent, and read when the program begins anew."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from liqstrat.errors import LiqstratError
from liqstrat.liquidation.clusters import Cluster
from liqstrat.live.lines import add_line, whole_lines
from liqstrat.moments import at_ns, nanoseconds

#: Rule, symbol and side.
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Event:
    """What was called for. name: tells it from others of its time; of a signal, its own. low, high: of a level."""

    time_ns: int
    name: str = ""
    low: float = 0.0
    high: float = 0.0

    def overlap(self, level: Cluster) -> float:
        """How far both reach over each other, USDT; below zero where they do not."""
        return min(self.high, level.price_high) - max(self.low, level.price_low)


class AlertMemory:
    """Events in the file at `path`; half a line at its end is of a program that was killed before it called.

    Raises `LiqstratError` where what was kept cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: dict[tuple[str, str], int] = {}
        self._under_way: dict[Key, list[Event]] = {}
        self._signals: set[tuple[str, str]] = set()
        for number, entry in enumerate(whole_lines(path, mend=True), 1):
            try:
                self._recall(entry)
            except (KeyError, TypeError, ValueError):
                raise LiqstratError(
                    f"{path}:{number}: is no line of an alert; without the file, alerts of before may be called again"
                ) from None

    def under_way(self, key: Key) -> Sequence[Event]:
        """Events that have been called for and go on."""
        return tuple(self._under_way.get(key, ()))

    def knows(self, rule: str, signal_id: str) -> bool:
        """Whether a rule has come upon a signal before."""
        return (rule, signal_id) in self._signals

    def is_quiet(self, key: Key, event: Event, cooldown_ns: int) -> bool:
        """Whether the rule has called so shortly before that it is not to call."""
        last = self._last.get(key[:2])
        return last is not None and event.time_ns - last < cooldown_ns

    def begin(self, key: Key, event: Event, when: str, text: str, *, sent: bool) -> None:
        """An event of a rule's kind has begun; whether it is called for."""
        where = {"low": event.low, "high": event.high}
        self._write(key, event, {"when": when, "text": text, **where, "sent": sent})

    def move(self, key: Key, event: Event, level: Cluster) -> None:
        """The level of an event has another range."""
        self._write(key, event, {"low": level.price_low, "high": level.price_high, "moved": True})

    def end(self, key: Key, event: Event) -> None:
        """An event is over; the next one like it is another."""
        self._write(key, event, {"ended": True})

    def _write(self, key: Key, event: Event, what: dict[str, Any]) -> None:
        names = dict(zip(("rule", "symbol", "side"), key, strict=True))
        entry = {**names, "time": at_ns(event.time_ns).isoformat(), "name": event.name, **what}
        add_line(self._path, entry, sync=True)
        self._recall(entry)

    def _recall(self, entry: dict[str, Any]) -> None:
        key = (entry["rule"], entry["symbol"], entry["side"])
        known = self._under_way.setdefault(key, [])
        # An end and a move did not always say of which event.
        time_ns, name = ns_of(entry["time"]) if "time" in entry else None, entry.get("name")

        def is_it(one: Event) -> bool:
            return time_ns in (None, one.time_ns) and name in (None, one.name)

        if entry.get("ended"):
            self._under_way[key] = [one for one in known if not is_it(one)]
        elif entry.get("moved"):
            low, high = float(entry["low"]), float(entry["high"])
            self._under_way[key] = [replace(one, low=low, high=high) if is_it(one) else one for one in known]
        else:
            event = Event(ns_of(entry["time"]), str(entry["name"]), float(entry["low"]), float(entry["high"]))
            if entry["sent"]:
                self._last[key[:2]] = event.time_ns
            if entry["when"] == "signal":
                self._signals.add((key[0], event.name))
            else:
                known.append(event)


def ns_of(time: str) -> int:
    """Nanoseconds of a moment in ISO form."""
    return nanoseconds(datetime.fromisoformat(time))
