import shutil
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from subprocess import PIPE, Popen
from sys import executable

import duckdb
import pytest

from liqstrat.market.ingest import ingest
from liqstrat.market.simulator import simulate
from tests.conftest import QUICK
from tests.live.exchange import History
from tests.live.redis_server import Server
from tests.once import made_once

SYMBOL, OTHER = "BTCUSDT", "ETHUSDT"

Start = Callable[..., tuple[str, str]]


def cut_off(database: Path, target: Path, moment: datetime) -> Path:
    """The history as it was at a moment."""
    shutil.copy(database, target)
    with duckdb.connect(str(target)) as connection:
        connection.execute("set timezone = 'UTC'")
        for (table,) in connection.execute("select table_name from information_schema.tables").fetchall():
            columns = {name for (name,) in connection.execute(f"select column_name from (describe {table})").fetchall()}
            if "timestamp" in columns:
                connection.execute(f"delete from {table} where timestamp >= ?", [moment])
    return target


@pytest.fixture(scope="session")
def history(simulated_archive: Path) -> History:
    """Two days of a SIMULATED market as the exchange has them."""
    return History.read(simulated_archive, SYMBOL)


@pytest.fixture(scope="session")
def two_markets(simulated_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The archive of two days of BTCUSDT and the second of ETHUSDT, SIMULATED, and its database."""

    def make(folder: Path) -> None:
        shutil.copytree(simulated_archive, folder / "archive")
        simulate(folder / "archive", OTHER, days=1, seed=2, start=date(2024, 3, 2), settings=QUICK)
        ingest([folder / "archive"], folder / "market.duckdb")

    made = made_once(tmp_path_factory, "two-markets", make)
    return made / "archive", made / "market.duckdb"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A Redis of its own."""
    folder = tmp_path / "redis"
    folder.mkdir()
    there = Server(folder)
    yield there
    there.client.close()
    there.kill()


@pytest.fixture
def exchange(simulated_archive: Path) -> Iterator[Start]:
    """Starts an exchange as a process of its own, and gives its addresses, of REST and of streams."""
    yield from exchanges(simulated_archive)


def play(market: Path, *arguments: str) -> tuple[Popen[str], tuple[str, str]]:
    """An exchange that plays the archive files of `market`, to be ended by the caller, and its addresses."""
    command = [executable, "-m", "tests.live.exchange", str(market), *arguments]
    process = Popen(command, stdout=PIPE, text=True, cwd=Path(__file__).parents[2])
    assert process.stdout is not None
    port = int(process.stdout.readline())
    return process, (f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}/market")


def exchanges(market: Path) -> Iterator[Start]:
    """Starts exchanges that play the archive files of `market`, and ends them."""
    started: list[Popen[str]] = []

    def start(*arguments: str) -> tuple[str, str]:
        process, addresses = play(market, *arguments)
        started.append(process)
        return addresses

    try:
        yield start
    finally:
        for process in started:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()
