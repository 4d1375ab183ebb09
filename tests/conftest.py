"""What tests share: real market data where it is there, a simulated market, and the results of a run on it."""

import gc
from datetime import date
from pathlib import Path

import pytest

from liqstrat.backtest.runner import run_backtest
from liqstrat.config import DataSettings, StrategySettings
from liqstrat.demo import demo_run
from liqstrat.market.ingest import ingest
from liqstrat.market.simulator import simulate
from tests.shell import Shell


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real exchange files beside the project; tests that need it are skipped without it."""
    path = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not path.is_dir():
        pytest.skip("no real market data beside the project")
    return path


@pytest.fixture(scope="session")
def simulated_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days of a simulated BTCUSDT as archive files."""
    folder = tmp_path_factory.mktemp("simulated") / "archive"
    simulate(folder, "BTCUSDT", days=2, seed=1, start=date(2024, 3, 1))
    return folder


@pytest.fixture(scope="session")
def demo_results(simulated_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results folder of a run of every strategy of the package over the second simulated day."""
    folder = tmp_path_factory.mktemp("demo")
    ingest([simulated_archive], folder / "market.duckdb")
    data = DataSettings(db=folder / "market.duckdb", catalog=folder / "nautilus")
    strategies = [StrategySettings(use=use) for use in ("LevelFade", "LevelMagnet", "RandomEntry")]
    run = demo_run("all", "LevelFade", 2, data).model_copy(update={"strategies": strategies})
    return run_backtest(run, folder / "results")


@pytest.fixture
def liqstrat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Types commands in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return Shell(monkeypatch, capsys)


def pytest_unconfigure() -> None:
    """Hypothesis leaves a callback with the garbage collector, which then frees less at exit: DuckDB would complain."""
    gc.callbacks.clear()
