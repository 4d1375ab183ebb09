"""Forecasts that know almost nothing, to be beaten."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.scoring.reached import Bools, Reached

UNIFORM, DISTANCE, VOLUME, SHUFFLED = "uniform", "distance", "volume profile", "shuffled"

#: Edges of the bands of distance that results are given by, fractions of price.
DISTANCES = (0.005, 0.01, 0.02, 0.05)
#: Edges of those that the distance baseline is fitted in.
_FINE = np.array([0.0005, 0.001, 0.002, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05])
#: Bands of average density that are added to what was seen, so that a rare distance is not taken for a rule.
_PRIOR_BANDS = 5.0
_ROUNDS = 200
#: Random orders over which the figures of a shuffled map are averaged.
SHUFFLES = 10


@dataclass(frozen=True, eq=False)
class Forecast:
    """A density a reached band. `density` compares bands of all windows; `within` those of one window and side."""

    name: str
    density: Floats
    within: Floats


def distance_band(distance: Floats) -> Ints:
    """Which of the bands between `DISTANCES` each distance lies in, from 0."""
    return np.searchsorted(DISTANCES, distance, side="right")


def stratum_of(bands: Reached) -> Ints:
    """Side and band of distance as one number."""
    return distance_band(bands.distance) * 2 + ~bands.long


def uniform(bands: Reached) -> Forecast:
    """Every reached price alike."""
    return Forecast(UNIFORM, np.ones(len(bands)), np.ones(len(bands)))


def volume_profile(bands: Reached) -> Forecast:
    """Where much was traded of late."""
    return Forecast(VOLUME, bands.volume, bands.volume)


def distance_alone(bands: Reached, training: Bools, liquidated: Floats) -> Forecast:
    """What distance from price tells, fitted to the contracts `liquidated` in the bands of `training`.

    Two questions have two answers, and this baseline gets the better one for each: across windows the rate by distance
    (contracts over exposure), within a window the shares that make what was seen there most likely. The difference
    matters, as far bands are reached in violent hours only, in which everything is liquidated.
    """
    step = np.searchsorted(_FINE, bands.distance, side="right")
    exposures, amounts = bands.exposure[training], liquidated[training]
    steps = len(_FINE) + 1
    exposure = np.bincount(step[training], exposures, minlength=steps)
    amount = np.bincount(step[training], amounts, minlength=steps)
    if not amount.sum() > 0:
        return Forecast(DISTANCE, np.ones(len(bands)), np.ones(len(bands)))
    prior = _PRIOR_BANDS * amount.sum() / exposure.sum()
    rate = (amount + prior) / (exposure + _PRIOR_BANDS)
    within = _most_likely(step[training], bands.window[training], exposures, amounts, prior, steps)
    return Forecast(DISTANCE, rate[step], within[step])


def _most_likely(step: Ints, window: Ints, exposure: Floats, amount: Floats, prior: float, steps: int) -> Floats:
    """The density by distance that maximises the likelihood of where contracts were liquidated, given how many were in
    each window: the fixed point of `f = observed / expected(f)`, a minorisation-maximisation (Hunter 2004)."""
    density = np.ones(steps)
    observed = np.bincount(step, amount, minlength=steps)
    totals = np.bincount(window, amount)
    for _ in range(_ROUNDS):
        sums = np.bincount(window, exposure * density[step])
        per_density = np.divide(totals, sums, out=np.zeros_like(totals), where=sums > 0)[window]
        expected = np.bincount(step, exposure * per_density, minlength=steps)
        density = (observed + prior) / (expected + prior)
        density /= density.mean()
    return density


def shuffled(bands: Reached, training: Bools, density: Floats, seed: int = 1) -> Iterator[Forecast]:
    """`density` with its values in random order among bands of the same side and band of distance, several times.

    Those of `training` are mixed among themselves, and so are the others.
    """
    rng = np.random.default_rng(seed)
    stratum = stratum_of(bands) * 2 + training
    members = [np.flatnonzero(stratum == one) for one in np.unique(stratum)]
    for _ in range(SHUFFLES):
        mixed = density.copy()
        for rows in members:
            mixed[rows] = density[rng.permutation(rows)]
        yield Forecast(SHUFFLED, mixed, mixed)
