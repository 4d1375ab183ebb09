"""Touches and the ways from them, against prices that are known and a slow way to look at them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqstrat.catalog.minutes import MINUTE_NS, MinuteBars
from liqstrat.events.figures import beside
from liqstrat.events.levels import Levels, Moments
from liqstrat.events.paths import HORIZONS, liquidated, paths, touched
from liqstrat.liquidation.liquidations import Liquidations
from liqstrat.scoring.intervals import days_left_out, estimate

START_NS = 1_709_251_200_000_000_000


def walk(minutes: int, seed: int = 1) -> MinuteBars:
    random = np.random.default_rng(seed)
    close = np.round(60_000 * np.exp(np.cumsum(random.normal(0, 0.0007, minutes))), 1)
    opened = np.append(60_000.0, close[:-1])
    low = np.minimum(opened, close) - np.round(random.exponential(10, minutes), 1)
    high = np.maximum(opened, close) + np.round(random.exponential(10, minutes), 1)
    return MinuteBars(START_NS, opened, high, low, close, np.ones(minutes), np.full(minutes, True))


def levels(moment: list[int], price: list[float], long: list[bool]) -> Levels:
    at, count = np.array(price), len(price)
    sides, nothing = np.array(long, dtype=np.bool_), np.zeros(count)
    low, high = np.where(sides, at - 50, at), np.where(sides, at, at + 50)
    return Levels(np.array(moment), sides, at, low, high, nothing, nothing, nothing, np.arange(count))


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(-0.03, 0.03).filter(lambda d: abs(d) > 1e-4)), max_size=8))
def test_a_touch_is_the_first_minute_whose_range_has_the_level(asked: list[tuple[int, float]]) -> None:
    bars = walk(3000)
    at = np.array([0, 17, 600, 1500, 2000, 2900])
    moments = Moments(START_NS + at * MINUTE_NS, bars.open[at], np.zeros(6), np.zeros(6))
    chosen = levels(
        [number for number, _ in asked],
        [moments.price[number] * (1 + distance) for number, distance in asked],
        [distance < 0 for _, distance in asked],
    )
    for row, found in enumerate(touched(bars, moments, chosen).tolist()):
        price, first = chosen.price[row], at[chosen.moment[row]]
        day = range(first, min(first + 1440, 3000))
        reached = (bars.low[i] <= price if chosen.long[row] else bars.high[i] >= price for i in day)
        assert found == next((k for k, hit in enumerate(reached) if hit), -1)


def test_returns_are_from_the_close_of_the_touch_and_positive_where_price_came_back() -> None:
    bars = walk(3000)
    found = paths(bars, np.array([100, 100, 2000]), np.array([True, False, True]))
    for column, minutes in enumerate(HORIZONS):
        later = bars.close[100 + minutes] / bars.close[100] - 1
        assert found.returns[0, column] == pytest.approx(later)
        assert found.returns[1, column] == pytest.approx(-later)
        up = bars.high[101 : 101 + minutes].max() / bars.close[100] - 1
        down = bars.low[101 : 101 + minutes].min() / bars.close[100] - 1
        assert (found.mfe[0, column], found.mae[0, column]) == (pytest.approx(max(up, 0)), pytest.approx(min(down, 0)))
        assert (found.mfe[1, column], found.mae[1, column]) == (
            pytest.approx(max(-down, 0)),
            pytest.approx(min(-up, 0)),
        )
    # History ends 999 minutes later: what lies beyond is not known, and not zero.
    assert np.isfinite(found.returns[2]).tolist() == [minutes <= 999 for minutes in HORIZONS]


def test_liquidations_count_in_the_level_s_range_on_its_side_and_soon() -> None:
    own = levels([0, 0, 0], [100.0, 100.0, 100.0], [True, True, False])
    time = START_NS + np.array([-1, 0, 29, 30, 30]) * MINUTE_NS
    happened = Liquidations(
        time, np.array([99.0, 99.0, 60.0, 99.0, 120.0]), np.arange(1.0, 6.0), np.array([1, 1, 1, 1, 0], dtype=bool)
    )
    touch = START_NS + np.array([0, 10, 10]) * MINUTE_NS
    assert liquidated(happened, touch, own).tolist() == [2 + 3, 3 + 4, 5]


def test_a_difference_is_that_of_weighted_means_and_its_interval_that_without_each_day() -> None:
    random = np.random.default_rng(3)
    value, day = random.normal(size=400), random.integers(0, 12, 400)
    placebo, weight = random.random(400) < 0.7, random.choice([0.25, 0.5, 1.0], 400)
    found = beside(value, day, placebo, weight)

    def mean(rows: np.ndarray) -> float:
        return float((value * weight)[rows].sum() / weight[rows].sum())

    whole = mean(~placebo) - mean(placebo)
    without = [mean(~placebo & (day != one)) - mean(placebo & (day != one)) for one in range(12)]
    sums = [np.bincount(day[rows], weight[rows], 12) for rows in (~placebo, placebo)]
    amounts = sums[0] + sums[1] * sums[0].sum() / sums[1].sum()
    expected = estimate(np.array([whole, *without]), amounts)
    assert len(days_left_out(12)) == 13
    assert found.difference.value == pytest.approx(whole)
    assert (found.difference.low, found.difference.high) == (pytest.approx(expected.low), pytest.approx(expected.high))
    assert (found.count, found.placebo_count) == ((~placebo).sum(), placebo.sum())


def test_nothing_has_no_figures() -> None:
    nothing = np.zeros(0)
    found = beside(nothing, nothing.astype(np.int64), nothing.astype(bool), nothing)
    assert found.difference.value is None
    assert found.levels.value is None
