"""Alerts: a call when a rule of the run file is met, once for each event, also when the program begins anew.

What is about to be sent is first written down (`alerts.jsonl` beside the recordings) and then sent: a program that is
killed in between has called nobody, and does not call later.
"""

import hashlib
import json
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from liqstrat.alert_settings import AlertSettings
from liqstrat.errors import LiqstratError
from liqstrat.inputs import nanoseconds_of
from liqstrat.liquidation.clusters import Cluster
from liqstrat.live.alert_sending import Place, Sending
from liqstrat.live.lines import add_line, whole_lines
from liqstrat.live.memory import STATE
from liqstrat.live.messages import is_liquidation, liquidated
from liqstrat.live.sink import Sink
from liqstrat.moments import MILLISECOND_NS, at_ns, nanoseconds

#: Rule, symbol and side.
_Key = tuple[str, str, str]

NAME = "alerts.jsonl"
#: A level that price has come near is left when it is so much farther than the rule says.
_LEFT = 1.5


@dataclass(frozen=True)
class _Event:
    """What was called for: level's range for `near`, a signal's name for `signal`."""

    time_ns: int
    low: float = 0.0
    high: float = 0.0
    name: str = ""

    def overlap(self, level: Cluster) -> float:
        """How far both reach over each other, USDT; below zero where they do not."""
        return min(self.high, level.price_high) - max(self.low, level.price_low)


class Alerts(Sink):
    """Looks at what is told of markets, by `rules`; `say` hears of what could not be sent.

    folder: of the recordings, which tell what was liquidated shortly before. Raises `LiqstratError` where an address
    is none, or where what was kept of before cannot be read.
    """

    def __init__(self, rules: Sequence[AlertSettings], folder: Path, say: Callable[[str], None]) -> None:
        self._rules = [(name, rule, Place(rule)) for name, rule in zip(_names_of(rules), rules, strict=True)]
        self._sending = Sending([place for _, _, place in self._rules], say)
        self._path = folder / STATE / NAME
        self._last: dict[tuple[str, str], int] = {}
        self._under_way: dict[_Key, list[_Event]] = {}
        self._signals: set[tuple[str, str]] = set()
        self._fallen: dict[_Key, deque[tuple[int, float]]] = defaultdict(deque)
        self._remember()
        self._recall_fallen(folder)

    @property
    def sent(self) -> int:
        """Alerts that were delivered."""
        return self._sending.sent

    async def run(self) -> None:
        """Send what is to be sent, for ever; when that is ended, what waits is still sent."""
        await self._sending.run()

    # -- what is looked at ---------------------------------------------------------------------------------------------

    def levels(self, symbol: str, price: float, clusters: Sequence[Cluster], now_ns: int) -> None:
        """The levels of a symbol have changed, or its price."""
        for name, rule, place in self._of("near", symbol):
            for side in ("long", "short") if rule.side is None else (rule.side,):
                near = [
                    (abs(one.price / price - 1), one)
                    for one in clusters
                    if one.side == side and one.notional >= rule.usdt
                ]
                near.sort(key=lambda pair: pair[0])
                self._near(name, rule, place, symbol, side, price, near, now_ns)

    def signal(self, symbol: str, signal: dict[str, Any]) -> None:
        """A signal has come up."""
        for name, rule, place in self._of("signal", symbol):
            if signal["kind"] not in rule.kinds or signal["strength"] < rule.strength:
                continue
            if rule.side not in (None, signal["side"]) or (name, signal["signal_id"]) in self._signals:
                continue
            self._signals.add((name, signal["signal_id"]))
            event = _Event(_ns_of(signal["timestamp"]), name=signal["signal_id"])
            text = f"{symbol} {signal['kind']} {signal['side']} at {signal['price']:.10g}: {signal['reason']}"
            self._call(name, rule, place, symbol, signal["side"], event, text)

    def liquidation(self, symbol: str, usdt: float, side: str, time_ms: int) -> None:
        """A position has been liquidated."""
        for name, rule, place in self._of("cascade", symbol):
            if rule.side not in (None, side):
                continue
            key = (name, symbol, side)
            fallen = self._fallen[key]
            _forget(fallen, time_ms, rule)
            if sum(amount for _, amount in fallen) < rule.usdt / 2:
                for event in self._under_way.get(key, ()):
                    self._end(key, event)
            fallen.append((time_ms, usdt))
            total = sum(amount for _, amount in fallen)
            if total >= rule.usdt and not self._under_way.get(key):
                event = _Event(time_ms * MILLISECOND_NS)
                self._under_way[key] = [event]
                text = f"{symbol} cascade: {side}s of {total:,.0f} USDT liquidated within {rule.window}"
                self._call(name, rule, place, symbol, side, event, text)

    def _near(
        self,
        name: str,
        rule: AlertSettings,
        place: Place,
        symbol: str,
        side: str,
        price: float,
        near: Sequence[tuple[float, Cluster]],
        now_ns: int,
    ) -> None:
        """near: how far off each cluster is, the nearest first."""
        key = (name, symbol, side)
        for event in list(self._under_way.get(key, ())):
            # Levels move by a bin when open interest comes; those that overlap are one.
            away, same = max(near, key=lambda pair: event.overlap(pair[1]), default=(0.0, None))
            if same is None or event.overlap(same) < 0 or away > rule.distance * _LEFT:
                self._end(key, event)
            elif (same.price_low, same.price_high) != (event.low, event.high):
                self._move(key, event, same)
        if not near or near[0][0] > rule.distance:
            return
        away, nearest = near[0]
        if any(event.overlap(nearest) >= 0 for event in self._under_way.get(key, ())):
            return
        event = _Event(now_ns, nearest.price_low, nearest.price_high)
        self._under_way.setdefault(key, []).append(event)
        text = (
            f"{symbol} at {price:.10g} is {away:.2%} from {side}s of {nearest.notional:,.0f} USDT "
            f"at {nearest.price_low:.10g} to {nearest.price_high:.10g}"
        )
        self._call(name, rule, place, symbol, side, event, text)

    def _of(self, when: str, symbol: str) -> list[tuple[str, AlertSettings, Place]]:
        return [one for one in self._rules if one[1].when == when and symbol in (one[1].symbols or [symbol])]

    # -- what is remembered --------------------------------------------------------------------------------------------

    def _call(
        self, name: str, rule: AlertSettings, place: Place, symbol: str, side: str, event: _Event, text: str
    ) -> None:
        last = self._last.get((name, symbol))
        quiet = last is not None and event.time_ns - last < nanoseconds_of(rule.cooldown)
        entry = {
            "rule": name,
            "when": rule.when,
            "symbol": symbol,
            "side": side,
            "time": at_ns(event.time_ns).isoformat(),
            "text": text,
            "low": event.low,
            "high": event.high,
            "name": event.name,
            "sent": not quiet,
        }
        add_line(self._path, entry, sync=True)
        if not quiet:
            self._last[name, symbol] = event.time_ns
            self._sending.put(place, {key: entry[key] for key in ("when", "symbol", "side", "time", "text")})

    def _move(self, key: _Key, event: _Event, level: Cluster) -> None:
        """The level of an event has another range."""
        moved = replace(event, low=level.price_low, high=level.price_high)
        self._under_way[key] = [moved if one is event else one for one in self._under_way[key]]
        self._note(key, event, {"low": moved.low, "high": moved.high, "moved": True})

    def _end(self, key: _Key, event: _Event) -> None:
        self._under_way[key] = [one for one in self._under_way[key] if one is not event]
        self._note(key, event, {"ended": True})

    def _note(self, key: _Key, event: _Event, what: dict[str, Any]) -> None:
        names = dict(zip(("rule", "symbol", "side"), key, strict=True))
        add_line(self._path, {**names, "time": at_ns(event.time_ns).isoformat(), **what}, sync=True)

    def _remember(self) -> None:
        """What was called for before; half a line at the end is of a program that was killed before it called."""
        for number, entry in enumerate(whole_lines(self._path, mend=True), 1):
            try:
                self._recall(entry)
            except (KeyError, TypeError, ValueError):
                raise LiqstratError(
                    f"{self._path}:{number}: is no line of an alert; without the file, alerts of before may be called "
                    "again"
                ) from None

    def _recall(self, entry: dict[str, Any]) -> None:
        key = (entry["rule"], entry["symbol"], entry["side"])
        known = self._under_way.setdefault(key, [])
        # Before there were several of a rule, an end did not say of which.
        time_ns = _ns_of(entry["time"]) if "time" in entry else None
        if entry.get("ended"):
            self._under_way[key] = [one for one in known if time_ns is not None and one.time_ns != time_ns]
        elif entry.get("moved"):
            low, high = float(entry["low"]), float(entry["high"])
            self._under_way[key] = [
                replace(one, low=low, high=high) if one.time_ns == time_ns else one for one in known
            ]
        else:
            event = _Event(_ns_of(entry["time"]), float(entry["low"]), float(entry["high"]), str(entry["name"]))
            if entry["sent"]:
                self._last[key[0], key[1]] = event.time_ns
            if entry["when"] == "signal":
                self._signals.add((key[0], event.name))
            else:
                known.append(event)

    def _recall_fallen(self, folder: Path) -> None:
        """What was liquidated shortly before: a cascade that goes on over a restart is one."""
        for name, rule, _ in self._rules:
            for place in folder.glob("*/") if rule.when == "cascade" else ():
                symbol = place.name
                days = sorted(place.glob(f"{symbol}-forceOrder-*.jsonl"))
                # Two, for midnight.
                for frame in (frame for day in days[-2:] for frame in whole_lines(day) if is_liquidation(frame)):
                    usdt, side, _, time_ms = liquidated(frame)
                    self._fallen[name, symbol, side].append((time_ms, usdt))
                    _forget(self._fallen[name, symbol, side], time_ms, rule)


def _forget(fallen: deque[tuple[int, float]], now_ms: int, rule: AlertSettings) -> None:
    """Leave out what lies before the window."""
    since = now_ms - nanoseconds_of(rule.window) // MILLISECOND_NS
    while fallen and fallen[0][0] < since:
        fallen.popleft()


def _names_of(rules: Sequence[AlertSettings]) -> list[str]:
    """A rule that is changed is another one, but for where and how often it calls; one may stand twice, for two
    places."""
    names: list[str] = []
    for rule in rules:
        content = rule.model_dump(exclude={"webhook", "chat", "command", "cooldown"})
        names.append(hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12])
    before = [names[:place].count(name) for place, name in enumerate(names)]
    return [f"{name}-{count + 1}" if count else name for name, count in zip(names, before, strict=True)]


def _ns_of(time: str) -> int:
    return nanoseconds(datetime.fromisoformat(time))
