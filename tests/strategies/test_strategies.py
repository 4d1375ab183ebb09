"""Each strategy takes the trade it is for, and not its opposite."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from liqstrat.backtest.account.ledger import Ledger, RoundTrip
from liqstrat.config import RunFile
from tests.backtest.replay import after_start
from tests.backtest.runs import NO_COSTS, ONE_TIER, path, replayed, rising_interest, run_file, wandering_market
from tests.history import write_history

Points = list[tuple[float, float]]

#: Of the positions of the last replay, see `prices_decided_at`.
DECIDED_AT: dict[str, float] = {}

#: Two hours at 60,000, with longs liquidated around 59,040 and shorts around 60,960, all opened at 50 times.
CALM: Points = [(0, 60_000), (120, 60_000)]


def trips(
    tmp_path: Path,
    points: Points,
    use: str,
    resolution: str = "tick",
    model: Any = ONE_TIER,
    interest: dict[datetime, float] | None = None,
    **params: Any,
) -> list[RoundTrip]:
    minutes = int(points[-1][0])
    (tmp_path / "m.duckdb").unlink(missing_ok=True)
    trades = path([*CALM, *points], every_seconds=2.0, contracts=0.501)
    database = write_history(tmp_path / "m.duckdb", trades, interest or rising_interest(minutes, until=120))
    run = run_file(
        tmp_path,
        database,
        hours=minutes / 60,
        start_hours=1.5,
        strategies=[{"use": use, "params": params}],
        model={"bin_width": 0.001, **model},
        venue=NO_COSTS,
        resolution=resolution,
    )
    ledger = replayed(run).ledger
    DECIDED_AT.update(prices_decided_at(ledger))
    return ledger.trips


def prices_decided_at(ledger: Ledger) -> dict[str, float]:
    """The last price when each position's entry was sent, by position: stop and target are reckoned from there."""
    sent = {order.order_id: float(order.reference) for order in ledger.orders if order.reference is not None}
    return {trip.position_id: sent[trip.entry.order_id] for trip in ledger.trips if trip.entry}


# -- LevelFade ---------------------------------------------------------------------------------------------------------

FADE = {"turn": 0.002, "stop_gap": 0.001, "patience_minutes": 30}
SWEEP_BELOW: Points = [(130, 58_800), (131, 58_800), (133, 59_100), (180, 61_200)]
SWEEP_ABOVE: Points = [(130, 61_200), (131, 61_200), (133, 60_900), (180, 58_800)]


@pytest.mark.parametrize("resolution", ["tick", "1m"])
def test_fade_buys_when_longs_were_swept_and_price_turned_up(tmp_path: Path, resolution: str) -> None:
    (trip,) = trips(tmp_path, SWEEP_BELOW, "LevelFade", resolution, **FADE)
    assert (trip.side, trip.exit_role) == ("long", "target")
    # Back by 0.2 % from the low: 58,917.6; the target is three times the way to the stop, 0.1 % beyond the low.
    assert trip.entry_price == pytest.approx(58_920, abs=10 if resolution == "tick" else 100)
    decided = DECIDED_AT[trip.position_id]
    risk = decided - 58_800 * 0.999
    assert trip.exit_price == pytest.approx(decided + 3 * risk, abs=0.1)
    assert trip.entry is not None
    assert trip.entry.level is not None
    assert trip.entry.level.side == "long"
    assert trip.entry.level.price == pytest.approx(59_040, abs=70)
    assert trip.entry.reason.startswith("longs swept to 58800")


def test_fade_sells_when_shorts_were_swept_and_price_turned_down(tmp_path: Path) -> None:
    (trip,) = trips(tmp_path, SWEEP_ABOVE, "LevelFade", **FADE)
    assert (trip.side, trip.exit_role) == ("short", "target")
    assert trip.entry is not None
    assert trip.entry.level is not None
    assert trip.entry.level.side == "short"


def test_fade_s_stop_lies_beyond_the_sweep(tmp_path: Path) -> None:
    falls_on: Points = [(130, 58_800), (131, 58_800), (133, 59_000), (150, 58_000)]
    (trip,) = trips(tmp_path, falls_on, "LevelFade", **FADE)
    assert (trip.side, trip.exit_role) == ("long", "stop")
    assert trip.exit_price == pytest.approx(58_800 * 0.999, abs=10)


@pytest.mark.parametrize(
    "points",
    [
        # Comes near the longs, but not to them.
        [(130, 59_200), (131, 59_200), (140, 60_000)],
        # Runs through them and never turns.
        [(130, 58_800), (150, 57_000)],
        # Turns when nobody waits for it any more.
        [(130, 58_800), (170, 58_800), (172, 59_100), (180, 59_500)],
    ],
)
def test_fade_stays_out_without_a_sweep_or_a_turn_in_time(tmp_path: Path, points: Points) -> None:
    assert trips(tmp_path, points, "LevelFade", **FADE) == []


def test_fade_trades_strong_levels_only(tmp_path: Path) -> None:
    two_tiers = {"leverage": {50: 0.8, 20: 0.2}, "turnover": 0.0, "unrest": 0.0, "haste": 0.0, "seed_spread": 0.0}
    assert len(trips(tmp_path, SWEEP_BELOW, "LevelFade", model=two_tiers, min_strength=0.7)) == 1
    assert trips(tmp_path, SWEEP_BELOW, "LevelFade", model=two_tiers, min_strength=0.9) == []


# -- LevelMagnet -------------------------------------------------------------------------------------------------------


def test_magnet_follows_the_nearer_of_two_like_clusters(tmp_path: Path) -> None:
    points: Points = [(125, 60_400), (140, 60_400), (160, 61_100)]
    trip = trips(tmp_path, points, "LevelMagnet", min_distance=0.001)[0]
    assert (trip.side, trip.exit_role) == ("long", "target")
    assert trip.entry is not None
    assert trip.entry.level is not None
    assert trip.exit_price == pytest.approx(trip.entry.level.price, abs=0.2)
    assert trip.entry.level.side == "short"


def test_magnet_s_stop_is_on_the_other_side(tmp_path: Path) -> None:
    points: Points = [(125, 60_400), (140, 60_400), (160, 59_500)]
    first = trips(tmp_path, points, "LevelMagnet", min_distance=0.001, stop_ratio=0.5)[0]
    assert first.side == "long"
    assert first.exit_role == "stop"
    assert first.entry is not None
    assert first.entry.level is not None
    assert first.exit_price == pytest.approx(60_400 - (first.entry.level.price - 60_400) / 2, abs=5)


def test_magnet_stays_out_between_equals(tmp_path: Path) -> None:
    assert trips(tmp_path, [(125, 60_000), (160, 60_000)], "LevelMagnet") == []


def test_magnet_gives_up_after_a_while(tmp_path: Path) -> None:
    points: Points = [(125, 60_400), (240, 60_400)]
    first = trips(tmp_path, points, "LevelMagnet", min_distance=0.001, max_hours=1)[0]
    assert first.exit_role == "exit"
    assert first.closed_ns is not None
    assert first.closed_ns - first.opened_ns == pytest.approx(3_600e9, abs=20e9)


# -- RandomEntry -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> RunFile:
    folder = tmp_path_factory.mktemp("wandering")
    return run_file(folder, wandering_market(folder, hours=12), hours=12, venue=NO_COSTS)


def by_chance(market: RunFile, resolution: str = "tick", **params: Any) -> list[RoundTrip]:
    use = [{"use": "RandomEntry", "params": {"per_day": 24, "stop": 0.002, **params}}]
    run = RunFile.model_validate({**market.model_dump(by_alias=True), "strategies": use, "resolution": resolution})
    ledger = replayed(run).ledger
    DECIDED_AT.update(prices_decided_at(ledger))
    return ledger.trips


def moments(found: list[RoundTrip]) -> list[tuple[timedelta, str]]:
    return [(after_start(trip.opened_ns), trip.side) for trip in found]


def test_chance_follows_from_the_seed(market: RunFile) -> None:
    once = by_chance(market)
    assert 4 <= len(once) <= 20
    assert {trip.side for trip in once} == {"long", "short"}
    assert moments(by_chance(market)) == moments(once)
    assert moments(by_chance(market, seed=2)) != moments(once)


def test_chance_takes_the_same_moments_at_any_resolution(market: RunFile) -> None:
    once, by_bars = moments(by_chance(market)), moments(by_chance(market, "1m"))
    common = [
        (at, side)
        for at, side in once
        if any(side == other and timedelta(0) <= then - at <= timedelta(minutes=1) for then, other in by_bars)
    ]
    assert len(common) >= 0.7 * len(once)


def test_chance_holds_as_long_and_sides_as_often_as_it_is_told(market: RunFile) -> None:
    wide = {"stop": 0.2, "risk": 0.2, "reward": 1.0, "per_day": 96}
    found = by_chance(market, hold_minutes=10, long_share=1.0, **wide)
    assert {trip.side for trip in found} == {"long"}
    held = [(trip.closed_ns - trip.opened_ns) / 60e9 for trip in found if trip.exit_role == "exit" and trip.closed_ns]
    assert len(held) >= 5
    # Orders take a moment to be filled at either end.
    assert all(9.5 <= minutes < 11.5 for minutes in held), held


def test_chance_has_its_exits_where_it_says(market: RunFile) -> None:
    for trip in by_chance(market):
        decided = DECIDED_AT[trip.position_id]
        if trip.exit_role == "target":
            assert abs(trip.exit_price / decided - 1) == pytest.approx(0.004, rel=0.001)
        if trip.exit_role == "stop":
            assert abs(trip.exit_price / decided - 1) == pytest.approx(0.002, rel=0.5)
