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
from dataclasses import dataclass, replace
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
    """Of one round: seconds of each answer, how many were none, its length, processor time of the server."""

    seconds: list[float]
    failed: int
    length: float
    busy: float = 0.0

    @property
    def p95(self) -> float:
        return 1000 * statistics.quantiles(self.seconds, n=20)[-1]

    @property
    def rate(self) -> float:
        return len(self.seconds) / self.length

    @property
    def cost(self) -> float:
        """Milliseconds of the server's processor time for an answer."""
        return 1000 * self.busy / len(self.seconds)

    def told(self) -> str:
        median = 1000 * statistics.median(self.seconds)
        waited = f"{self.rate:,.0f} answers/s, median {median:.0f} ms, p95 {self.p95:.0f} ms"
        return f"{waited}, {self.cost:.2f} ms of its processor time each"

    def beside(self, base: "_Load") -> str:
        """As shares of what another server did on the same machine."""
        times = f"{self.p95 / base.p95:.1f} times its p95, {self.cost / base.cost:.1f} times its processor time"
        return f"{self.rate / base.rate:.2f} of its answers, {times}"


def measure(place: Place) -> list[Row]:
    """50 clients at once, a connection each, from one other process; the server has a process of its own."""
    house = _house(place.folder / "serve")
    rows = []
    with _Bare() as (bare, idle), _Served(house) as (address, number):
        for path in (_MAP, _HEAT):
            _load(address, number, [path], 1.0)
        before = _resident(number)
        for name, paths in (("maps", [_MAP]), ("heatmaps", [_HEAT]), ("maps and heatmaps", [_MAP, _HEAT])):
            seconds = _SECONDS / (1 if len(paths) == 2 else 4)
            # Just before and just after it, for a machine is busier at one time than at another.
            bases = [_load(bare, idle, ["/"], seconds / 4)]
            found = _load(address, number, paths, seconds)
            bases.append(_load(bare, idle, ["/"], seconds / 4))
            base = _Load([*bases[0].seconds, *bases[1].seconds], 0, seconds / 2, sum(one.busy for one in bases))
            failed = f"; {found.failed:,} failed" if found.failed else "; none failed"
            what = f"50 clients ask for {name} for {found.length:.0f} s, kept in memory, zipped"
            told = f"{found.told()}; {found.beside(base)}{failed}"
            rows.append(Row(what, f"the bare framework: {base.told()}", "no 5xx", told, not found.failed))
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


def _busy(number: int) -> float:
    """Seconds of processor time that a process has had."""
    fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _load(address: str, number: int, paths: list[str], seconds: float) -> _Load:
    """A round of clients in a process of their own, asking the server that is the process `number`."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        before = _busy(number)
        found = pool.apply(_clients, (address, paths, seconds))
        return replace(found, busy=_busy(number) - before)


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

    def __enter__(self) -> tuple[str, int]:
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
        assert self._process.pid is not None
        return address, self._process.pid

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()


def _bare(port: int) -> None:
    app = FastAPI()

    @app.get("/")
    def words() -> dict[str, str]:
        return {"what": "four words of nothing"}

    uvicorn.run(app, port=port, log_level="error", access_log=False)
