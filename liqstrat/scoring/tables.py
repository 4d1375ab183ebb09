"""What is told of each model besides its figures: how far predictions can be relied on, and by leverage."""

from dataclasses import dataclass

import numpy as np

from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.scoring import figures
from liqstrat.scoring.intervals import LEAST_DAYS, Estimate, days_left_out, estimate
from liqstrat.scoring.reached import Reached

#: Groups of equal exposure that reliability is shown in.
_GROUPS = 10


@dataclass(frozen=True)
class Reliability:
    """Bands of like predicted density: their number, and contracts per whole band, `predicted` (scaled so that the sum
    over all bands is what was liquidated) and `realised`."""

    bands: int
    predicted: float
    realised: Estimate


@dataclass(frozen=True)
class Tier:
    """One leverage of a map: contracts predicted in reached bands; those liquidated there, attributed to leverages by
    the map's own shares in each band; and their ratio, over that of all leverages.

    The attribution is the map's, so the ratio is no independent evidence of the mix: above one it says that bands
    with much of this leverage saw more liquidated than the map expects. `lift` is free of that: the densest tenth by
    this leverage alone, and all that was liquidated.
    """

    leverage: int
    predicted: float
    attributed: float
    ratio: Estimate
    lift: Estimate


def tiers_of(bands: Reached, model: str, observed: Floats, day: Ints) -> list[Tier]:
    """The tiers of a model that stand anywhere in the bands."""
    contracts = bands.maps[model]
    whole = contracts.sum(axis=1)
    share = contracts / np.where(whole > 0, whole, 1.0)[:, np.newaxis]
    known = np.where(whole > 0, observed, 0.0)
    weights = days_left_out(int(day.max()) + 1)
    usual = figures.ratio_of_sums(weights, known, whole * bands.exposure, day)
    found = []
    for tier, leverage in enumerate(bands.tiers[model].tolist()):
        predicted, attributed = contracts[:, tier] * bands.exposure, known * share[:, tier]
        if not predicted.sum() > 0:
            continue
        ratio = figures.ratio_of_sums(weights, attributed, predicted, day) / usual
        lift = figures.lift(weights, contracts[:, tier], bands.exposure, observed, day)
        total, taken = float(predicted.sum()), float(attributed.sum())
        highest = estimate(lift, _by_day(observed, day), within=(0.0, 1 / figures.DENSEST))
        found.append(Tier(leverage, total, taken, _rated(ratio, attributed, predicted, day), highest))
    return found


def reliability_of(bands: Reached, model: str, observed: Floats, day: Ints) -> list[Reliability]:
    """Predicted against realised density in groups of equal exposure, the first of bands where the map has nothing."""
    density = bands.maps[model].sum(axis=1)
    total = float((density * bands.exposure).sum())
    if not total > 0:
        return []
    weights = days_left_out(int(day.max()) + 1)
    scale = float(observed.sum()) / total
    some = np.flatnonzero(density > 0)
    order = some[np.argsort(density[some], kind="stable")]
    along = np.cumsum(bands.exposure[order])
    group = np.minimum((along / along[-1] * _GROUPS).astype(np.int64), _GROUPS - 1)
    members = [np.flatnonzero(density <= 0), *(order[group == one] for one in range(_GROUPS))]
    found = []
    for rows in members:
        if not len(rows):
            continue
        exposure = float(bands.exposure[rows].sum())
        realised = figures.ratio_of_sums(weights, observed[rows], bands.exposure[rows], day[rows])
        predicted = scale * float((density[rows] * bands.exposure[rows]).sum()) / exposure
        rated = _rated(realised, observed[rows], bands.exposure[rows], day[rows])
        found.append(Reliability(len(rows), predicted, rated))
    return found


def _rated(ratio: Floats, above: Floats, below: Floats, day: Ints) -> Estimate:
    """The estimate of a ratio of sums, with an interval where `above` has something on enough days."""
    if (_by_day(above, day) > 0).sum() < LEAST_DAYS:
        return Estimate(float(ratio[0]) if np.isfinite(ratio[0]) else None)
    days = len(ratio) - 1
    return estimate(ratio, np.bincount(day, below, minlength=days), within=(0.0, np.inf))


def _by_day(amounts: Floats, day: Ints) -> Floats:
    found: Floats = np.bincount(day, amounts)
    return found
