"""Walking forward: what is chosen has not seen what it is judged by."""

import itertools
import json
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqstrat.app import run_backtest
from liqstrat.config import RunFile, StrategySettings
from liqstrat.errors import LiqstratError
from liqstrat.market.ingest import ingest
from liqstrat.market.simulator import SimulationSettings, simulate
from liqstrat.research.ledger import read_ledger
from liqstrat.run_file import load_run_file
from liqstrat.studies.journal import Tried
from liqstrat.studies.study import open_study, why_none
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
    notes = json.loads((alone / "run.json").read_text())["notes"]
    assert set(found["notes"]) & set(notes), "what history lacks is told, too"
    kinds = [row["kind"] for row in ledger]
    assert (kinds.count("trial"), kinds.count("test"), kinds.count("walk_forward")) == (9, 3, 1)
    before = {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file()}
    assert walk_forward(load_run_file(path), out, path, workers=1) == folder
    assert {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file()} == before
    assert len(read_ledger(out)) == len(ledger)


@pytest.mark.slow
def test_a_training_that_allows_no_choice_says_why(liqstrat: Shell, study_file: Callable[..., Path]) -> None:
    """Eight hours have no Sharpe ratio, whatever the constraint."""
    path = study_file(WALK, **{'objective = "net_return"': 'objective = "sharpe"\nconstraint = "trades >= 0"'})
    done = liqstrat("walk-forward", str(path))
    assert done.code == 0
    why = "nothing was chosen: of 3 trials 3 have no sharpe over these 8 hours (sharpe takes 2 days)"
    assert why in done.err
    (page,) = Path("results").glob("*/walk_forward.html")
    assert page.read_text().count(f"In training, {why}.") == 1


def test_why_no_trial_is_chosen(study_file: Callable[..., Path], tmp_path: Path) -> None:
    run = load_run_file(study_file('constraint = "trades >= 5"'))
    study = open_study(run, tmp_path / "results")

    def tried(values: list[float] | None, trades: int, reason: str = "", *, met: bool = False) -> Tried:
        return Tried(0, {}, values, met, {"trades": trades}, [], [], None, reason)

    found = why_none(study, [tried(None, 0), tried([0.1], 2), tried(None, 0, "too dear")])
    assert found == (
        "nothing was chosen: of 3 trials 1 have no net_return over these 24 hours, and 1 of them made no trade; "
        "1 do not meet the constraint trades >= 5; 1 could not be run: too dear"
    )
    assert why_none(study, [tried([0.1], 9, met=True)]) == ""


def test_days_that_two_tests_share_are_compounded() -> None:
    days, returns = stitch([Outcome({}, [1, 2], [0.1, 0.1]), None, Outcome({}, [2, 3], [0.1, float("nan")])])
    assert days.tolist() == [1, 2, 3]
    assert np.allclose(returns, [0.1, 0.21, 0.0])


#: Of all leverages too high, so that any fit to this market is better.
WRONG_MIX = "{ 5 = 0.01, 10 = 0.02, 25 = 0.02, 50 = 0.05, 100 = 0.1, 125 = 0.8 }"
CALIBRATED = f"""\
name = "calibrated"
symbols = ["BTCUSDT"]
from = 2024-03-03
to = 2024-03-10
resolution = "15m"

[data]
db = "DB"
catalog = "CATALOG"

[model]
bin_width = 0.001
leverage = {WRONG_MIX}

[[strategies]]
use = "LevelFade"

[sweep]
method = "grid"
objective = "net_return"
controls = 0

[sweep.over]
"strategies.0.params.turn" = [0.002, 0.004]

[walk_forward]
train = "6d"
test = "1d"
calibrate = true
"""


@pytest.mark.slow
def test_a_model_is_fitted_to_its_training_and_to_nothing_after_it(tmp_path: Path) -> None:
    """The same market but for what comes after training: price, volume, open interest and liquidations."""
    few = SimulationSettings(
        positions=1500, trades=6000, step_seconds=60, warmup_days=6, warmup_step_seconds=300, volatility=0.05
    )
    simulate(tmp_path / "archive", "BTCUSDT", days=9, seed=1, start=date(2024, 3, 1), settings=few)
    ingest([tmp_path / "archive"], tmp_path / "one.duckdb")
    shutil.copy(tmp_path / "one.duckdb", tmp_path / "other.duckdb")
    _change_after(tmp_path / "other.duckdb", "2024-03-09")
    windows = []
    for name in ("one", "other"):
        path = tmp_path / f"{name}.toml"
        path.write_text(
            CALIBRATED.replace("DB", f"{tmp_path / name}.duckdb").replace("CATALOG", f"{tmp_path / name}-catalog")
        )
        folder = walk_forward(load_run_file(path), tmp_path / name, path, workers=1)
        (window,) = json.loads((folder / "walk_forward.json").read_text())["windows"]
        windows.append(window)
    found = (folder / "walk_forward.json").read_bytes()
    # As it was fitted, not fitted again.
    assert walk_forward(load_run_file(path), tmp_path / name, path, workers=1) == folder
    assert (folder / "walk_forward.json").read_bytes() == found
    one, other = windows
    assert one["note"] == "calibrated"
    assert one["model"]["leverage"]["125"] < 0.5
    assert [one[key] for key in ("model", "settings", "trained")] == [
        other[key] for key in ("model", "settings", "trained")
    ]
    assert one["tested"] != other["tested"]


def _change_after(database: Path, day: str) -> None:
    with duckdb.connect(str(database)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for table, changes in (
            ("aggtrades_history", "price = round(price * 1.03, 1), quantity = quantity * 2"),
            ("open_interest_history", "open_interest_contracts = open_interest_contracts * 1.3"),
            ("liquidation_history", "price = round(price * 0.97, 1)"),
        ):
            connection.execute(f"update {table} set {changes} where timestamp >= timestamp '{day}'")
        assert connection.execute(f"select count(*) from liquidation_history where timestamp >= '{day}'").fetchone()[0]


def test_only_the_conserving_book_is_fitted(liqstrat: Shell, study_file: Callable[..., Path]) -> None:
    path = study_file(WALK + "calibrate = true\n", **{"[model]": '[model]\nkind = "oi_candle"'})
    done = liqstrat("walk-forward", str(path))
    assert done.code == 1
    assert 'calibrate fits the conserving book; model.kind is "oi_candle", expected "conserving"' in done.err
