"""The trials of a study are taken once, and whoever stops leaves the rest to those who go on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from liqstrat.run_file import load_run_file
from liqstrat.studies.study import Study, open_study


def test_a_part_of_a_grid_can_be_gone_on_with(study_file: Callable[..., Path], tmp_path: Path) -> None:
    path, out = study_file(), tmp_path / "results"
    few, all_ = (open_study(load_run_file(path), out, path, trials) for trials in (2, None))
    assert few.folder == all_.folder
    with few.journal() as journal:
        some = [journal.claim() for _ in range(3)]
    with all_.journal() as journal:
        # Nobody holds the first two any more.
        rest = [journal.claim() for _ in range(7)]
    assert some[2] is rest[6] is None
    assert rest[:2] == some[:2]
    assert len({repr(claim.settings) for claim in rest[:6] if claim}) == 6


def test_stopped_after_any_line_of_its_journal_a_study_goes_on(study_file: Callable[..., Path], tmp_path: Path) -> None:
    """As by Ctrl-C or a kill between two of them, also in the middle of a trial that is being taken or ends."""
    path = study_file("trials = 3\nbatch = 2", grid="tpe")
    study = open_study(load_run_file(path), tmp_path / "whole")
    whole = _claimed(study)
    lines = (study.working / "journal.log").read_bytes().splitlines(keepends=True)
    for count in range(len(lines)):
        again = open_study(load_run_file(path), tmp_path / f"{count}")
        again.working.mkdir(parents=True)
        (again.working / "journal.log").write_bytes(b"".join(lines[:count]))
        assert _claimed(again) == whole, f"after {count} lines, the last of which is {lines[count - 1]!r}"


def _claimed(study: Study) -> list[dict[str, Any]]:
    """The settings of all trials, by their numbers, of which those that nobody has run are claimed and ended here."""
    with study.journal() as journal:
        while claim := journal.claim():
            journal.finish(claim.number, {"net_return": 0.01 * claim.number, "trades": 1}, [19_800], [0.01])
        ended = journal.ended()
    assert [trial.number for trial in ended] == list(range(study.space.trials))
    return [trial.settings for trial in ended]
