"""HTTP within limits of time and size, whatever a server does."""

import http.client
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_CHUNK = 1 << 16


def opener() -> urllib.request.OpenerDirector:
    """Opens http and https, by proxies of the environment, and nothing else, even where it is sent elsewhere.

    The timeout of a request is for the whole of the answer's head, not for each piece in which that arrives.
    """
    director = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        _HttpHandler(),
        _HttpsHandler(),
    ):
        director.add_handler(handler)
    return director


def read_at_most(response: http.client.HTTPResponse, limit: int, seconds: float) -> bytes:
    """The body, or its first `limit` bytes; raises `TimeoutError` where they take longer."""
    latest = time.monotonic() + seconds
    parts, size = [], 0
    while size < limit and (part := response.read1(min(_CHUNK, limit - size))):
        parts.append(part)
        size += len(part)
        if time.monotonic() > latest:
            raise TimeoutError(f"no whole answer in {seconds:.0f} s")
    return b"".join(parts)


class _Connection(http.client.HTTPConnection):
    def connect(self) -> None:
        with _cut_off(self):
            super().connect()

    def getresponse(self) -> http.client.HTTPResponse:
        with _cut_off(self):
            return super().getresponse()


class _SecureConnection(_Connection, http.client.HTTPSConnection):
    pass


class _HttpHandler(urllib.request.HTTPHandler):
    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Connection, request)


class _HttpsHandler(urllib.request.HTTPSHandler):
    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_SecureConnection, request)


@contextmanager
def _cut_off(connection: http.client.HTTPConnection) -> Iterator[None]:
    """Close the connection's socket when its timeout is over; a timeout of a socket begins anew with every byte."""
    over = threading.Event()

    def close() -> None:
        over.set()
        if connection.sock is not None:
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    if not isinstance(connection.timeout, int | float):
        yield
        return
    timer = threading.Timer(connection.timeout, close)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException):
        if not over.is_set():
            raise
    finally:
        timer.cancel()
    if over.is_set():
        # The head may seem to end where the connection was closed.
        raise TimeoutError(f"no answer in {connection.timeout:.0f} s")
