from dataclasses import replace

import numpy as np
import pytest

from liqstrat.liquidation.band import MEMBERS, Band, band_of, lump_of, others
from liqstrat.liquidation.book import LiquidationBook
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.liquidation.settings import ModelSettings
from tests.liquidation.test_book import interval

SETTINGS = ModelSettings(bin_width=0.001)


def maps(settings: list[ModelSettings]) -> list[LiquidationMap]:
    books = [LiquidationBook(one, "BTCUSDT") for one in settings]
    for number in range(12):
        prices = [60_000.0 + 400 * np.sin(number) + 20 * step for step in range(20)]
        flow = interval(number, prices, 5.0, SETTINGS.fine_width)
        for book in books:
            book.step(flow, 20_000.0)
    return [book.map() for book in books]


@pytest.fixture(scope="module")
def both() -> tuple[LiquidationMap, Band]:
    levels, *beside = maps([SETTINGS, *others(SETTINGS)])
    return levels, band_of(levels, beside, 5.0)


def test_books_beside_differ_are_the_same_each_time_and_mean_about_the_settings() -> None:
    drawn = others(SETTINGS)
    assert drawn == others(SETTINGS)
    assert len(drawn) == MEMBERS
    assert len({one.turnover for one in drawn}) == MEMBERS
    logs = np.log([[one.leverage[tier] / one.leverage[10] for tier in SETTINGS.leverage] for one in drawn])
    told = np.log([SETTINGS.leverage[tier] / SETTINGS.leverage[10] for tier in SETTINGS.leverage])
    np.testing.assert_allclose(logs.mean(axis=0), told, atol=0.5)
    most = replace(SETTINGS, turnover=5.0, unrest=10.0, haste=2.0, seed_spread=1.0, taker_weight=1000.0)
    assert len(others(most)) == len(others(replace(SETTINGS, leverage={1: 0.0, 20: 1.0}))) == MEMBERS


def test_the_map_lies_in_its_band_and_nothing_is_drawn_where_no_book_has_anything(
    both: tuple[LiquidationMap, Band],
) -> None:
    levels, band = both
    low, high = band.bins()
    contracts = np.stack([levels.longs.sum(axis=0), levels.shorts.sum(axis=0)])
    dense = contracts > contracts.max() / 10
    assert ((low <= contracts) & (contracts <= high))[dense].all()
    assert (high[dense] > 1.2 * low[dense]).all()
    assert not high[:, levels.middles > levels.price * 1.001][0].any()
    assert band.drawn.sum(axis=(1, 2)).mean() == pytest.approx(contracts.sum(), rel=0.2)


def test_a_range_is_surer_than_its_bins_and_larger_lumps_are_less_sure(both: tuple[LiquidationMap, Band]) -> None:
    levels, band = both
    low, high = band.bins()
    long = levels.longs.sum(axis=0)
    densest = int(long.argmax())
    edges = float(levels.low_edges[densest - 5]), float(levels.high_edges[densest + 5])
    least, most = band.between("long", *edges)
    near = slice(densest - 5, densest + 6)
    assert low[0, near].sum() < least < long[near].sum() < most < high[0, near].sum()
    one = band.between("long", float(levels.low_edges[densest]), float(levels.high_edges[densest]))
    assert one == pytest.approx((low[0, densest], high[0, densest]))
    assert band.between("long", 1.0, 2.0) == (0.0, 0.0)
    lumpy = band_of(levels, maps(others(SETTINGS)), 500.0).between("long", *edges)
    assert lumpy[1] - lumpy[0] > most - least


def test_lumps_are_those_of_liquidations_or_a_share_of_open_interest() -> None:
    assert lump_of(np.full(100, 2.0), 1e4) == pytest.approx(2 * 1.5)
    assert lump_of(np.concatenate([np.full(100, 1.0), [100.0]]), 1e4) > 50
    assert lump_of(np.full(29, 2.0), 1e4) == pytest.approx(1e4 * 0.0005 * 1.5)
