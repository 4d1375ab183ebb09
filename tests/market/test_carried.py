"""Between values of open interest that are far apart, the last one is carried on, and nothing of the next is known."""

from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.maps import maps_at
from liqstrat.market.carried import carried
from liqstrat.market.flow import flows
from liqstrat.market.store import open_store
from tests.candles_only import candles_only
from tests.history import MINUTE_US, START, open_interest_every, random_trades, write_history

MODEL = ModelSettings(bin_width=0.001)
HOURS = 6


def minutes(times: Ints) -> list[float]:
    return (times / MINUTE_US).tolist()


def in_minutes(*values: float) -> tuple[Ints, Floats]:
    return (np.array(values) * MINUTE_US).astype(np.int64), np.arange(len(values)) + 100.0


def read(path: Path) -> tuple[list[tuple[Flow, float]], list[str]]:
    with open_store(path) as store:
        return list(flows(store, "BTCUSDT", None, None, MODEL)), store.remarks


def test_hourly_values_are_carried_to_full_five_minutes_once_they_are_ten_old() -> None:
    times, contracts = in_minutes(0, 60)
    at, held, own = carried(times, contracts, int(times[-1]))
    assert minutes(at) == [0, *range(10, 60, 5), 60]
    assert held.tolist() == [100.0] * 11 + [101.0]
    assert own.tolist() == [True] + [False] * 10 + [True]


def test_values_of_every_five_minutes_stand_as_they_are_also_off_the_full_ones() -> None:
    times, contracts = in_minutes(0.1, 5.2, 10, 15, 24.9, 30)
    at, held, _ = carried(times, contracts, int(times[-1]))
    assert at.tolist() == times.tolist()
    assert held.tolist() == contracts.tolist()


def test_after_four_hours_a_value_is_too_old() -> None:
    times, contracts = in_minutes(0, 3_000)
    at, *_ = carried(times, contracts, int(times[-1]))
    assert minutes(at) == [0, *range(10, 245, 5), 3_000]


@given(
    st.lists(st.integers(1, 600 * MINUTE_US), min_size=1, max_size=12),
    st.integers(0, 11),
    st.floats(0, 1, exclude_max=True),
)
def test_whether_a_value_is_carried_on_hangs_on_nothing_later(gaps: list[int], count: int, part: float) -> None:
    times = np.cumsum(np.array(gaps, dtype=np.int64))
    contracts = np.arange(len(times)) + 100.0
    known = min(count, len(times) - 1) + 1
    after = int(times[known]) if known < len(times) else int(times[-1]) + 10**9
    now = min(int(times[known - 1]) + int(part * (after - int(times[known - 1]))), after - 1)
    early, held, _ = carried(times[:known], contracts[:known], now)
    whole, all_held, _ = carried(times, contracts, after)
    assert early.tolist() == whole[whole <= now].tolist()
    assert held.tolist() == all_held[whole <= now].tolist()
    assert np.all(np.diff(whole) > 0)
    assert set(times.tolist()) <= set(whole.tolist())


def test_candles_between_hourly_values_step_the_book_and_it_is_said(tmp_path: Path) -> None:
    trades = random_trades(HOURS)
    known = write_history(tmp_path / "t.duckdb", trades, open_interest_every(60, HOURS))
    found, said = read(candles_only(known, tmp_path / "c.duckdb", "5m", "1h"))
    assert len(found) == 1 + 11 * (HOURS - 1)
    assert sum(flow.volume for flow, _ in found) == pytest.approx(trades.contracts.sum())
    for (one, _), (other, _) in pairwise(found):
        assert one.end_ns == other.start_ns
    assert [held for _, held in found[:12]] == [found[0][1]] * 11 + [found[11][1]]
    assert any("every five minutes" in line for line in said)
    whole, silent = read(candles_only(known, tmp_path / "h.duckdb", "1h"))
    assert len(whole) == HOURS
    assert not any("every five minutes" in line for line in silent)


def test_where_only_long_candles_tell_steps_are_as_long_as_these(tmp_path: Path) -> None:
    """Candles of five minutes for three hours, then of an hour."""
    known = write_history(tmp_path / "t.duckdb", random_trades(HOURS), open_interest_every(60, HOURS))
    path = candles_only(known, tmp_path / "c.duckdb", "5m", "1h")
    with open_store(path, read_only=False) as store:
        store.connection.execute("delete from klines_5m_history where timestamp >= timestamp '2024-03-01 03:00:00'")
    found, _ = read(path)
    assert [(flow.end_ns - flow.start_ns) / 6e10 for flow, _ in found[-4:]] == [5, 60, 60, 60]


def test_what_other_markets_and_other_times_have_of_trades_changes_no_map(tmp_path: Path) -> None:
    """Hours of candles with a value every four: with trades of another market, or short candles of long before."""
    hours = 16
    known = write_history(tmp_path / "t.duckdb", random_trades(hours), open_interest_every(240, hours))
    path = candles_only(known, tmp_path / "c.duckdb", "1h")

    def steps() -> tuple[list[int], list[str]]:
        with open_store(path) as store:
            found = flows(store, "BTCUSDT", START, START + timedelta(hours=hours), MODEL)
            return [flow.end_ns for flow, _ in found], store.remarks

    alone = steps()
    assert len(alone[0]) == 4
    write_history(path, random_trades(hours), open_interest_every(60, hours), "ETHUSDT")
    with open_store(path, read_only=False) as store:
        store.connection.execute(
            "create table klines_5m_history as select * replace (timestamp - interval 30 days as timestamp) "
            "from klines_1h_history where symbol = 'BTCUSDT'"
        )
    assert steps() == alone


def test_a_map_of_the_middle_of_an_hour_knows_what_opened_in_it_and_not_the_next_value(tmp_path: Path) -> None:
    values, trades = open_interest_every(60, HOURS), random_trades(HOURS)
    moment = START + timedelta(hours=4, minutes=40)
    maps = []
    for name, next_one in (("a", 900.0), ("b", 2_000.0)):
        path = write_history(tmp_path / f"{name}.duckdb", trades, {**values, START + timedelta(hours=5): next_one})
        with open_store(path) as store:
            later = [moment, START + timedelta(hours=5, minutes=30)]
            alone = next(maps_at(store, "BTCUSDT", [moment], MODEL, timedelta(days=1)))
            first, _ = maps_at(store, "BTCUSDT", later, MODEL, timedelta(days=1))
        maps += [alone, first]
        held = alone.longs > 0
        newest = (alone.long_hours[held] / alone.longs[held]).max()
        assert newest > (START.timestamp() + 4 * 3600) / 3600
    for one in maps[1:]:
        np.testing.assert_array_equal(maps[0].longs, one.longs)
        np.testing.assert_array_equal(maps[0].shorts, one.shorts)
