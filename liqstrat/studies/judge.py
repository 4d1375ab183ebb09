"""A study judged: what its trials, its controls and the ledger allow to be said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from liqstrat.liquidation.grid import Floats
from liqstrat.progress import SILENT, Progress
from liqstrat.research.drawn import Observed, announced
from liqstrat.research.edge import Evidence, Verdict, is_enough, verdict_on
from liqstrat.research.ledger import configurations
from liqstrat.research.luck import deflated, overfitting, sharpes_of, superiority
from liqstrat.studies.checks import Checks, against, check, is_default, outcomes
from liqstrat.studies.journal import Tried
from liqstrat.studies.study import Study
from liqstrat.studies.trial import Outcome
from liqstrat.studies.workers import Workers


@dataclass(frozen=True)
class Plateau:
    """The best trial and those that differ from it by one step in one setting: their objectives."""

    peak: float
    around: list[float]

    @property
    def share(self) -> float | None:
        """Of the peak, what its surroundings have on average; None where the peak is not above zero."""
        return float(np.mean(self.around)) / self.peak if self.around and self.peak > 0 else None


@dataclass(frozen=True)
class Judged:
    """A verdict, and what else there is to see: the checks that were run, and what is around the peak."""

    verdict: Verdict
    checks: Checks = field(default_factory=dict)
    plateau: Plateau | None = None

    def to_json(self) -> dict[str, Any]:
        """All facts, for a program."""
        plateau = None
        if self.plateau is not None:
            plateau = {"peak": self.plateau.peak, "around": self.plateau.around, "share": self.plateau.share}
        return {"verdict": self.verdict.to_json(), "checks": self.checks, "plateau": plateau}


def judge(study: Study, trials: list[Tried], hands: Workers, progress: Progress = SILENT) -> Judged:
    """Hold the best of a study's trials against luck, chance and placebo levels."""
    days, returns = returns_of(trials)
    tried = max(configurations(study.results, study.data_hash), len(trials))
    best = next(iter(study.best(trials)), None)
    if best is None or not best.figures.get("trades"):
        return Judged(verdict_on(Evidence(len(days), 0, tried)))
    ran = [trial.number for trial in trials if trial.days]
    settings, trades = study.space.settings, int(best.figures["trades"])
    # A number that was asked for is run in any case.
    controls = not is_default(settings) or is_enough(len(days), trades)
    checks = check(study, best, hands, progress, controls=controls) if settings.controls else {}
    objective = settings.objective[0]
    evidence = Evidence(
        days=len(days),
        trades=trades,
        configurations=tried,
        deflated=deflated(returns[:, ran.index(best.number)], tried, sharpes_of(returns)),
        overfitting=overfitting(returns),
        superiority=superiority(returns),
        random=against(checks, "random", objective, best),
        placebo=against(checks, "placebo", objective, best),
    )
    power = announced(observed(trials, best, outcomes(study, best, checks), tried, objective))
    return Judged(verdict_on(evidence, power), checks, plateau(study, trials, best))


def observed(
    trials: list[Tried], best: Tried, controls: Mapping[str, Sequence[Outcome]], configurations: int, objective: str
) -> Observed:
    """The days of a study's trials and of the controls of its best."""
    ran = [trial for trial in trials if trial.days]
    columns: list[Tried | Outcome] = [*ran, *(one for made in controls.values() for one in made)]
    _, returns = returns_of(columns)
    ends = np.cumsum([len(ran), *(len(made) for made in controls.values())])
    parts = np.split(returns, ends[:-1], axis=1)
    return Observed(
        returns=parts[0],
        best=[trial.number for trial in ran].index(best.number),
        candidates=np.array([at for at, trial in enumerate(ran) if trial.feasible and trial.values is not None]),
        configurations=configurations,
        trades=int(best.figures["trades"]),
        objective=objective,
        controls=dict(zip(controls, parts[1:], strict=True)),
    )


def returns_of(trials: Sequence[Tried | Outcome]) -> tuple[Floats, Floats]:
    """Days since 1970, and returns on them, `[day, trial]`, of the trials that ran; where money ran out, none."""
    ran = [trial for trial in trials if trial.days]
    if not ran:
        return np.zeros(0), np.zeros((0, 0))
    days = np.unique(np.concatenate([np.array(trial.days) for trial in ran]))
    returns = np.zeros((len(days), len(ran)))
    for column, trial in enumerate(ran):
        returns[np.searchsorted(days, trial.days), column] = trial.returns
    return days.astype(np.float64), np.nan_to_num(returns)


def plateau(study: Study, trials: list[Tried], best: Tried) -> Plateau | None:
    """What the trials next to the best have: the same but for one setting, which is one point further."""
    near: set[tuple[str, str]] = set()
    for key, values in study.space.settings.over.items():
        for one, other in pairwise(values.points):
            near |= {(key, repr((one, other))), (key, repr((other, one)))}
    around = []
    for trial in trials:
        differ = [key for key in best.settings if trial.settings[key] != best.settings[key]]
        if len(differ) == 1 and trial.values is not None:
            step = repr((best.settings[differ[0]], trial.settings[differ[0]]))
            if (differ[0], step) in near:
                around.append(trial.values[0])
    return Plateau((best.values or [0.0])[0], around) if around else None
