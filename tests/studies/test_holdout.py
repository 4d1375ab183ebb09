"""The hold-out is opened for a choice, and every look is remembered."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from liqstrat.app import run_backtest
from liqstrat.research.ledger import read_ledger
from liqstrat.run_file import load_run_file
from liqstrat.studies.holdout import open_holdout
from liqstrat.studies.sweep import sweep
from tests.shell import Shell

HOLDOUT = "trials = 2\n[holdout]\nlast = '6h'\n"


@pytest.mark.slow
def test_a_look_is_of_what_was_held_out_and_is_counted(study_file: Callable[..., Path], tmp_path: Path) -> None:
    path, out = study_file(HOLDOUT), tmp_path / "results"
    best = load_run_file(sweep(load_run_file(path), out, path, workers=1) / "best.toml")
    folder, look = open_holdout(best, out, report=False)
    run = json.loads((folder / "run.json").read_text())
    assert (run["start"], run["end"]) == ("2024-03-02T18:00:00+00:00", "2024-03-03T00:00:00+00:00")
    assert run["notes"][0] == "HOLD-OUT: the first look at this hold-out"
    assert (look.number, look.seen) == (1, 0)
    assert look.figures is not None
    assert look.figures["net_return"] == max(
        json.loads(row["figures"])["net_return"] for row in read_ledger(out).to_pylist() if row["kind"] == "trial"
    )
    # A run without the section goes into the time; another choice is the second look.
    run_backtest(best.model_copy(update={"holdout": None}), out, report=False)
    other = load_run_file(path, {"strategies.0.params.turn": 0.004})
    _, second = open_holdout(other, out, report=False)
    assert (second.number, second.seen, second.figures) == (2, 1, None)
    assert second.words.startswith("look 2 at this hold-out, after small-choice-")
    kinds = read_ledger(out)["kind"].to_pylist()
    assert kinds == ["trial", "trial", "choice", "holdout", "run", "choice", "holdout"]


def test_another_symbol_or_time_is_another_hold_out(study_file: Callable[..., Path], tmp_path: Path) -> None:
    path, out = study_file(HOLDOUT), tmp_path / "results"
    open_holdout(load_run_file(path), out, report=False)
    _, look = open_holdout(load_run_file(path, {"to": "2024-03-02T18:00"}), out, report=False)
    assert look.number == 1


def test_without_a_section_nothing_is_opened(liqstrat: Shell, study_file: Callable[..., Path]) -> None:
    done = liqstrat("holdout", str(study_file()))
    assert done.code == 1
    assert "nothing is held out; expected a [holdout]" in done.err
    assert not Path("results").exists()


def test_the_command_shows_both_sides(liqstrat: Shell, study_file: Callable[..., Path]) -> None:
    path = study_file(HOLDOUT)
    assert liqstrat("backtest", str(path), "--no-report").code == 0
    done = liqstrat("holdout", str(path), "--no-report")
    assert "held out SIMULATED" in done.out
    assert "before" in done.out
    assert "the first look at this hold-out" in done.out
