"""The exchange's market streams over one websocket that is made anew whenever it ends, is silent, or grows old.

Documented at developers.binance.com, USDⓈ-M futures, websocket market streams: a connection lives for 24 hours at most.
Since April 2026 market data come under `/market`; the address of old still accepts subscriptions and sends nothing,
so silence is told, not taken for a quiet market.
"""

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiohttp

#: Prices of reference come each second, so a market is never silent for so long.
_SILENT_SECONDS = 20.0
_OLDEST_SECONDS = 23 * 3600.0
_LONGEST_WAIT = 30.0
_LARGEST_FRAME = 4 << 20

Frame = dict[str, Any]


class Streams:
    """Frames of several streams.

    take: awaited with each frame. cut: called with the reason and the time (monotonic) of the last frame when a
    connection ends; begun: called when one has brought its first frame.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        names: Sequence[str],
        *,
        take: Callable[[Frame], Awaitable[None]],
        cut: Callable[[str], None],
        begun: Callable[[], None],
        odd: Callable[[str], None],
    ) -> None:
        self._session, self._names = session, names
        self._url = f"{base_url.rstrip('/')}/stream?streams={'/'.join(names)}"
        self._take, self._cut, self._begun, self._odd = take, cut, begun, odd

    async def run(self) -> None:
        """Receive for ever."""
        failures = 0
        while True:
            brought, reason = await self._connection()
            failures = 0 if brought else failures + 1
            self._cut(reason)
            # Back at once the first time, since trades go on.
            await asyncio.sleep(min(2.0**failures - 1, _LONGEST_WAIT) * random.uniform(0.5, 1.0))

    async def _connection(self) -> tuple[int, str]:
        """How many frames a connection has brought, and why it ended."""
        brought, begin = 0, time.monotonic()
        try:
            async with self._session.ws_connect(self._url, heartbeat=60, max_msg_size=_LARGEST_FRAME) as socket:
                while time.monotonic() - begin < _OLDEST_SECONDS:
                    message = await socket.receive(timeout=_SILENT_SECONDS)
                    if message.type is not aiohttp.WSMsgType.TEXT:
                        return brought, f"the exchange closed the connection ({socket.close_code or message.type.name})"
                    frame = _frame(message.data)
                    if frame is None:
                        self._odd(message.data)
                        continue
                    brought += 1
                    if brought == 1:
                        self._begun()
                    await self._take(frame)
                return brought, "the connection was a day old"
        except TimeoutError:
            if brought:
                return brought, f"nothing came for {_SILENT_SECONDS:.0f} s"
            return brought, f"{self._url.split('?')[0]} accepts subscriptions, but nothing comes"
        except (aiohttp.ClientError, OSError) as error:
            return brought, str(error) or type(error).__name__


def _frame(text: str) -> Frame | None:
    """What is in the envelope of a combined stream; None where it is none."""
    try:
        data = json.loads(text)["data"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return data if isinstance(data, dict) and isinstance(data.get("e"), str) else None
