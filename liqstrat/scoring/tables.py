"""What is told of each model besides its figures: how far predictions can be relied on, and by leverage."""

from dataclasses import dataclass

import numpy as np

from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.scoring import figures
from liqstrat.scoring.bootstrap import Estimate, estimate
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


def tiers_of(bands: Reached, model: str, observed: Floats, day: Ints, weights: Floats) -> list[Tier]:
    """The tiers of a model that stand anywhere in the bands."""
    contracts = bands.maps[model]
    whole = contracts.sum(axis=1)
    share = contracts / np.where(whole > 0, whole, 1.0)[:, np.newaxis]
    known = np.where(whole > 0, observed, 0.0)
    usual = figures.ratio_of_sums(weights, known, whole * bands.exposure, day)
    found = []
    for tier, leverage in enumerate(bands.tiers[model].tolist()):
        predicted, attributed = contracts[:, tier] * bands.exposure, known * share[:, tier]
        if not predicted.sum() > 0:
            continue
        ratio = figures.ratio_of_sums(weights, attributed, predicted, day) / usual
        lift = figures.lift(weights, contracts[:, tier], bands.exposure, observed, day)
        days = len(np.unique(day[attributed > 0]))
        total, taken = float(predicted.sum()), float(attributed.sum())
        found.append(Tier(leverage, total, taken, estimate(ratio, days), estimate(lift, days)))
    return found


def reliability_of(bands: Reached, model: str, observed: Floats, day: Ints, weights: Floats) -> list[Reliability]:
    """Predicted against realised density in groups of equal exposure, the first of bands where the map has nothing."""
    density = bands.maps[model].sum(axis=1)
    total = float((density * bands.exposure).sum())
    if not total > 0:
        return []
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
        days = len(np.unique(day[rows][observed[rows] > 0]))
        found.append(Reliability(len(rows), predicted, estimate(realised, days)))
    return found
