"""Intervals by drawing whole days, see the package."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from liqstrat.liquidation.grid import Floats

RESAMPLES = 1000
#: With fewer days there is no interval.
LEAST_DAYS = 7
#: A figure that is undefined in more of the draws than this has no interval.
_MOST_UNDEFINED = 0.02


@dataclass(frozen=True)
class Estimate:
    """A figure and its interval; None where it is not defined or no interval can be given."""

    value: float | None
    low: float | None = None
    high: float | None = None


def day_weights(days: int, seed: int = 1, resamples: int = RESAMPLES) -> Floats:
    """How often each day counts: a row of ones (the days as they were), then one row a resample."""
    drawn = np.random.default_rng(seed).multinomial(days, np.full(days, 1 / days), size=resamples)
    return np.concatenate([np.ones((1, days)), drawn.astype(np.float64)])


def estimate(figures: Floats, days: int, level: float = 0.95) -> Estimate:
    """The figure in `figures[0]`, with the interval that the same figure in the resamples `figures[1:]` gives.

    days: how many days have something to say. The percentiles are those of the expanded interval of Hesterberg
    (2015), "What Teachers Should Know About the Bootstrap": a normal interval that used them would be Student's.
    """
    value = float(figures[0]) if np.isfinite(figures[0]) else None
    drawn = figures[1:][np.isfinite(figures[1:])]
    if value is None or days < LEAST_DAYS or len(drawn) < (1 - _MOST_UNDEFINED) * len(figures[1:]):
        return Estimate(value)
    widened = np.sqrt(days / (days - 1)) * _student(1 - (1 - level) / 2, days - 1)
    tail = NormalDist().cdf(-widened)
    low, high = np.quantile(drawn, [tail, 1 - tail]).tolist()
    return Estimate(value, low, high)


def _student(probability: float, freedom: int) -> float:
    """Quantile of Student's t by the expansion 26.7.5 of Abramowitz and Stegun (error under 0.01 from 5 degrees on)."""
    z = NormalDist().inv_cdf(probability)
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )
