"""How long ago price was where."""

import numpy as np
import pytest

from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.grid import bin_at
from liqstrat.scoring.last_seen import LastSeen

WIDTH, HOUR_NS = 0.01, 3_600_000_000_000
NONE = np.zeros(0, dtype=np.int64)


def flow(hour: int, low: float, high: float, close: float, volume: float = 1.0) -> Flow:
    """What an hour traded."""
    start = hour * HOUR_NS
    return Flow(start, start + HOUR_NS, NONE, NONE > 0, NONE, np.array([volume]), low, high, close)


def test_a_bin_has_the_end_of_the_last_hour_that_was_in_it() -> None:
    seen = LastSeen(WIDTH)
    seen.add(flow(0, 90, 110, 100))
    seen.add(flow(1, 100, 105, 105))
    at = bin_at(95, WIDTH), bin_at(102, WIDTH), bin_at(120, WIDTH)
    hours = [seen.hours(one, one + 1, 3 * HOUR_NS)[0] for one in at]
    assert hours == [2, 1, np.inf]


def test_price_jumps_over_nothing_between_intervals() -> None:
    seen = LastSeen(WIDTH)
    seen.add(flow(0, 100, 101, 101))
    seen.add(flow(1, 120, 125, 122))
    assert seen.hours(bin_at(110, WIDTH), bin_at(110, WIDTH) + 1, 2 * HOUR_NS)[0] == 0
    seen.add(flow(2, np.nan, np.nan, np.nan, 0.0))
    seen.add(flow(3, 90, 91, 90))
    assert seen.hours(bin_at(110, WIDTH), bin_at(110, WIDTH) + 1, 4 * HOUR_NS)[0] == 0


def test_it_is_what_counting_every_hour_gives() -> None:
    rng = np.random.default_rng(5)
    seen, price, truth = LastSeen(WIDTH), 100.0, {}
    for hour in range(400):
        low, high = price * np.exp(-abs(rng.normal(0, 0.02))), price * np.exp(abs(rng.normal(0, 0.02)))
        price, before = rng.uniform(low, high), bin_at(price, WIDTH)
        for one in range(min(bin_at(low, WIDTH), before), max(bin_at(high, WIDTH), before) + 1):
            truth[one] = hour + 1
        seen.add(flow(hour, low, high, price))
    first, stop = min(truth) - 3, max(truth) + 4
    expected = [400 - truth[one] if one in truth else np.inf for one in range(first, stop)]
    assert seen.hours(first, stop, 400 * HOUR_NS) == pytest.approx(expected)
    kept = seen.copy()
    seen.add(flow(400, price, price, price))
    assert kept.hours(first, stop, 400 * HOUR_NS) == pytest.approx(expected)
