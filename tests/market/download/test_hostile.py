"""Servers that say odd things, or say them for ever."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from liqstrat.errors import LiqstratError
from liqstrat.market.download import ArchiveFile, Retry, transport
from liqstrat.market.download.fetch import fetch
from liqstrat.market.reference import read_source

FILE = ArchiveFile("BTCUSDT", "aggTrades", "data/BTCUSDT-aggTrades-2024-03-01.zip", date(2024, 3, 1), 1)
ONCE = Retry(attempts=1, timeout=0.4)

Answer = Callable[[socket.socket], None]


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """A server that reads a request, and does whatever `answer` does with the connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    try:
                        connection.recv(65536)
                        answer(connection)
                    except OSError:
                        pass  # the other side has had enough

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def head_by_drops(connection: socket.socket) -> None:
    for letter in b"HTTP/1.1 200 OK\r\n" + b"X-More: and more\r\n" * 10_000:
        connection.sendall(bytes([letter]))
        time.sleep(0.05)


def never_the_last_head(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.05)


def body_without_end(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"[" + bytes(1 << 16))


def body_by_drops(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"[")
        time.sleep(0.05)


def saying(*lines: str) -> Answer:
    text = "\r\n".join([*lines, "", ""]).encode("latin-1")
    return lambda connection: connection.sendall(text)


ODD = {
    "a wait of two squared": saying("HTTP/1.1 429 No", "Retry-After: \xb2", "Content-Length: 0"),
    "a wait of 5000 digits": saying("HTTP/1.1 503 No", f"Retry-After: {'9' * 5000}", "Content-Length: 0"),
    "a wait of no date": saying("HTTP/1.1 503 No", "Retry-After: Mon, 99 Foo 99999 99:99:99 +99999999"),
    "a length of two squared": saying("HTTP/1.1 200 OK", "Content-Length: \xb2", "", "x"),
    "a length of 5000 digits": saying("HTTP/1.1 200 OK", f"Content-Length: {'9' * 5000}", "", "x"),
    "a length below zero": saying("HTTP/1.1 200 OK", "Content-Length: -5", "", "x"),
    "no status": saying("nonsense"),
    "a status of 99": saying("HTTP/1.1 99 What", ""),
    "chunks of no length": saying("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "", "zzz", "x"),
    "sent to a file": saying("HTTP/1.1 302 Found", "Location: file:///etc/hostname", "Content-Length: 0"),
    "sent to nowhere": saying("HTTP/1.1 302 Found", "Location: http://[::x/", "Content-Length: 0"),
    "nothing": lambda connection: None,
}


@pytest.mark.parametrize("answer", [head_by_drops, never_the_last_head, body_by_drops, body_without_end])
def test_an_answer_has_its_time_and_its_size(answer: Answer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_LARGEST_UNTOLD", 1 << 20)
    monkeypatch.setattr("liqstrat.market.reference._TIMEOUT", 0.4)
    begin = time.monotonic()
    with answering(answer) as address:
        archive = transport.Archive(address, ONCE, threading.Event())
        assert fetch(FILE, archive, tmp_path).state == "failed"
        with pytest.raises((transport.RefusedError, transport.AbsentError)):
            archive.save(FILE.path, tmp_path / "part", lambda share: None)
        with pytest.raises(LiqstratError, match=r"127\.0\.0\.1"):
            read_source(address)
    assert time.monotonic() - begin < 12
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) <= 1 << 20


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_answer_is_a_failed_file(odd: str, tmp_path: Path) -> None:
    with answering(ODD[odd]) as address:
        archive = transport.Archive(address, ONCE, threading.Event())
        assert fetch(FILE, archive, tmp_path).state == "failed"
        with pytest.raises(LiqstratError, match=r"127\.0\.0\.1"):
            read_source(address)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_huge_checksum_on_the_disk_is_not_read_whole(tmp_path: Path) -> None:
    place = tmp_path / FILE.path
    place.parent.mkdir()
    place.write_bytes(b"zip")
    with place.with_name(f"{place.name}.CHECKSUM").open("wb") as file:
        file.truncate(8 << 30)  # of no size on the disk
    with answering(saying("HTTP/1.1 404 No", "Content-Length: 0")) as address:
        report = fetch(FILE, transport.Archive(address, ONCE, threading.Event()), tmp_path)
    assert report.state in ("missing", "present", "failed")
