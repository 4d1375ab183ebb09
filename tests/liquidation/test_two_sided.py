"""The map of a model with two sides: cut to a span, and less what was run through since."""

from datetime import UTC, datetime

import numpy as np
import pytest

from liqstrat.liquidation.book import LiquidationBook
from liqstrat.liquidation.brackets import brackets_for
from liqstrat.liquidation.grid import bin_at
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.liquidation.model import Since
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.moments import nanoseconds
from tests.liquidation.test_book import START, STEP, interval

SETTINGS = ModelSettings(bin_width=0.002, bin_parts=4)


@pytest.fixture
def book() -> LiquidationBook:
    """Longs far below 60,000, shorts far above."""
    book = LiquidationBook(SETTINGS, "BTCUSDT")
    for number, price in enumerate((60_000.0, 61_000.0, 59_500.0, 60_200.0)):
        book.step(interval(number, [price, price * 1.001], 50.0, SETTINGS.fine_width), 1000 + 100 * number)
    return book


def cells(levels: LiquidationMap) -> dict[tuple[str, int, int], float]:
    """Contracts by side, tier and bin, of all that holds any."""
    return {
        (name, int(tier), int(levels.first_bin + column)): float(contracts[tier, column])
        for name, contracts in (("long", levels.longs), ("short", levels.shorts))
        for tier, column in zip(*np.nonzero(contracts), strict=True)
    }


@pytest.mark.parametrize("span", [1e-6, 0.004, 0.05, 0.3, 10.0])
@pytest.mark.parametrize("price", [None, 30_000.0, 58_000.0, 200_000.0])
def test_a_span_cuts_the_whole_map_around_price(book: LiquidationBook, span: float, price: float | None) -> None:
    whole, cut = book.map(Since(price=price)), book.map(Since(price=price), span=span)
    around = book.price if price is None else price
    assert cut.price == whole.price == around
    middles = whole.middles
    near = {
        key: contracts
        for key, contracts in cells(whole).items()
        if abs(middles[key[2] - whole.first_bin] / around - 1) <= span
    }
    assert cells(cut) == near
    assert cut.longs.shape == cut.shorts.shape == cut.long_hours.shape == cut.short_hours.shape


def test_a_map_reaches_no_farther_than_what_it_holds(book: LiquidationBook) -> None:
    levels = book.map()
    bins = [key[2] for key in cells(levels)]
    assert levels.first_bin <= min(bins)
    assert levels.first_bin + levels.longs.shape[1] - 1 >= max(bins)
    parts = SETTINGS.bin_parts
    sides = (book._longs, book._shorts)
    first = min(side.first for side in sides) // parts
    last = max(side.first + side.bins - 1 for side in sides) // parts
    assert (levels.first_bin, levels.first_bin + levels.longs.shape[1] - 1) == (first, last)


def test_what_was_run_through_since_is_left_out_to_the_bin(book: LiquidationBook) -> None:
    fine = LiquidationBook(SETTINGS.on_fine_bins(), "BTCUSDT")
    for number, price in enumerate((60_000.0, 61_000.0, 59_500.0, 60_200.0)):
        fine.step(interval(number, [price, price * 1.001], 50.0, SETTINGS.fine_width), 1000 + 100 * number)
    whole = fine.map()
    for low, high in ((57_000.0, 60_500.0), (59_900.0, 63_000.0)):
        left = cells(fine.map(Since(low=low, high=high)))
        lows, highs = whole.low_edges, whole.high_edges
        expected = {
            key: contracts
            for key, contracts in cells(whole).items()
            if (key[0] == "long" and highs[key[2] - whole.first_bin] <= low * (1 + 1e-9))
            or (key[0] == "short" and lows[key[2] - whole.first_bin] >= high * (1 - 1e-9))
        }
        assert left == expected
        assert len(left) < len(cells(whole))
    assert cells(fine.map(Since(low=np.nan, high=np.nan))) == cells(whole)


def test_a_map_says_whose_and_when_it_is(book: LiquidationBook) -> None:
    levels = book.map()
    assert (levels.symbol, levels.time_ns, levels.open_interest) == ("BTCUSDT", START + 4 * STEP, 1300)
    asked = book.map(Since(time_ns=5, price=59_000.0))
    assert (asked.time_ns, asked.price) == (5, 59_000.0)


def test_prices_reach_only_what_stands_in_their_way(book: LiquidationBook) -> None:
    levels = book.map()
    held = cells(levels)
    longs = max(key[2] for key in held if key[0] == "long")
    shorts = min(key[2] for key in held if key[0] == "short")
    long_edge = float(levels.low_edges[longs - levels.first_bin])
    short_edge = float(levels.high_edges[shorts - levels.first_bin])
    assert not book.reaches(60_100.0, 60_200.0)
    assert book.reaches(long_edge, 60_200.0)
    assert book.reaches(60_100.0, short_edge)
    assert not LiquidationBook(SETTINGS, "BTCUSDT").reaches(1.0, 1e9)


def test_brackets_are_those_of_the_day() -> None:
    book = LiquidationBook(SETTINGS, "BTCUSDT")
    for text in ("2024-03-01", "2026-10-01", "2024-03-01"):
        moment = datetime.fromisoformat(f"{text}T12:00").replace(tzinfo=UTC)
        assert book.brackets(nanoseconds(moment)) is brackets_for("BTCUSDT", moment)


def test_a_map_has_all_bins_in_which_something_may_stand_and_no_more(book: LiquidationBook) -> None:
    levels, parts = book.map(), SETTINGS.bin_parts
    sides = (book._longs, book._shorts)
    first, last = min(side.first for side in sides), max(side.first + side.bins - 1 for side in sides)
    assert levels.first_bin == first // parts
    assert levels.longs.shape == levels.shorts.shape == (len(book.tiers), last // parts - first // parts + 1)
    assert levels.seeded_share == book.seeded_share > 0
    assert book.map(Since(time_ns=7)).time_ns == 7


def test_a_flow_in_other_bins_is_refused_at_any_step_and_changes_nothing(book: LiquidationBook) -> None:
    before = {name: values.tobytes() for name, values in book.saved().items() if name not in ("time_ns", "known")}
    with pytest.raises(ValueError, match=r"trades are in bins \d+ to \d+ .* expected bins \d+ to \d+"):
        book.step(interval(4, [60_200.0, 60_300.0], 50.0, 10 * SETTINGS.fine_width), 1_500)
    assert {name: book.saved()[name].tobytes() for name in before} == before
    assert book.open_interest == 1_300


def test_what_a_step_ran_through_is_told_with_its_time_and_bins(book: LiquidationBook) -> None:
    flow = interval(4, [60_200.0, 40_000.0], 50.0, SETTINGS.fine_width)
    consumed = book.step(flow, 1_400)
    assert consumed.time_ns == flow.end_ns
    assert consumed.longs.sum() > 0
    low, high = (bin_at(price, SETTINGS.fine_width) for price in (40_000.0, 60_300.0))
    assert low <= consumed.long_first <= consumed.long_first + consumed.longs.shape[1] - 1 <= high
    assert consumed.short_first >= bin_at(60_200.0, SETTINGS.fine_width)
