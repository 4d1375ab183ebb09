"""Forecasts that know almost nothing, to be beaten, and what a map adds to them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.scoring import figures
from liqstrat.scoring.logit import Part, curve, forward_shares, slope
from liqstrat.scoring.reached import Reached

UNIFORM, DISTANCE, RECENCY, VOLUME, SHUFFLED = (
    "uniform",
    "distance",
    "distance and recency",
    "volume profile",
    "shuffled",
)

#: Edges of the bands of distance that results are given by, fractions of price.
DISTANCES = (0.005, 0.01, 0.02, 0.05)
#: Knots of the curves that baselines are fitted with: distance as a fraction of price, age in hours.
_DISTANCE_KNOTS = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.06)
_AGE_KNOTS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)
#: Edges of what the rates across windows are counted in.
_FINE = np.array([0.0005, 0.001, 0.002, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05])
_AGES = np.array([0.5, 1.0, 2.0, 4.0, 8.0, 24.0, 72.0, 168.0])
#: Bands of average density that are added to what was seen, so that a rare distance is not taken for a rule.
_PRIOR_BANDS = 5.0
#: What a map or a profile is raised by, in units of its mean in the window, before its logarithm is taken.
_RAISED = 0.1
#: Random orders over which the figures of a shuffled map are averaged.
SHUFFLES = 10


@dataclass(frozen=True, eq=False)
class Forecast:
    """A density a reached band, which compares bands of all windows, and the `share` of each band in its window."""

    name: str
    density: Floats
    share: Floats


def distance_band(distance: Floats) -> Ints:
    """Which of the bands between `DISTANCES` each distance lies in, from 0."""
    return np.searchsorted(DISTANCES, distance, side="right")


def stratum_of(bands: Reached) -> Ints:
    """Side and band of distance as one number."""
    return distance_band(bands.distance) * 2 + ~bands.long


class Baselines:
    """All of them on the same bands, in which contracts were `liquidated`; each day is forecast by the days before.

    Two questions have two answers, and what is known by distance or recency gets the better one for each: across
    windows the rate (contracts over exposure), within a window the shares by a conditional logit (`logit`). The
    difference matters, as far bands are reached in violent hours only, in which everything is liquidated.
    """

    def __init__(self, bands: Reached, liquidated: Floats) -> None:
        self.bands, self.liquidated = bands, liquidated
        self._day = bands.day
        self._distance = curve(np.log(np.maximum(bands.distance, _DISTANCE_KNOTS[0])), np.log(_DISTANCE_KNOTS))
        self._age = curve(np.log1p(np.minimum(bands.age, _AGE_KNOTS[-1])), np.log1p(_AGE_KNOTS))
        self._never = slope(np.isinf(bands.age).astype(np.float64))

    def every(self, *, whole: bool) -> list[Forecast]:
        """Distance, and distance and recency; the `whole` of them has uniform and the volume profile as well."""
        step = np.searchsorted(_FINE, self.bands.distance, side="right")
        age = np.searchsorted(_AGES, self.bands.age, side="right")
        usual = self._rate(np.zeros_like(step), np.zeros(len(step)))
        by_distance = self._rate(step, usual)
        fitted = [
            Forecast(DISTANCE, by_distance, self._fitted(self._distance)),
            Forecast(RECENCY, self._rate(step * (len(_AGES) + 1) + age, by_distance), self.joined()),
        ]
        alone = [self.of(UNIFORM, np.ones(len(step))), self.of(VOLUME, self.bands.volume)] if whole else []
        return [*alone[:1], *fitted, *alone[1:]]

    def of(self, name: str, density: Floats) -> Forecast:
        """A forecast that is nothing but its density."""
        places = (self.bands.exposure, self.bands.window, self._day, self.liquidated)
        return Forecast(name, density, figures.floored_shares(density, *places))

    def joined(self, density: Floats | None = None, *, recency: bool = True) -> Floats:
        """Shares by distance and recency (or by distance alone), and by the logarithm of `density` where it is given:
        what it adds is all that the shares without it lack."""
        known = [self._distance, *([self._age, self._never] if recency else [])]
        return self._fitted(*known, *([] if density is None else [slope(self._logarithm(density))]))

    def _fitted(self, *parts: Part) -> Floats:
        return forward_shares(parts, self.bands.exposure, self.bands.window, self._day, self.liquidated)

    def _logarithm(self, density: Floats) -> Floats:
        """Of the density in units of its mean in the window; zero where the window has none."""
        window, exposure = self.bands.window, self.bands.exposure
        whole, amount = np.bincount(window, exposure), np.bincount(window, density * exposure)
        mean = np.divide(amount, whole, out=np.zeros_like(amount), where=whole > 0)[window]
        return np.log(np.divide(density, mean, out=np.ones_like(density), where=mean > 0) + _RAISED)

    def _rate(self, cell: Ints, usual: Floats) -> Floats:
        """Contracts over exposure in the cell of each band on the days before; near `usual` where little was seen."""
        cells, (days, number) = int(cell.max()) + 1, np.unique(self._day, return_inverse=True)
        slot = number * cells + cell
        exposure, amount = (
            np.bincount(slot, column, minlength=len(days) * cells).reshape(len(days), cells)
            for column in (self.bands.exposure, self.liquidated)
        )
        exposed, counted = (_before(sums)[number, cell] for sums in (exposure, amount))
        rate: Floats = (counted + _PRIOR_BANDS * usual) / (exposed + _PRIOR_BANDS)
        return rate


def shuffled(bands: Reached, density: Floats, seed: int = 1) -> Iterator[Floats]:
    """`density` with its values in random order among bands of the same side and band of distance, several times."""
    rng = np.random.default_rng(seed)
    stratum = stratum_of(bands)
    members = [np.flatnonzero(stratum == one) for one in np.unique(stratum)]
    for _ in range(SHUFFLES):
        mixed = density.copy()
        for rows in members:
            mixed[rows] = density[rng.permutation(rows)]
        yield mixed


def _before(by_day: Floats) -> Floats:
    """Sums over the days before each."""
    return np.cumsum(np.concatenate([np.zeros_like(by_day[:1]), by_day[:-1]]), axis=0)
