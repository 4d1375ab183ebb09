"""One step of the simulated market: what it must keep, whatever the settings."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liqstrat.liquidation.brackets import brackets_for
from liqstrat.market.simulator.market import Market
from liqstrat.market.simulator.orders import agents_orders
from liqstrat.market.simulator.positions import Exit
from liqstrat.market.simulator.price import Move, Price
from liqstrat.market.simulator.settings import SimulationSettings, listing_of

pytestmark = pytest.mark.slow

START_MS = 1_709_251_200_000


def _market(seed: int, symbol: str = "BTCUSDT", **chosen: object) -> Market:
    brackets = brackets_for(symbol, datetime(2024, 3, 1, tzinfo=UTC))
    made = SimulationSettings(positions=100, **chosen)  # type: ignore[arg-type]
    return Market(listing_of(symbol), made, brackets, np.random.SeedSequence(seed), START_MS)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    symbol=st.sampled_from(["BTCUSDT", "SOLUSDT", "XYZUSDT"]),
    impact=st.sampled_from([0.0, 0.04, 0.3]),
    volatility=st.sampled_from([0.005, 0.02, 0.2]),
    absorbed=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_every_contract_stays_one_long_and_one_short(
    seed: int, symbol: str, impact: float, volatility: float, absorbed: float
):
    market = _market(seed, symbol, impact=impact, volatility=volatility, absorbed=absorbed)
    for _ in range(60):
        market.step(300)
        held = market.book.open_positions()
        longs, shorts = (int(held["lots"][held["side"] == side].sum()) for side in (1, -1))
        assert longs == shorts == market.book.longs == market.book.shorts
        assert (held["lots"] > 0).all()


def test_nobody_survives_the_touch_of_its_liquidation_price():
    market = _market(1, volatility=0.1, openings=5.0, stop_share=0.0)
    tick = listing_of("BTCUSDT").tick
    liquidated = 0
    for _ in range(300):
        before = market.book.open_positions()
        market.step(60)
        move = market.log.moves[-1]
        hit = np.where(
            before["side"] > 0, before["liquidation"] >= move.low * tick, before["liquidation"] <= move.high * tick
        )
        after = set(market.book.open_positions()["id"])
        assert not after & set(before["id"][hit])
    for gone, ends in market.log.closed:
        burned = ends["reason"] == Exit.LIQUIDATED
        liquidated += burned.sum()
        outwards = gone["side"] * (gone["liquidation"] - ends["price"] * tick)
        assert ((outwards[burned] > -1e-6) & (outwards[burned] < tick + 1e-6)).all()
    assert liquidated > 30


def test_forced_selling_pushes_price_down_and_part_of_it_comes_back():
    quiet = SimulationSettings(volatility=1e-6, trend=0.0, shocks=0.0, home_pull=0.0, range_pull=0.0)
    price = Price(listing_of("BTCUSDT"), quiet, np.random.default_rng(0), START_MS)
    price.press(-0.1)
    steps = [price.move(10).close for _ in range(2000)]
    pushed = 620_000 * (1 - np.exp(-0.1 * quiet.impact))
    assert min(steps) == pytest.approx(620_000 - pushed, rel=2e-3)
    assert steps[0] > min(steps)
    assert steps[-1] == pytest.approx(620_000 - pushed * (1 - quiet.rebound), rel=2e-3)


def test_openers_take_as_often_as_the_settings_say():
    shares = {}
    for takes in (0.2, 0.9):
        made = SimulationSettings(positions=100, opener_takes=takes)
        market = _market(2, opener_takes=takes)
        for _ in range(400):
            market.step(300)
        orders, _, _ = agents_orders(market.log, made, np.random.default_rng(0))
        opened = market.log.all_opened()
        taken = np.isin(opened["opened"], orders["time"]) & np.isin(opened["lots"], orders["lots"])
        shares[takes] = taken.mean()
    assert shares[0.2] == pytest.approx(0.2, abs=0.05)
    assert shares[0.9] == pytest.approx(0.9, abs=0.05)


@given(low_first=st.booleans(), turn=st.integers(1, 3000), share=st.floats(0, 1))
def test_a_move_crosses_every_price_between_its_extremes_in_order(low_first: bool, turn: int, share: float):
    move = Move(1000, 10_000, 100, 60, 130, 90, low_first, (turn, turn + 4000, 8000), 0.0, 1.0)
    falling = np.array([100 - round(40 * share), 60])
    rising = np.array([100 + round(30 * share), 130])
    falls, rises = move.falls_to(falling), move.rises_to(rising)
    assert move.start_ms <= falls[0] <= falls[1] <= move.start_ms + 8000
    assert move.start_ms <= rises[0] <= rises[1] <= move.start_ms + 8000
    assert (falls[1] < rises[1]) == low_first


def _after_cascades(planted: float) -> tuple[int, float]:
    """How many cascades there were in forty days, and the mean way back in the hour after, by the side that was hit."""
    market = _market(5, planted=planted, planted_after=0.004, impact=0.0, rebound=0.0, trend=0.0)
    found, closes = [], []
    for step in range(40 * 288):
        owed = market.price._owed
        market.step(300)
        closes.append(market.price._log)
        if market.price._cascade == 0.0 and abs(market.price._owed - owed) > planted / 2 > 0:
            found.append((step, np.sign(market.price._owed - owed)))
    back = [way * (closes[step + 12] - closes[step]) for step, way in found if step + 12 < len(closes)]
    return len(found), float(np.mean(back)) if back else 0.0


def test_price_comes_back_after_cascades_by_what_was_planted():
    cascades, back = _after_cascades(0.006)
    assert cascades > 25
    # In an hour, 1 - exp(-3) of it, and of what later cascades of the hour add.
    assert 0.005 < back < 0.009
    cascades, back = _after_cascades(1e-9)
    assert cascades > 25
    assert abs(back) < 0.0015


def test_nothing_planted_leaves_every_market_as_it_was():
    plain, named = _market(3), _market(3, planted=0.0, planted_after=0.0001)
    for market in (plain, named):
        for _ in range(200):
            market.step(60)
    assert [one.close for one in plain.log.moves] == [one.close for one in named.log.moves]
