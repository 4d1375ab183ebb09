"""Whether a fit holds on days it has not seen."""

from dataclasses import dataclass

import numpy as np

from liqstrat.calibration.evidence import Evidence
from liqstrat.calibration.maximum import maximum
from liqstrat.calibration.posterior import Level, Posterior
from liqstrat.liquidation.grid import Floats, Ints

#: Days are left out in at most so many groups.
_MOST_FOLDS = 10
_RESAMPLES, _SEED = 2000, 1


@dataclass(frozen=True)
class HeldOut:
    """Gain in log-likelihood over the default mix, on days that were left out of the fit, in bits.

    `per_event` is the mean per liquidation (per interval, where open interest is fitted to), with its 95 % interval,
    `low` to `high`, by bootstrap over days; `per_contract` weighs each day by its contracts. `days` is their number.
    """

    per_event: float
    low: float
    high: float
    per_contract: float
    days: int

    @property
    def better(self) -> bool:
        """Whether the fit beats the default on days it has not seen, beyond what chance could do."""
        return self.low > 0


def held_out(
    default: Evidence, refitted: Evidence, tiers: Ints, centre: Floats, level: Level, overdispersion: float
) -> HeldOut | None:
    """Fit on some days, judge on the others, all days in turn.

    Each mix is judged by its own book: the default's by the evidence `default`, the fitted one by `refitted`. Of the
    days left out, only their part in the mix that this book was built with is in the fit. What else is fitted (scales,
    guess, stray) is fitted for the default as well, on the same days. None where there are not two days with
    liquidations.
    """
    days, day = np.unique(default.days, return_inverse=True)
    if len(np.unique(day[default.block])) < 2:
        return None
    fold = folds(len(days))
    gain, counts, contracts = (np.zeros(len(days)) for _ in range(3))
    np.add.at(counts, day[default.block], 1.0)
    np.add.at(contracts, day[default.block], default.contracts)
    for number in range(int(fold[-1]) + 1):
        left_out = fold[day] == number
        if not counts[fold == number].sum() or not counts[fold != number].sum():
            continue
        found = []
        for evidence, moves in ((refitted, True), (default, False)):
            learnt = Posterior(evidence, tiers, centre, level, overdispersion, ~left_out)
            asked = Posterior(evidence, tiers, centre, level, overdispersion, left_out)
            start = learnt.start()
            free = np.arange(0 if moves else len(tiers), len(start))
            found.append(asked.log_likelihood(maximum(learnt.value, learnt.gradient, start, free)).sum(axis=0))
        difference = (found[0] - found[1]) / np.log(2)
        np.add.at(gain, day[left_out], difference)
    return summary(gain, counts, contracts)


def folds(days: int) -> Ints:
    """Which days are left out together."""
    return np.arange(days) * min(days, _MOST_FOLDS) // max(days, 1)


def summary(gain: Floats, counts: Floats, contracts: Floats) -> HeldOut:
    """From the gain (bits), events and contracts of each day."""
    some = counts > 0
    gain, counts, contracts = gain[some], counts[some], contracts[some]
    drawn = np.random.default_rng(_SEED).integers(0, len(gain), (_RESAMPLES, len(gain)))
    low, high = np.quantile(gain[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [0.025, 0.975]).tolist()
    by_contract = float((gain / counts) @ contracts / contracts.sum())
    return HeldOut(float(gain.sum() / counts.sum()), low, high, by_contract, len(gain))
