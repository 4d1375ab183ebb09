import numpy as np
import pytest

from liqstrat.scoring.figures import ratio_of_sums
from liqstrat.scoring.intervals import LEAST_DAYS, Estimate, days_left_out, estimate


def of_days(means: np.ndarray, amounts: np.ndarray, level: float = 0.95) -> Estimate:
    """A mean over contracts, from the mean and the contracts of each day."""
    days = len(means)
    figures = ratio_of_sums(days_left_out(days), means * amounts, amounts, np.arange(days))
    return estimate(figures, amounts, level)


def errors(days: int, weights: str, gains: str, trials: int = 400) -> tuple[float, float]:
    """How often the interval of a mean that is zero lies above it, and how often below."""
    rng = np.random.default_rng([4, days])
    above = below = 0
    for _ in range(trials):
        amounts = {"equal": np.ones, "pareto": lambda n: 1 + rng.pareto(1.1, n)}[weights](days)
        means = {"normal": rng.standard_normal, "left": lambda n: 1 - rng.exponential(1, n)}[gains](days)
        found = of_days(means, amounts)
        above, below = above + found.above_zero, below + (found.high < 0)
    return above / trials, below / trials


@pytest.mark.parametrize("days", [10, 20])
@pytest.mark.parametrize(("weights", "gains", "most"), [("equal", "normal", 0.04), ("equal", "left", 0.055)])
def test_intervals_lie_above_the_truth_as_seldom_as_they_say(days: int, weights: str, gains: str, most: float) -> None:
    above, below = errors(days, weights, gains)
    assert above <= most
    assert below <= most
    assert above + below > 0.003


@pytest.mark.parametrize("gains", ["normal", "left"])
def test_days_of_very_unequal_weight_do_not_make_intervals_too_short(gains: str) -> None:
    assert max(errors(20, "pareto", gains)) <= 0.06


def test_an_interval_above_zero_needs_no_single_day() -> None:
    rng = np.random.default_rng(3)
    seen = 0
    for _ in range(300):
        means, amounts = rng.normal(0.8, 1, 12), 1 + rng.pareto(1.1, 12)
        if of_days(means, amounts).above_zero:
            seen += 1
            assert all(np.delete(means, i) @ np.delete(amounts, i) > 0 for i in range(12))
    assert seen > 20


def test_a_day_that_is_nearly_all_gives_no_short_interval() -> None:
    means, amounts = np.linspace(0.9, 1.1, 20), np.ones(20)
    assert of_days(means, amounts).above_zero
    amounts[-1] = 2_000
    wide = of_days(means, amounts)
    assert wide.value == pytest.approx(1.1, abs=0.01)
    assert wide.low < 0.7


def test_a_stricter_level_gives_a_wider_interval() -> None:
    means, amounts = np.random.default_rng(2).normal(size=(2, 15)) ** 2
    usual, strict = of_days(means, amounts), of_days(means, amounts, 0.99)
    assert strict.low < usual.low < usual.value < usual.high < strict.high


def test_days_that_are_one_block_are_not_taken_for_many_independent_bands() -> None:
    """Ten times the same rows a day says nothing new, so the interval must not get narrower."""
    once, day, weights = np.random.default_rng(1).gamma(1.0, size=20), np.arange(20), days_left_out(20)
    narrow = estimate(ratio_of_sums(weights, once, np.ones(20), day), np.ones(20))
    many = estimate(ratio_of_sums(weights, np.tile(once, 10), np.ones(200), np.tile(day, 10)), np.ones(20))
    assert many.high - many.low == pytest.approx(narrow.high - narrow.low)


def test_no_interval_with_few_days_or_where_it_is_not_defined_without_one() -> None:
    figures = np.linspace(0, 1, 21)
    assert estimate(figures, np.ones(20)).low is not None
    assert estimate(figures, np.where(np.arange(20) < LEAST_DAYS - 1, 1.0, 0.0)).low is None
    figures[7] = np.nan
    assert estimate(figures, np.ones(20)).low is None
    figures[0] = np.nan
    assert estimate(figures, np.ones(20)).value is None


def test_an_interval_ends_where_the_figure_can_not_be() -> None:
    found = estimate(np.array([0.1, *np.linspace(0.0, 0.4, 10)]), np.ones(10), within=(0.0, 10.0))
    assert found.low == 0
    assert found.high > 0.4
