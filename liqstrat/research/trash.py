"""Runs put aside, and brought back: a batch is a folder in `.trash`, named by when it was put there."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from liqstrat.errors import LiqstratError
from liqstrat.held import written

_FOLDER = ".trash"


def prune(folder: Path, runs: Iterable[str]) -> Path:
    """Move runs out of a results folder, all of one call together; returns where they are now."""
    names = list(runs)
    gone = [name for name in names if not (folder / name).is_dir()]
    if gone:
        raise LiqstratError(f"{folder}: no longer has {', '.join(gone)}; nothing was moved")
    with written(folder / _FOLDER):
        batch = _new_batch(folder / _FOLDER)
        for name in names:
            (folder / name).rename(batch / name)
    return batch


def undo(folder: Path) -> list[str]:
    """Bring the runs back that were moved last; returns their names. Nothing is moved over a run that is there."""
    batch = _last_batch(folder)
    if batch is None:
        raise LiqstratError(f"{folder}: nothing was pruned here, so nothing can be brought back")
    names = _names(batch)
    taken = [name for name in names if (folder / name).exists()]
    if taken:
        raise LiqstratError(f"{folder}: has {', '.join(taken)} again; nothing was brought back from {batch}")
    with written(folder / _FOLDER):
        for name in names:
            (batch / name).rename(folder / name)
        batch.rmdir()
    return names


def put_aside_last(folder: Path) -> list[str]:
    """The runs that `undo` would bring back."""
    batch = _last_batch(folder)
    return [] if batch is None else _names(batch)


def _last_batch(folder: Path) -> Path | None:
    return max((path for path in (folder / _FOLDER).glob("*") if path.is_dir()), default=None)


def _names(batch: Path) -> list[str]:
    return sorted(path.name for path in batch.iterdir())


def _new_batch(trash: Path) -> Path:
    trash.mkdir(exist_ok=True)
    while True:
        batch = trash / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"
        try:
            batch.mkdir()
            return batch
        except FileExistsError:
            time.sleep(0.001)
