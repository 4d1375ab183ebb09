"""Means over levels and over their placebos, and the difference with its interval over days."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from liqstrat.events.levels import Bools
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.scoring.intervals import Estimate, days_left_out, estimate


@dataclass(frozen=True)
class Beside:
    """A mean over levels, the same over placebos, and by how much levels are above: each with a 95 % interval."""

    levels: Estimate
    placebos: Estimate
    difference: Estimate
    count: int
    placebo_count: int

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def beside(
    value: Floats, day: Ints, placebo: Bools, weight: Floats, within: tuple[float, float] = (-np.inf, np.inf)
) -> Beside:
    """The mean of `value`, NaN left out, by `weight`, over levels and over placebos, by the days they are of.

    within: the least and greatest value that a mean can have.
    """
    known = np.isfinite(value)
    value, day, placebo, weight = value[known], day[known], placebo[known], weight[known]
    days, number = np.unique(day, return_inverse=True)
    left = days_left_out(len(days))

    def means(rows: Bools) -> tuple[Floats, Floats]:
        """The mean, and that without each day; and how much weight each day has."""
        counts = np.bincount(number[rows], weights=weight[rows], minlength=len(days))
        sums = np.bincount(number[rows], weights=(weight * value)[rows], minlength=len(days))
        with np.errstate(invalid="ignore", divide="ignore"):
            return (left @ sums) / (left @ counts), counts

    own, own_counts = means(~placebo)
    other, other_counts = means(placebo)
    # A difference of two means moves with the days of both.
    ratio = own_counts.sum() / other_counts.sum() if other_counts.sum() else 0.0
    spread = max(-within[0], within[1])
    return Beside(
        estimate(own, own_counts, within=within) if len(days) else Estimate(None),
        estimate(other, other_counts, within=within) if len(days) else Estimate(None),
        estimate(own - other, own_counts + ratio * other_counts, within=(-spread, spread))
        if len(days)
        else Estimate(None),
        int((~placebo).sum()),
        int(placebo.sum()),
    )
