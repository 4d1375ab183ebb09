"""The best trial held against chance, placebo levels and dearer markets, and the page that says so."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from liqstrat.config import RunFile, StrategySettings
from liqstrat.run_file import load_run_file
from liqstrat.studies.checks import against, check, is_decided, matched, stages
from liqstrat.studies.errands import run_all
from liqstrat.studies.journal import Tried
from liqstrat.studies.judge import plateau
from liqstrat.studies.rounds import run_study
from liqstrat.studies.study import open_study
from liqstrat.studies.sweep import sweep
from liqstrat.studies.workers import OwnWorkers
from liqstrat.study_settings import SweepSettings


def test_chance_is_matched_in_number_length_size_and_side() -> None:
    run = RunFile(
        name="matched",
        symbols=["BTCUSDT"],
        start="2024-03-01",
        end="2024-03-11",
        strategies=[StrategySettings(use="LevelFade")],
    )
    figures = {"trades": 20, "turnover": 80.0, "held_seconds": 1800.0, "exposure": 0.5, "long": {"trades": 5}}
    params = matched(run, figures)
    assert params is not None
    # Two a day, tried twice as often as half the time is taken; twice the equity in, risking 1 % of it.
    assert params["per_day"] == pytest.approx(4.0)
    assert params["stop"] == pytest.approx(0.005)
    assert params["risk"] == pytest.approx(0.01)
    assert params["hold_minutes"] == 30
    assert params["long_share"] == 0.25
    assert matched(run, {**figures, "trades": 0}) is None


def test_the_plateau_is_what_is_one_step_away(study_file: Callable[..., Path], tmp_path: Path) -> None:
    study = open_study(load_run_file(study_file()), tmp_path / "results")
    trials = [
        Tried(
            number,
            {"strategies.0.params.turn": turn, "venue.taker_fee": fee},
            [float(number)],
            True,
            {},
            [],
            [],
            None,
        )
        for number, (turn, fee) in enumerate([(a, b) for b in (0.0005, 0.001) for a in (0.001, 0.002, 0.003)])
    ]
    best = next(iter(study.best(trials)))
    assert best.number == 5
    found = plateau(study, trials, best)
    assert found is not None
    # The same turn at the other fee, and the turn before at the same fee.
    assert sorted(found.around) == [2.0, 4.0]
    assert found.share == pytest.approx(0.6)


def test_of_several_objectives_the_best_are_those_that_none_beats(
    study_file: Callable[..., Path], tmp_path: Path
) -> None:
    path = study_file(**{'objective = "net_return"': 'objective = ["net_return", "max_drawdown"]'})
    study = open_study(load_run_file(path), tmp_path / "results")
    # A fall is better when it is smaller; the third is beaten by the second, the fifth does not meet the constraint.
    values = [[0.1, 0.3], [0.05, 0.1], [0.04, 0.2], None, [9.0, 0.0]]
    trials = [Tried(at, {}, one, at != 4, {}, [], [], None) for at, one in enumerate(values)]
    assert [trial.number for trial in study.best(trials)] == [0, 1]


@pytest.mark.slow
def test_a_sweep_is_judged_and_its_page_says_how(study_file: Callable[..., Path], tmp_path: Path) -> None:
    path = study_file("trials = 3", **{"controls = 0": "controls = 2"})
    folder = sweep(load_run_file(path), tmp_path / "results", path, workers=1)
    found = json.loads((folder / "sweep.json").read_text())
    assert found["verdict"]["words"] == "too little to tell"
    assert any("1 days: a verdict needs 30" in text for text in found["verdict"]["needed"])
    kinds = {name.split(" ")[0] for name in found["checks"]}
    assert kinds == {"random", "placebo", "costs", "latency"}
    best = found["best"][0]["figures"]
    assert found["checks"]["costs ×2"]["fees"] > 1.5 * best["fees"]
    page = (folder / "sweep.html").read_text()
    for text in ("SIMULATED", "too little to tell", "Dearer and slower", "Against controls", "Plateau or peak"):
        assert text in page
    table = pd.read_parquet(folder / "returns.parquet")
    assert list(table.columns) == ["day", "0", "1", "2"]


def test_controls_end_where_they_have_decided() -> None:
    over = {"strategies.0.params.turn": [0.001, 0.002]}
    usual, asked = SweepSettings(over=over), SweepSettings(over=over, controls=200)
    assert usual.controls == 200
    assert [(seeds[0], seeds[-1]) for seeds in stages(usual)] == [(1, 30), (31, 90), (91, 200)]
    # Ten of two hundred need not be beaten.
    assert not is_decided([False] * 10 + [True] * 20, usual)
    assert is_decided([False] * 11 + [True] * 19, usual)
    assert [(seeds[0], seeds[-1]) for seeds in stages(asked)] == [(1, 200)]
    assert not is_decided([False] * 200, asked)


@pytest.mark.slow
def test_no_more_controls_are_run_than_decide(study_file: Callable[..., Path], tmp_path: Path) -> None:
    study = open_study(load_run_file(study_file(**{"controls = 0": ""})), tmp_path / "results")
    tried = run_study(study, OwnWorkers(1))
    # As if it had lost everything: no control does worse.
    worst = replace(tried[0], values=[-1.0])
    found = check(study, worst, OwnWorkers(1))
    kinds = Counter(name.split(" ")[0] for name in found)
    assert kinds == {"costs": 2, "latency": 2, "random": 30, "placebo": 30}
    for kind in ("random", "placebo"):
        told = against(found, kind, "net_return", worst)
        assert told is not None
        assert (told.seeds, told.beaten) == (30, 0.0)


@pytest.mark.slow
def test_controls_that_nobody_asked_for_are_not_run_where_there_can_be_no_verdict(
    study_file: Callable[..., Path], tmp_path: Path
) -> None:
    path = study_file("trials = 3", **{"controls = 0": ""})
    folder = sweep(load_run_file(path), tmp_path / "results", path, workers=1)
    found = json.loads((folder / "sweep.json").read_text())
    assert {name.split(" ")[0] for name in found["checks"]} == {"costs", "latency"}


def test_errands_are_run_once(tmp_path: Path) -> None:
    kept = tmp_path / "kept.jsonl"
    kept.write_text('["a", {"figures": {"x": 1}, "days": [], "returns": [], "reason": ""}]\n["b", {"fig')
    found = run_all({"a": None}, kept, "nothing", OwnWorkers(1))  # type: ignore[dict-item]
    assert found["a"].figures == {"x": 1}
    assert kept.read_text().count("\n") == 1
