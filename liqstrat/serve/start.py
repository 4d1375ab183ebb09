"""Starting the server, and where it listens."""

import ctypes
import os
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from liqstrat.errors import LiqstratError
from liqstrat.serve.guard import is_local

if TYPE_CHECKING:
    from fastapi import FastAPI

    from liqstrat.serve.server import Server
    from liqstrat.serve.watched import Watched

TOKEN = "LIQSTRAT_TOKEN"
_LEAST_TOKEN = 16
#: glibc's M_ARENA_MAX.
_ARENAS = -8


def serve(
    folders: tuple[Path, Path, Path],
    host: str,
    port: int,
    origins: tuple[str, ...],
    say: Callable[[str], object],
) -> None:
    """Serve folders of databases, results and run files until interrupted; `say` hears the address when it listens.

    An address that others can reach needs a token: that in the environment, or one made for this time.
    Raises `LiqstratError` where it cannot listen there.
    """
    server, listener, app = _server(folders, host, port, origins, say, None)
    try:
        server.run(sockets=[listener])
    finally:
        app.state.served.close()
        listener.close()


async def serve_besides(
    folders: tuple[Path, Path, Path], host: str, port: int, say: Callable[[str], object], watched: "Watched"
) -> None:
    """Serve as `serve` does, with websockets of what is watched, beside other work, until that is cancelled."""
    server, listener, app = _server(folders, host, port, (), say, watched)
    try:
        await server.serve(sockets=[listener])
    finally:
        server.force_exit = True
        await server.shutdown(sockets=[listener])
        app.state.served.close()


def _server(
    folders: tuple[Path, Path, Path],
    host: str,
    port: int,
    origins: tuple[str, ...],
    say: Callable[[str], object],
    watched: "Watched | None",
) -> "tuple[Server, socket.socket, FastAPI]":
    import uvicorn

    from liqstrat.serve.app import create_app
    from liqstrat.serve.server import Server

    _share_memory()
    token = None if is_local(host) else _token()
    listener = _listen(host, port)
    app = create_app(*folders, token=token, origins=origins, watched=watched)
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listener.getsockname()[1]}/"
    say(f"{address}?token={token}" if token else address)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, lifespan="off", ws="websockets-sansio"
    )
    # Where something is watched, who runs that hears the signals.
    return Server(config, app.state.served, hears_signals=watched is None), listener, app


def _share_memory() -> None:
    """Have threads share two heaps: with one of each thread, what they gave back adds up to hundreds of megabytes."""
    # Where the C library is another than glibc, it has no such call, or does not mind it.
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(_ARENAS, 2)


def _token() -> str:
    token = os.environ.get(TOKEN)
    if token is None:
        return secrets.token_urlsafe(24)
    if len(token) < _LEAST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise LiqstratError(
            f"{TOKEN} has {len(token)} letters, expected at least {_LEAST_TOKEN} of ASCII, without spaces"
        )
    return token


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise LiqstratError(f"--host {host}: {error.strerror}, expected an address of this machine") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(512)
    except OSError as error:
        listener.close()
        raise LiqstratError(f"cannot listen on {host}:{port}: {error.strerror}; try another --port") from None
    return listener
