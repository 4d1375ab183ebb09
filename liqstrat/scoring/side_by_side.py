"""Which of several models may be the best one, by their losses on the same days."""

from collections.abc import Mapping

import numpy as np

from liqstrat.liquidation.grid import Floats

#: The best model is left out in so many of cases; with fewer days in more.
SIZE = 0.05
_LEAST_DAYS = 14
_DRAWS, _SEED = 2000, 1
#: Days in a row that are drawn together, on average.
_BLOCK = 2
_ALIKE = 1e-9


def may_be_best(losses: Mapping[str, Floats]) -> list[str] | None:
    """The model confidence set (Hansen, Lunde and Nason 2011) of models with `losses` by day, by name, in their order:
    the others are worse than one of these by more than chance. None for a single model, or with too few days."""
    names = list(losses)
    if len(names) < 2 or len(losses[names[0]]) < _LEAST_DAYS:
        return None
    # It loads half a second of statistics, for what is mostly a single model.
    from arch.bootstrap import MCS

    # Models that lose alike are one: nothing tells them apart, and their difference does not vary.
    groups: list[list[str]] = []
    for name in names:
        for group in groups:
            if np.abs(losses[group[0]] - losses[name]).max() < _ALIKE:
                group.append(name)
                break
        else:
            groups.append([name])
    if len(groups) == 1:
        return names
    columns = np.column_stack([losses[group[0]] for group in groups])
    test = MCS(columns, SIZE, reps=_DRAWS, block_size=_BLOCK, method="max", seed=_SEED)
    test.compute()
    kept = {name for group, one in enumerate(groups) if group in test.included for name in one}
    return [name for name in names if name in kept]
