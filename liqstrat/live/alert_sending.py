"""Alerts on their way: to each address one after the other, and no address waits for another."""

import asyncio
import json
import os
import re
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import aiohttp

from liqstrat.alert_settings import AlertSettings, require_address
from liqstrat.errors import LiqstratError

_ATTEMPTS = 5
_POST_SECONDS, _COMMAND_SECONDS = 10.0, 30.0
#: For what still waits when the program ends.
_LAST_SECONDS = 10.0
_TOO_MANY, _LONGEST_REST = 429, 60.0
_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (aiohttp.TooManyRedirects, "the address leads in a circle"),
    (aiohttp.NonHttpUrlClientError, "the address leads to something else than http"),
    (aiohttp.InvalidURL, "the address is none"),
    (aiohttp.ServerDisconnectedError, "the connection was closed without an answer"),
    (aiohttp.ClientOSError, "the connection broke before an answer came"),
    (TimeoutError, f"no answer within {_POST_SECONDS:.0f} s"),
)

Body = dict[str, Any]


class Place:
    """Where the alerts of a rule go; raises `LiqstratError` where the environment has not what its address needs."""

    def __init__(self, rule: AlertSettings) -> None:
        self.chat, self.command = rule.chat, rule.command
        self.address = _address(rule.webhook) if rule.webhook else ""

    @property
    def key(self) -> tuple[str, ...]:
        """What has one queue."""
        return (self.address,) if self.command is None else ("", *self.command)


class Sending:
    """Delivers alerts; `say` hears of what could not be delivered. sent: how many were."""

    def __init__(self, places: Sequence[Place], say: Callable[[str], None]) -> None:
        self._queues: dict[tuple[str, ...], asyncio.Queue[tuple[Place, Body]]] = {}
        for place in places:
            self._queues.setdefault(place.key, asyncio.Queue())
        self._say, self._ending = say, asyncio.Event()
        self.sent = 0

    def put(self, place: Place, body: Body) -> None:
        """Let an alert be delivered."""
        self._queues[place.key].put_nowait((place, body))

    async def run(self) -> None:
        """Deliver for ever; when that is ended, what waits is still sent, but not tried for long."""
        timeout = aiohttp.ClientTimeout(total=_POST_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as session, asyncio.TaskGroup() as group:
            for queue in self._queues.values():
                group.create_task(self._work(session, queue))

    async def _work(self, session: aiohttp.ClientSession, queue: asyncio.Queue[tuple[Place, Body]]) -> None:
        try:
            while True:
                await self._whole(self._deliver(session, *await queue.get()))
        finally:
            self._ending.set()
            try:
                async with asyncio.timeout(_LAST_SECONDS):
                    while not queue.empty():
                        await self._deliver(session, *queue.get_nowait())
            except TimeoutError:
                self._say(f"{queue.qsize() + 1:,} alerts were not delivered before the end")

    async def _whole(self, work: Coroutine[Any, Any, None]) -> None:
        """Work that is not left half done when this is ended."""
        task = asyncio.ensure_future(work)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            self._ending.set()
            await task
            raise

    async def _deliver(self, session: aiohttp.ClientSession, place: Place, body: Body) -> None:
        trouble = await (_run(place.command, body) if place.command else self._post(session, place, body))
        if trouble:
            self._say(f"an alert was not delivered: {trouble}: {body['text']}")
        else:
            self.sent += 1

    async def _post(self, session: aiohttp.ClientSession, place: Place, body: Body) -> str:
        """Post an alert; returns what went wrong. Only what nobody has taken is tried again."""
        content = body if place.chat is None else {"chat_id": place.chat, "text": body["text"]}
        trouble = ""
        for attempt in range(_ATTEMPTS):
            rest = 2.0**attempt
            try:
                async with session.post(place.address, json=content) as answer:
                    if answer.status < 400:
                        return ""
                    trouble = f"the address answers with status {answer.status}"
                    if answer.status != _TOO_MANY:
                        return trouble
                    rest = _rest(answer.headers.get("Retry-After", ""), rest)
            except aiohttp.ClientConnectorError as error:
                trouble = str(error.os_error.strerror or error.os_error)
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                return next((words for kind, words in _WORDS if isinstance(error, kind)), "the address is none")
            if await self._ends_within(rest):
                return trouble
        return trouble

    async def _ends_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._ending.wait(), seconds)
        except TimeoutError:
            return False
        return True


async def _run(command: Sequence[str], body: Body) -> str:
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


def _rest(asked: str, usual: float) -> float:
    return min(float(asked), _LONGEST_REST) if asked.isascii() and asked.isdigit() else usual


def _address(webhook: str) -> str:
    """The address with what the environment has; its value is not shown, as it may be a secret."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in os.environ:
            raise LiqstratError(f'alerts: "{found[1]}" of the webhook is not set in the environment')
        return os.environ[found[1]]

    address = re.sub(r"\$\{(\w+)\}", value, webhook)
    try:
        require_address(address)
    except ValueError:
        raise LiqstratError(
            f'alerts: webhook is "{webhook}", which is no address with what the environment has; expected one as '
            "https://example.org/hook"
        ) from None
    return address
