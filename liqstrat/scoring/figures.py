"""The figures of a forecast over reached bands, each under many weights of the days at once.

Arguments in common, arrays of one entry a band: `density` (forecast, in any unit), `exposure`, `observed` (contracts
that were liquidated), `day` (index into the columns of `weights[resample, day]`). Results have one entry a resample,
NaN where a figure is not defined.
"""

from dataclasses import dataclass

import numpy as np

from liqstrat.liquidation.grid import Floats, Ints

#: Part of the exposure that counts as densest.
DENSEST = 0.1
#: Least part of a density that is spread evenly over what was reached in a window, so that no share is zero.
LEAST_FLOOR = 0.01
#: The part on days before which nothing was liquidated; and the ones that are tried.
_USUAL_FLOOR = 0.05
_FLOORS = np.geomspace(LEAST_FLOOR, 1.0, 40)
_NUMBERS_AT_ONCE = 4_000_000


def lift(
    weights: Floats, density: Floats, exposure: Floats, observed: Floats, day: Ints, stratum: Ints | None = None
) -> Floats:
    """What was liquidated in the densest tenth of the exposure, over what would have been were all bands alike.

    With `stratum` the tenth is taken in each, and both sums are over all strata. Bands of equal density share.
    """
    strata = np.zeros(len(day), dtype=np.int64) if stratum is None else stratum
    captured, total = np.zeros(len(weights)), np.zeros(len(weights))
    for one in np.unique(strata[observed > 0]):
        rows = strata == one
        captured += _captured(weights, density[rows], exposure[rows], observed[rows], day[rows])
        total += weights @ np.bincount(day[rows], observed[rows], minlength=weights.shape[1])
    return _ratio(captured, DENSEST * total)


@dataclass(frozen=True, eq=False)
class Ranks:
    """Of each value, how many of each day's lie below it, equal ones by half: `below[day, band]`.

    Its rank among days that count `weights` times each is `weights @ below`, equal values sharing their mean rank.
    """

    below: Floats

    @classmethod
    def of(cls, values: Floats, day: Ints, days: int) -> "Ranks":
        """Of one value a band."""
        below = np.empty((days, len(values)))
        for one in range(days):
            sorted_values = np.sort(values[day == one])
            left, right = (np.searchsorted(sorted_values, values, side=side) for side in ("left", "right"))
            below[one] = (left + right) / 2
        return cls(below)


def rank_correlation(weights: Floats, predicted: Ranks, realised: Ranks, day: Ints) -> Floats:
    """Spearman's correlation: Pearson's of the ranks, which are found anew in every resample."""
    result = np.full(len(weights), np.nan)
    size = max(_NUMBERS_AT_ONCE // max(len(day), 1), 1)
    for start in range(0, len(weights), size):
        drawn = weights[start : start + size]
        counts = drawn[:, day]
        middle = counts.sum(axis=1)[:, np.newaxis] / 2
        x, y = drawn @ predicted.below - middle, drawn @ realised.below - middle
        xx, yy, xy = (np.einsum("ij,ij,ij->i", counts, a, b) for a, b in ((x, x), (y, y), (x, y)))
        result[start : start + size] = _ratio(xy, np.sqrt(xx * yy))
    return result


def shares(density: Floats, exposure: Floats, window: Ints, floor: float) -> Floats:
    """The share of each band in what its window reached, `floor` of it even."""
    windows = int(window.max()) + 1 if len(window) else 0
    predicted = density * exposure
    sums = np.bincount(window, predicted, minlength=windows)[window]
    even = exposure / np.bincount(window, exposure, minlength=windows)[window]
    own = np.where(sums > 0, predicted / np.where(sums > 0, sums, 1.0), even)
    mixed: Floats = (1 - floor) * own + floor * even
    return mixed


def floored_shares(density: Floats, exposure: Floats, window: Ints, day: Ints, observed: Floats) -> Floats:
    """`shares` with the floor, from `LEAST_FLOOR` up, that makes most likely what was observed on the days before.

    Bands of one day stand together, days in order of time.
    """
    own, even = (shares(density, exposure, window, floor) for floor in (0.0, 1.0))
    hit = observed > 0
    mixed = (1 - _FLOORS) * own[hit, np.newaxis] + _FLOORS * even[hit, np.newaxis]
    days, number = np.unique(day, return_inverse=True)
    likelihood = np.zeros((len(days) + 1, len(_FLOORS)))
    np.add.at(likelihood, number[hit] + 1, observed[hit, np.newaxis] * np.log(mixed))
    best = np.cumsum(likelihood[:-1], axis=0).argmax(axis=1)
    floor = np.where(
        np.cumsum(np.bincount(number, observed)) - np.bincount(number, observed) > 0, _FLOORS[best], _USUAL_FLOOR
    )
    by_band = floor[number]
    found: Floats = (1 - by_band) * own + by_band * even
    return found


def draws(observed: Floats, window: Ints) -> Floats:
    """What was observed as a number of draws: a window with `T` contracts is worth `T / (T + M)`, `M` what a window
    with any has in the median."""
    totals = np.bincount(window, observed)
    some = totals[totals > 0]
    return observed / (totals + (np.median(some) if len(some) else 1.0))[window]


def bits(weights: Floats, share: Floats, other: Floats, drawn: Floats, day: Ints) -> Floats:
    """Mean of the logarithm (base 2) of `share` over `other`, as `shares` gives them, over what was drawn."""
    return ratio_of_sums(weights, drawn * np.log2(share / other), drawn, day)


def ratio_of_sums(weights: Floats, above: Floats, below: Floats, day: Ints) -> Floats:
    """Sum of `above` over sum of `below`."""
    days = weights.shape[1]
    whole, part = (weights @ np.bincount(day, column, minlength=days) for column in (below, above))
    return _ratio(part, whole)


def _captured(weights: Floats, density: Floats, exposure: Floats, observed: Floats, day: Ints) -> Floats:
    """Contracts liquidated in the densest tenth; the bands at its border count for the part that is within it."""
    days, values = weights.shape[1], np.unique(-density, return_inverse=True)[1]
    steps = int(values.max()) + 1
    slot = day * (steps + 1) + values + 1
    # Sums up to each value, from nothing on, by day.
    exposures, amounts = (
        np.cumsum(np.bincount(slot, column, minlength=days * (steps + 1)).reshape(days, steps + 1), axis=1)
        for column in (exposure, observed)
    )
    wanted = DENSEST * (weights @ exposures[:, -1])
    below, above = np.zeros(len(weights), dtype=np.int64), np.full(len(weights), steps)
    while (above - below > 1).any():
        middle = (below + above) // 2
        enough = _at(weights, exposures, middle) >= wanted
        below, above = np.where(enough, below, middle), np.where(enough, middle, above)
    low, high = _at(weights, exposures, below), _at(weights, exposures, above)
    inside = np.divide(wanted - low, high - low, out=np.zeros(len(weights)), where=high > low)
    first = _at(weights, amounts, below)
    return first + inside * (_at(weights, amounts, above) - first)


def _at(weights: Floats, sums: Floats, step: Ints) -> Floats:
    """Sums over the days of each resample, up to its own step."""
    found: Floats = np.einsum("rd,dr->r", weights, sums[:, step])
    return found


def _ratio(above: Floats, below: Floats) -> Floats:
    ratio: Floats = np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)
    return ratio
