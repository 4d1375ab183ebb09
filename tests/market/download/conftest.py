"""A web server on this machine with the layout of the public archive, which fails in every way it is told to."""

import hashlib
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Barrier, BrokenBarrierError, Event, Thread

import pytest


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    time: float


@dataclass
class Fault:
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    stall_after: int | None = None
    drip: bool = False
    body: bytes | None = None
    meet: Barrier | None = None


class LocalArchive:
    """Serves `files` by path; each fault queued for a path spoils one request for it."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.requests: list[Request] = []
        self.ranges = True
        self.heeds_if_range = True
        self.stalled = Event()
        self.over = Event()
        self.faults: dict[str, deque[Fault]] = defaultdict(deque)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def put(self, path: str, body: bytes, checksum_of: bytes | None = None) -> None:
        digest = hashlib.sha256(body if checksum_of is None else checksum_of).hexdigest()
        self.files[path] = body
        self.files[f"{path}.CHECKSUM"] = f"{digest}  {path.rpartition('/')[2]}\n".encode()

    def fail(self, path: str, times: int = 1, **how: object) -> None:
        self.faults[path].extend(Fault(**how) for _ in range(times))

    def asked(self, path: str, method: str = "GET") -> list[Request]:
        return [request for request in self.requests if request.path == path and request.method == method]

    def close(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        archive = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                archive._answer(self)

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path.lstrip("/")
        self.requests.append(Request(handler.command, path, dict(handler.headers), time.monotonic()))
        queue = self.faults[path]
        fault = queue.popleft() if queue else Fault()
        body = self.files.get(path) if fault.body is None else fault.body
        if fault.status is not None or body is None:
            self._head(handler, fault.status or 404, {**fault.headers, "Content-Length": "0"})
            return
        begin = self._begin(handler, body)
        if begin >= len(body) > 0:
            self._head(handler, 416, {"Content-Range": f"bytes */{len(body)}", "Content-Length": "0"})
            return
        headers = {"ETag": _tag(body), "Content-Length": str(len(body) - begin)}
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(body) - 1}/{len(body)}"
        self._head(handler, 206 if begin else 200, headers)
        if handler.command == "GET":
            self._send(handler, body[begin:], fault)

    def _begin(self, handler: BaseHTTPRequestHandler, body: bytes) -> int:
        wanted = handler.headers.get("Range")
        changed = self.heeds_if_range and handler.headers.get("If-Range", _tag(body)) != _tag(body)
        if not wanted or not self.ranges or changed:
            return 0
        return int(wanted.removeprefix("bytes=").removesuffix("-"))

    def _head(self, handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str]) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()

    def _send(self, handler: BaseHTTPRequestHandler, body: bytes, fault: Fault) -> None:
        try:
            if fault.meet:
                fault.meet.wait(5)
            if fault.drip:
                for at in range(len(body)):
                    handler.wfile.write(body[at : at + 1])
                    if self.over.wait(0.02):
                        return
            end = next((n for n in (fault.cut_after, fault.stall_after) if n is not None), len(body))
            handler.wfile.write(body[:end])
            if fault.stall_after is not None:
                self.stalled.set()
                self.over.wait(20)
        except (OSError, BrokenBarrierError):
            pass  # the client has gone, or came alone


def _tag(body: bytes) -> str:
    return f'"{hashlib.md5(body).hexdigest()}"'


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalArchive]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    served = LocalArchive()
    yield served
    served.close()
