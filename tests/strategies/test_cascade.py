"""A cascade is followed while there is something left to burn, and nothing else is."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.backtest.runs import ONE_TIER, rising_interest
from tests.history import START
from tests.strategies.test_strategies import Points, trips

#: Longs opened at 60,000 are liquidated around 59,040, 58,740 and 58,230, and far below; shorts as far above.
THREE = {**ONE_TIER, "leverage": {50: 0.25, 40: 0.2, 30: 0.15, 5: 0.4}}
RUN: dict[str, Any] = {"min_strength": 0.1, "turn": 0.004, "reach": 0.012, "run_minutes": 60, "pace": 0.0005}
#: What was liquidated is not opened again.
FALLING = {
    START + timedelta(minutes=minute): 3_400.0 - max(minute - 120, 0) * 160 if minute < 135 else 1_000.0
    for minute in range(0, 300, 5)
} | rising_interest(120)
FALLS: Points = [(122, 60_000), (140, 58_100), (150, 57_000)]
RISES: Points = [(122, 60_000), (140, 61_900), (150, 63_000)]


@pytest.mark.parametrize("resolution", ["tick", "1m"])
def test_it_goes_with_a_fall_through_two_levels_until_the_third_is_burnt(tmp_path: Path, resolution: str) -> None:
    (trip,) = trips(tmp_path, FALLS, "Cascade", resolution, THREE, FALLING, **RUN)
    near = 30 if resolution == "tick" else 130
    assert (trip.side, trip.exit_role) == ("short", "exit")
    assert trip.entry is not None
    assert trip.entry.level is not None
    # Sold when the second of them was reached, bought back when the third was, long before price stopped falling.
    assert trip.entry_price == pytest.approx(58_740, abs=near + 70)
    assert trip.exit_price == pytest.approx(trip.entry.level.price_low, abs=near + 70)
    assert trip.entry.level.price == pytest.approx(58_230, abs=70)
    assert trip.entry.reason.startswith("2 levels of longs run through")


def test_it_goes_with_a_rise(tmp_path: Path) -> None:
    (trip,) = trips(tmp_path, RISES, "Cascade", "tick", THREE, FALLING, **RUN)
    assert (trip.side, trip.exit_role) == ("long", "exit")
    assert trip.pnl > 0


def test_it_is_stopped_where_price_has_come_back_from_its_best(tmp_path: Path) -> None:
    turns: Points = [(122, 60_000), (135, 58_500), (136, 58_500), (145, 59_500)]
    (trip,) = trips(tmp_path, turns, "Cascade", "tick", THREE, FALLING, **RUN)
    assert trip.exit_role == "stop"
    # The stop has followed price from the entry down to its low, 0.4 % of the entry's price away.
    assert trip.exit_price == pytest.approx(58_500 + 0.004 * trip.entry_price, abs=15)


@pytest.mark.parametrize(
    ("points", "model", "changes"),
    [
        # One level, however strong, is no run.
        (FALLS, {**ONE_TIER, "leverage": {50: 0.6, 5: 0.4}}, {}),
        # It is too slow, or two are not enough.
        (FALLS, THREE, {"pace": 0.01}),
        (FALLS, THREE, {"run_levels": 4}),
        # It turned before the second.
        ([(122, 60_000), (132, 58_900), (140, 59_600), (150, 59_600)], THREE, {}),
    ],
)
def test_it_stays_out(tmp_path: Path, points: Points, model: Any, changes: dict[str, Any]) -> None:
    assert trips(tmp_path, points, "Cascade", "tick", model, FALLING, **{**RUN, **changes}) == []
