"""How deep the book is taken to be, from the minutes that have ended."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqstrat.backtest.costs.depth import RecentDepth
from liqstrat.catalog.minutes import MinuteBars
from liqstrat.moments import MINUTE_NS


def test_only_minutes_that_have_ended_count() -> None:
    bars = _bars(volume=[600.0, 600.0, 1e9], swing=[30.0, 30.0, 1.0])
    depth = RecentDepth({"BTCUSDT": bars}, share=0.1)
    just_before_the_end = bars.start_ns + 3 * MINUTE_NS - 1
    assert depth.contracts_by_price("BTCUSDT", just_before_the_end) == pytest.approx(2.0)
    assert depth.contracts_by_price("BTCUSDT", just_before_the_end + 1) > 1e6
    assert depth.contracts_by_price("BTCUSDT", bars.start_ns + MINUTE_NS - 1) == 0


@given(
    parts=st.lists(st.floats(0.001, 500), min_size=1, max_size=6),
    volume=st.floats(1, 1e5),
    swing=st.floats(0.1, 1e3),
)
def test_an_order_filled_in_parts_pays_what_it_pays_in_one(parts: list[float], volume: float, swing: float) -> None:
    bars = _bars(volume=[volume] * 3, swing=[swing] * 3)
    depth, now, tick = RecentDepth({"BTCUSDT": bars}, share=0.1), bars.start_ns + 3 * MINUTE_NS, 1e-9
    whole = depth.slippage("BTCUSDT", now, 0.0, sum(parts), tick) * sum(parts)
    filled, paid = 0.0, 0.0
    for part in parts:
        paid += depth.slippage("BTCUSDT", now, filled, part, tick) * part
        filled += part
    assert paid == pytest.approx(whole, rel=1e-9)


def test_depth_is_that_of_minutes_that_traded(tmp_path: Path) -> None:
    """After a silence an order finds the book as deep as it was, not a book without bottom."""
    bars = _bars(volume=[600.0] * 20 + [0.0] * 30, swing=[30.0] * 20 + [0.0] * 30)
    depth = RecentDepth({"BTCUSDT": bars}, share=0.1)
    assert depth.contracts_by_price("BTCUSDT", bars.start_ns + 50 * MINUTE_NS) == pytest.approx(2.0)
    assert depth.recent_volume("BTCUSDT", bars.start_ns + 50 * MINUTE_NS) == pytest.approx(15 * 600.0)


def _bars(volume: list[float], swing: list[float]) -> MinuteBars:
    price = np.full(len(volume), 60_000.0)
    return MinuteBars(0, price, price + np.array(swing), price, price, np.array(volume), np.full(len(price), True))


def test_an_order_pays_half_of_the_way_it_eats_and_never_less_than_a_tick() -> None:
    """600 contracts a minute over 30 USDT, a tenth of it resting: 2 contracts for each USDT."""
    bars = _bars(volume=[600.0] * 3, swing=[30.0] * 3)
    depth, now = RecentDepth({"BTCUSDT": bars}, share=0.1), bars.start_ns + 3 * MINUTE_NS
    assert depth.slippage("BTCUSDT", now, 0.0, 12.0, 0.5) == pytest.approx(0.25 + 12 / 2 / 2)
    assert depth.slippage("BTCUSDT", now, 8.0, 12.0, 0.5) == pytest.approx(0.25 + (8 + 12 / 2) / 2)
    assert depth.slippage("BTCUSDT", now, 0.0, 0.01, 0.5) == 0.5
    assert depth.slippage("BTCUSDT", bars.start_ns, 5.0, 12.0, 0.5) == 0.5, "before the first minute has ended"


def test_a_market_that_does_not_move_is_as_deep_as_may_be() -> None:
    bars = _bars(volume=[600.0] * 3, swing=[0.0] * 3)
    depth, now = RecentDepth({"BTCUSDT": bars}, share=0.1), bars.start_ns + 3 * MINUTE_NS
    assert depth.contracts_by_price("BTCUSDT", now) == 0
    assert depth.slippage("BTCUSDT", now, 0.0, 1e6, 0.5) == 0.5
    assert depth.recent_volume("BTCUSDT", now) == 1_800


def test_only_the_last_quarter_of_an_hour_counts_and_of_its_own_symbol() -> None:
    rising = _bars(volume=[float(n) for n in range(1, 21)], swing=[1.0] * 20)
    other = _bars(volume=[7.0], swing=[2.0])
    depth = RecentDepth({"BTCUSDT": rising, "ETHUSDT": other}, share=1.0)
    for ended in range(21):
        counted = list(range(1, ended + 1))[-15:]
        assert depth.recent_volume("BTCUSDT", ended * MINUTE_NS) == pytest.approx(sum(counted))
    assert depth.recent_volume("ETHUSDT", 20 * MINUTE_NS) == 7
    assert depth.contracts_by_price("ETHUSDT", 20 * MINUTE_NS) == pytest.approx(3.5)


def test_a_minute_of_longer_candles_has_its_part_of_them() -> None:
    """Candles of four minutes with 400 contracts over 20 USDT: 100 contracts and 10 USDT a minute, as price wanders."""
    recorded = np.arange(40) % 4 == 3
    price = np.full(40, 60_000.0)
    bars = MinuteBars(0, price, price + 20.0 * recorded, price, price, 400.0 * recorded, recorded)
    depth = RecentDepth({"BTCUSDT": bars}, share=1.0)
    assert depth.recent_volume("BTCUSDT", 40 * MINUTE_NS) == pytest.approx(10 * 100)
    assert depth.contracts_by_price("BTCUSDT", 40 * MINUTE_NS) == pytest.approx(100 / 10)


def test_a_book_can_be_deep_where_price_hardly_moves() -> None:
    bars = _bars(volume=[600.0], swing=[0.25])
    assert RecentDepth({"BTCUSDT": bars}, 0.1).contracts_by_price("BTCUSDT", MINUTE_NS) == pytest.approx(240)
