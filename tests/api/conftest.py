"""A folder as somebody has it who has loaded history and written a run file."""

import os
from pathlib import Path

import pytest

import liqstrat as lq
from tests.once import made_once

RUN = """\
name = "fade"
symbols = ["BTCUSDT"]
from = 2024-03-02
to = 2024-03-03

[[strategies]]
use = "LevelFade"
"""

STUDY = """
[sweep]
method = "grid"
objective = "net_return"

[sweep.over]
"strategies.0.params.turn" = [0.002, 0.003]
"strategies.0.params.min_strength" = [0.01, 0.03]

[walk_forward]
train = "8h"
test = "6h"

[holdout]
last = "4h"
"""


@pytest.fixture(scope="session")
def home(simulated_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It has `catalog/market.duckdb`, run files in `configs/`, of which one is a study, and the results of one run on
    bars."""

    def make(folder: Path) -> None:
        (folder / "catalog").mkdir(parents=True)
        (folder / "catalog" / "market.duckdb").symlink_to(simulated_database)
        (folder / "configs").mkdir()
        (folder / "configs" / "fade.toml").write_text(RUN)
        (folder / "configs" / "fade-sweep.toml").write_text(RUN.replace("[[", 'resolution = "15m"\n\n[[') + STUDY)
        before = Path.cwd()
        os.chdir(folder)
        try:
            # So that it trades on this one quiet day.
            often = {
                "model.bin_width": 0.0005,
                "strategies.0.params.turn": 0.001,
                "strategies.0.params.min_strength": 0.005,
            }
            lq.run("configs/fade.toml", {"resolution": "5m", **often}, progress=False)
        finally:
            os.chdir(before)

    return made_once(tmp_path_factory, "home", make)


@pytest.fixture
def at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test runs in it; the value is the results folder."""
    monkeypatch.chdir(home)
    return min((home / "results").glob("fade-*"))
