"""Walking forward: what is chosen has not seen what it is judged by."""

import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqstrat.app import run_backtest
from liqstrat.config import RunFile, StrategySettings
from liqstrat.errors import LiqstratError
from liqstrat.research.ledger import read_ledger
from liqstrat.run_file import load_run_file
from liqstrat.studies.trial import Outcome
from liqstrat.studies.walk_forward import walk_forward
from liqstrat.studies.walked import stitch
from liqstrat.studies.windows import windows_of
from liqstrat.study_settings import HoldoutSettings, WalkForwardSettings
from tests.shell import Shell

WALK = 'trials = 3\n[walk_forward]\ntrain = "8h"\ntest = "4h"\nembargo = "30m"\n'
START = datetime(2024, 1, 1, tzinfo=UTC)
hours = st.integers(1, 24 * 40).map(lambda count: timedelta(hours=count))


@given(hours, hours, st.integers(0, 48).map(lambda count: timedelta(hours=count)), st.booleans(), st.integers(0, 200))
def test_no_window_sees_its_test_or_what_is_held_out(
    train: timedelta, test: timedelta, embargo: timedelta, anchored: bool, held: int
) -> None:
    run = RunFile(
        name="cut",
        symbols=["BTCUSDT"],
        start=START,
        end=START + timedelta(days=400),
        strategies=[StrategySettings(use="LevelFade")],
        holdout=HoldoutSettings(last=timedelta(days=held + 1)),
    )
    settings = WalkForwardSettings(train=train, test=test, embargo=embargo, anchored=anchored)
    found = windows_of(run, settings)
    for one in found:
        assert run.start <= one.train_start < one.train_end
        assert one.train_end + embargo == one.test_start
        assert one.test_end - one.test_start == test
        assert one.test_end <= run.seen.end
        assert one.train_start == run.start if anchored else one.train_end - one.train_start == train
        held_for = one.later(timedelta(minutes=90))
        assert held_for.test_start == max(
            one.test_start, min(one.train_end + timedelta(minutes=90), one.test_start + test / 2)
        )
    for one, other in itertools.pairwise(found):
        assert one.test_end == other.test_start
    assert found[-1].test_end + test > run.seen.end


def test_a_run_that_is_too_short_says_how_long_a_window_is(liqstrat: Shell, study_file: Callable[..., Path]) -> None:
    path = study_file(WALK.replace('"8h"', '"2d"'))
    done = liqstrat("walk-forward", str(path))
    assert done.code == 1
    assert "walk_forward: a window takes 2.1875 d (train 2 d, embargo 0.0208333 d, test" in done.err
    with pytest.raises(LiqstratError, match="there is no \\[walk_forward\\] in it"):
        walk_forward(load_run_file(study_file()), Path("results"))


@pytest.mark.slow
def test_what_is_best_in_training_is_traded_on_the_test(study_file: Callable[..., Path], tmp_path: Path) -> None:
    path, out = study_file(WALK), tmp_path / "results"
    folder = walk_forward(load_run_file(path), out, path, workers=1)
    found = json.loads((folder / "walk_forward.json").read_text())
    assert [one["test_start"][11:16] for one in found["windows"]][1] >= "12:30"
    assert len(found["windows"]) == 3
    ledger = read_ledger(out).to_pylist()
    second = found["windows"][1]
    trained = [
        json.loads(row["figures"])["net_return"]
        for row in ledger
        if row["kind"] == "trial" and f"{json.loads(row['config'])['from'][:19]}+00:00" == second["train_start"]
    ]
    assert len(trained) == 3
    assert second["trained"]["net_return"] == max(trained)
    settings = {**second["settings"], "from": second["test_start"], "to": second["test_end"]}
    alone = run_backtest(load_run_file(path, settings), tmp_path / "alone", report=False)
    figures = json.loads((alone / "metrics.json").read_text())
    assert {name: figures[name] for name in second["tested"]} == second["tested"]
    kinds = [row["kind"] for row in ledger]
    assert (kinds.count("trial"), kinds.count("test"), kinds.count("walk_forward")) == (9, 3, 1)
    before = {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file()}
    assert walk_forward(load_run_file(path), out, path, workers=1) == folder
    assert {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file()} == before
    assert len(read_ledger(out)) == len(ledger)


def test_days_that_two_tests_share_are_compounded() -> None:
    days, returns = stitch([Outcome({}, [1, 2], [0.1, 0.1]), None, Outcome({}, [2, 3], [0.1, float("nan")])])
    assert days.tolist() == [1, 2, 3]
    assert np.allclose(returns, [0.1, 0.21, 0.0])
