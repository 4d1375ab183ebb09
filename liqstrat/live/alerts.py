"""Alerts: a call when a rule of the run file is met, once for each event, also when the program begins anew.

What is about to be sent is first written down (`alerts.jsonl` beside the recordings) and then sent: a program that is
killed in between has called nobody, and does not call later.
"""

import hashlib
import json
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from liqstrat.alert_settings import AlertSettings
from liqstrat.inputs import nanoseconds_of
from liqstrat.liquidation.clusters import Cluster
from liqstrat.liquidation.contract import contract_of
from liqstrat.live.alert_memory import AlertMemory, Event, Key, ns_of
from liqstrat.live.alert_sending import Place, Sending
from liqstrat.live.lines import whole_lines
from liqstrat.live.memory import STATE
from liqstrat.live.messages import is_liquidation, liquidated
from liqstrat.live.sink import Sink
from liqstrat.moments import MILLISECOND_NS, at_ns

NAME = "alerts.jsonl"
#: A level that price has come near is left when it is so much farther than the rule says.
_LEFT = 1.5


class Alerts(Sink):
    """Looks at what is told of markets, by `rules`; `say` hears of what could not be sent.

    folder: of the recordings, which tell what was liquidated shortly before. Raises `LiqstratError` where an address
    is none, or where what was kept of before cannot be read.
    """

    def __init__(self, rules: Sequence[AlertSettings], folder: Path, say: Callable[[str], None]) -> None:
        self._rules = [(name, rule, Place(rule)) for name, rule in zip(_names_of(rules), rules, strict=True)]
        self._sending = Sending([place for _, _, place in self._rules], say)
        self._memory = AlertMemory(folder / STATE / NAME)
        self._fallen: dict[Key, deque[tuple[int, float]]] = defaultdict(deque)
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
                    if one.side == side and one.notional >= rule.notional
                ]
                near.sort(key=lambda pair: pair[0])
                self._near((name, symbol, side), rule, place, price, near, now_ns)

    def signal(self, symbol: str, signal: dict[str, Any]) -> None:
        """A signal has come up."""
        for name, rule, place in self._of("signal", symbol):
            if signal["kind"] not in rule.kinds or signal["strength"] < rule.strength:
                continue
            if rule.side not in (None, signal["side"]) or self._memory.knows(name, signal["signal_id"]):
                continue
            event = Event(ns_of(signal["timestamp"]), signal["signal_id"])
            text = f"{symbol} {signal['kind']} {signal['side']} at {signal['price']:.10g}: {signal['reason']}"
            self._call((name, symbol, signal["side"]), rule, place, event, text)

    def liquidation(self, symbol: str, notional: float, side: str, time_ms: int) -> None:
        """A position has been liquidated."""
        for name, rule, place in self._of("cascade", symbol):
            if rule.side not in (None, side):
                continue
            key = (name, symbol, side)
            fallen = self._fallen[key]
            _forget(fallen, time_ms, rule)
            if sum(amount for _, amount in fallen) < rule.notional / 2:
                for event in self._memory.under_way(key):
                    self._memory.end(key, event)
            fallen.append((time_ms, notional))
            total = sum(amount for _, amount in fallen)
            if total >= rule.notional and not self._memory.under_way(key):
                amount = f"{total:,.0f} {contract_of(symbol).quote}"
                text = f"{symbol} cascade: {side}s of {amount} liquidated within {rule.window}"
                self._call(key, rule, place, Event(time_ms * MILLISECOND_NS), text)

    def _near(
        self,
        key: Key,
        rule: AlertSettings,
        place: Place,
        price: float,
        near: Sequence[tuple[float, Cluster]],
        now_ns: int,
    ) -> None:
        """near: how far off each cluster is, the nearest first."""
        for event in self._memory.under_way(key):
            # Levels move by a bin when open interest comes; those that overlap are one.
            away, same = max(near, key=lambda pair: event.overlap(pair[1]), default=(0.0, None))
            if same is None or event.overlap(same) < 0 or away > rule.distance * _LEFT:
                self._memory.end(key, event)
            elif (same.price_low, same.price_high) != (event.low, event.high):
                self._memory.move(key, event, same)
        if not near or near[0][0] > rule.distance:
            return
        away, nearest = near[0]
        if any(event.overlap(nearest) >= 0 for event in self._memory.under_way(key)):
            return
        _, symbol, side = key
        text = (
            f"{symbol} at {price:.10g} is {away:.2%} from {side}s of {nearest.notional:,.0f} "
            f"{contract_of(symbol).quote} at {nearest.price_low:.10g} to {nearest.price_high:.10g}"
        )
        event = Event(now_ns, f"{nearest.price:.10g}", nearest.price_low, nearest.price_high)
        self._call(key, rule, place, event, text)

    def _call(self, key: Key, rule: AlertSettings, place: Place, event: Event, text: str) -> None:
        """Write down and send, where the rule has not called shortly before."""
        quiet = self._memory.is_quiet(key, event, nanoseconds_of(rule.cooldown))
        self._memory.begin(key, event, rule.when, text, sent=not quiet)
        if not quiet:
            _, symbol, side = key
            time = at_ns(event.time_ns).isoformat()
            self._sending.put(place, {"when": rule.when, "symbol": symbol, "side": side, "time": time, "text": text})

    def _of(self, when: str, symbol: str) -> list[tuple[str, AlertSettings, Place]]:
        return [one for one in self._rules if one[1].when == when and symbol in (one[1].symbols or [symbol])]

    def _recall_fallen(self, folder: Path) -> None:
        """What was liquidated shortly before: a cascade that goes on over a restart is one."""
        for name, rule, _ in self._rules:
            for place in folder.glob("*/") if rule.when == "cascade" else ():
                symbol = place.name
                days = sorted(place.glob(f"{symbol}-forceOrder-*.jsonl"))
                # Two, for midnight.
                for frame in (frame for day in days[-2:] for frame in whole_lines(day) if is_liquidation(frame)):
                    notional, side, _, time_ms = liquidated(frame)
                    self._fallen[name, symbol, side].append((time_ms, notional))
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
