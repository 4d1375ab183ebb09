"""Volumes of cheap contracts, of which a minute has more than 64 bits hold in units of 1e-8."""

from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from liqstrat.catalog.build import build_catalog
from liqstrat.errors import LiqstratError
from liqstrat.market.store import open_store

CANDLES = """
    create table klines_1m_history as
    select timestamp '2024-03-01' + to_minutes(i) as timestamp, '1000SATSUSDT' as symbol,
           0.0002 as open, 0.0003 as high, 0.0001 as low, 0.0002 as close, {volume}::decimal(28,8) + i as volume
    from range(60) t(i)
"""
TRADES = """
    create table aggtrades_history as
    select i as agg_trade_id, timestamp '2024-03-01' + to_milliseconds(i) as timestamp, '1000SATSUSDT' as symbol,
           0.0002 as price, {quantity}::decimal(18,8) as quantity, 'buy' as side
    from range({count}) t(i)
"""


def volumes(tmp_path: Path, table: str) -> list[float]:
    path = tmp_path / "market.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(table)
    with open_store(path) as store:
        build_catalog(store, "1000SATSUSDT", tmp_path / "nautilus")
    (bars,) = (tmp_path / "nautilus" / "data" / "bars").rglob("*.parquet")
    return [float(volume) for volume in pq.read_table(bars)["volume"].to_pylist()]


def test_a_minute_of_a_hundred_billion_contracts(tmp_path: Path) -> None:
    assert volumes(tmp_path, CANDLES.format(volume="100000000000")) == [1e11 + i for i in range(60)]


def test_trades_that_add_up_to_as_many(tmp_path: Path) -> None:
    assert volumes(tmp_path, TRADES.format(quantity="9999999999", count=50)) == [9_999_999_999 * 50]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (CANDLES.format(volume="34028236692090"), "volume is 34028236692094 at 2024-03-01 00:05 UTC"),
        (TRADES.format(quantity="9999999999", count=4000), "volume is 39999999996000 at 2024-03-01 00:01 UTC"),
    ],
)
def test_more_than_the_engine_takes_is_refused_by_name(tmp_path: Path, table: str, said: str) -> None:
    with pytest.raises(LiqstratError, match=f"1000SATSUSDT: {said}, expected at most 34,028,236,692,093"):
        volumes(tmp_path, table)
    assert not [path for path in (tmp_path / "nautilus" / "data").rglob("*") if path.is_file()]
