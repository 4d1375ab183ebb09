"""Alerts: a call when a rule of the run file is met, once for each event, also when the program begins anew.

What is about to be sent is first written down (`alerts.jsonl` beside the recordings) and then sent: a program that is
killed in between has called nobody, and does not call later. An alert that did not reach its address is tried again;
one that may have is not.
"""

import asyncio
import hashlib
import json
import os
import re
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp

from liqstrat.alert_settings import AlertSettings
from liqstrat.errors import LiqstratError
from liqstrat.inputs import nanoseconds_of
from liqstrat.liquidation.clusters import Cluster
from liqstrat.live.memory import STATE
from liqstrat.live.sink import Sink
from liqstrat.moments import at_ns, nanoseconds

NAME = "alerts.jsonl"
_ATTEMPTS = 5
_TIMEOUT = aiohttp.ClientTimeout(total=10)
_COMMAND_SECONDS = 30.0
#: A level that price has come near is left when it is so much farther than the rule says.
_LEFT = 1.5
_MILLISECOND_NS = 1_000_000


@dataclass(frozen=True)
class _Event:
    """What was called for: level's range for `near`, a signal's name for `signal`."""

    time_ns: int
    low: float = 0.0
    high: float = 0.0
    name: str = ""


class Alerts(Sink):
    """Looks at what is told of markets, by `rules`; `say` hears of what could not be sent."""

    def __init__(self, rules: Sequence[AlertSettings], folder: Path, say: Callable[[str], None]) -> None:
        self._rules = [(_name_of(rule), rule, _address(rule)) for rule in rules]
        self._path, self._say = folder / STATE / NAME, say
        self._last: dict[tuple[str, str], int] = {}
        self._under_way: dict[tuple[str, str, str], _Event] = {}
        self._signals: set[tuple[str, str]] = set()
        self._fallen: dict[tuple[str, str], deque[tuple[int, float]]] = defaultdict(deque)
        self._to_send: asyncio.Queue[tuple[AlertSettings, str, dict[str, Any]]] = asyncio.Queue()
        self.sent = 0
        self._remember()

    # -- what is looked at ---------------------------------------------------------------------------------------------

    def levels(self, symbol: str, price: float, clusters: Sequence[Cluster], now_ns: int) -> None:
        """The levels of a symbol have changed, or its price."""
        for name, rule, address in self._of("near", symbol):
            for side in ("long", "short") if rule.side is None else (rule.side,):
                near = [one for one in clusters if one.side == side and one.notional >= rule.usdt]
                self._near(name, rule, address, symbol, side, price, near, now_ns)

    def signal(self, symbol: str, signal: dict[str, Any]) -> None:
        """A signal has come up."""
        for name, rule, address in self._of("signal", symbol):
            if signal["kind"] not in rule.kinds or signal["strength"] < rule.strength:
                continue
            if rule.side not in (None, signal["side"]) or (name, signal["signal_id"]) in self._signals:
                continue
            self._signals.add((name, signal["signal_id"]))
            event = _Event(_ns_of(signal["timestamp"]), name=signal["signal_id"])
            text = f"{symbol} {signal['kind']} {signal['side']} at {signal['price']:.10g}: {signal['reason']}"
            self._call(name, rule, address, symbol, signal["side"], event, text)

    def liquidation(self, symbol: str, usdt: float, side: str, time_ms: int) -> None:
        """A position has been liquidated."""
        for name, rule, address in self._of("cascade", symbol):
            if rule.side not in (None, side):
                continue
            fallen, since = self._fallen[name, f"{symbol} {side}"], time_ms - nanoseconds_of(rule.window) // 1_000_000
            fallen.append((time_ms, usdt))
            while fallen and fallen[0][0] < since:
                fallen.popleft()
            total, key = sum(amount for _, amount in fallen), (name, symbol, side)
            if total < rule.usdt / 2:
                self._end(key)
            elif total >= rule.usdt and key not in self._under_way:
                event = _Event(time_ms * _MILLISECOND_NS)
                self._under_way[key] = event
                text = f"{symbol} cascade: {side}s of {total:,.0f} USDT liquidated within {rule.window}"
                self._call(name, rule, address, symbol, side, event, text)

    def _near(
        self,
        name: str,
        rule: AlertSettings,
        address: str,
        symbol: str,
        side: str,
        price: float,
        clusters: Sequence[Cluster],
        now_ns: int,
    ) -> None:
        key = (name, symbol, side)
        nearest = min(clusters, key=lambda one: abs(one.price / price - 1), default=None)
        away = float("inf") if nearest is None else abs(nearest.price / price - 1)
        known = self._under_way.get(key)
        if known is not None:
            goes_on = nearest is not None and nearest.price_low <= known.high and known.low <= nearest.price_high
            if goes_on and away <= rule.distance * _LEFT:
                return
            self._end(key)
        if nearest is None or away > rule.distance:
            return
        event = _Event(now_ns, nearest.price_low, nearest.price_high)
        self._under_way[key] = event
        text = (
            f"{symbol} at {price:.10g} is {away:.2%} from {side}s of {nearest.notional:,.0f} USDT "
            f"at {nearest.price_low:.10g} to {nearest.price_high:.10g}"
        )
        self._call(name, rule, address, symbol, side, event, text)

    def _of(self, when: str, symbol: str) -> list[tuple[str, AlertSettings, str]]:
        return [one for one in self._rules if one[1].when == when and symbol in (one[1].symbols or [symbol])]

    # -- what is remembered --------------------------------------------------------------------------------------------

    def _call(
        self, name: str, rule: AlertSettings, address: str, symbol: str, side: str, event: _Event, text: str
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
        self._write(entry)
        if not quiet:
            self._last[name, symbol] = event.time_ns
            self._to_send.put_nowait((rule, address, entry))

    def _end(self, key: tuple[str, str, str]) -> None:
        if self._under_way.pop(key, None) is not None:
            self._write(dict(zip(("rule", "symbol", "side"), key, strict=True)) | {"ended": True})

    def _write(self, entry: dict[str, Any]) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise LiqstratError(f"{self._path}: cannot be written: {error.strerror}") from None

    def _remember(self) -> None:
        """What was called for before; half a line at the end is of a program that was killed before it called."""
        if not self._path.exists():
            return
        text = self._path.read_text(encoding="utf-8")
        whole, _, half = text.rpartition("\n")
        if half:
            self._path.write_text(whole + "\n" if whole else "", encoding="utf-8")
        for line in whole.splitlines():
            entry = json.loads(line)
            key = (entry["rule"], entry["symbol"], entry["side"])
            if entry.get("ended"):
                self._under_way.pop(key, None)
                continue
            time_ns = _ns_of(entry["time"])
            if entry["sent"]:
                self._last[key[0], key[1]] = time_ns
            if entry["when"] == "signal":
                self._signals.add((key[0], entry["name"]))
            else:
                self._under_way[key] = _Event(time_ns, entry["low"], entry["high"])

    # -- what is sent --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Send what is to be sent, for ever; when that is ended, what waits is still sent."""
        async with aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=True) as session:
            try:
                while True:
                    await _whole(self._deliver(session, *await self._to_send.get()))
            finally:
                while not self._to_send.empty():
                    await self._deliver(session, *self._to_send.get_nowait())

    async def _deliver(
        self, session: aiohttp.ClientSession, rule: AlertSettings, address: str, entry: dict[str, Any]
    ) -> None:
        body = {key: entry[key] for key in ("when", "symbol", "side", "time", "text")}
        trouble = await (_run(rule.command, body) if rule.command else _post(session, rule, address, body))
        if trouble:
            self._say(f"an alert was not delivered: {trouble}: {body['text']}")
        else:
            self.sent += 1


async def _whole(work: Coroutine[Any, Any, None]) -> None:
    """Work that is not left half done when this is ended."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


async def _post(session: aiohttp.ClientSession, rule: AlertSettings, address: str, body: dict[str, Any]) -> str:
    """Post an alert; returns what went wrong. Only what never reached anybody is tried again."""
    content = body if rule.chat is None else {"chat_id": rule.chat, "text": body["text"]}
    for attempt in range(_ATTEMPTS):
        try:
            async with session.post(address, json=content) as answer:
                return "" if answer.status < 400 else f"the address answers with status {answer.status}"
        except aiohttp.ClientConnectorError as error:
            trouble = str(error.os_error.strerror or error.os_error)
            await asyncio.sleep(2.0**attempt)
        except (aiohttp.ClientError, TimeoutError) as error:
            return type(error).__name__
    return trouble


async def _run(command: Sequence[str], body: dict[str, Any]) -> str:
    """Hand an alert to a command; returns what went wrong."""
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=asyncio.subprocess.DEVNULL)
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    try:
        async with asyncio.timeout(_COMMAND_SECONDS):
            await process.communicate(json.dumps(body).encode())
    except TimeoutError:
        process.kill()
        await process.wait()
        return f"{command[0]} did not end within {_COMMAND_SECONDS:.0f} s"
    return f"{command[0]} ended with {process.returncode}" if process.returncode else ""


def _name_of(rule: AlertSettings) -> str:
    """A rule that is changed is another one, but for where and how often it calls."""
    content = rule.model_dump(exclude={"webhook", "chat", "command", "cooldown"})
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def _address(rule: AlertSettings) -> str:
    """The address with what the environment has; raises `LiqstratError` for what it has not."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in os.environ:
            raise LiqstratError(f'alerts: "{found[1]}" of the webhook is not set in the environment')
        return os.environ[found[1]]

    return re.sub(r"\$\{(\w+)\}", value, rule.webhook or "")


def _ns_of(time: str) -> int:
    return nanoseconds(datetime.fromisoformat(time))
