import numpy as np
import pytest

from liqstrat.scoring.bootstrap import LEAST_DAYS, day_weights, estimate
from liqstrat.scoring.figures import ratio_of_sums


def covered(days: int, spread: float, trials: int = 400) -> float:
    """How often the interval of a ratio of sums over days holds the true ratio of 0.5; days differ by `spread`."""
    rng = np.random.default_rng(4)
    weights, day = day_weights(days, resamples=400), np.arange(days)
    hits = 0
    for _ in range(trials):
        below = np.exp(rng.normal(0, spread, days))
        found = estimate(ratio_of_sums(weights, below * rng.beta(2, 2, days), below, day), days)
        hits += found.low <= 0.5 <= found.high
    return hits / trials


@pytest.mark.parametrize(("days", "spread"), [(LEAST_DAYS, 0.5), (20, 0.5), (20, 1.0)])
def test_intervals_hold_the_truth_as_often_as_they_say(days: int, spread: float) -> None:
    assert 0.9 <= covered(days, spread) <= 0.985


def test_days_that_are_one_block_are_not_taken_for_many_independent_bands() -> None:
    """Ten times the same rows a day says nothing new, so the interval must not get narrower."""
    rng = np.random.default_rng(1)
    once, day = rng.gamma(1.0, size=20), np.arange(20)
    weights = day_weights(20)
    narrow = estimate(ratio_of_sums(weights, once, np.ones(20), day), 20)
    many = estimate(ratio_of_sums(weights, np.tile(once, 10), np.ones(200), np.tile(day, 10)), 20)
    assert many.high - many.low == pytest.approx(narrow.high - narrow.low)


def test_no_interval_with_few_days_or_where_it_is_often_undefined() -> None:
    values = np.linspace(0, 1, 1001)
    assert estimate(values, LEAST_DAYS).low is not None
    assert estimate(values, LEAST_DAYS - 1).low is None
    values[1:100] = np.nan
    assert estimate(values, 20).low is None
    values[0] = np.nan
    assert estimate(values, 20).value is None
