"""Which tiers the data cannot tell apart."""

from dataclasses import dataclass

import numpy as np

from liqstrat.calibration.posterior import prior_precision
from liqstrat.liquidation.grid import Floats, Ints

#: A contrast that is known this much better than without data is told by them.
_BETTER = 0.7


@dataclass(frozen=True)
class Together:
    """Neighbouring tiers of which the data tell the sum only, with its 95 % interval."""

    tiers: tuple[int, ...]
    share: float
    low: float
    high: float


def together(tiers: Ints, shares: Floats, draws: Floats) -> list[Together]:
    """Groups of neighbouring tiers, lowest first, whose shares relative to each other the data say little about."""
    groups, current = [], [0]
    prior = np.linalg.inv(prior_precision(tiers))
    for i in range(1, len(tiers)):
        contrast = np.log(draws[:, i] / draws[:, i - 1])
        before = float(np.sqrt(prior[i, i] + prior[i - 1, i - 1] - 2 * prior[i, i - 1]))
        if float(contrast.std()) > _BETTER * before:
            current.append(i)
        else:
            groups.append(current)
            current = [i]
    groups.append(current)
    return [_group(members, tiers, shares, draws) for members in groups if len(members) > 1]


def _group(members: list[int], tiers: Ints, shares: Floats, draws: Floats) -> Together:
    low, high = np.quantile(draws[:, members].sum(axis=1), [0.025, 0.975]).tolist()
    return Together(tuple(tiers[members].tolist()), float(shares[members].sum()), low, high)
