"""Some hundred mutated files of every kind; more by `python -m tests.fuzz --seconds 3600`."""

from pathlib import Path

import pytest

from tests.fuzz.batch import run_batch
from tests.fuzz.run_files import run_files
from tests.fuzz.samples import KINDS


@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_taken_is_what_plain_python_finds(seed: int, tmp_path: Path) -> None:
    states, wrong = run_batch(seed, 80, tmp_path)
    assert wrong == []
    assert states["loaded"] > 15, "the mutations leave nothing that can be taken"
    assert states["refused"] > 15
    assert len(KINDS) == 19


def test_run_files_are_refused_or_can_be_run() -> None:
    assert run_files(1, 300) == []
