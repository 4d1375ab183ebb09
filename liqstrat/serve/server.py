"""The server as uvicorn has it, but for how it ends and who hears the signals."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from liqstrat.serve.served import Served


class Server(uvicorn.Server):
    """Serves an app. When it is to end, it answers what it has begun, and tells the others that wait that it ends.

    hears_signals: whether SIGINT and SIGTERM end it; where other work runs beside it, that hears them.
    """

    def __init__(self, config: uvicorn.Config, served: Served, *, hears_signals: bool) -> None:
        super().__init__(config)
        self._served = served
        self._hears_signals = hears_signals

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if not self._hears_signals:
            yield
            return
        with super().capture_signals():
            yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._served.answers.close()
        await super().shutdown(sockets)
