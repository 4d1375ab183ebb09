"""Each figure against a slow one written down from its definition."""

import numpy as np
import pytest

from liqstrat.liquidation.agreement import agreement
from liqstrat.scoring import figures
from liqstrat.scoring.figures import Ranks

DAYS = 6
RNG = np.random.default_rng(2)
SIZE = 300
DAY = RNG.integers(0, DAYS, SIZE)
DENSITY = np.round(RNG.gamma(0.5, size=SIZE), 1)
EXPOSURE = RNG.uniform(0.1, 1, SIZE)
OBSERVED = np.where(RNG.random(SIZE) < 0.3, RNG.gamma(1.0, size=SIZE), 0.0)
WEIGHTS = np.concatenate([np.ones((1, DAYS)), RNG.multinomial(DAYS, np.full(DAYS, 1 / DAYS), size=20)])


def repeated(weights: np.ndarray) -> np.ndarray:
    """Rows as often as their day was drawn."""
    return np.repeat(np.arange(SIZE), weights[DAY].astype(int))


def test_lift_is_that_of_the_densest_tenth() -> None:
    density = np.arange(100.0)
    observed = np.where(density >= 90, 5.0, 1.0)
    found = figures.lift(np.ones((1, 1)), density, np.ones(100), observed, np.zeros(100, dtype=int))
    assert found[0] == pytest.approx(50 / (0.1 * 140))


def test_lift_is_found_anew_in_every_resample_and_ties_share() -> None:
    found = figures.lift(WEIGHTS, DENSITY, EXPOSURE, OBSERVED, DAY)
    for one, weights in zip(found, WEIGHTS, strict=True):
        rows = repeated(weights)
        left, captured = 0.1 * EXPOSURE[rows].sum(), 0.0
        for value in np.unique(DENSITY)[::-1]:
            same = rows[DENSITY[rows] == value]
            part = min(left / EXPOSURE[same].sum(), 1.0) if len(same) else 0.0
            captured, left = captured + part * OBSERVED[same].sum(), left - part * EXPOSURE[same].sum()
        assert one == pytest.approx(captured / (0.1 * OBSERVED[rows].sum()))


def test_equal_densities_have_a_lift_of_one() -> None:
    assert figures.lift(WEIGHTS, np.ones(SIZE), EXPOSURE, EXPOSURE * 3, DAY) == pytest.approx(1)


def test_rank_correlation_is_spearmans_in_every_resample() -> None:
    predicted, realised = Ranks.of(DENSITY, DAY, DAYS), Ranks.of(OBSERVED, DAY, DAYS)
    found = figures.rank_correlation(WEIGHTS, predicted, realised, DAY)
    for one, weights in zip(found, WEIGHTS, strict=True):
        rows = repeated(weights)
        assert one == pytest.approx(agreement(DENSITY[rows], OBSERVED[rows]).rank)


def test_shares_sum_to_one_in_every_window_and_none_is_zero() -> None:
    window = np.sort(RNG.integers(0, 40, SIZE))
    density = np.where(window == 3, 0.0, DENSITY)
    share = figures.shares(density, EXPOSURE, window, 0.05)
    sums = np.bincount(window, share)
    assert sums[np.unique(window)] == pytest.approx(1)
    assert share.min() > 0
    assert share[window == 3] == pytest.approx(EXPOSURE[window == 3] / EXPOSURE[window == 3].sum())


def test_bits_are_the_mean_logarithm_over_contracts() -> None:
    window = np.array([0, 0, 1, 1])
    share = figures.shares(np.array([3.0, 1.0, 1.0, 1.0]), np.ones(4), window, 0.0)
    even = figures.shares(np.ones(4), np.ones(4), window, 0.0)
    found = figures.bits(np.ones((1, 1)), share, even, np.array([2.0, 0.0, 1.0, 1.0]), np.zeros(4, dtype=int))
    assert found[0] == pytest.approx(2 * np.log2(0.75 / 0.5) / 4)


def test_the_floor_is_the_one_that_fits_the_days_before_best() -> None:
    window = np.repeat(np.arange(2_000), 5)
    day = window // 1_000
    rng = np.random.default_rng(6)
    density = rng.gamma(0.5, size=len(window))
    truth = figures.shares(density, np.ones(len(window)), window, 0.3)
    observed = np.concatenate([rng.multinomial(20, one / one.sum()) for one in truth.reshape(-1, 5)]).astype(float)
    later = day == 1
    found = figures.floored_shares(density, np.ones(len(window)), window, day, observed)
    assert found[later] == pytest.approx(truth[later], abs=0.015)
    sure = figures.floored_shares(density, np.ones(len(window)), window, day, density * 5)
    least = figures.shares(density, np.ones(len(window)), window, figures.LEAST_FLOOR)
    assert sure[later] == pytest.approx(least[later])
    other = figures.floored_shares(density, np.ones(len(window)), window, day, np.where(later, 0.0, observed))
    assert (other == found).all()


def test_a_cascade_weighs_as_two_usual_windows_at_most() -> None:
    observed, window = np.array([1.0, 1.0, 2.0, 600.0, 400.0, 0.0]), np.array([0, 0, 1, 2, 2, 3])
    found = figures.draws(observed, window)
    sums = np.bincount(window, found)
    assert sums[:2] == pytest.approx(0.5)
    assert 0.99 < sums[2] < 1
    assert found[3] / found[4] == pytest.approx(1.5)
    assert sums[3] == 0
