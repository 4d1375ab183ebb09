from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from liqstrat.liquidation.banded import BandedBook
from liqstrat.liquidation.book import LiquidationBook
from liqstrat.liquidation.clusters import find_clusters
from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.liquidations import Liquidations
from liqstrat.liquidation.lumps import Band
from liqstrat.liquidation.model import Since
from liqstrat.liquidation.settings import ModelSettings
from tests.liquidation.test_book import STEP, interval

SETTINGS = ModelSettings(bin_width=0.001, bin_parts=2)
INTEREST, STEPS = 20_000.0, 120


def market() -> list[Flow]:
    """Price swings, wider and wider, so that it runs into what opened before."""
    flows = []
    for number in range(STEPS):
        middle = 60_000.0 + (400 + 20 * number) * np.sin(number / 2)
        flows.append(interval(number, [middle + 20 * step for step in range(20)], 5.0, SETTINGS.fine_width))
    return flows


FLOWS = market()


def stepped(record: Liquidations | None = None, until: int = STEPS, known: int | None = None) -> BandedBook:
    book = BandedBook(SETTINGS, "BTCUSDT", (), record, FLOWS[(known or until) - 1].end_ns)
    for flow in FLOWS[:until]:
        book.step(flow, INTEREST)
    return book


def liquidated(factors: npt.NDArray[np.float64], size: float = 2.0) -> Liquidations:
    """In each interval that much of what the book has lost, in equal parts."""
    book, rows = LiquidationBook(SETTINGS, "BTCUSDT"), []
    for flow, factor in zip(FLOWS, factors, strict=True):
        gone = book.step(flow, INTEREST)
        for long, contracts in ((True, gone.longs.sum()), (False, gone.shorts.sum())):
            count = round(contracts * factor / size)
            rows += [(flow.end_ns - STEP + 1 + i, size, long) for i in range(count)]
    time, contracts, long = (np.array(column) for column in zip(*sorted(rows), strict=True))
    return Liquidations(time, np.full(len(time), 6e4), contracts, long.astype(np.bool_))


@pytest.fixture(scope="module")
def calm() -> Liquidations:
    return liquidated(np.ones(STEPS))


@pytest.fixture(scope="module")
def known(calm: Liquidations) -> BandedBook:
    """A book that is stepped to the end, and not further."""
    return stepped(calm)


def width(book: BandedBook) -> float:
    low, high = band(book).bins
    return float((high - low).sum())


def band(book: BandedBook) -> Band:
    found = book.map().band
    assert found is not None
    return found


def test_the_map_is_the_books_and_lies_in_its_band(known: BandedBook) -> None:
    book, alone = known, LiquidationBook(SETTINGS, "BTCUSDT")
    for flow in FLOWS:
        alone.step(flow, INTEREST)
    levels, without = book.map(), alone.map()
    np.testing.assert_array_equal(levels.longs, without.longs)
    np.testing.assert_array_equal(levels.shorts, without.shorts)
    contracts = np.stack([levels.longs.sum(axis=0), levels.shorts.sum(axis=0)])
    low, high = band(book).bins
    dense = contracts > contracts.max() / 10
    assert ((low <= contracts) & (contracts <= high))[dense].all()
    assert (high[dense] > 1.2 * low[dense]).all()
    assert not high[:, levels.middles > levels.price * 1.001][0].any()
    assert [one.band for one in find_clusters(without)] == [None] * len(find_clusters(without))
    found = list(find_clusters(levels))
    assert [replace(one, band=None) for one in found] == list(find_clusters(without))
    for one in found:
        assert (one.low, one.high) == pytest.approx(band(book).between(one.side, one.price_low, one.price_high))
        assert one.low < one.contracts < one.high
    assert found[1] == find_clusters(levels)[1]


def test_what_price_ran_through_since_is_in_no_band(known: BandedBook) -> None:
    book = known
    whole = book.map()
    reached = whole.price * 0.97
    levels = book.map(Since(book.time_ns + 1, reached, whole.price, reached), span=0.1)
    assert levels.band is not None
    _, high = levels.band.bins
    assert high.shape == (2, levels.longs.shape[1])
    gone = levels.low_edges >= reached
    assert gone.any()
    assert not high[0, gone].any()
    far = levels.high_edges < reached * 0.999
    place = whole.longs.shape[1] - levels.longs.shape[1]
    first = levels.first_bin - whole.first_bin
    assert place >= 0
    before = band(book).bins[1][0, first : first + levels.longs.shape[1]]
    np.testing.assert_allclose(high[0, far], before[far])


def test_a_band_is_as_wide_as_what_was_reached_was_far_off(calm: Liquidations, known: BandedBook) -> None:
    rng = np.random.default_rng(3)
    wild = liquidated(np.exp(rng.normal(0, 1.5, STEPS)))
    usual = stepped()
    assert width(stepped(wild)) > 1.3 * width(known)
    larger = liquidated(np.ones(STEPS), 100.0)
    assert width(stepped(larger)) > 1.3 * width(known)
    thin = calm.only(np.arange(len(calm.time_ns)) % 20 == 0)
    assert band(stepped(thin)).out == pytest.approx(band(usual).out)


def test_a_band_does_not_know_what_comes_after(calm: Liquidations, known: BandedBook) -> None:
    until = STEPS - 30
    end = FLOWS[until - 1].end_ns
    later = calm.time_ns >= end
    assert later.any()
    changed = replace(calm, contracts=np.where(later, 50 * calm.contracts, calm.contracts))
    cut = calm.only(~later)
    for a, b in pairwise(band(stepped(one, until, STEPS)) for one in (calm, changed, cut)):
        assert (a.lump, a.out) == (b.lump, b.out)
        np.testing.assert_array_equal(a.expected, b.expected)
    # What is not on record any more is not nothing.
    frozen, gone_on = stepped(cut, until), stepped(cut, STEPS, until)
    assert (band(frozen).lump, band(frozen).intervals) == (band(gone_on).lump, band(gone_on).intervals)
    assert band(known).intervals > band(frozen).intervals


def test_a_book_that_restores_what_was_saved_goes_on_as_it_would(calm: Liquidations) -> None:
    book, other = stepped(calm, 60, STEPS), BandedBook(SETTINGS, "BTCUSDT", (), calm, FLOWS[-1].end_ns)
    other.restore(book.saved())
    for flow in FLOWS[60:]:
        book.step(flow, INTEREST)
        other.step(flow, INTEREST)
    assert band(book).out == band(other).out
    np.testing.assert_array_equal(band(book).expected, band(other).expected)
