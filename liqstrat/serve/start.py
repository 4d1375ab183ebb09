"""Starting the server, and where it listens."""

import os
import secrets
import socket
from collections.abc import Callable
from pathlib import Path

from liqstrat.errors import LiqstratError
from liqstrat.serve.guard import is_local

TOKEN = "LIQSTRAT_TOKEN"
_LEAST_TOKEN = 16


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
    import uvicorn

    from liqstrat.serve.app import create_app

    token = None if is_local(host) else _token()
    listener = _listen(host, port)
    try:
        app = create_app(*folders, token=token, origins=origins)
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listener.getsockname()[1]}/"
        say(f"{address}?token={token}" if token else address)
        config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, lifespan="off")
        try:
            uvicorn.Server(config).run(sockets=[listener])
        finally:
            app.state.served.jobs.close()
    finally:
        listener.close()


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
