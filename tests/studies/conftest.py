"""A small sweep of a simulated day, as a run file and in folders of its own."""

from collections.abc import Callable
from pathlib import Path

import pytest

RUN = """\
# A study of a day.
name = "small"
symbols = ["BTCUSDT"]
from = 2024-03-02
to = 2024-03-03
resolution = "15m"

[data]
db = "{db}"
catalog = "{catalog}"

[[strategies]]
use = "LevelFade"  # against the sweep
params = {{ turn = 0.002 }}

[sweep]
method = "grid"
objective = "net_return"
controls = 0
{more}

[sweep.over]
"strategies.0.params.turn" = {{ from = 0.001, to = 0.003, step = 0.001 }}
"venue.taker_fee" = [0.0005, 0.001]

[model]
bin_width = 0.0005
"""


@pytest.fixture(scope="session")
def study_catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("study-catalog")


@pytest.fixture
def study_file(simulated_database: Path, study_catalog: Path, tmp_path: Path) -> Callable[..., Path]:
    """Writes the run file of a small sweep, changed as the test asks."""

    def write(more: str = "", **changed: str) -> Path:
        text = RUN.format(db=simulated_database, catalog=study_catalog, more=more)
        for old, new in changed.items():
            text = text.replace(old, new)
        path = tmp_path / "small.toml"
        path.write_text(text)
        return path

    return write
