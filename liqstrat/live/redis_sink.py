"""Signals and maps into Redis, for other programs.

Pub/sub, for who listens now: `liquidation:signals:{symbol}` and `liquidation:feedback:{symbol}`. Streams, for what must
not be lost: `liquidation:stream:signals:{symbol}` and `liquidation:stream:maps:{symbol}`, read by consumer groups.

Signals are numbered by market time, so that one which is sent again, because the answer was lost or the program began
anew, is refused by Redis and stands there once. Until it stands there it is kept in a file. A message of a map is sent
again only where it is not found there; it has the `seq` of the first, and a whole map begins a new count.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from liqstrat.errors import LiqstratError
from liqstrat.live.map_feed import Message
from liqstrat.live.outbox import Outbox
from liqstrat.live.redis_address import client_of, without_secrets, words_of
from liqstrat.live.sink import Sink

#: The file of what waits.
OUTBOX = "redis.jsonl"
#: Entries kept of each stream, about.
_SIGNALS_KEPT, _MAPS_KEPT = 100_000, 2_000
#: Messages of maps that wait while Redis is away. Beyond it all are dropped up to the next whole map.
_MOST_WAITING = 2_000
_AGAIN_SECONDS, _LAST_SECONDS = 1.0, 3.0
#: Entries from the end among which one that was sent before is looked for.
_LOOKED_THROUGH = 100
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
    """Messages in order: channel or stream, and text; `entry` is an entry's number, None where it is published.

    tried: whether it was sent before, and no answer came.
    """

    key: str
    text: str
    entry: str | None = None
    kept: int = 0
    is_map: bool = False
    is_signal: bool = False
    tried: bool = False


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
    """Sends to the Redis at `url`; while it does not take what is sent, signals wait, and maps up to a bound.

    outbox: where signals are kept until they are sent. Raises `LiqstratError` where the library is missing, the address
    is none, or the outbox cannot be read.
    """

    def __init__(self, url: str, outbox: Path, say: Callable[[str], None]) -> None:
        self._client, self._shown, self._say = client_of(url), without_secrets(url), say
        self._waiting: deque[_Waiting] = deque()
        self._numbers = _Numbers()
        self._maps_waiting = self._signals_waiting = 0
        self._symbols: set[str] = set()
        self._needs_whole: set[str] = set()
        self._there = asyncio.Event()
        self._outbox = Outbox(outbox)
        self.sent = 0
        for kept in self._outbox.waiting:
            self._recall(outbox, kept)

    def signal(self, symbol: str, signal: dict[str, Any]) -> None:
        text = json.dumps(signal)
        stream = signals_stream(symbol)
        number = self._numbers.next(stream, _ms(signal["timestamp"]))
        self._outbox.put({"stream": stream, "entry": number, "text": text})
        self._put_signal(_Waiting(stream, text, number, _SIGNALS_KEPT))
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
        """Send what waits, for ever; what cannot be sent is sent again. When that is ended, what waits is sent where
        that does not take long."""
        try:
            await self._run()
        finally:
            with suppress(TimeoutError, *self._errors()):
                async with asyncio.timeout(_LAST_SECONDS):
                    await self._send_all()
            if self._signals_waiting:
                self._say(
                    f"{self._signals_waiting:,} signals wait for Redis at {self._shown}; they are sent when the same "
                    "command is run again"
                )
            await self._client.aclose()

    async def _run(self) -> None:
        trouble = ""
        while True:
            await self._there.wait()
            self._there.clear()
            while self._waiting:
                try:
                    await self._send_all()
                except self._errors() as error:
                    if not trouble:
                        self._say(f"Redis at {self._shown} {words_of(error)}; what is to be sent waits")
                    trouble = str(error)
                    await asyncio.sleep(_AGAIN_SECONDS)
                    continue
                if trouble:
                    trouble = ""
                    self._say(f"Redis at {self._shown} is there again")

    async def _send_all(self) -> None:
        while self._waiting:
            await self._send(self._waiting[0])
            done = self._waiting.popleft()
            self.sent += 1
            self._maps_waiting -= done.is_map
            if done.is_signal:
                self._signals_waiting -= 1
                if not self._signals_waiting:
                    self._outbox.empty()

    async def _send(self, one: _Waiting) -> None:
        if one.entry is None:
            await self._client.publish(one.key, one.text)
            return
        from redis.exceptions import ResponseError

        if one.is_map and one.tried and await self._stands(one):
            return
        one.tried = True
        try:
            await self._add(one)
        except ResponseError as error:
            if _TOO_SMALL not in str(error):
                raise
            if not await self._stands(one):
                about = await self._client.xinfo_stream(one.key)
                one.entry = _following(about["last-generated-id"])
                await self._add(one)

    async def _add(self, one: _Waiting) -> None:
        await self._client.xadd(one.key, {"json": one.text}, id=one.entry, maxlen=one.kept, approximate=True)

    async def _stands(self, one: _Waiting) -> bool:
        """Whether it is in its stream already. Where it is not, another one of a later time is, as of a market that was
        watched before: then it comes after that one."""
        latest = await self._client.xrevrange(one.key, count=_LOOKED_THROUGH)
        return any(fields.get(b"json") == one.text.encode() for _, fields in latest)

    def _errors(self) -> tuple[type[Exception], ...]:
        from redis.exceptions import RedisError

        return RedisError, OSError

    def _recall(self, path: Path, kept: dict[str, Any]) -> None:
        try:
            one = _Waiting(str(kept["stream"]), str(kept["text"]), str(kept["entry"]), _SIGNALS_KEPT)
            time_ms, count = map(int, str(one.entry).split("-"))
        except (KeyError, ValueError):
            raise LiqstratError(
                f"{path}: holds something else than signals that wait for Redis; without the file they are lost"
            ) from None
        self._numbers.last[one.key] = max((time_ms, count), self._numbers.last.get(one.key, (0, 0)))
        self._put_signal(one)

    def _put_signal(self, one: _Waiting) -> None:
        one.is_signal = True
        self._signals_waiting += 1
        self._put(one)

    def _put(self, one: _Waiting) -> None:
        self._waiting.append(one)
        self._there.set()

    def _drop_maps(self) -> None:
        """Leave out maps that nobody could take, but for the one that may be under way; then begin with a whole one."""
        first = self._waiting[0]
        self._waiting = deque(one for one in self._waiting if one is first or not one.is_map)
        self._maps_waiting = int(first.is_map)
        self._needs_whole = set(self._symbols)


def _following(number: bytes | str) -> str:
    time_ms, count = (number.decode() if isinstance(number, bytes) else number).split("-")
    return f"{time_ms}-{int(count) + 1}"


def _ms(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1000)
