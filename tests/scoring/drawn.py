"""Liquidations drawn by a known law in the bands that price reached: SIMULATED, to see what a score makes of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from liqstrat.liquidation.grid import Floats, middle
from liqstrat.liquidation.liquidations import Liquidations
from liqstrat.scoring.reached import Reached

#: A density a band.
Law = Callable[[Reached], Floats]


@dataclass(frozen=True)
class Clumps:
    """How liquidations come: `an_hour` in a window of usual exposure, more (by its square root and a half more) where
    more is reached, times a lognormal factor of `spread`; contracts lognormal by `size`; places clumped within a window
    by a Dirichlet law, the more the smaller `evenness`; and `cascades` is the power by which contracts grow with
    exposure."""

    an_hour: float = 8.0
    spread: float = 1.0
    size: float = 1.2
    evenness: float = 5.0
    cascades: float = 0.0


MILD, WILD = Clumps(), Clumps(spread=1.6, size=1.6, evenness=2.0, cascades=1.0)


def by_distance(bands: Reached) -> Floats:
    """Most at a few tenths of a percent."""
    return np.exp(-bands.distance / 0.02) * bands.distance / (bands.distance + 0.003)


def by_age(bands: Reached) -> Floats:
    """The more, the longer price was not there."""
    return np.log1p(np.minimum(bands.age, 1_000.0)) ** 1.5 + 0.02


def by_day_old(bands: Reached) -> Floats:
    """Nearly all where price was not for a day."""
    return np.where(bands.age > 24, 1.0, 0.05)


def by_both(bands: Reached) -> Floats:
    return by_distance(bands) * by_age(bands)


def by_drifting_distance(bands: Reached) -> Floats:
    """Near at first, nine times as far after four weeks."""
    return np.exp(-bands.distance / (0.004 + 0.033 * (bands.day - bands.day[0]) / 28))


def by_volume(bands: Reached) -> Floats:
    return bands.volume + 1e-9


def by_map(bands: Reached) -> Floats:
    """As the first map has it."""
    return next(iter(bands.maps.values())).sum(axis=1)


def half(first: Law, second: Law) -> Law:
    """Half of the contracts of each window by each law."""
    return lambda bands: (_within(bands, first(bands)) + _within(bands, second(bands))) / bands.exposure


NULLS: Mapping[str, Law] = {
    "distance": by_distance,
    "age": by_age,
    "older than a day": by_day_old,
    "distance and age": by_both,
    "distance, drifting": by_drifting_distance,
    "volume profile": by_volume,
}
HALF_TRUE: Mapping[str, Law] = {
    "half the map, half distance": half(by_map, by_distance),
    "half the map, half age": half(by_map, by_age),
    "half the map, half older than a day": half(by_map, by_day_old),
}
TRUE: Mapping[str, Law] = {"the map": by_map}


def drawn(bands: Reached, law: Law, seed: int, clumps: Clumps = MILD) -> Liquidations:
    """One liquidation a band at most, with all the contracts that `law` (a density a band) gives it."""
    rng = np.random.default_rng([seed, 2])
    window, share = bands.window, _within(bands, law(bands))
    windows = int(window.max()) + 1
    exposure = np.bincount(window, bands.exposure, minlength=windows)
    more = exposure / np.median(exposure[exposure > 0])
    lumps = np.exp(clumps.spread * rng.standard_normal(windows) - clumps.spread**2 / 2)
    counts = rng.poisson(clumps.an_hour * more**1.5 * lumps)
    clumped = rng.gamma(np.maximum(clumps.evenness * share, 1e-9)) + 1e-300
    contracts = np.zeros(len(bands))
    bounds = np.searchsorted(window, np.arange(windows + 1))
    for first, stop, count in zip(bounds[:-1], bounds[1:], counts, strict=True):
        if stop > first and count:
            places = rng.choice(stop - first, count, p=clumped[first:stop] / clumped[first:stop].sum())
            sizes = np.exp(clumps.size * rng.standard_normal(count))
            contracts[first:stop] = np.bincount(places, sizes, minlength=stop - first)
    contracts *= more[window] ** clumps.cascades
    some = np.flatnonzero(contracts)
    price = middle(bands.bin[some], bands.width)
    return Liquidations(bands.begins[window[some]], price, contracts[some], bands.long[some])


def _within(bands: Reached, density: Floats) -> Floats:
    """The share of each band in its window; even where the window has no density."""
    windows = int(bands.window.max()) + 1
    amount, whole = (
        np.bincount(bands.window, c, minlength=windows) for c in (density * bands.exposure, bands.exposure)
    )
    own = np.divide(
        density * bands.exposure, amount[bands.window], out=np.zeros(len(bands)), where=amount[bands.window] > 0
    )
    return np.where(amount[bands.window] > 0, own, bands.exposure / whole[bands.window])
