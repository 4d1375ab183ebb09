"""Signals and maps into Redis, for other programs.

Pub/sub, for who listens now: `liquidation:signals:{symbol}` and `liquidation:feedback:{symbol}`. Streams, for what must
not be lost: `liquidation:stream:signals:{symbol}` and `liquidation:stream:maps:{symbol}`, read by consumer groups.

Signals are numbered by market time, so that one which is sent again, because the answer was lost or the program began
anew, is refused by Redis and stands there once. A message of a map that is sent again has the `seq` of the first; a
whole map begins a new count.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from liqstrat.errors import LiqstratError
from liqstrat.live.map_feed import Message
from liqstrat.live.sink import Sink

#: Entries kept of each stream, about.
_SIGNALS_KEPT, _MAPS_KEPT = 100_000, 2_000
#: Messages of maps that wait while Redis is away. Beyond it all are dropped up to the next whole map.
_MOST_WAITING = 2_000
_AGAIN_SECONDS = 1.0
_TOO_SMALL = "equal or smaller"


def signals_channel(symbol: str) -> str:
    """Where signals are published."""
    return f"liquidation:signals:{symbol}"


def feedback_channel(symbol: str) -> str:
    """Where it is published what became of signals."""
    return f"liquidation:feedback:{symbol}"


def signals_stream(symbol: str) -> str:
    """The stream of signals."""
    return f"liquidation:stream:signals:{symbol}"


def maps_stream(symbol: str) -> str:
    """The stream of maps."""
    return f"liquidation:stream:maps:{symbol}"


@dataclass
class _Waiting:
    """Messages in order: channel or stream, and text; `entry` is an entry's number, None where it is published."""

    key: str
    text: str
    entry: str | None = None
    kept: int = 0
    is_map: bool = False


@dataclass
class _Numbers:
    """Numbers of a stream's entries: milliseconds of market time, and a count within."""

    last: dict[str, tuple[int, int]] = field(default_factory=dict)

    def next(self, key: str, time_ms: int) -> str:
        before, count = self.last.get(key, (0, -1))
        # Entries must rise: what is told of an earlier moment comes after what was told before it.
        time_ms = max(time_ms, before)
        self.last[key] = (time_ms, count + 1 if time_ms == before else 0)
        return f"{time_ms}-{self.last[key][1]}"


class RedisSink(Sink):
    """Sends to the Redis at `url`; while it cannot be reached, signals wait, and maps up to a bound.

    Raises `LiqstratError` where the library is missing or the address is none.
    """

    def __init__(self, url: str, say: Callable[[str], None]) -> None:
        try:
            from redis import asyncio as library
        except ImportError:
            raise LiqstratError("Redis needs its library: install liqstrat[redis]") from None
        try:
            self._client = library.Redis.from_url(url, socket_timeout=5.0, socket_connect_timeout=5.0)
        except ValueError as error:
            raise LiqstratError(f'"{url}" is no address of a Redis, as redis://localhost:6379/0: {error}') from None
        self._url, self._say = url, say
        self._waiting: deque[_Waiting] = deque()
        self._numbers = _Numbers()
        self._maps_waiting = 0
        self._symbols: set[str] = set()
        self._needs_whole: set[str] = set()
        self._there = asyncio.Event()
        self.sent = 0

    def signal(self, symbol: str, signal: dict[str, Any]) -> None:
        text = json.dumps(signal)
        stream = signals_stream(symbol)
        self._put(_Waiting(stream, text, self._numbers.next(stream, _ms(signal["timestamp"])), _SIGNALS_KEPT))
        self._put(_Waiting(signals_channel(symbol), text))

    def feedback(self, symbol: str, outcome: dict[str, Any]) -> None:
        self._put(_Waiting(feedback_channel(symbol), json.dumps(outcome)))

    def map_message(self, symbol: str, message: Message) -> None:
        if message["type"] == "price":
            return
        self._symbols.add(symbol)
        if self._maps_waiting >= _MOST_WAITING:
            self._drop_maps()
        if message["type"] == "map":
            self._needs_whole.discard(symbol)
        elif symbol in self._needs_whole:
            return
        self._maps_waiting += 1
        self._put(_Waiting(maps_stream(symbol), json.dumps(message), "*", _MAPS_KEPT, is_map=True))

    async def run(self) -> None:
        """Send what waits, for ever; what cannot be sent is sent again."""
        try:
            await self._run()
        finally:
            await self._client.aclose()

    async def _run(self) -> None:
        away = False
        while True:
            await self._there.wait()
            self._there.clear()
            while self._waiting:
                try:
                    await self._send(self._waiting[0])
                except self._errors() as error:
                    if not away:
                        self._say(f"Redis at {self._url} cannot be reached: {error}; what is to be sent waits")
                    away = True
                    await asyncio.sleep(_AGAIN_SECONDS)
                    continue
                if away:
                    away = False
                    self._say(f"Redis at {self._url} is there again")
                self.sent += 1
                done = self._waiting.popleft()
                self._maps_waiting -= done.is_map

    async def _send(self, one: _Waiting) -> None:
        from redis import exceptions

        if one.entry is None:
            await self._client.publish(one.key, one.text)
            return
        try:
            await self._client.xadd(one.key, {"json": one.text}, id=one.entry, maxlen=one.kept, approximate=True)
        except exceptions.ResponseError as error:
            # It is there already.
            if _TOO_SMALL not in str(error):
                raise LiqstratError(f"Redis at {self._url}: {one.key}: {error}") from None

    def _errors(self) -> tuple[type[Exception], ...]:
        from redis import exceptions

        return exceptions.ConnectionError, exceptions.TimeoutError, OSError

    def _put(self, one: _Waiting) -> None:
        self._waiting.append(one)
        self._there.set()

    def _drop_maps(self) -> None:
        """Leave out maps that nobody could take, but for the one that may be under way; then begin with a whole one."""
        first = self._waiting[0]
        self._waiting = deque(one for one in self._waiting if one is first or not one.is_map)
        self._maps_waiting = int(first.is_map)
        self._needs_whole = set(self._symbols)


def _ms(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1000)
