from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import PIPE, Popen
from sys import executable

import pytest

from liqstrat.market.simulator import simulate
from tests.live.exchange import History

SYMBOL = "BTCUSDT"

Start = Callable[..., tuple[str, str]]


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day of a SIMULATED market, in files of the archive."""
    folder = tmp_path_factory.mktemp("exchange") / "market"
    simulate(folder, SYMBOL, days=1, seed=3)
    return folder


@pytest.fixture(scope="session")
def history(market: Path) -> History:
    """The same day as the exchange has it."""
    return History.read(market, SYMBOL)


@pytest.fixture
def exchange(market: Path) -> Iterator[Start]:
    """Starts an exchange as a process of its own, and gives its addresses, of REST and of streams."""
    started: list[Popen[str]] = []

    def start(*arguments: str) -> tuple[str, str]:
        command = [executable, "-m", "tests.live.exchange", str(market), *arguments]
        process = Popen(command, stdout=PIPE, text=True, cwd=Path(__file__).parents[2])
        started.append(process)
        assert process.stdout is not None
        port = int(process.stdout.readline())
        return f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}/market"

    yield start
    for process in started:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
