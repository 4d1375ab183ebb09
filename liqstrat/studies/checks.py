"""What the best trial is held against: chance, levels of other times, and dearer and slower markets.

Controls are no candidates: they are not in the ledger, and do not count among what was tried.
"""

from collections.abc import Mapping
from typing import Any

from liqstrat.config import RunFile
from liqstrat.progress import SILENT, Progress
from liqstrat.research.edge import LEAST_SEEDS, Against
from liqstrat.studies.errands import run_all
from liqstrat.studies.figures import better
from liqstrat.studies.journal import Tried
from liqstrat.studies.study import Study, trial_run
from liqstrat.studies.trial import Task
from liqstrat.studies.workers import Workers

_TIMES = (2, 3)
_MOST_FEE, _MOST_LATENCY = 0.01, 60_000
_LEAST_STOP, _MOST_STOP = 0.0005, 0.4
_MOST_REWARD = 0.9
_MOST_EXPOSURE = 0.95

#: By its name, the figures of a run.
Checks = dict[str, dict[str, Any]]


def check(study: Study, best: Tried, hands: Workers, progress: Progress = SILENT, *, controls: bool = True) -> Checks:
    """Run all checks of the best trial that have not been run; they are kept with the study.

    controls: whether it is held against chance and placebo levels too, or only against dearer and slower markets.
    """
    wanted = {**_stress(study, best), **(_controls(study, best) if controls else {})}
    tasks = {name: task(study, settings) for name, settings in wanted.items()}
    kept = study.working / f"checks-{best.number:05}.jsonl"
    found = run_all(tasks, kept, f"checks {study.run.name}", hands, progress)
    return {name: _single(outcome.figures) for name, outcome in found.items()}


def against(checks: Checks, kind: str, objective: str, best: Tried) -> Against | None:
    """How many of the controls of a kind the best trial beats; one without trades earns nothing. None without any."""
    own = (best.values or [0.0])[0]
    found = [figures for name, figures in checks.items() if name.startswith(f"{kind} ")]
    values = [value for figures in found if (value := _value(figures, objective)) is not None]
    if not found:
        return None
    if len(values) < LEAST_SEEDS:
        return Against(None, len(values))
    return Against(sum(better(objective, own, value) for value in values) / len(values), len(values))


def matched(run: RunFile, figures: dict[str, Any]) -> dict[str, Any] | None:
    """Parameters of entries by chance as often as in a run with these figures, held as long, as large and on the same
    sides; None where it has no trades to match."""
    days = (run.end - run.start).total_seconds() / 86_400
    trades, turnover, held = figures["trades"], figures["turnover"], figures["held_seconds"]
    if not trades or not turnover or not held:
        return None
    symbols = len(run.symbols)
    free = 1 - min(figures["exposure"], _MOST_EXPOSURE)
    # Of each trade: what it was of equity, in and out.
    size = turnover / (2 * trades)
    risk = 0.01
    stop = min(max(risk / size, _LEAST_STOP), _MOST_STOP)
    return {
        "risk": min(risk, stop * size) if size > 0 else risk,
        "per_day": min(trades / days / free / symbols, 1000.0),
        "stop": stop,
        "reward": _MOST_REWARD / stop,
        "hold_minutes": held / 60,
        "long_share": figures["long"]["trades"] / trades,
    }


def _controls(study: Study, best: Tried) -> dict[str, dict[str, Any]]:
    seeds = range(1, study.space.settings.controls + 1)
    params = matched(study.run, best.figures)
    found = {
        f"placebo {seed}": {**best.settings, "control": "placebo", "control_seed": seed}
        for seed in seeds
        if study.run.control is None
    }
    if params is not None:
        for seed in seeds:
            found[f"random {seed}"] = {**best.settings, **by_chance(params, seed)}
    return found


def by_chance(params: dict[str, Any], seed: int) -> dict[str, Any]:
    """The setting of entries by chance."""
    return {"strategies": [{"use": "RandomEntry", "params": {**params, "seed": seed}}]}


def _stress(study: Study, best: Tried) -> dict[str, dict[str, Any]]:
    venue, found = trial_run(study, best.settings).venue, {}
    for times in _TIMES:
        fees = {
            f"venue.{name}": min(float(getattr(venue, name)) * times, _MOST_FEE)
            for name in ("maker_fee", "taker_fee")
            if getattr(venue, name) > 0
        }
        dearer = {**fees, "venue.depth_share": venue.depth_share / times}
        found[f"costs ×{times}"] = {**best.settings, **dearer}
        found[f"latency ×{times}"] = {
            **best.settings,
            "venue.latency_ms": min(venue.latency_ms * times, _MOST_LATENCY),
        }
    return found


def task(study: Study, settings: Mapping[str, Any]) -> Task:
    """A run of the study with other settings."""
    return Task(study.values, settings, study.data_hash)


def _single(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in figures.items() if not isinstance(value, dict | list | str)}


def _value(figures: dict[str, Any], objective: str) -> float | None:
    value = figures.get(objective)
    if value is None and not figures.get("trades") and objective in ("sharpe", "sortino", "calmar"):
        return 0.0
    return value
