"""Sweeps on a real market, engine and journal."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from html import escape
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from liqstrat.app import run_backtest
from liqstrat.research.ledger import read_ledger
from liqstrat.run_file import load_run_file
from liqstrat.studies.rounds import run_study
from liqstrat.studies.study import Study, open_study
from liqstrat.studies.sweep import sweep
from liqstrat.studies.workers import OwnWorkers
from tests.shell import Shell

StudyFile = Callable[..., Path]


def swept(path: Path, out: Path, **how: int) -> Path:
    return sweep(load_run_file(path), out, path, **how)


def test_a_trial_has_the_figures_of_the_same_run_alone(study_file: StudyFile, tmp_path: Path) -> None:
    path = study_file()
    folder = swept(path, tmp_path / "results", workers=1)
    with open_study(load_run_file(path), tmp_path / "results").journal() as journal:
        trials = journal.ended()
    assert len({json.dumps(trial.settings) for trial in trials}) == 6
    # The first and the last: what one replay does to the books must not reach the next.
    for trial in (trials[0], trials[-1]):
        alone = run_backtest(load_run_file(path, trial.settings), tmp_path / "alone", report=False)
        told = json.dumps(trial.figures, indent=2, allow_nan=False) + "\n"
        assert told == (alone / "metrics.json").read_text()
    best = run_backtest(load_run_file(folder / "best.toml"), tmp_path / "alone", report=False)
    told = json.loads((folder / "sweep.json").read_text())
    assert json.loads((best / "metrics.json").read_text()) == told["best"][0]["figures"]
    notes = told["notes"]
    assert notes
    assert json.loads((best / "run.json").read_text())["notes"][: len(notes)] == notes, (
        "what history lacks is told, too"
    )
    assert escape(notes[0]) in (folder / "sweep.html").read_text(encoding="utf-8")


def test_the_best_is_the_highest_that_meets_the_constraint(study_file: StudyFile, tmp_path: Path) -> None:
    path = study_file('constraint = "fees > 100"')
    folder = swept(path, tmp_path / "results", workers=1)
    table = pd.read_parquet(folder / "trials.parquet")
    assert table["feasible"].tolist() == (table["fees"] > 100).tolist()
    assert table["feasible"].sum() > 0
    found = json.loads((folder / "sweep.json").read_text())
    assert found["best"][0]["figures"]["net_return"] == table[table["feasible"]]["net_return"].max()
    text = (folder / "best.toml").read_text()
    assert "# A study of a day." in text
    assert "# against the sweep" in text


@pytest.mark.slow
@pytest.mark.parametrize("method", ["random", "tpe"])
def test_the_order_of_ends_plays_no_part(study_file: StudyFile, tmp_path: Path, method: str) -> None:
    """Two workers end their trials in any order, and propose what one alone does."""
    path = study_file("trials = 6\nbatch = 2\nseed = 3", grid=method)
    folders = [swept(path, tmp_path / f"by-{count}", workers=count) for count in (1, 2)]
    for name in ("trials.parquet", "returns.parquet", "sweep.json"):
        one, two = ((folder / name).read_bytes() for folder in folders)
        assert one == two


def test_the_ledger_has_every_trial_once(study_file: StudyFile, tmp_path: Path) -> None:
    path, out = study_file(), tmp_path / "results"
    swept(path, out, workers=1)
    folder = swept(path, out, workers=1)
    ledger = read_ledger(out).to_pandas()
    assert ledger["run"].tolist() == sorted(f"{folder.name}/{number:05}" for number in range(6))
    assert set(ledger["kind"]) == {"trial"}
    assert ledger["variant"].nunique() == 6
    alone = run_backtest(load_run_file(folder / "best.toml"), out, report=False)
    tried = json.loads((alone / "run.json").read_text())["tried"]
    # It is one of those that were tried already.
    assert tried == {"run": 1, "configurations": 6}


@pytest.mark.slow
def test_two_at_once_share_a_study_and_one_who_is_killed_loses_nothing(study_file: StudyFile, tmp_path: Path) -> None:
    path, out = study_file(), tmp_path / "results"
    command = [sys.executable, "-m", "liqstrat", "sweep", str(path), "--out", str(out), "--workers", "1"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    study = open_study(load_run_file(path), out)
    with subprocess.Popen(command, **quiet) as killed:
        while (
            not (study.working / "journal.log").exists()
            or b'"owner"' not in (study.working / "journal.log").read_bytes()
        ):
            assert killed.poll() is None
            time.sleep(0.02)
        os.kill(killed.pid, signal.SIGKILL)
    with subprocess.Popen(command, **quiet) as other:
        run_study(study, OwnWorkers(1))
        assert other.wait() == 0
    ledger = read_ledger(out).to_pandas()
    assert sorted(ledger["run"]) == [f"{study.name}/{number:05}" for number in range(6)]
    with study.journal() as journal:
        assert [trial.number for trial in journal.ended()] == list(range(6))


@pytest.mark.slow
def test_workers_that_are_killed_lose_nothing(study_file: StudyFile, tmp_path: Path) -> None:
    """With one of them the others of a pool end, too: all that they had is run again."""
    path = study_file()
    alone = swept(path, tmp_path / "alone", workers=1)
    study, hands = open_study(load_run_file(path), tmp_path / "shared"), OwnWorkers(2)

    def kill() -> None:
        for times in (1, 2):
            while (study.working / "journal.log").read_bytes().count(b'"owner"') < 2 * times:
                time.sleep(0.02)
            os.kill(next(iter(hands._pool._processes)), signal.SIGKILL)

    killing = threading.Thread(target=kill, daemon=True)
    with study.journal():
        killing.start()
        try:
            run_study(study, hands)
        finally:
            hands.end()
    killing.join(10)
    assert not killing.is_alive()
    shared = swept(path, tmp_path / "shared", workers=1)
    for name in ("trials.parquet", "returns.parquet", "sweep.json", "best.toml"):
        assert (shared / name).read_bytes() == (alone / name).read_bytes(), name


@pytest.mark.slow
def test_folders_of_trials_are_those_of_runs(study_file: StudyFile, tmp_path: Path) -> None:
    path = study_file('keep = "folders"\ntrials = 2')
    folder = swept(path, tmp_path / "results", workers=1)
    kept = sorted((folder / "trials").iterdir())
    assert [one.name for one in kept] == ["00000", "00001"]
    run = json.loads((kept[1] / "run.json").read_text())
    assert run["config"]["strategies"][0]["params"]["turn"] in (0.001, 0.002, 0.003)
    assert pq.read_table(kept[1] / "equity.parquet").num_rows > 1000


def test_what_is_held_out_is_not_seen(study_file: StudyFile, tmp_path: Path) -> None:
    path = study_file("trials = 1\n[holdout]\nlast = '6h'\n")
    found = json.loads((swept(path, tmp_path / "results", workers=1) / "sweep.json").read_text())
    assert found["end"] == "2024-03-02T18:00:00+00:00"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({'turn" =': 'trun" ='}, '23: sweep.over: strategy LevelFade: unknown parameter "trun" (did you mean "turn"?)'),
        ({"venue.taker_fee": "venue.taker_fees"}, '24: sweep.over: unknown key "venue.taker_fees" (did you mean'),
        ({"venue.taker_fee": "data.db"}, '24: sweep.over: "data.db" cannot be swept'),
        ({"net_return": "sharp"}, '18: sweep.objective: there is no figure "sharp" (did you mean "sharpe"?)'),
        ({"from = 0.001, to": "from = 0.01, to"}, "23: sweep.over.strategies.0.params.turn: is empty: from 0.01 is"),
        ({"[0.0005, 0.001]": "[]"}, "24: sweep.over.venue.taker_fee: is an empty list"),
        ({", step = 0.001": ""}, "23: sweep.over.strategies.0.params.turn has no step, which a grid needs"),
        ({"step = 0.001": "stop = 0.001"}, '23: sweep.over.strategies.0.params.turn: unknown key "stop" (did you mean'),
        ({"method": "methd"}, '17: unknown key "sweep.methd" (did you mean "method"?)'),
        ({'net_return"': 'sharpe"\nconstraint = "trade > 3"'}, '19: sweep.constraint: "trade > 3": there is no fig'),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    liqstrat: Shell, study_file: StudyFile, changes: dict[str, str], said: str
) -> None:
    path = study_file(**changes)
    done = liqstrat("sweep", str(path))
    assert done.code == 1
    assert f"{path}:{said}" in done.err
    assert not Path("results").exists()


@pytest.mark.slow
def test_ctrl_c_tells_what_is_best_and_how_to_go_on(study_file: StudyFile, tmp_path: Path) -> None:
    path, out = study_file(), tmp_path / "results"
    command = [sys.executable, "-m", "liqstrat", "sweep", str(path), "--out", str(out), "--workers", "2"]
    study = open_study(load_run_file(path), out)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as stopped:
        while not _ended(study):
            assert stopped.poll() is None
            time.sleep(0.1)
        stopped.send_signal(signal.SIGINT)
        _, said = stopped.communicate()
    assert stopped.returncode == 130, said
    assert "best net_return" in said
    assert f"to go on: liqstrat sweep {path} --out {out} --workers 2" in said
    assert "Traceback" not in said


def _ended(study: Study) -> int:
    with study.journal() as journal:
        return len(journal.ended())
