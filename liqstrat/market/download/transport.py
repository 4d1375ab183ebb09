"""HTTP to an archive: small texts and large files, tried again when the network or the server falters."""

import os
import random
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from threading import Event
from typing import cast
from urllib.error import HTTPError
from urllib.parse import quote

from liqstrat import __version__
from liqstrat.errors import LiqstratError
from liqstrat.market.download.answers import (
    AbsentError,
    BeyondEndError,
    Body,
    RefusedError,
    StoppedError,
    TransientError,
    body_of,
    faltered,
    judged,
    length_of,
)
from liqstrat.market.http import opener

_CHUNK = 1 << 18
_TEXT_LIMIT = 1 << 16
_PATIENCE = 600.0
#: Bytes of a file, and of one of which the server does not tell how many it has: a broken one may send for ever.
_LARGEST, _LARGEST_UNTOLD = 64 << 30, 4 << 30


@dataclass(frozen=True, slots=True)
class Retry:
    """When to try again, and when to give a file up.

    `attempts` in a row that bring nothing new; a wait of `first_wait` seconds after the first, doubled each time up
    to `longest_wait`, drawn from the upper half so that workers do not come back together; a server that names a wait
    (Retry-After) gets that one, up to ten minutes. An attempt ends when nothing comes for `timeout` seconds, or less
    than `slowest` bytes a second over that time.
    """

    attempts: int = 6
    first_wait: float = 1.0
    timeout: float = 30.0
    longest_wait: float = 60.0
    slowest: float = 1_000.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.timeout <= 0 or self.first_wait < 0:
            raise ValueError(f"{self}: expected at least one attempt, a timeout, and waits of zero or more")


class Archive:
    """Reads files below `base_url`. Proxies are taken from the environment, certificates from the system.

    Used by several threads at once; once `stop` is set every call soon raises StoppedError. `silent`: whether the
    server was asked and has not given any answer so far.
    """

    def __init__(self, base_url: str, retry: Retry, stop: Event) -> None:
        if not re.match(r"https?://[^/]", base_url):
            raise LiqstratError(f'base URL "{base_url}": expected one that starts with https:// or http://')
        self.base_url = base_url.rstrip("/")
        self.silent = False
        self._answered = False
        self._retry = retry
        self._stop = stop
        self._opener = opener()

    def text(self, path: str) -> str:
        """A small file as text. Raises AbsentError, RefusedError."""

        def attempt() -> str:
            with self._open(path) as response:
                body = b"".join(self._chunks(response, limit=_TEXT_LIMIT))
                _check_length(len(body), min(length_of(response.headers) or 0, _TEXT_LIMIT))
            return body.decode("utf-8", errors="replace")

        return self._until_done(attempt)

    def exists(self, path: str) -> bool:
        def attempt() -> bool:
            with self._open(path, method="HEAD"):
                return True

        try:
            return self._until_done(attempt)
        except AbsentError:
            return False

    def save(self, path: str, part: Path, reached: Callable[[float], None]) -> None:
        """Bring the file to `part`, going on from what is there where the server gives the rest, else from zero.

        `reached` is told the share that has come. Raises AbsentError, RefusedError, and OSError when `part`
        cannot be written. Whether the bytes are right is for the caller to check.
        """
        known: Body | None = None  # what `part` was begun from, as far as this call knows

        def attempt() -> None:
            nonlocal known
            have = _size(part)
            headers = {"Range": f"bytes={have}-"} if have else {}
            if have and known and known.version:
                headers["If-Range"] = known.version
            try:
                response = self._open(path, headers)
            except BeyondEndError as beyond:
                if beyond.total == have:
                    return
                part.unlink(missing_ok=True)
                raise TransientError("has become shorter") from None
            with response:
                body = body_of(response)
                if body.begin and (body.begin != have or (known or body).is_other_than(body)):
                    part.unlink()
                    raise TransientError("has changed meanwhile")
                known = body
                self._write(response, body, part, reached)
            _check_length(_size(part), body.total)

        self._until_done(attempt, lambda: _size(part))

    def _write(self, response: HTTPResponse, body: Body, part: Path, reached: Callable[[float], None]) -> None:
        if (body.total or 0) > _LARGEST:
            raise RefusedError(f"says that it has {body.total:,} bytes, expected at most {_LARGEST:,}")
        largest = _LARGEST_UNTOLD if body.total is None else body.total
        with part.open("ab" if body.begin else "wb") as sink:
            for chunk in self._chunks(response):
                if sink.tell() + len(chunk) > largest:
                    raise RefusedError(f"sends more than {largest:,} bytes")
                sink.write(chunk)
                if body.total:
                    reached(sink.tell() / body.total)
            sink.flush()
            os.fsync(sink.fileno())  # or a power cut after the renaming could leave an empty file that counts

    def _open(self, path: str, headers: dict[str, str] | None = None, method: str = "GET") -> HTTPResponse:
        self._go_on()
        request = urllib.request.Request(
            f"{self.base_url}/{quote(path)}",
            headers={"User-Agent": f"liqstrat/{__version__}", **(headers or {})},
            method=method,
        )
        try:
            response = self._opener.open(request, timeout=self._retry.timeout)
        except HTTPError as error:
            self._heard()
            with error:
                raise judged(error, ranged="Range" in request.headers) from None
        except (OSError, HTTPException) as error:
            self.silent = not self._answered
            raise faltered(error) from None
        except ValueError as error:  # from a place to which the server sends
            raise RefusedError(f"is sent to an address that is none: {error}") from None
        self._heard()
        return cast(HTTPResponse, response)

    def _chunks(self, response: HTTPResponse, limit: int | None = None) -> Iterator[bytes]:
        since, got, total = time.monotonic(), 0, 0
        while limit is None or total < limit:
            try:
                # read1 gives what has come; read would wait for the whole chunk, however slowly it drips
                chunk = response.read1(_CHUNK)
            except (OSError, HTTPException) as error:
                raise faltered(error) from None
            self._go_on()
            if not chunk:
                return
            yield chunk
            got, total = got + len(chunk), total + len(chunk)
            passed = time.monotonic() - since
            if passed > self._retry.timeout:
                if got < self._retry.slowest * passed:
                    raise TransientError(f"only {got / passed:,.0f} bytes a second")
                since, got = time.monotonic(), 0

    def _until_done[T](self, attempt: Callable[[], T], reached: Callable[[], int] = lambda: 0) -> T:
        furthest, tries = reached(), 0
        while True:
            try:
                return attempt()
            except TransientError as problem:
                if reached() > furthest:
                    furthest, tries = reached(), 0
                tries += 1
                if problem.wait is not None and problem.wait > _PATIENCE:
                    raise RefusedError(f"{problem}, asks to come back in {problem.wait:,.0f} s") from None
                if tries >= self._retry.attempts:
                    times = f", tried {tries} times" if tries > 1 else ""
                    raise RefusedError(f"{problem}{times}") from None
                self._pause(tries, problem.wait)

    def _pause(self, tries: int, told: float | None) -> None:
        backoff = min(self._retry.first_wait * 2 ** (tries - 1), self._retry.longest_wait)
        if self._stop.wait(backoff * random.uniform(0.5, 1) if told is None else told):
            raise StoppedError

    def _heard(self) -> None:
        self._answered, self.silent = True, False

    def _go_on(self) -> None:
        if self._stop.is_set():
            raise StoppedError


def _check_length(size: int, expected: int | None) -> None:
    if expected is not None and size < expected:
        raise TransientError(f"connection cut after {size:,} of {expected:,} bytes")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
