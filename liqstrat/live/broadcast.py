"""Messages to websockets: to each a snapshot first, then what changes, and nobody waits for anybody.

A client that does not take its messages is told so and cut; it may come again, and gets a snapshot.
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from liqstrat.errors import did_you_mean
from liqstrat.live.map_feed import Message
from liqstrat.live.sink import Sink

#: Messages that wait for one client.
MOST_WAITING = 256
_GOODBYE_SECONDS = 2.0
#: Codes of a close: try again later; there is no such thing.
TOO_SLOW, UNKNOWN = 1013, 4404

Snapshot = Callable[[], Message]


class _Client:
    """One websocket, and what waits for it; `slow` is set when that was too much."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[str] = asyncio.Queue(MOST_WAITING)
        self.slow = asyncio.Event()

    def put(self, text: str) -> None:
        try:
            self.waiting.put_nowait(text)
        except asyncio.QueueFull:
            self.slow.set()


class Broadcaster(Sink):
    """Sends to all that listen to a symbol's map or heatmap; `app` is to be mounted where they come.

    maps, heatmaps: make the snapshot of a symbol.
    """

    def __init__(self) -> None:
        self.snapshots: dict[tuple[str, str], Snapshot] = {}
        self._clients: dict[tuple[str, str], set[_Client]] = {}
        self.cut = 0
        routes = [WebSocketRoute("/{kind}/{symbol}", self._listen)]
        self.app = Starlette(routes=routes)

    @property
    def clients(self) -> int:
        """How many listen."""
        return sum(map(len, self._clients.values()))

    def offer(self, kind: str, symbol: str, snapshot: Snapshot) -> None:
        """Let clients listen to one, whose snapshots are made so."""
        self.snapshots[kind, symbol] = snapshot

    def map_message(self, symbol: str, message: Message) -> None:
        self._send("map", symbol, message)

    def heat_message(self, symbol: str, message: Message) -> None:
        self._send("heatmap", symbol, message)

    def alive(self, symbol: str, message: Message) -> None:
        for kind in ("map", "heatmap"):
            self._send(kind, symbol, message)

    def _send(self, kind: str, symbol: str, message: Message) -> None:
        clients = self._clients.get((kind, symbol))
        if not clients:
            return
        text = json.dumps(message)
        for client in clients:
            client.put(text)

    async def _listen(self, socket: WebSocket) -> None:
        kind, symbol = socket.path_params["kind"], socket.path_params["symbol"]
        await socket.accept()
        snapshot = self.snapshots.get((kind, symbol))
        if snapshot is None:
            there = sorted({name for _, name in self.snapshots})
            sentence = f'"{kind}/{symbol}" is not watched{did_you_mean(symbol, there)}; there are {", ".join(there)}'
            await self._refuse(socket, UNKNOWN, sentence)
            return
        client = _Client()
        # Nothing can come between: what is sent from now on follows on the snapshot.
        client.put(json.dumps(snapshot()))
        clients = self._clients.setdefault((kind, symbol), set())
        clients.add(client)
        try:
            await self._serve(socket, client)
        finally:
            clients.discard(client)

    async def _serve(self, socket: WebSocket, client: _Client) -> None:
        sending = asyncio.create_task(_send_all(socket, client))
        hearing = asyncio.create_task(_until_gone(socket))
        slow = asyncio.create_task(client.slow.wait())
        tasks = (sending, hearing, slow)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if client.slow.is_set():
            self.cut += 1
            await self._refuse(socket, TOO_SLOW, f"more than {MOST_WAITING} messages wait for you; come again")

    async def _refuse(self, socket: WebSocket, code: int, sentence: str) -> None:
        """Tell, as far as it is taken in time, and close."""
        with suppress(TimeoutError, WebSocketDisconnect, RuntimeError, OSError):
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await socket.send_text(json.dumps({"type": "cut", "reason": sentence}))
                await socket.close(code, sentence[:120])


async def _send_all(socket: WebSocket, client: _Client) -> None:
    with suppress(WebSocketDisconnect, RuntimeError, OSError):
        while True:
            await socket.send_text(await client.waiting.get())


async def _until_gone(socket: WebSocket) -> None:
    """What a client says is not listened to."""
    with suppress(WebSocketDisconnect, RuntimeError, KeyError):
        while socket.client_state is WebSocketState.CONNECTED:
            await socket.receive()
            await asyncio.sleep(0)
