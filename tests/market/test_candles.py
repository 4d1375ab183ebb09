"""Candles where none are recorded: from trades and from shorter candles."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import numpy as np
import pytest

from liqstrat.errors import LiqstratError
from liqstrat.market.ingest import ingest
from liqstrat.market.store import open_store
from tests.history import START, random_trades, write_history
from tests.market import existing_files
from tests.market.archive_files import DAY_MS, ArchiveWriter, trade_lines

MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_history(tmp_path_factory.mktemp("candles") / "market.duckdb", random_trades(hours=3), {START: 1.0})


def test_candles_of_trades_are_what_a_loop_makes(traded: Path) -> None:
    trades = random_trades(hours=3)
    bucket = trades.time_us // (5 * 60_000_000)
    with open_store(traded) as store:
        candles = store.klines("BTCUSDT", interval="5m").to_pylist()
    assert len(candles) == len(np.unique(bucket))
    for candle, opened in zip(candles, np.unique(bucket), strict=True):
        inside = bucket == opened
        price = trades.price[inside]
        assert candle["time"] == datetime.fromtimestamp(int(opened) * 300, UTC)
        assert [float(candle[name]) for name in ("open", "high", "low", "close")] == [
            price[0],
            price.max(),
            price.min(),
            price[-1],
        ]
        assert float(candle["volume"]) == pytest.approx(trades.contracts[inside].sum())
        bought = trades.contracts[inside & trades.buy].sum()
        assert float(candle["taker_buy_volume"]) == pytest.approx(bought)


def test_a_range_has_whole_candles_that_open_in_it(traded: Path) -> None:
    with open_store(traded) as store:
        whole = store.klines("BTCUSDT", interval="15m").to_pylist()
        part = store.klines("BTCUSDT", START + 7 * MINUTE, START + 31 * MINUTE, interval="15m").to_pylist()
    assert part == whole[1:3]


def test_candles_of_candles(write_archive: ArchiveWriter, database: Path) -> None:
    lines = [
        f"{DAY_MS + i * 60_000},{100 + i},{110 + i},{90 - i},{101 + i},2,{DAY_MS + i * 60_000 + 59_999},9,3,1,4,0"
        for i in range(10)
    ]
    ingest([write_archive("BTCUSDT-1m-2024-03-01.zip", lines)], database)
    with open_store(database) as store:
        first, second = store.klines("BTCUSDT", interval="5m").to_pylist()
    assert (first["open"], first["high"], first["low"], first["close"]) == (100, 114, 86, 105)
    assert (second["volume"], second["taker_buy_volume"]) == (Decimal(10), Decimal(5))


def test_candles_are_built_from_any_that_go_into_them(tmp_path: Path) -> None:
    path = tmp_path / "market.duckdb"
    existing_files.write(str(path), "decimal")
    with duckdb.connect(str(path)) as connection:
        connection.execute("drop table aggtrades_history")
        connection.execute("update klines_15m_history set high = 70000 where timestamp = timestamp '2024-03-01 02:45'")
    with open_store(path) as store:
        hours = store.klines("BTCUSDT", interval="1h")
        assert (len(hours), hours["high"].to_pylist()[2], hours["close"].to_pylist()[0]) == (10, 70000, 60005)
        tens = store.klines("BTCUSDT", interval="10m").to_pylist()
        assert [row["volume"] for row in tens[:2]] == [Decimal("26"), Decimal("30")], "of those of five minutes"
        assert len(store.klines("BTCUSDT", interval="3m")) == 0


def test_recorded_candles_come_before_trades_only_where_they_are(write_archive: ArchiveWriter, database: Path) -> None:
    kline = f"{DAY_MS},100,110,90,101,2,{DAY_MS + 59_999},9,3,1,4,0"
    later = [line.replace("17092512", "17093376") for line in trade_lines(3)]
    ingest(
        [
            write_archive("BTCUSDT-1m-2024-03-01.zip", [kline]),
            write_archive("BTCUSDT-aggTrades-2024-03-02.zip", later),
        ],
        database,
    )
    with open_store(database) as store:
        assert store.klines("BTCUSDT", START, START + MINUTE)["close"].to_pylist() == [101]
        next_day = START + timedelta(days=1)
        assert store.klines("BTCUSDT", next_day, next_day + MINUTE)["close"].to_pylist() == [Decimal("60000.1")]


def test_a_wrong_length_is_named(traded: Path) -> None:
    with open_store(traded) as store, pytest.raises(LiqstratError, match='"5x" is not a candle length'):
        store.klines("BTCUSDT", interval="5x")
