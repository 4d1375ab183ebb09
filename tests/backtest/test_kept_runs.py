"""A run that finds what an earlier one has kept says what it would have said without."""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from liqstrat.app import run_backtest
from tests.backtest.runs import run_file, settled, wandering_market


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return settled(wandering_market(tmp_path_factory.mktemp("market")))


def results(folder: Path) -> dict[str, Any]:
    """All that a run has written but its name, its time and its report."""
    said: dict[str, Any] = {path.name: pq.read_table(path).to_pylist() for path in folder.glob("*.parquet")}
    said |= {path.name: json.loads(path.read_text()) for path in folder.glob("*.json")}
    for told in ("run", "created", "tried"):
        del said["run.json"][told]
    return said


@pytest.mark.parametrize("resolution", [pytest.param("tick", marks=pytest.mark.slow), "1m"])
def test_results_are_those_of_a_run_that_found_nothing(market: Path, tmp_path: Path, resolution: str) -> None:
    def run(catalog: str, seed: int) -> dict[str, Any]:
        strategies = [{"use": "RandomEntry", "params": {"seed": seed, "per_day": 50}}]
        data = {"db": market, "catalog": tmp_path / catalog}
        settings = run_file(
            tmp_path, market, hours=7, start_hours=3.05, resolution=resolution, strategies=strategies, data=data
        )
        return results(run_backtest(settings, tmp_path / "results", report=False))

    run("one", 1)
    kept = {path.name: path.read_bytes() for path in (tmp_path / "one" / "kept").iterdir()}
    assert {name.split("-")[0] for name in kept} == {"book", "facts", "hash", "levels", "verdict"} | (
        {"flows"} if resolution == "1m" else set()
    )
    again, afresh = run("one", 2), run("two", 2)
    for said in (again, afresh):
        del said["run.json"]["config"]["data"]
    assert again == afresh
    assert {path.name: path.read_bytes() for path in (tmp_path / "one" / "kept").iterdir()} == kept
    shutil.rmtree(tmp_path / "results")


def test_only_what_depends_on_a_change_is_made_anew(market: Path, tmp_path: Path) -> None:
    def names(**changes: Any) -> set[str]:
        run_backtest(run_file(tmp_path, market, start_hours=3, **changes), tmp_path / "results", report=False)
        return {path.name for path in (tmp_path / "catalog" / "kept").iterdir()}

    first = names(hours=6)
    assert names(hours=6, venue={"latency_ms": 7}) == first
    longer = names(hours=7) - first
    assert sorted(name.split("-")[0] for name in longer) == ["facts", "hash", "levels", "verdict"]
    other = names(hours=6, model={"bin_width": 0.002}) - first - longer
    assert sorted(name.split("-")[0] for name in other) == ["book", "levels", "verdict"]
