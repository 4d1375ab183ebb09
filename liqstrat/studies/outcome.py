"""What a sweep leaves behind: a table of its trials, the best of them as a run file, and its facts."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tomlkit
from tomlkit.items import AoT

from liqstrat.backtest.account.results import write_json
from liqstrat.config import RunFile
from liqstrat.held import partial_file
from liqstrat.research.sweep_page import write_sweep_page
from liqstrat.studies.journal import Tried
from liqstrat.studies.judge import Judged, returns_of
from liqstrat.studies.study import Study, best_text, why_none

_DAY_US = 86_400_000_000


def write_study(
    study: Study, trials: list[Tried], judged: Judged, run: RunFile, source: str | None, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Write all that a study leaves behind into its folder; returns its facts."""
    write_trials(trials, study.folder / "trials.parquet")
    write_returns(trials, study.folder / "returns.parquet")
    if best := study.best(trials):
        comment = f"The best of {study.name}: {best_text(study, trials).removeprefix('best ')} of {len(trials):,}."
        write_run_file(source, run, {**settings, **best[0].settings}, comment, study.folder / "best.toml")
    else:
        (study.folder / "best.toml").unlink(missing_ok=True)
    found = {**facts(study, trials), **judged.to_json()}
    write_facts(found, study.folder / "sweep.json")
    write_sweep_page(study.folder)
    return found


def write_trials(trials: list[Tried], out: Path) -> None:
    """Write a row a trial: its number, its settings, whether it meets the constraint, why it could not be run, if so,
    and its single figures."""
    rows = [
        {
            "trial": trial.number,
            **{key: _plain(value) for key, value in trial.settings.items()},
            "feasible": trial.feasible,
            "reason": trial.reason,
            **{key: value for key, value in trial.figures.items() if not isinstance(value, dict | list | str)},
        }
        for trial in trials
    ]
    names = dict.fromkeys(key for row in rows for key in row)
    table = pa.table({name: _column([row.get(name) for row in rows]) for name in names})
    with partial_file(out) as partial:
        pq.write_table(table, partial, compression="zstd")


def write_returns(trials: list[Tried], out: Path) -> None:
    """Write returns by day: `day`, and a column for each trial, named by its number."""
    days, returns = returns_of(trials)
    ran = [trial for trial in trials if trial.days]
    columns: dict[str, Any] = {"day": pa.array(days.astype(np.int64) * _DAY_US).cast(pa.timestamp("us", "UTC"))}
    columns |= {str(trial.number): returns[:, column] for column, trial in enumerate(ran)}
    with partial_file(out) as partial:
        pq.write_table(pa.table(columns), partial, compression="zstd")


def write_run_file(source: str | None, run: RunFile, settings: dict[str, Any], comment: str, out: Path) -> None:
    """Write a run file with `settings` over its own, which stay where they stand in `source`, its text, if there is."""
    document = tomlkit.parse(source) if source is not None else tomlkit.item(_without_none(run))
    for key, value in settings.items():
        _put(document, key.split("."), value)
    text = tomlkit.dumps(document)
    with partial_file(out) as partial:
        partial.write_text("".join(f"# {line}\n" for line in comment.splitlines()) + text, encoding="utf-8")


def facts(study: Study, trials: list[Tried]) -> dict[str, Any]:
    """What there is to tell of a sweep."""
    best, settings = study.best(trials), study.space.settings
    return {
        "study": study.name,
        "name": study.run.name,
        "simulated": study.simulated,
        "symbols": study.run.symbols,
        "start": study.run.start.isoformat(),
        "end": study.run.end.isoformat(),
        "resolution": study.run.resolution,
        "data_hash": study.data_hash,
        "method": settings.method,
        "seed": settings.seed,
        "objective": settings.objective,
        "constraint": settings.constraint,
        "over": {key: asdict(values) for key, values in settings.over.items()},
        "trials": len(trials),
        "refused": {trial.number: trial.reason for trial in trials if trial.reason},
        "undefined": sum(trial.values is None and not trial.reason for trial in trials),
        "feasible": sum(trial.feasible for trial in trials),
        "best": [_told(trial) for trial in best],
        "none": why_none(study, trials),
        "notes": next((trial.notes for trial in [*best, *trials] if trial.days), []),
    }


def write_facts(content: dict[str, Any], out: Path) -> None:
    """Write `sweep.json`."""
    with partial_file(out) as partial:
        write_json(partial, content)


def _told(trial: Tried) -> dict[str, Any]:
    return {"trial": trial.number, "settings": trial.settings, "figures": trial.figures}


def _plain(value: Any) -> Any:
    """A value of a table's cell: what is a list or a table in the run file is its text."""
    return str(value) if isinstance(value, list | dict) else value


def _column(values: list[Any]) -> pa.Array:
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} and float in kinds:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    return pa.array(values if len(kinds) <= 1 else [None if value is None else str(value) for value in values])


def _without_none(run: RunFile) -> dict[str, Any]:
    found: dict[str, Any] = run.model_dump(mode="json", by_alias=True, exclude_none=True)
    if run.holdout is not None:
        found["holdout"] = {"last": f"{run.holdout.last.total_seconds():.0f}s"}
    return found


def _put(here: Any, parts: list[str], value: Any) -> None:
    for part in parts[:-1]:
        if isinstance(here, list | AoT):
            here = here[int(part)]
        else:
            if part not in here:
                here[part] = tomlkit.inline_table() if isinstance(here, dict) and here.get("use") else tomlkit.table()
            here = here[part]
    here[int(parts[-1]) if isinstance(here, list | AoT) else parts[-1]] = value
