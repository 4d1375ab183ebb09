"""One side's window on the grid, and how far brackets and leverages put their liquidations away."""

from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqstrat.liquidation.brackets import bracket_table
from liqstrat.liquidation.grid import log_step
from liqstrat.liquidation.price import Formula, liquidation_price
from liqstrat.liquidation.side import CONTRACTS, Side, Tiers, spread_over_tiers

WIDTH = 0.001
LEVERAGES = np.array([1, 5, 20, 50])
ROWS = [("0", "10000", "0.01", 50), ("10000", "90000", "0.02", 20), ("90000", "Infinity", "0.05", 5)]
TABLE = bracket_table("XUSDT", date(2024, 3, 1), [(*map(Decimal, row[:3]), row[3]) for row in ROWS])  # type: ignore[misc, arg-type]
#: The geometric middle of each bracket; of the lowest half its cap, of one without end that up to twice its floor.
MIDDLES = [5_000, 30_000, 90_000 * 2**0.5]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("formula", ["exact", "linear"])
def test_distances_are_those_of_the_middle_of_each_bracket(sign: int, formula: Formula) -> None:
    mix = np.array([0.1, 0.2, 0.3, 0.4])
    found = spread_over_tiers(TABLE, LEVERAGES, mix, sign, WIDTH, formula)
    for bracket, middle in enumerate(MIDDLES):
        ratio = liquidation_price(1.0, LEVERAGES, middle, sign, TABLE, formula)
        placed = ratio > 0
        assert found.placed[bracket].tolist() == placed.tolist()
        away = np.log(ratio[placed]) / log_step(WIDTH)
        assert (found.shift + found.fraction)[bracket][placed] == pytest.approx(away)
    assert ((found.fraction >= 0) & (found.fraction < 1)).all()
    # What a bracket does not allow goes to the highest leverage that it does.
    assert found.share == pytest.approx(np.array([mix, [0.1, 0.2, 0.7, 0.0], [0.1, 0.9, 0.0, 0.0]]))


def reaching(nearest: int, farthest: int) -> Tiers:
    shift = np.array([[nearest, farthest]])
    return Tiers(np.full((1, 2), 0.5), shift, np.zeros((1, 2)), np.ones((1, 2), dtype=np.bool_))


@given(
    sign=st.sampled_from([1, -1]),
    reach=st.tuples(st.integers(-400, 400), st.integers(-400, 400)).map(sorted),
    asked=st.lists(
        st.tuples(st.integers(-900, 900), st.integers(0, 300), st.integers(-900, 900)), min_size=1, max_size=6
    ),
)
def test_there_is_room_for_whatever_is_opened_and_nothing_moves(
    sign: int, reach: list[int], asked: list[tuple[int, int, int]]
) -> None:
    side, tiers, marks = Side(sign, 2), reaching(*reach), {}
    for number, (low, width, edge) in enumerate(asked, 1):
        high = low + width
        side.make_room(low, high, tiers, edge)
        # What falls one bin higher needs room, and so does what dies next to the price reached.
        lowest = min(low + reach[0], edge - sign)
        highest = max(high + reach[1], edge - sign) + 1
        assert side.first <= lowest
        assert highest < side.first + side.bins
        assert side.amounts.shape[:2] == (3, 2)
        marks[lowest], marks[highest] = float(number), float(number)
        for at in (lowest, highest):
            side.amounts[CONTRACTS, :, at - side.first] = number
        for at, mark in marks.items():
            assert side.amounts[CONTRACTS, 1, at - side.first] == mark
    assert side.amounts[CONTRACTS, 0].astype(bool).sum() == len(marks)


def test_a_window_grows_only_where_something_would_fall_out_of_it() -> None:
    side, tiers = Side(1, 2), reaching(0, 0)
    side.make_room(0, 0, tiers, 1)
    first, last, before = side.first, side.first + side.bins - 1, side.amounts
    assert side.bins < 2_000
    side.make_room(first, last - 1, tiers, 1)
    assert side.amounts is before
    side.make_room(first, last, tiers, 1)
    assert side.amounts is not before
    assert (side.first, side.bins > len(before[0, 0])) == (first, True)
    wider = side.amounts
    side.make_room(first - 1, last, tiers, 1)
    assert side.first < first
    assert side.first + side.bins - 1 == first + wider.shape[2] - 1


@pytest.mark.parametrize("sign", [1, -1])
def test_what_stands_is_reached_from_its_own_bin_on(sign: int) -> None:
    side = Side(sign, 2)
    assert not any(side.reaches(edge) for edge in (-(10**9), 0, 10**9)), "nothing stands"
    side.nearest = 7
    assert [side.reaches(7 + sign * step) for step in (1, 0, -1)] == [False, True, True]
