"""One trial: a run with some settings over its own, as the worker that was given it runs it."""

import json
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from liqstrat import app
from liqstrat.backtest.measured import measure
from liqstrat.backtest.replay import replay
from liqstrat.config import RunFile
from liqstrat.errors import LiqstratError
from liqstrat.held import partial_folder
from liqstrat.research.days import daily_returns
from liqstrat.run_file import run_from
from liqstrat.studies.fed import source_of
from liqstrat.studies.kept import prepared_for


@dataclass(frozen=True)
class Task:
    """What a worker is told: a run as a dictionary, what is set over it, and its data by their hash.

    keep: whether what is prepared for it is kept for others. out: the folder in which the trial's results are written,
    if they are, as `name`.
    """

    values: Mapping[str, Any]
    settings: Mapping[str, Any]
    data_hash: str
    keep: bool = True
    out: Path | None = None
    name: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a trial has made: its figures, and its returns by day (since 1970); or why it cannot be run. notes: what a
    reader must know of its history."""

    figures: dict[str, Any]
    days: list[int]
    returns: list[float]
    reason: str = ""
    notes: list[str] = field(default_factory=list)


def ignore_interrupts() -> None:
    """Leave Ctrl-C, which all processes of a terminal hear, to the one that gives out the work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def run_trial(task: Task) -> Outcome:
    """Run a trial; settings that do not go together are its result, an error in a strategy is raised."""
    run = run_of(task)
    return run if isinstance(run, Outcome) else run_prepared(task, prepared_for(run, task.data_hash, keep=task.keep))


def run_of(task: Task) -> RunFile | Outcome:
    """The run of a trial, or where its settings do not go together, what came of it."""
    try:
        run = run_from(task.values, task.settings)
        app.resolve_traders(run)
    except LiqstratError as error:
        return Outcome({}, [], [], str(error))
    return run


def run_prepared(task: Task, prepared: app.Prepared) -> Outcome:
    """Run a trial on what was prepared for its run."""
    run, traders, source = prepared.run, app.resolve_traders(prepared.run), source_of(prepared)
    if task.out is None:
        replayed = replay(run, traders, prepared.data, lambda _: None, source=source)
    else:
        created = datetime.now(UTC)
        with partial_folder(task.out / task.name) as (partial, folder):
            replayed = app.replay(prepared, traders, partial, source=source)
            app.write(prepared, traders, replayed, partial, folder.name, created)
    figures, curve = measure(run, prepared.minutes, traders, replayed)
    days, returns = daily_returns(curve.times // 1000, curve.equity)
    notes = list(prepared.about["notes"])
    return Outcome(json.loads(json.dumps(figures)), days.tolist(), returns.tolist(), notes=notes)
