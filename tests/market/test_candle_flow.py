"""Flow from candles, where there are no single trades."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.market.flow import flows, reached_since
from liqstrat.market.store import open_store
from tests.candles_only import candles_only
from tests.history import START, Trades, open_interest_every, random_trades, write_history

MODEL = ModelSettings()
HOURS = 8


def read(path: Path) -> tuple[list[Flow], list[str]]:
    with open_store(path) as store:
        return [flow for flow, _ in flows(store, "BTCUSDT", None, None, MODEL)], store.remarks


def bought(flow: Flow) -> float:
    return float(flow.contracts[flow.buy].sum())


@pytest.fixture
def with_trades(tmp_path: Path) -> Path:
    return write_history(tmp_path / "t.duckdb", random_trades(HOURS), open_interest_every(5, HOURS))


@pytest.mark.parametrize("length", ["1m", "5m"])
def test_candles_that_fit_an_interval_tell_its_volume_sides_and_prices(
    tmp_path: Path, with_trades: Path, length: str
) -> None:
    by_trades, silent = read(with_trades)
    by_candles, said = read(candles_only(with_trades, tmp_path / "c.duckdb", length))
    for known, found in zip(by_trades, by_candles, strict=True):
        assert (found.start_ns, found.end_ns) == (known.start_ns, known.end_ns)
        assert (found.low, found.high, found.close) == (known.low, known.high, known.close)
        assert found.volume == pytest.approx(known.volume)
        assert bought(found) == pytest.approx(bought(known))
        assert set(found.brackets.tolist()) <= {0}
    assert silent == []
    (line,) = said
    assert f"rest on {length} candles" in line
    assert "taker sides are as recorded" in line


def test_a_candle_longer_than_the_interval_is_known_at_its_end_and_not_before(
    tmp_path: Path, with_trades: Path
) -> None:
    """Open interest every five minutes, candles of an hour: eleven of twelve intervals know of no trade."""
    by_trades, _ = read(with_trades)
    by_candles, _ = read(candles_only(with_trades, tmp_path / "c.duckdb", "1h"))
    for i, flow in enumerate(by_candles):
        if i % 12 != 11:
            assert len(flow.contracts) == 0
            continue
        hour = by_trades[i - 11 : i + 1]
        assert flow.volume == pytest.approx(sum(one.volume for one in hour))
        assert flow.low == min(one.low for one in hour)
        assert flow.close == hour[-1].close


def test_each_interval_takes_the_best_there_is(tmp_path: Path, with_trades: Path) -> None:
    """Trades for three hours, then minute candles for two, then those of five minutes; nothing counts twice."""
    path = candles_only(
        with_trades, tmp_path / "c.duckdb", "1m", "5m", "1h", keep_trades_until=START + timedelta(hours=3)
    )
    with open_store(path, read_only=False) as store:
        store.connection.execute("delete from klines_1m_history where timestamp >= timestamp '2024-03-01 05:00:00'")
    by_trades, _ = read(with_trades)
    mixed, said = read(path)
    assert [flow.volume for flow in mixed] == pytest.approx([flow.volume for flow in by_trades])
    assert [len(flow.contracts) == len(known.contracts) for flow, known in zip(mixed, by_trades, strict=True)][:36] == [
        True
    ] * 36
    assert [line.split("rest on ")[1].split(" ")[0] for line in said] == ["1m", "5m"]


def test_a_quiet_interval_among_trades_is_not_told_a_whole_hour_again(tmp_path: Path, with_trades: Path) -> None:
    path = candles_only(with_trades, tmp_path / "c.duckdb", "1h", keep_trades_until=START + timedelta(hours=HOURS))
    with open_store(path, read_only=False) as store:
        store.connection.execute("delete from aggtrades_history where timestamp >= timestamp '2024-03-01 02:55:00' "
                                 "and timestamp < timestamp '2024-03-01 03:00:00'")  # fmt: skip
    by_trades, _ = read(with_trades)
    found, said = read(path)
    assert said == []
    assert found[35].volume == 0
    assert [flow.volume for flow in found[:35]] == [flow.volume for flow in by_trades[:35]]


def test_without_taker_volume_half_of_it_is_each_side(tmp_path: Path, with_trades: Path) -> None:
    path = candles_only(with_trades, tmp_path / "c.duckdb", "5m")
    with open_store(path, read_only=False) as store:
        store.connection.execute("update klines_5m_history set taker_buy_volume = null")
    found, said = read(path)
    for flow in found:
        assert bought(flow) == pytest.approx(flow.volume / 2)
    assert "half each" in said[0]


def test_open_interest_every_four_hours_makes_intervals_of_four_hours(tmp_path: Path) -> None:
    trades = random_trades(16)
    known = write_history(tmp_path / "t.duckdb", trades, open_interest_every(240, 16))
    found, _ = read(candles_only(known, tmp_path / "c.duckdb", "15m"))
    assert [(flow.end_ns - flow.start_ns) / 3.6e12 for flow in found] == [4.0] * 4
    assert sum(flow.volume for flow in found) == pytest.approx(trades.contracts.sum())


def test_what_was_reached_since_is_told_by_candles_that_have_ended(tmp_path: Path) -> None:
    minute = np.arange(10) * 60_000_000
    trades = Trades(minute + int(START.timestamp() * 1e6), 60_000.0 + np.arange(10), np.ones(10), np.full(10, True))
    known = write_history(tmp_path / "t.duckdb", trades, open_interest_every(5, 0.2))
    with open_store(candles_only(known, tmp_path / "c.duckdb", "1m")) as store:
        five = START + timedelta(minutes=5)
        assert reached_since(store, "BTCUSDT", five, five + timedelta(seconds=59)).price is None
        found = reached_since(store, "BTCUSDT", five, five + timedelta(seconds=150))
        assert (found.low, found.high, found.price) == (60_005.0, 60_006.0, 60_006.0)
