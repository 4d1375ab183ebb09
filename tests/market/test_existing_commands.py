"""Every command on a file that somebody built long ago: it works, says the same, and leaves the file as it was."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.market import existing_files
from tests.market.existing_files import OLD_VERSIONS
from tests.shell import Shell

pytestmark = pytest.mark.slow

DB = ("--db", "mine.duckdb")
MINE = ("BTCUSDT", *DB)
RUN = """
name = "mine"
symbols = ["BTCUSDT"]
from = 2024-03-01T04:00:00
to = 2024-03-01T09:00:00
resolution = "{resolution}"
data = {{ db = "mine.duckdb", catalog = "nautilus" }}
[[strategies]]
use = "RandomEntry"
params = {{ per_day = 200 }}
"""


def said(liqstrat: Shell, folder: Path) -> dict[str, Any]:
    """What each command says of the file `mine.duckdb`, or writes."""

    def run(*arguments: str) -> str:
        done = liqstrat(*arguments)
        assert done.code == 0, done.err
        return done.out

    found: dict[str, Any] = {
        "all": json.loads(run("inspect", "--json", *DB)),
        "quality": json.loads(run("inspect", "--json", "--strict", *MINE)),
        "levels": json.loads(run("levels", *MINE, "--at", "2024-03-01T06:02", "--json")),
        "catalog": run("catalog", *MINE, "--catalog", "other"),
    }
    run("heatmap", *MINE, "--out", "heat.parquet")
    found["heatmap"] = pq.read_table(folder / "heat.parquet")
    run("heatmap", *MINE, "--every", "15m", "--out", "heat.html")
    found["picture"] = (folder / "heat.html").read_text()
    for resolution in ("tick", "5m"):
        (folder / "run.toml").write_text(RUN.format(resolution=resolution))
        run("backtest", "run.toml", "--out", resolution)
        (results,) = (path.parent for path in (folder / resolution).glob("*/run.json"))
        about = json.loads((results / "run.json").read_text())
        found[resolution] = (json.loads((results / "metrics.json").read_text()), about["data"], about["data_hash"])
    return found


def check(liqstrat: Shell, folder: Path, made: Path) -> dict[str, Any]:
    mine = folder / "mine.duckdb"
    made.rename(mine)
    mine.chmod(0o444)
    before = hashlib.sha256(mine.read_bytes()).hexdigest()
    found = said(liqstrat, folder)
    assert hashlib.sha256(mine.read_bytes()).hexdigest() == before
    assert not list(folder.glob("mine.duckdb.*"))
    return found


@pytest.fixture(scope="module")
def remembered() -> dict[str, Any]:
    return {}


@pytest.fixture
def right(liqstrat: Shell, tmp_path: Path, remembered: dict[str, Any]) -> dict[str, Any]:
    """What commands say of a file of today, with exact decimals."""
    if not remembered:
        existing_files.write(str(tmp_path / "made.duckdb"), "decimal")
        remembered |= check(liqstrat, tmp_path, tmp_path / "made.duckdb")
        for path in tmp_path.iterdir():
            path.rename(tmp_path.with_name(f"{tmp_path.name}-right-{path.name}"))
    assert remembered["tick"][0]["trades"] >= 3
    assert {kind["kind"] for kind in remembered["all"]} > {"klines_5m", "klines_15m"}
    return remembered


@pytest.mark.parametrize("version", ["this", *OLD_VERSIONS])
def test_commands_work_on_existing_files(
    liqstrat: Shell, tmp_path: Path, right: dict[str, Any], old_files: Callable[[str], Path], version: str
) -> None:
    made = tmp_path / "made.duckdb"
    if version == "this":
        existing_files.write(str(made), "rough")
    else:
        made.write_bytes((old_files(version) / "rough.duckdb").read_bytes())
    found = check(liqstrat, tmp_path, made)
    assert [name for name in right if found[name] != right[name]] == []
