"""How the server stands many clients: maps and heatmaps for a minute, next to the bare framework, and new maps."""

import asyncio
import itertools
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import uvicorn
from fastapi import FastAPI

from liqstrat.market.ingest import ingest
from liqstrat.market.simulator import SimulationSettings, simulate
from liqstrat.serve.answers import MOST_KEPT
from tests.benchmarks.measure import Place, Row

_CLIENTS, _SECONDS, _REQUESTS, _ROUNDS = 50, 60.0, 10_000, 6
_MAP = "/liquidations/map?symbol=BTCUSDT&at=2024-03-02T12:00"
_HEAT = "/liquidations/heatmap?symbol=BTCUSDT&window=24h&interval=15m"
_SMALL = SimulationSettings(trades=40_000, warmup_days=6, step_seconds=30)


@dataclass
class _Load:
    """Of one round: seconds of each answer, how many were none, bytes as sent."""

    seconds: list[float]
    failed: int
    length: float

    def told(self) -> str:
        ms = [1000 * one for one in self.seconds]
        p95 = statistics.quantiles(ms, n=20)[-1]
        return f"{len(ms) / self.length:,.0f} answers/s, median {statistics.median(ms):.0f} ms, p95 {p95:.0f} ms"


def measure(place: Place) -> list[Row]:
    """50 clients at once, a connection each, from one other process; the server has a process of its own."""
    house = _house(place.folder / "serve")
    with _Bare() as bare:
        base = _load(bare, ["/"], _SECONDS / 4)
    rows = []
    with _Served(house) as (address, number):
        for path in (_MAP, _HEAT):
            _load(address, [path], 1.0)
        before = _resident(number)
        for name, paths in (("maps", [_MAP]), ("heatmaps", [_HEAT]), ("maps and heatmaps", [_MAP, _HEAT])):
            found = _load(address, paths, _SECONDS / (1 if len(paths) == 2 else 4))
            failed = f"; {found.failed:,} failed" if found.failed else "; none failed"
            what = f"50 clients ask for {name} for {found.length:.0f} s, kept in memory, zipped"
            rows.append(
                Row(what, f"the bare framework: {base.told()}", "no 5xx", found.told() + failed, not found.failed)
            )
        grown = _grown(address, number, before)
        held = [_resident(number) for _ in _new_maps(address)]
    told = f"{before / 1e6:,.0f} MB before, {grown / 1e6:+,.0f} MB after all of it and {_REQUESTS:,} more requests"
    most = MOST_KEPT + 64e6
    reach = f"< {most / 1e6:,.0f} MB more, with what it keeps"
    rows.append(Row("memory of the server", "–", reach, told, grown < most))
    told = f"{', '.join(f'{one / 1e6:,.0f}' for one in held)} MB"
    what = f"memory of the server while 50 clients ask for new maps, after each {_SECONDS / _ROUNDS:.0f} s"
    rows.append(Row(what, f"{before / 1e6:,.0f} MB before", reach, told, max(held) - before < most))
    return rows


def _house(folder: Path) -> Path:
    database = folder / "catalog" / "market.duckdb"
    if not database.exists():
        simulate(folder / "archive", "BTCUSDT", days=2, seed=1, settings=_SMALL)
        database.parent.mkdir(parents=True)
        ingest([folder / "archive"], database)
    return folder


def _grown(address: str, number: int, before: int) -> int:
    """Bytes that the server holds more after so many requests, of which each hundredth is about another moment."""
    paths = [_MAP, "/health", "/symbols", "/runs", "/nowhere", "/liquidations/map?symbol=NONE"]
    asyncio.run(_count(address, paths, _REQUESTS))
    return _resident(number) - before


def _new_maps(address: str) -> Iterator[None]:
    """A minute of 50 clients, in rounds, each question about a moment of which nobody has asked."""
    of_day = (f"/liquidations/map?symbol=BTCUSDT&at=2024-03-02T{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}"
              for s in range(1, 86400, 7))  # fmt: skip
    for _ in range(_ROUNDS):
        asyncio.run(_ask(address, of_day, _SECONDS / _ROUNDS))
        yield


def _resident(number: int) -> int:
    """Bytes of memory that a process holds."""
    pages = int(Path(f"/proc/{number}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _load(address: str, paths: list[str], seconds: float) -> _Load:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_clients, (address, paths, seconds))


def _clients(address: str, paths: list[str], seconds: float) -> _Load:
    return asyncio.run(_ask(address, itertools.cycle(paths), seconds))


async def _ask(address: str, paths: Iterator[str], seconds: float) -> _Load:
    taken: list[float] = []
    failed = 0
    until = time.monotonic() + seconds

    async def client(session: aiohttp.ClientSession) -> None:
        nonlocal failed
        while time.monotonic() < until:
            start = time.monotonic()
            async with session.get(address + next(paths)) as answer:
                await answer.read()
                failed += answer.status >= 500
            taken.append(time.monotonic() - start)

    connector = aiohttp.TCPConnector(limit=_CLIENTS)
    headers = {"Accept-Encoding": "gzip"}
    async with aiohttp.ClientSession(connector=connector, headers=headers, auto_decompress=False) as session:
        await asyncio.gather(*(client(session) for _ in range(_CLIENTS)))
    return _Load(taken, failed, seconds)


async def _count(address: str, paths: list[str], count: int) -> None:
    numbers = iter(range(count))

    async def client(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            other = f"{_MAP[:-5]}{number // 100 // 60 % 24:02d}:{number // 100 % 60:02d}"
            async with session.get(address + (paths[number % len(paths)] if number % 100 else other)) as answer:
                await answer.read()

    headers = {"Accept-Encoding": "gzip"}
    async with aiohttp.ClientSession(headers=headers, auto_decompress=False) as session:
        await asyncio.gather(*(client(session) for _ in range(_CLIENTS)))


class _Served:
    """`liqstrat serve` in a process of its own."""

    def __init__(self, house: Path) -> None:
        self._house = house

    def __enter__(self) -> tuple[str, int]:
        command = [sys.executable, "-m", "liqstrat", "serve", "--port", "0"]
        self._process = subprocess.Popen(
            command, cwd=self._house, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        assert self._process.stdout is not None
        address = self._process.stdout.readline().split()[1].rstrip("/")
        return address, self._process.pid

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(20)


class _Bare:
    """An app of the framework that answers with four words, in a process of its own."""

    def __enter__(self) -> str:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._process = multiprocessing.get_context("spawn").Process(target=_bare, args=(port,))
        self._process.start()
        address = f"http://127.0.0.1:{port}"
        for _ in range(200):
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        return address

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()


def _bare(port: int) -> None:
    app = FastAPI()

    @app.get("/")
    def words() -> dict[str, str]:
        return {"what": "four words of nothing"}

    uvicorn.run(app, port=port, log_level="error", access_log=False)
