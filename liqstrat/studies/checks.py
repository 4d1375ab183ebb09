"""What the best trial is held against: chance, levels of other times, and dearer and slower markets.

Controls are no candidates: they are not in the ledger, and do not count among what was tried.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from liqstrat.config import RunFile
from liqstrat.progress import SILENT, Progress
from liqstrat.research.edge import LEAST_SEEDS, Against
from liqstrat.research.luck import SURE
from liqstrat.studies.errands import outcomes_in, run_all
from liqstrat.studies.figures import better
from liqstrat.studies.journal import Tried
from liqstrat.studies.study import Study, trial_run
from liqstrat.studies.trial import Outcome, Task
from liqstrat.studies.workers import Workers
from liqstrat.study_settings import SweepSettings

#: What there is to hold a trial against, besides dearer and slower markets.
KINDS = ("placebo", "random")
#: After which shares of the controls it is seen whether they have decided.
_PARTS = (0.15, 0.45)
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
    kept, objective = _kept(study, best), study.space.settings.objective[0]

    def ran(wanted: Mapping[str, dict[str, Any]]) -> Checks:
        tasks = {name: task(study, settings) for name, settings in wanted.items()}
        found = run_all(tasks, kept, f"checks {study.run.name}", hands, progress)
        return {name: _single(outcome.figures) for name, outcome in found.items()}

    found = ran(_stress(study, best))
    kinds: Sequence[str] = KINDS if controls else ()
    for seeds in stages(study.space.settings):
        made = ran({name: one for kind in kinds for name, one in _controls(study, best, kind, seeds).items()})
        found |= made
        kinds = [one for one in kinds if not is_decided(_beaten(found, one, objective, best), study.space.settings)]
    return found


def outcomes(study: Study, best: Tried, checks: Checks) -> dict[str, list[Outcome]]:
    """What the controls of each kind among the checks have made by day, but for those that could not be run."""
    kept = outcomes_in(_kept(study, best))
    named = {kind: [name for name in checks if name.startswith(f"{kind} ")] for kind in KINDS}
    found = {kind: [kept[name] for name in names if kept[name].days] for kind, names in named.items()}
    return {kind: made for kind, made in found.items() if made}


def _kept(study: Study, best: Tried) -> Path:
    return study.working / f"checks-{best.number:05}.jsonl"


def stages(settings: SweepSettings) -> list[range]:
    """The seeds of controls, from 1, in parts: after each it is seen whether more can change anything.

    All at once where their number was asked for.
    """
    most = settings.controls
    first, second = (max(LEAST_SEEDS, round(most * share)) for share in _PARTS)
    ends = [first, second, most] if is_default(settings) and second < most else [most]
    return [range(begin + 1, end + 1) for begin, end in pairwise([0, *ends])]


def is_decided(beaten: Sequence[bool], settings: SweepSettings) -> bool:
    """Whether so many controls were not beaten that the others cannot change what is said; never where all of a number
    that was asked for are to be run."""
    return is_default(settings) and beaten.count(False) > (1 - SURE) * settings.controls


def is_default(settings: SweepSettings) -> bool:
    """Whether nobody has said how many controls there are to be."""
    return "controls" not in settings.model_fields_set


def against(checks: Checks, kind: str, objective: str, best: Tried) -> Against | None:
    """How many of the controls of a kind the best trial beats; one without trades earns nothing. None without any."""
    if not any(name.startswith(f"{kind} ") for name in checks):
        return None
    return Against.of(_beaten(checks, kind, objective, best))


def _beaten(checks: Checks, kind: str, objective: str, best: Tried) -> list[bool]:
    """Whether the best trial beats each control of a kind that has the objective."""
    own = (best.values or [0.0])[0]
    found = [figures for name, figures in checks.items() if name.startswith(f"{kind} ")]
    values = [value for figures in found if (value := _value(figures, objective)) is not None]
    return [better(objective, own, value) for value in values]


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


def _controls(study: Study, best: Tried, kind: str, seeds: range) -> dict[str, dict[str, Any]]:
    own = control(kind, study.run, best.figures)
    return {f"{kind} {seed}": {**best.settings, **own(seed)} for seed in seeds} if own else {}


def control(kind: str, run: RunFile, figures: dict[str, Any]) -> Callable[[int], dict[str, Any]] | None:
    """The settings, by seed, of a control of a run that had these figures; None where there can be none."""
    if kind == "placebo":
        return None if run.control or run.band else lambda seed: {"control": "placebo", "control_seed": seed}
    params = matched(run, figures)
    return None if params is None else lambda seed: by_chance(params, seed)


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
