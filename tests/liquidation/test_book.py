from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from liqstrat.liquidation.book import LiquidationBook
from liqstrat.liquidation.brackets import brackets_for
from liqstrat.liquidation.flow import Flow, flow_from_trades
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.liquidation.model import Since
from liqstrat.liquidation.price import liquidation_price
from liqstrat.liquidation.settings import ModelSettings

START = int(datetime(2024, 3, 1, tzinfo=UTC).timestamp()) * 10**9
STEP = 300 * 10**9
BTC = brackets_for("BTCUSDT", datetime(2024, 3, 1, tzinfo=UTC))


def plain(**chosen: Any) -> ModelSettings:
    """A model in which all that is open at first was opened there, and all leverages and hours close alike."""
    return ModelSettings(**{"seed_spread": 0.0, "haste": 0.0, "unrest": 0.0, "bustle": 1.0, "patience": 0.0, **chosen})


def interval(
    number: int, prices: list[float], contracts: list[float] | float = 1.0, width: float = ModelSettings().fine_width
) -> Flow:
    price = np.array(prices, dtype=np.float64)
    size = np.broadcast_to(np.asarray(contracts, dtype=np.float64), price.shape)
    buy = np.arange(len(price)) % 2 == 0
    start = START + number * STEP
    return flow_from_trades(start, start + STEP, price, size, buy, width=width, brackets=BTC)


@st.composite
def markets(draw: st.DrawFn) -> list[tuple[list[float], list[float], float]]:
    """Intervals of (prices, contracts, open interest): calm, jumping, empty, growing and shrinking."""
    price, interest = draw(st.floats(0.01, 100_000)), draw(st.floats(1, 50_000))
    steps = []
    for _ in range(draw(st.integers(1, 12))):
        moves = draw(st.lists(st.floats(-0.15, 0.15), max_size=6))
        prices = [price := price * (1 + move) for move in moves]
        contracts = [draw(st.floats(0.001, 2_000)) for _ in prices]
        interest *= draw(st.floats(0.3, 2.0))
        steps.append((prices, contracts, interest))
    return steps


@st.composite
def models(draw: st.DrawFn) -> ModelSettings:
    tiers = draw(st.sets(st.sampled_from([1, 2, 3, 5, 10, 25, 50, 100, 125]), min_size=1))
    return ModelSettings(
        bin_width=draw(st.sampled_from([0.0005, 0.001, 0.005])),
        bin_parts=draw(st.sampled_from([1, 3, 4])),
        turnover=draw(st.sampled_from([0.0, 0.1, 2.0])),
        unrest=draw(st.sampled_from([0.0, 0.3, 10.0])),
        bustle=draw(st.sampled_from([0.0, 0.5, 1.0])),
        patience=draw(st.sampled_from([0.0, 1.0, 24.0])),
        haste=draw(st.sampled_from([0.0, 0.5, 2.0])),
        seed_spread=draw(st.sampled_from([0.0, 0.06, 0.5])),
        first_against=draw(st.sampled_from([0.0, 0.7, 1.0])),
        taker_weight=draw(st.sampled_from([0.0, 1.0, 3.0])),
        leverage={tier: draw(st.floats(0.01, 1)) for tier in tiers},
        formula=draw(st.sampled_from(["exact", "linear"])),
    )


@given(markets(), models())
@hypothesis_settings(max_examples=60)
def test_open_interest_is_conserved_and_nothing_run_through_remains(
    market: list[tuple[list[float], list[float], float]], model: ModelSettings
) -> None:
    book, wide = LiquidationBook(model.on_fine_bins(), "BTCUSDT"), LiquidationBook(model, "BTCUSDT")
    seen = False
    for number, (prices, contracts, interest) in enumerate(market):
        flow = interval(number, prices, contracts, model.fine_width)
        book.step(flow, interest)
        wide.step(flow, interest)
        assert_sums(wide.map(), book.map(), model.bin_parts)
        seen = seen or flow.volume > 0
        levels = book.map()
        assert (levels.longs >= 0).all()
        assert (levels.shorts >= 0).all()
        if not seen:
            continue
        assert levels.longs.sum() + levels.long_unplaced.sum() == pytest.approx(interest, rel=1e-9)
        assert levels.shorts.sum() + levels.short_unplaced.sum() == pytest.approx(interest, rel=1e-9)
        if flow.volume > 0:
            assert not levels.longs[:, levels.high_edges > flow.close * (1 + 1e-9)].any()
            assert not levels.shorts[:, levels.low_edges < flow.close * (1 - 1e-9)].any()
            # Where price has been stands only what opened behind it, in this very interval.
            behind = levels.high_edges > flow.low * (1 + 1e-9), levels.low_edges < flow.high * (1 - 1e-9)
            for contracts, hours, there in (
                (levels.longs, levels.long_hours, behind[0]),
                (levels.shorts, levels.short_hours, behind[1]),
            ):
                opened = contracts[:, there] * (flow.end_ns / 3.6e12)
                np.testing.assert_allclose(hours[:, there], opened, rtol=1e-9, atol=1e-300)


def assert_sums(whole: LiquidationMap, fine: LiquidationMap, parts: int) -> None:
    """Each bin of `whole` holds what `parts` bins of `fine` hold."""
    of_part = (fine.first_bin + np.arange(fine.longs.shape[1])) // parts - whole.first_bin
    for name in ("longs", "shorts", "long_hours", "short_hours"):
        sums = np.zeros_like(getattr(whole, name))
        np.add.at(sums, (slice(None), of_part), getattr(fine, name))
        np.testing.assert_allclose(getattr(whole, name), sums, rtol=1e-9, atol=1e-300)


def test_a_flow_in_other_bins_or_brackets_is_refused() -> None:
    book = LiquidationBook(ModelSettings(bin_width=0.001), "BTCUSDT")
    with pytest.raises(ValueError, match=r"bins 11007 to 11007 .* expected bins 44030"):
        book.step(interval(0, [60_000.0], width=0.001), 100)
    flow = interval(0, [60_000.0])
    with pytest.raises(ValueError, match="brackets up to 100"):
        book.step(replace(flow, brackets=flow.brackets + 99), 100)


def test_levels_stand_where_the_formula_says() -> None:
    """All opened at 60,000 with 0.1 contract a trade at 10x: longs at 54,217 and shorts at 65,737."""
    book = LiquidationBook(plain(leverage={10: 1.0}, turnover=0), "BTCUSDT")
    book.step(interval(0, [60_000.0] * 10, 0.1), 100)
    levels = book.map()
    for side, contracts in (("long", levels.longs), ("short", levels.shorts)):
        expected = float(liquidation_price(60_000, 10, 0.1, side, BTC))  # type: ignore[arg-type]
        mean = float((contracts.sum(axis=0) * levels.middles).sum() / contracts.sum())
        assert mean == pytest.approx(expected, rel=0.001)


def test_a_bracket_caps_the_leverage_of_large_trades() -> None:
    """10 million USDT at once may use 20x at most (BTCUSDT, March 2024): nothing stands at 100x."""
    book = LiquidationBook(plain(leverage={5: 0.5, 20: 0.25, 100: 0.25}), "BTCUSDT")
    book.step(interval(0, [60_000.0], 167.0), 100)
    by_tier = book.map().longs.sum(axis=1)
    np.testing.assert_allclose(by_tier, [50, 50, 0])


def test_what_price_runs_through_is_reported_and_gone() -> None:
    book = LiquidationBook(plain(leverage={10: 1.0}, turnover=0), "BTCUSDT")
    book.step(interval(0, [60_000.0] * 4), 100)
    consumed = book.step(interval(1, [60_000.0, 54_000.0]), 100)
    assert consumed.longs.sum() == pytest.approx(100)
    assert consumed.shorts.sum() == 0
    levels = book.map()
    assert not levels.longs[:, levels.high_edges > 54_000 * (1 + 1e-9)].any()


def test_consumed_levels_do_not_come_back() -> None:
    book = LiquidationBook(plain(leverage={10: 1.0}, turnover=0), "BTCUSDT")
    book.step(interval(0, [60_000.0] * 4), 100)
    book.step(interval(1, [60_000.0, 54_000.0, 60_000.0]), 50)
    before = book.map().longs.sum(axis=0)
    book.step(interval(2, [60_000.0] * 4), 40)
    assert (book.map().longs.sum(axis=0) <= before + 1e-9).all()


def test_turnover_moves_levels_after_price() -> None:
    """Open interest unchanged, price moved: with turnover the book follows, without it does not."""
    shares = []
    for turnover in (0.0, 0.5):
        book = LiquidationBook(plain(leverage={10: 1.0}, turnover=turnover), "BTCUSDT")
        book.step(interval(0, [60_000.0] * 4), 100)
        for number in range(1, 4):
            book.step(interval(number, [62_000.0] * 100), 100)
        levels = book.map()
        shares.append(levels.longs[:, levels.middles > 55_000].sum() / levels.longs.sum())
    assert shares[0] < 0.1 < 0.7 < shares[1]


def test_what_is_older_than_history_is_spread_around_the_first_price() -> None:
    """A mean distance of 6 % of the entries at 10x: as much below as above, some far away."""
    book = LiquidationBook(ModelSettings(leverage={3: 1.0}, seed_spread=0.06), "BTCUSDT")
    book.step(interval(0, [60_000.0] * 4), 100)
    levels = book.map()
    entry = np.log(levels.middles / float(liquidation_price(1.0, 3, 0.1, "long", BTC)) / 60_000)
    weight = levels.longs.sum(axis=0) / 100
    assert abs(float((weight * entry).sum())) < 0.002
    assert float((weight * np.abs(entry)).sum()) == pytest.approx(0.06, rel=0.1)


def test_who_has_more_leverage_closes_sooner() -> None:
    book = LiquidationBook(ModelSettings(leverage={5: 0.5, 20: 0.5}, turnover=0.1, haste=1.0, seed_spread=0), "BTCUSDT")
    for number in range(200):
        book.step(interval(number, [60_000.0] * 4, 5.0), 100)
    low, high = book.map().longs.sum(axis=1)
    assert low / high == pytest.approx(4, rel=0.05)


def test_price_moves_close_those_whose_stops_and_targets_are_near() -> None:
    """A range of 1 % is half the way to liquidation at 50x and a twentieth at 5x."""
    settings = ModelSettings(leverage={5: 0.5, 50: 0.5}, turnover=0, haste=0, unrest=0.4, seed_spread=0)
    book = LiquidationBook(settings, "BTCUSDT")
    book.step(interval(0, [60_000.0], 0.1), 100)
    book.step(interval(1, [60_000.0, 60_600.0], 0.1), 50)
    low, high = book.map().shorts.sum(axis=1)
    assert high / low == pytest.approx(np.exp(-0.4 * (0.5**2 - 0.05**2)), rel=0.01)


def test_rising_open_interest_leaves_less_to_close() -> None:
    """10 of 100 contracts close while open interest stands still, hardly any when it doubles."""
    for interest, closed in ((100, 10.0), (200, 1.0), (50, 51.9)):
        book = LiquidationBook(plain(leverage={10: 1.0}, turnover=0.1), "BTCUSDT")
        book.step(interval(0, [60_000.0], 0.1), 100)
        book.step(interval(1, [60_300.0] * 100, 1.0), interest)
        assert 100 * (1 - book.seeded_share * interest / 100) == pytest.approx(closed, rel=0.02)


def test_the_taker_side_opens_more() -> None:
    """Buyers take at 60,000 and sellers at 61,000: longs stand mostly under the former, shorts over the latter."""
    price = np.array([60_000.0] * 10 + [61_000.0] * 10)
    buy = price < 60_500
    book = LiquidationBook(plain(leverage={10: 1.0}, taker_weight=4.0), "BTCUSDT")
    width = book.settings.fine_width
    flow = flow_from_trades(START, START + STEP, price, np.full(20, 1.0), buy, width=width, brackets=BTC)
    book.step(flow, 100)
    levels = book.map()
    low_entry = float(liquidation_price(60_500, 10, 1.0, "long", BTC))
    assert levels.longs[:, levels.middles < low_entry].sum() == pytest.approx(80, abs=1)
    high_entry = float(liquidation_price(60_500, 10, 1.0, "short", BTC))
    assert levels.shorts[:, levels.middles > high_entry].sum() == pytest.approx(80, abs=1)


def test_a_map_leaves_out_what_was_run_through_since_the_last_step() -> None:
    book = LiquidationBook(plain(leverage={10: 1.0}, turnover=0), "BTCUSDT")
    book.step(interval(0, [60_000.0] * 4), 100)
    assert book.map(Since(low=54_000.0, price=54_500.0)).longs.sum() == 0
    assert book.map(Since(high=66_000.0)).shorts.sum() == 0
    assert book.map().longs.sum() == pytest.approx(100)


def test_the_share_that_is_a_guess_falls_as_positions_turn_over() -> None:
    book = LiquidationBook(plain(turnover=0.5), "BTCUSDT")
    book.step(interval(0, [60_000.0] * 4), 100)
    assert book.seeded_share == pytest.approx(1.0)
    for number in range(1, 8):
        book.step(interval(number, [60_000.0] * 100), 100)
    assert book.seeded_share == pytest.approx(0.5**7, rel=0.01)


def test_age_is_the_time_since_opening() -> None:
    book = LiquidationBook(plain(leverage={10: 1.0}, turnover=0), "BTCUSDT")
    for number in range(13):
        book.step(interval(number, [60_000.0] * 4), 100)
    levels = book.map()
    here = levels.longs[0] > 0
    age = levels.time_ns / 3.6e12 - levels.long_hours[0][here] / levels.longs[0][here]
    np.testing.assert_allclose(age, 1.0, atol=1e-6)


@given(markets(), models(), st.floats(-0.2, 0.2), st.floats(0, 0.2))
@hypothesis_settings(max_examples=50)
def test_prices_that_reach_nothing_take_nothing_from_the_map(
    market: list[tuple[list[float], list[float], float]], model: ModelSettings, away: float, width: float
) -> None:
    """And where something is, right at the price on from which it stands, they do reach it."""
    book = LiquidationBook(model, "BTCUSDT")
    for number, (prices, contracts, interest) in enumerate(market):
        book.step(interval(number, prices, contracts, model.fine_width), interest)
    if np.isnan(book.price):
        assert not book.reaches(1.0, 1e9)
        return
    low, high = book.price * (1 + away), book.price * (1 + away + width)
    whole, left = book.map(), book.map(Since(low=low, high=high))
    if not book.reaches(low, high):
        np.testing.assert_array_equal(left.longs, whole.longs)
        np.testing.assert_array_equal(left.shorts, whole.shorts)
    if whole.longs.any():
        nearest = whole.low_edges[whole.longs.any(axis=0)].max() * (1 + 1e-9)
        assert book.reaches(float(nearest), 0.0001 * book.price)


@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize("against_first", [True, False])
def test_what_opens_after_price_came_by_lives(side: str, against_first: bool) -> None:
    """Price goes 1 % against a side and back, or only back after what opened was run through: at 100x (0.5 %) half of
    the way decides who lives."""
    model = plain(leverage={100: 1.0}, bin_width=0.001, turnover=0.0, first_against=1.0)
    sign = 1 if side == "long" else -1
    start, end = 60_000.0, 60_000.0 * (1 + 0.001 * sign if against_first else 1 - 0.001 * sign)
    against, other = start * (1 - 0.01 * sign), start * (1 + 0.01 * sign)
    book = LiquidationBook(model, "BTCUSDT")
    book.step(interval(0, [start], [1.0], model.fine_width), 1.0)
    book.step(interval(1, [start, against, other, end], [1.0, 1.0, 1.0, 1.0], model.fine_width), 1_000.0)
    levels = book.map()
    contracts = (levels.longs if sign > 0 else levels.shorts).sum(axis=0)
    behind = (levels.middles - against) * sign > 0
    share = contracts[behind].sum() / contracts.sum()
    assert (share > 0.5) == against_first
    assert contracts.sum() == pytest.approx(1_000.0)


def test_what_opens_and_dies_in_one_interval_is_told_where_it_is_asked_for_and_changes_nothing() -> None:
    """Price falls 2 % in a line: of the longs at 100x all have died that opened over 0.5 % above the end."""
    model = plain(leverage={10: 0.5, 100: 0.5}, bin_width=0.001, turnover=0.0, first_against=1.0)
    prices = [60_000.0 * (1 - 0.0005 * step) for step in range(41)]
    maps = []
    for brief in (False, True):
        book = LiquidationBook(model, "BTCUSDT", brief=brief)
        book.step(interval(0, [60_000.0], [1.0], model.fine_width), 1.0)
        consumed = book.step(interval(1, prices, [1.0] * 41, model.fine_width), 1_000.0)
        maps.append(book.map())
        assert (consumed.brief is not None) == brief
    np.testing.assert_array_equal(maps[0].longs, maps[1].longs)
    assert consumed.brief is not None
    slow, fast = consumed.brief.longs.sum(axis=1)
    held = maps[1].longs.sum(axis=1)
    assert slow == 0
    # What opened at both is alike.
    assert fast + held[1] == pytest.approx(held[0], rel=0.01)
    assert fast / held[0] == pytest.approx(0.75, abs=0.05)


@pytest.mark.parametrize("patience", [0.0, 24.0])
def test_open_interest_that_comes_and_goes_opens_little_where_the_book_is_patient(patience: float) -> None:
    """A third more for five minutes at another price: all of it opens there at once, or next to nothing."""
    book = LiquidationBook(plain(leverage={10: 1.0}, turnover=0.0, patience=patience), "BTCUSDT")
    book.step(interval(0, [60_000.0] * 4), 300)
    book.step(interval(1, [61_000.0] * 4), 400)
    levels = book.map()
    assert levels.longs.sum() == pytest.approx(400)
    nearer = levels.longs[0, levels.middles > 54_500].sum() / 400
    assert nearer == pytest.approx(0.25 if patience == 0 else 0.0, abs=0.002)
    book.step(interval(2, [61_000.0] * 4), 300)
    assert book.map().longs.sum() == pytest.approx(300)


def test_a_rush_closes_less_for_each_contract_than_usual_trade() -> None:
    """Of 1000 contracts where 10 are usual, a tenth closes, or a tenth of a tenth, and as many open."""
    held = {}
    for bustle in (1.0, 0.5):
        book = LiquidationBook(plain(leverage={10: 1.0}, turnover=0.1, bustle=bustle), "BTCUSDT")
        book.step(interval(0, [60_000.0] * 10), 10_000)
        book.step(interval(1, [61_000.0] * 10, 100.0), 10_000)
        levels = book.map()
        held[bustle] = levels.longs[0, levels.middles > 54_500].sum()
    assert held[1.0] == pytest.approx(100, rel=0.01)
    assert held[0.5] == pytest.approx(10, rel=0.01)


def test_a_book_goes_on_as_patient_as_it_was() -> None:
    settings = ModelSettings(bin_width=0.001)
    whole, kept = (LiquidationBook(settings, "BTCUSDT") for _ in range(2))
    steps = [(interval(n, [60_000.0 + 90 * n] * 5, 1.0 + n, settings.fine_width), 300.0 + 40 * n) for n in range(8)]
    for flow, interest in steps[:4]:
        whole.step(flow, interest)
    kept.restore(whole.saved())
    for flow, interest in steps[4:]:
        whole.step(flow, interest)
        kept.step(flow, interest)
    np.testing.assert_array_equal(whole.map().longs, kept.map().longs)
