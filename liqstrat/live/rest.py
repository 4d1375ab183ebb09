"""The exchange's REST API: public data, asked for at a rate that it bears.

Documented at developers.binance.com, USDⓈ-M futures, market data endpoints. No key is needed.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp

#: Of 2,400 a minute.
_MOST_WEIGHT = 1_800
_TIMEOUT = aiohttp.ClientTimeout(total=20)
_ATTEMPTS, _PROBES = 5, 2
_LONGEST_WAIT = 600.0
_WEIGHT = "X-MBX-USED-WEIGHT-1M"
_BANNED = (418, 429)


class AnswerError(Exception):
    """The exchange gives no answer, or another than was asked for: its words."""


class RefusedError(AnswerError):
    """The exchange does not have what was asked for, and will not have it later."""


def something_else(path: str, answer: Any) -> AnswerError:
    """The error of an answer that is none to what was asked for."""
    return AnswerError(f"{path}: answers something else: {str(answer)[:80]}")


class Rest:
    """Asks the exchange. say: told what a user should know, once for each trouble. sent_at: when it asked last, seconds
    of this computer's clock: after it has waited where the exchange had asked for a rest."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, say: Callable[[str], None]) -> None:
        self._session, self._base_url, self._say = session, base_url.rstrip("/"), say
        self._resting_until = self.sent_at = 0.0

    async def get(self, path: str, **parameters: str | int) -> Any:
        """The answer to one request; raises `RefusedError`, or `AnswerError` where none comes in several attempts."""
        return await self._get(path, parameters, _ATTEMPTS)

    async def probe(self, path: str) -> Any:
        """As `get`, to see whether anybody is there: it does not wait for long."""
        return await self._get(path, {}, _PROBES)

    async def _get(self, path: str, parameters: Mapping[str, str | int], attempts: int) -> Any:
        trouble = ""
        for attempt in range(attempts):
            await asyncio.sleep(max(self._resting_until - time.monotonic(), 2.0**attempt - 1 if attempt else 0.0))
            self.sent_at = time.time()
            try:
                async with self._session.get(self._base_url + path, params=parameters, timeout=_TIMEOUT) as answer:
                    if answer.status in _BANNED:
                        self._rest(answer.headers.get("Retry-After", ""), answer.status)
                        trouble = f"status {answer.status}"
                        continue
                    if int(answer.headers.get(_WEIGHT, "0")) > _MOST_WEIGHT:
                        self._resting_until = time.monotonic() + 60 - time.time() % 60
                    body = await answer.json(content_type=None)
                    if answer.status >= 500:
                        trouble = f"status {answer.status}"
                        continue
                    if answer.status != 200:
                        said = body.get("msg", "") if isinstance(body, dict) else ""
                        raise RefusedError(f"{path}: status {answer.status} {said}".rstrip())
                    return body
            except (aiohttp.ClientError, TimeoutError, ValueError, RecursionError) as error:
                trouble = str(error) or type(error).__name__
        raise AnswerError(f"{path}: {trouble}")

    def _rest(self, retry_after: str, status: int) -> None:
        seconds = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 60.0
        seconds = min(max(seconds, 1.0), _LONGEST_WAIT)
        if self._resting_until < time.monotonic():
            self._say(f"the exchange asks for a rest of {seconds:.0f} s (status {status})")
        self._resting_until = max(self._resting_until, time.monotonic() + seconds)
