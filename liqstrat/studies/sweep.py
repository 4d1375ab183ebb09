"""Sweeps: many trials of one run file with other settings, which share what they have in common."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from liqstrat.config import RunFile
from liqstrat.progress import SILENT, Progress
from liqstrat.studies.journal import Tried
from liqstrat.studies.judge import Judged, judge
from liqstrat.studies.outcome import write_study
from liqstrat.studies.rounds import run_study
from liqstrat.studies.study import Study, open_study
from liqstrat.studies.workers import working


def sweep(
    run: RunFile,
    out: Path,
    path: Path | None = None,
    settings: Mapping[str, Any] = MappingProxyType({}),
    trials: int | None = None,
    workers: int | None = None,
    progress: Progress = SILENT,
    *,
    scheduler: str | None = None,
) -> Path:
    """Try what a run's `[sweep]` says, and write what came of it into a folder in `out`; returns that.

    path: where the run is from, and `settings` what was set over it: with both, `best.toml` is that file but for what
    differs. Raises `LiqstratError` for what the user can put right, `StrategyError` for an error inside a strategy.
    """
    source = path.read_text(encoding="utf-8") if path is not None else None
    study = open_study(run, out, path, trials)
    tried, judged = run_and_judge(study, workers, progress, scheduler=scheduler)
    write_study(study, tried, judged, run, source, settings)
    return study.folder


def run_and_judge(
    study: Study, workers: int | None = None, progress: Progress = SILENT, *, scheduler: str | None = None
) -> tuple[list[Tried], Judged]:
    """Run what of a study has not been run, and judge it; interrupted, it goes on where it was.

    workers: processes at a time (default: one a core). scheduler: address of a Dask scheduler whose workers run them.
    """
    with working(workers, scheduler) as hands:
        tried = run_study(study, hands, progress)
        return tried, judge(study, tried, hands, progress)
