"""What tests share: real market data where it is there, a simulated market, and the results of a run on it."""

import gc
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import settings

from liqstrat.app import run_backtest
from liqstrat.config import DataSettings, StrategySettings
from liqstrat.demo import demo_run
from liqstrat.market.ingest import ingest
from liqstrat.market.simulator import SimulationSettings, simulate
from liqstrat.market.simulator.settings import DEFAULT_LEVERAGE
from tests.once import made_once
from tests.shell import Shell

#: A market like that of the demo, with fewer trades and a shorter past.
QUICK = SimulationSettings(trades=40_000, warmup_days=6, step_seconds=20)


# How long an example takes is the machine's affair; benchmarks are about speed.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real exchange files beside the project; tests that need it are skipped without it."""
    path = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not path.is_dir():
        pytest.skip("no real market data beside the project, in ../shared/data: they are not ours to ship")
    return path


@pytest.fixture(scope="session")
def simulated_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days of a simulated BTCUSDT as archive files."""
    return made_once(
        tmp_path_factory,
        "simulated-archive",
        lambda folder: simulate(folder, "BTCUSDT", days=2, seed=1, start=date(2024, 3, 1), settings=QUICK),
    )


@pytest.fixture(scope="session")
def simulated_database(simulated_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in a DuckDB file, for tests that only read it."""
    name = "market.duckdb"
    return (
        made_once(tmp_path_factory, "simulated-database", lambda folder: ingest([simulated_archive], folder / name))
        / name
    )


@pytest.fixture(scope="session")
def demo_results(simulated_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results folder of a run of every strategy of the package over the second simulated day."""

    def make(folder: Path) -> None:
        data = DataSettings(db=simulated_database, catalog=folder / "nautilus")
        strategies = [StrategySettings(use=use) for use in ("LevelFade", "LevelMagnet", "RandomEntry")]
        run = demo_run("all", "LevelFade", 2, data)
        # The archive has the simulator's mix, not the demo's.
        model = replace(run.model, leverage=dict(DEFAULT_LEVERAGE))
        run = run.model_copy(update={"strategies": strategies, "model": model})
        run_backtest(run, folder / "results")

    (made,) = (made_once(tmp_path_factory, "demo", make) / "results").glob("demo-*")
    return made


@pytest.fixture
def liqstrat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Types commands in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return Shell(monkeypatch, capsys)


@pytest.fixture(autouse=True, scope="module")
def what_there_is_stays() -> None:
    """What was imported by now stays: to look through it for garbage, as after each replay, would take a tenth of a
    second each time."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with a module that has nearly all compiled, and those that need nothing compiled: where two processes begin
    together on a fresh clone, one of them compiles, and the other need not do it once more."""

    def turn(item: pytest.Item) -> int:
        first = ("tests/test_whole_way.py", "tests/market/")
        return next((place for place, start in enumerate(first) if item.nodeid.startswith(start)), len(first))

    items.sort(key=turn)


def pytest_unconfigure() -> None:
    """Hypothesis leaves a callback with the garbage collector, which then frees less at exit: DuckDB would complain."""
    gc.callbacks.clear()
    gc.unfreeze()
