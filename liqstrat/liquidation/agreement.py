"""How well an estimated map agrees with the true one, where the true one is known."""

from dataclasses import dataclass

import numpy as np

from liqstrat.liquidation.grid import Floats


@dataclass(frozen=True)
class Agreement:
    """Three views of two maps of one side over the same price bins; 1 is perfect, each is NaN where a map is empty.

    rank: Spearman's correlation, of which bin holds more. linear: Pearson's, of how much. overlap: the share of
    contracts that stand in the same bin, both maps scaled to sum to one.
    """

    rank: float
    linear: float
    overlap: float


def agreement(estimate: Floats, truth: Floats) -> Agreement:
    """Compare contracts by bin (arrays of equal length)."""
    if not (estimate.sum() > 0 and truth.sum() > 0):
        return Agreement(np.nan, np.nan, np.nan)
    overlap = float(np.minimum(estimate / estimate.sum(), truth / truth.sum()).sum())
    return Agreement(_correlation(_ranks(estimate), _ranks(truth)), _correlation(estimate, truth), overlap)


def _ranks(values: Floats) -> Floats:
    """Ranks from 1, ties sharing their mean rank."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts).astype(np.float64)
    ranks: Floats = (last - (counts - 1) / 2)[place]
    return ranks


def _correlation(a: Floats, b: Floats) -> float:
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / spread if spread > 0 else float("nan")
