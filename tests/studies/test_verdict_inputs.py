"""What a verdict is told: the controls that were run, the ledger's count of what was tried, and no other days.

Returns are drawn, and controls are put where a study keeps those that it has run, so that no engine is needed.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from liqstrat.config import RunFile
from liqstrat.research.edge import EDGE, NONE, NOT_OF_LEVELS, Verdict
from liqstrat.research.ledger import Entry, append
from liqstrat.research.luck import overfitting, superiority
from liqstrat.run_file import load_run_file, run_from
from liqstrat.studies.checks import KINDS, control
from liqstrat.studies.journal import Tried
from liqstrat.studies.judge import judge
from liqstrat.studies.study import Study, open_study, trial_run
from liqstrat.studies.trial import Outcome
from liqstrat.studies.walked import Step, Walked, judge_walk
from liqstrat.studies.windows import Window
from liqstrat.studies.workers import OwnWorkers

DAYS, SEEDS, BEST = 200, 19, 3
FIRST = 19_800


def returns(earned: float) -> np.ndarray:
    """Of six trials, `[day, trial]`; one has earned so much a day."""
    drawn = np.random.default_rng(4).normal(0, 0.01, (DAYS, 6))
    drawn[:, BEST] += earned
    return drawn


def outcome(value: float, own: np.ndarray) -> Outcome:
    figures = {"turnover": 400.0, "held_seconds": 1800.0, "exposure": 0.1, "long": {"trades": 50}}
    figures |= {"net_return": value, "trades": 100}
    return Outcome(figures, list(range(FIRST, FIRST + DAYS)), own.tolist())


@pytest.fixture
def study(study_file: Callable[..., Path], tmp_path: Path) -> Study:
    path = study_file(**{"controls = 0": f"controls = {SEEDS}"})
    found = open_study(load_run_file(path), tmp_path / "results", path)
    found.working.mkdir(parents=True)
    return found


def judged(study: Study, earning: str = "", **better: int) -> Verdict:
    """better: how many controls of a kind have earned more than the best trial. earning: the kind whose controls earn a
    little more each day."""
    drawn, trials = returns(0.004), []
    for number, (turn, fee) in enumerate([(a, b) for b in (0.0005, 0.001) for a in (0.001, 0.002, 0.003)]):
        made = outcome(float(drawn[:, number].sum()), drawn[:, number])
        settings = {"strategies.0.params.turn": turn, "venue.taker_fee": fee}
        values = [made.figures["net_return"]]
        trials.append(Tried(number, settings, values, True, made.figures, made.days, made.returns, None))
    names = [f"{kind} ×{times}" for kind in ("costs", "latency") for times in (2, 3)]
    kept = {name: outcome(0.0, drawn[:, 0]) for name in names}
    for kind in ("random", "placebo"):
        for seed in range(1, SEEDS + 1):
            days = drawn[:, BEST] + 0.001 if kind == earning else drawn[:, 0]
            kept[f"{kind} {seed}"] = outcome(9.0 if seed <= better.get(kind, 0) else 0.0, days)
    lines = [json.dumps([name, asdict(one)]) + "\n" for name, one in kept.items()]
    (study.working / f"checks-{BEST:05}.jsonl").write_text("".join(lines))
    return judge(study, trials, OwnWorkers(1)).verdict


def test_a_sweep_is_held_against_each_kind_of_control(study: Study) -> None:
    found = judged(study)
    assert found.words == EDGE
    assert found.evidence.overfitting == overfitting(returns(0.004))
    assert found.evidence.superiority == superiority(returns(0.004))
    assert judged(study, placebo=1).words == NOT_OF_LEVELS
    assert judged(study, random=1).words == NONE


def test_what_a_sweep_announces_counts_each_kind_of_control_and_no_other_days(study: Study) -> None:
    found = judged(study).power
    assert found is not None
    assert found.days == DAYS
    assert found.controls == dict.fromkeys(KINDS, SEEDS)
    assert found.objective == "net_return"
    assert found.probability > 0.8
    for kind in KINDS:
        # A kind that earns more than the best on each of its days.
        beaten = judged(study, earning=kind).power
        assert beaten is not None
        assert beaten.probability < 0.5, kind
        assert beaten.needed_days is None
    told = json.loads(json.dumps(judged(study).to_json()))["power"]
    assert (told["probability"], told["text"]) == (found.probability, found.text)


def test_each_control_is_another_run_of_its_kind(study: Study) -> None:
    placebo, chance = (control(kind, study.run, outcome(0.0, returns(0.0)[:, 0]).figures) for kind in KINDS)
    assert placebo is not None
    assert chance is not None
    for seed in (1, 2):
        shown, by_chance = (run_from(study.values, own(seed)) for own in (placebo, chance))
        assert (shown.control, shown.control_seed) == ("placebo", seed)
        assert [(one.use, one.params["seed"]) for one in by_chance.strategies] == [("RandomEntry", seed)]


def test_all_that_was_ever_tried_on_the_data_counts_against_a_sweep(study: Study) -> None:
    first = judged(study).evidence
    assert first.configurations == 6
    # Fees have nothing to do with it: each is another configuration.
    runs = [trial_run(study, {"venue.taker_fee": 1e-6 * number}) for number in range(1, 400)]
    append(study.results, [_entry(study, run, f"other-{number}") for number, run in enumerate(runs)])
    found = judged(study)
    assert found.evidence.configurations == 399
    assert found.evidence.deflated is not None
    assert first.deflated is not None
    assert found.evidence.deflated.trials == 399
    assert found.evidence.deflated.benchmark > 1.5 * first.deflated.benchmark
    assert found.words == NONE


def _entry(study: Study, run: RunFile, name: str, kind: str = "trial", data_hash: str = "") -> Entry:
    config = run.model_dump(mode="json", by_alias=True)
    return Entry(name, datetime(2026, 1, 1, tzinfo=UTC), config, name, data_hash or study.data_hash, {}, kind=kind)


def walked(study: Study, **better: int) -> Verdict:
    """On a walk of one window, whose test has the returns of the best trial; better: how many controls have as much."""
    drawn, at = returns(0.0028), datetime(2024, 1, 1, tzinfo=UTC)
    controls = {
        f"{kind} {seed}": outcome(0.0, drawn[:, BEST] + 0.0002 if seed <= better.get(kind, 0) else drawn[:, 0])
        for kind in ("random", "placebo")
        for seed in range(1, SEEDS + 1)
    }
    tested = at + timedelta(days=20)
    window = Window(1, at, tested, tested, tested + timedelta(days=DAYS))
    step = Step(window, 6, {"venue.taker_fee": 0.0}, {}, outcome(1.0, drawn[:, BEST]), controls)
    return judge_walk(Walked(study.run, study.folder, study.data_hash, True, [step]), study.results)[0]


def test_a_walk_is_held_against_each_kind_of_control_and_all_walks_before(study: Study) -> None:
    assert walked(study).words == EDGE
    assert walked(study).evidence.configurations == 1
    assert walked(study, placebo=1).words == NOT_OF_LEVELS
    assert walked(study, random=1).words == NONE
    told, beaten = walked(study).power, walked(study, placebo=SEEDS).power
    assert told is not None
    assert beaten is not None
    assert told.controls == dict.fromkeys(KINDS, SEEDS)
    assert told.probability > 0.5 > beaten.probability
    runs = [trial_run(study, {"venue.taker_fee": 1e-6 * number}) for number in range(1, 400)]
    append(study.results, [_entry(study, run, f"walk-{at}", "walk_forward") for at, run in enumerate(runs)])
    append(study.results, [_entry(study, runs[0], "elsewhere", "walk_forward", "other data")])
    found = walked(study)
    assert (found.words, found.evidence.configurations) == (NONE, 399)
