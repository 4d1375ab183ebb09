"""Studies from Python: sweep a run, walk it forward, open its hold-out."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from liqstrat.api.runs import Run
from liqstrat.api.said import said
from liqstrat.config import RunFile
from liqstrat.errors import LiqstratError
from liqstrat.inputs import read_json


class Study:
    """What a sweep or a walk forward has left in its folder, read when it is asked for.

    Examples:
        >>> study = lq.sweep("configs/fade-sweep.toml", controls=0, workers=1)
        >>> study.verdict
        'too little to tell'
        >>> len(study.trials), sorted(study.best) == sorted(study.facts["over"])
        (4, True)
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        names = [name for name in ("sweep", "walk_forward") if (self.folder / f"{name}.json").is_file()]
        if not names:
            raise LiqstratError(
                f"{self.folder}: is not the folder of a study: no sweep.json, no walk_forward.json in it"
            )
        self._name = names[0]

    @cached_property
    def facts(self) -> dict[str, Any]:
        """All that `sweep.json` or `walk_forward.json` has."""
        return read_json(self.folder / f"{self._name}.json")

    @property
    def verdict(self) -> str:
        """In words; its reasons are in `facts["verdict"]`."""
        return str(self.facts["verdict"]["words"])

    @property
    def power(self) -> dict[str, Any] | None:
        """With which probability such a study says "edge", and after how many days with four in five, were all as here:
        `probability`, `needed_days`, `by_days` and more; None where days are too few to say."""
        found = self.facts["verdict"].get("power")
        return None if found is None else dict(found)

    @property
    def best(self) -> dict[str, Any]:
        """The settings of a sweep's best trial by their keys; empty where none meets the constraint, and of a walk."""
        found = self.facts.get("best")
        return dict(found[0]["settings"]) if found else {}

    @cached_property
    def trials(self) -> pd.DataFrame:
        """A row a trial with its settings and figures; of a walk, a row a window with the settings chosen."""
        if self._name == "sweep":
            return pd.read_parquet(self.folder / "trials.parquet")
        return pd.json_normalize(self.facts["windows"])

    @cached_property
    def returns(self) -> pd.DataFrame:
        """Returns by `day`: of a sweep a column a trial, of a walk those of all tests one after the other."""
        return pd.read_parquet(self.folder / "returns.parquet").set_index("day")

    @property
    def page(self) -> Path:
        """The page, to be opened in a browser."""
        return self.folder / f"{self._name}.html"

    def __repr__(self) -> str:
        return f"<Study {self.facts['name']}{' SIMULATED' if self.facts['simulated'] else ''} in {self.folder}>"


def sweep(
    run: str | Path | Mapping[str, Any] | RunFile,
    overrides: Mapping[str, Any] | None = None,
    *,
    trials: int | None = None,
    workers: int | None = None,
    controls: int | None = None,
    scheduler: str | None = None,
    out: str | Path = "results",
    progress: bool = True,
) -> Study:
    """Try the settings that a run's `[sweep]` names; interrupted, the same call goes on where it was.

    Args:
        run: path of a run file, a dictionary that has what one has, or a `RunFile`.
        overrides: values over its own, by their keys with dots between.
        trials: how many, in place of the run file's.
        workers: processes at a time; default: one a core, 1: this process itself.
        controls: times that chance and placebo levels are run, in place of the run file's.
        scheduler: address of a Dask scheduler whose workers run the trials, as tcp://10.0.0.1:8786.
        out: the folder in which the study's folder is made, and whose ledger it goes into.
        progress: whether to say on standard error how far it is.

    Raises `LiqstratError`, with the sentence of the command line, for what can be put right.
    """
    from liqstrat.studies.sweep import sweep as run_sweep

    over = dict(overrides or {}) | ({} if controls is None else {"sweep.controls": controls})
    found, path = _settings(run, over)
    folder = run_sweep(
        found, Path(out), path, over if path else {}, trials, workers, said(progress), scheduler=scheduler
    )
    return Study(folder)


def walk_forward(
    run: str | Path | Mapping[str, Any] | RunFile,
    overrides: Mapping[str, Any] | None = None,
    *,
    trials: int | None = None,
    workers: int | None = None,
    controls: int | None = None,
    scheduler: str | None = None,
    out: str | Path = "results",
    progress: bool = True,
) -> Study:
    """Choose settings on each training window of a run's `[walk_forward]`, and trade them on the next; see `sweep`.

    Examples:
        >>> lq.walk_forward("configs/fade-sweep.toml", controls=0, workers=1).facts["figures"]["windows"]
        2
    """
    from liqstrat.studies.walk_forward import walk_forward as walk

    over = dict(overrides or {}) | ({} if controls is None else {"sweep.controls": controls})
    found, path = _settings(run, over)
    return Study(walk(found, Path(out), path, trials, workers, said(progress), scheduler=scheduler))


def holdout(
    run: str | Path | Mapping[str, Any] | RunFile,
    overrides: Mapping[str, Any] | None = None,
    *,
    out: str | Path = "results",
    report: bool = True,
    progress: bool = True,
) -> Run:
    """Open what a run's `[holdout]` keeps from all others, for this choice of settings. The ledger remembers the look;
    what it is worth is the first of the run's notes.

    Examples:
        >>> lq.holdout("configs/fade-sweep.toml", out="choices", report=False).about["notes"][0]
        'HOLD-OUT: the first look at this hold-out'
    """
    from liqstrat.studies.holdout import open_holdout

    found, path = _settings(run, dict(overrides or {}))
    return Run(open_holdout(found, Path(out), path, said(progress), report=report)[0])


def _settings(run: str | Path | Mapping[str, Any] | RunFile, over: Mapping[str, Any]) -> tuple[RunFile, Path | None]:
    """The run, and the file it is from, if it is."""
    from liqstrat.run_file import load_run_file, run_from

    if isinstance(run, str | Path):
        return load_run_file(Path(run), over), Path(run)
    if not isinstance(run, RunFile):
        return run_from(run, over), None
    sections = {
        name: found for name in ("sweep", "walk_forward", "holdout") if (found := getattr(run, name)) is not None
    }
    return run_from({**run.model_dump(by_alias=True), **sections}, over), None
