"""Which settings a trial has: they follow from its number, the seed and what came before, however many run at once."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial

from liqstrat.studies.space import Space

#: Proposals that were tried already before a new one is drawn by chance.
_MOST_AGAIN = 50


def waits_for(space: Space, number: int) -> int:
    """How many trials, from the first, must have ended before this one can be proposed."""
    return number - number % space.settings.batch if space.settings.method == "tpe" else 0


def propose(space: Space, number: int, before: Sequence[FrozenTrial]) -> dict[str, Any]:
    """The parameters of the trial of this number; `before` are all trials with smaller ones.

    No two trials of a study have the same: points are drawn without putting back, and where tpe comes back to one, the
    next is drawn.
    """
    match space.settings.method:
        case "grid":
            # By chance, too: so that some of a grid are as good a part of it as any, and more can follow.
            return space.numbered(_order(space)[number])
        case "random":
            return space.numbered(_order(space)[number]) if space.points else _drawn(space, number)
    return _by_tpe(space, number, before)


def _order(space: Space) -> Sequence[int]:
    return _shuffled(space.settings.seed, space.points or 0)


@cache
def _shuffled(seed: int, points: int) -> Sequence[int]:
    """The numbers of all points in an order of chance."""
    order: list[int] = np.random.default_rng(seed).permutation(points).tolist()
    return order


def _drawn(space: Space, number: int) -> dict[str, Any]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=_seed(space, number)))
    return study.ask(space.distributions).params


def _by_tpe(space: Space, number: int, before: Sequence[FrozenTrial]) -> dict[str, Any]:
    """As the optimiser proposes, which has seen only the batches before this one: so chance in time plays no part."""
    known = [trial for trial in before if trial.number < waits_for(space, number)]
    tried = [trial.params for trial in before]
    sampler = optuna.samplers.TPESampler(seed=_seed(space, number), n_startup_trials=2 * space.settings.batch)
    study = optuna.create_study(sampler=sampler, directions=space.directions)
    study.add_trials([trial for trial in known if trial.state == optuna.trial.TrialState.COMPLETE])
    for _ in range(_MOST_AGAIN):
        asked = study.ask(space.distributions)
        if asked.params not in tried:
            return asked.params
        study.tell(asked, state=optuna.trial.TrialState.FAIL)
    if space.points is None:
        return _drawn(space, number)
    return next(params for params in map(space.numbered, _order(space)) if params not in tried)


def _seed(space: Space, number: int) -> int:
    return int(np.random.SeedSequence([space.settings.seed, number]).generate_state(1)[0])
