"""The demo, and the run files that are shipped for its market, trade on it."""

import json
from pathlib import Path

import pytest

import liqstrat as lq
from liqstrat.demo import run_demo
from tests.once import made_once
from tests.shell import Shell

pytestmark = pytest.mark.slow

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `liqstrat demo` has run."""
    return made_once(tmp_path_factory, "whole-demo", run_demo)


def test_the_demo_trades(demo: Path) -> None:
    trades = {
        path.parent.name: json.loads(path.read_text())["trades"] for path in demo.glob("results/demo-*/metrics.json")
    }
    assert len(trades) == 3
    assert min(trades.values()) >= 8, trades


@pytest.mark.parametrize("name", ["cascade", "avoid-zones", "limit-at-level"])
def test_it_trades(name: str, demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(demo)
    run = lq.run(CONFIGS / f"{name}.toml", out=tmp_path, report=False, progress=False)
    assert run.simulated
    trades = run.metrics_by_strategy["trades"]
    assert (trades >= 3).all(), trades.to_dict()
    assert run.trades["level_side"].notna().all()
    if name == "avoid-zones":
        assert run.metrics_by_strategy["turnover"].nunique() == 2, "the filter changes nothing"
    if name == "limit-at-level":
        assert (run.fills.query("role == 'entry'")["liquidity"] == "maker").any()


def test_the_study_goes_from_a_sweep_to_its_hold_out(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(demo)
    few = {"trials": 6, "controls": 0, "workers": 1, "progress": False}
    study = lq.sweep(CONFIGS / "fade-sweep.toml", {"sweep.constraint": "trades >= 1"}, out=tmp_path, **few)
    assert study.verdict == "too little to tell"
    assert study.page.exists()
    walk = lq.walk_forward(CONFIGS / "fade-sweep.toml", out=tmp_path, **{**few, "trials": 24})
    assert walk.facts["figures"]["windows"] == 5
    assert walk.facts["figures"]["trades"] >= 5
    held = lq.holdout(study.folder / "best.toml", out=tmp_path, report=False, progress=False)
    assert held.about["notes"][0] == "HOLD-OUT: the first look at this hold-out"
    assert held.about["start"] == "2024-03-07T00:00:00+00:00"


@pytest.mark.parametrize("name", ["cascade", "avoid-zones", "limit-at-level"])
def test_its_sweep_begins(
    name: str, demo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(demo)
    liqstrat = Shell(monkeypatch, capsys)
    few = ("--trials", "2", "--workers", "1", "--set", "sweep.controls=0")
    done = liqstrat("sweep", str(CONFIGS / f"{name}-sweep.toml"), "--out", str(tmp_path), *few)
    assert done.code == 0, done.err
    assert "verdict: too little to tell" in done.out
