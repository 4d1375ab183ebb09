"""Limits wait in the level, fill there and nowhere else, and leave in parts."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.strategies.test_strategies import Points, trips

#: Longs around 59,040; the limit is placed when the level comes within 1 %.
COMES_AND_GOES: Points = [(125, 60_000), (135, 59_500), (150, 58_950), (152, 58_950), (180, 60_500)]
LIMITS = {"stop_gap": 0.004, "far": 0.015, "wait_minutes": 120}


@pytest.mark.parametrize("resolution", ["tick", "1m"])
def test_it_is_filled_in_the_level_and_leaves_half_at_each_target(tmp_path: Path, resolution: str) -> None:
    (trip, *_) = trips(tmp_path, COMES_AND_GOES, "LimitAtLevel", resolution, **LIMITS)
    assert trip.entry is not None
    level = trip.entry.level
    assert level is not None
    assert (trip.side, trip.exit_role, level.side) == ("long", "target", "long")
    edge, stop = level.price_high, level.price_low * (1 - 0.004)
    # The same number of contracts at the near edge and where it is densest, each exactly there or better.
    assert trip.entry_price == pytest.approx((edge + level.price) / 2, abs=2)
    # Half at the near target, half at twice its distance.
    assert trip.exit_price == pytest.approx(edge + 1.5 * (edge - stop), abs=2)
    assert trip.pnl > 0


def test_what_is_lost_at_the_stop_is_what_was_to_be_risked(tmp_path: Path) -> None:
    falls_on: Points = [(125, 60_000), (135, 59_500), (150, 58_950), (170, 57_500)]
    (trip, *_) = trips(tmp_path, falls_on, "LimitAtLevel", risk=0.02, **LIMITS)
    assert trip.exit_role == "stop"
    # The half at the edge risks 1 % of 100,000; the other stands nearer to the stop and risks a bit less.
    assert Decimal(-2000) < trip.pnl < Decimal(-1500)


def test_it_is_not_filled_where_price_does_not_come(tmp_path: Path) -> None:
    near: Points = [(125, 60_000), (135, 59_300), (150, 59_200), (160, 59_900)]
    assert trips(tmp_path, near, "LimitAtLevel", **LIMITS) == []


def test_a_limit_does_not_wait_longer_than_it_may(tmp_path: Path) -> None:
    late: Points = [(125, 60_000), (135, 59_600), (136, 59_600), (200, 59_600), (203, 58_950), (230, 60_500)]
    patient = trips(tmp_path, late, "LimitAtLevel", **{**LIMITS, "far": 0.009, "wait_minutes": 200})
    assert len(patient) == 1
    # At 0.94 % from the level nothing new is placed, and what was is gone by then.
    hasty = trips(tmp_path, late, "LimitAtLevel", **{**LIMITS, "far": 0.009, "near": 0.0088, "wait_minutes": 5})
    assert hasty == []
