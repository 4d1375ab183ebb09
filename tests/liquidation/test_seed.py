"""What was open when history began: where it is taken to stand, and of whom."""

import numpy as np
import pytest

from liqstrat.liquidation.book import LiquidationBook
from liqstrat.liquidation.grid import Floats
from liqstrat.liquidation.price import liquidation_price
from liqstrat.liquidation.settings import ModelSettings
from tests.liquidation.test_book import BTC, interval

PRICE = 60_000.0
SPREAD, WIDTH = 0.06, 0.002


def seeded(prices: list[float], contracts: list[float] | float = 0.1, **chosen: object) -> LiquidationBook:
    book = LiquidationBook(ModelSettings(**{"seed_spread": SPREAD, **chosen}), "BTCUSDT")  # type: ignore[arg-type]
    book.step(interval(0, prices, contracts), 100)
    return book


def entries(book: LiquidationBook, side: str, leverage: int) -> tuple[Floats, Floats]:
    """Bins of the entries of a side, all at one leverage, counted from that of the first price, and their shares."""
    levels = book.map()
    apart = float(liquidation_price(1.0, leverage, 0.1, side, BTC))  # type: ignore[arg-type]
    weight = (levels.longs if side == "long" else levels.shorts).sum(axis=0) / 100
    bins = np.log(levels.middles / apart) / np.log1p(WIDTH) - np.floor(np.log(PRICE) / np.log1p(WIDTH)) - 0.5
    return bins[weight > 0], weight[weight > 0]


def coarse(leverage: int, **chosen: object) -> LiquidationBook:
    settings = ModelSettings(leverage={leverage: 1.0}, bin_width=WIDTH, bin_parts=1, **chosen)  # type: ignore[arg-type]
    book = LiquidationBook(settings, "BTCUSDT")
    book.step(interval(0, [PRICE], 0.1, WIDTH), 100)
    return book


@pytest.mark.parametrize("side", ["long", "short"])
def test_entries_lie_evenly_on_both_sides_of_the_first_price_up_to_five_times_their_mean_distance(side: str) -> None:
    # Liquidated so far away that no entry is beyond price.
    bins, share = entries(coarse(2, seed_spread=SPREAD), side, 2)
    farthest = np.ceil(5 * SPREAD / np.log1p(WIDTH))
    assert float((share * bins).sum()) == pytest.approx(0, abs=1e-6)
    # A level between two bins is shared by them.
    assert bins.min() == pytest.approx(-farthest, abs=0.99)
    assert bins.max() == pytest.approx(farthest, abs=0.99)


@pytest.mark.parametrize("side", ["long", "short"])
def test_a_side_for_which_nothing_traded_is_seeded_at_the_first_price(side: str) -> None:
    """Of makers alone one trade tells of the shorts only."""
    bins, share = entries(coarse(10, seed_spread=0.0, taker_weight=0.0), side, 10)
    assert float((share * bins).sum()) == pytest.approx(0, abs=1e-6)


def test_those_who_close_sooner_are_fewer() -> None:
    """At 20x positions are held a fourth of the time of those at 5x: of as many opened, a fourth is there."""
    book = seeded([PRICE], leverage={5: 0.5, 20: 0.5}, haste=1.0, seed_spread=0.0)
    np.testing.assert_allclose(book.map().longs.sum(axis=1), [80, 20])


def test_a_large_trade_is_seeded_in_its_own_bracket() -> None:
    """Half of what traded is 10 million USDT at once, which may use 20x at most (BTCUSDT, March 2024).

    Of what is left a half is at 100x, less what is seeded so far above price that it would be liquidated already.
    """
    size = 10_020_000 / PRICE
    book = seeded([PRICE] * 201, [size, *[size / 200] * 200], leverage={20: 0.5, 100: 0.5}, haste=0.0, taker_weight=1.0)
    levels = book.map(span=1.0)
    low, high = levels.longs.sum(axis=1) + levels.long_unplaced
    assert low + high == pytest.approx(100)
    assert high == pytest.approx(19.8, abs=0.1)


def test_nothing_is_seeded_where_price_has_been_in_the_first_interval() -> None:
    book = seeded([PRICE, PRICE * 0.96, PRICE * 1.04, PRICE], leverage={100: 1.0})
    levels = book.map()
    long, short = levels.longs.sum(axis=0) > 0, levels.shorts.sum(axis=0) > 0
    assert levels.low_edges[long].max() < PRICE * 0.96
    assert levels.high_edges[short].min() > PRICE * 1.04


def test_what_is_usual_fades_by_half_in_a_week() -> None:
    book = LiquidationBook(ModelSettings(), "BTCUSDT")
    book.step(interval(0, [PRICE] * 4, 5.0), 100)
    _, traded, hours = book.saved()["pace"].tolist()
    assert (traded, hours) == pytest.approx((20, 1 / 12))
    # Nothing trades for a week but in its last five minutes.
    book.step(interval(7 * 288, [PRICE] * 4, 5.0), 100)
    _, traded, hours = book.saved()["pace"].tolist()
    assert (traded, hours) == pytest.approx((20 * 0.5 + 20, 0.5 / 12 + 7 * 24))


def test_however_far_price_went_one_in_twenty_has_neither_stop_nor_target() -> None:
    book = LiquidationBook(
        ModelSettings(leverage={2: 1.0}, turnover=0, haste=0, unrest=10, seed_spread=0, patience=0), "BTCUSDT"
    )
    book.step(interval(0, [PRICE], 0.1), 100)
    book.step(interval(1, [PRICE, PRICE * 1.4], 0.1), 100)
    assert book.seeded_share == pytest.approx(np.exp(-3), rel=1e-6)
