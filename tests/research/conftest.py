"""Results of three small runs, and folders with them that a test may change."""

import shutil
from pathlib import Path

import pytest

import liqstrat as lq
from tests.holders import OF_HOLDERS
from tests.once import made_once

#: By name: what differs from the first.
RUNS = {
    "base": {},
    "wider": {"strategies.0.params.turn": 0.004},
    "dearer": {"venue.taker_fee": 0.001},
}


@pytest.fixture(scope="session")
def three_runs(simulated_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results of `RUNS`, replayed on bars of 15 minutes; tests only read it."""

    def make(folder: Path) -> None:
        for name, settings in RUNS.items():
            values = {
                "name": name,
                "symbols": ["BTCUSDT"],
                "from": "2024-03-02",
                "to": "2024-03-03",
                "resolution": "15m",
                "data": {"db": str(simulated_database), "catalog": str(folder / "nautilus")},
                "model": OF_HOLDERS,
                "strategies": [{"use": "LevelFade"}],
            }
            lq.run(values, settings, out=folder / "results", report=False, progress=False)

    return made_once(tmp_path_factory, "three-runs", make) / "results"


@pytest.fixture
def runs(three_runs: Path, tmp_path: Path) -> Path:
    """A copy of them, which a test may change."""
    return Path(shutil.copytree(three_runs, tmp_path / "results"))


def folder_of(runs: Path, name: str) -> Path:
    (found,) = runs.glob(f"{name}-*")
    return found
