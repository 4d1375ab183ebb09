"""Minutes of coins that cost next to nothing: more contracts than 64 bits hold at eight digits after the point."""

from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from nautilus_trader.persistence import ParquetDataCatalog

from liqstrat.catalog.build import build_catalog
from liqstrat.catalog.instruments import minute_bars
from liqstrat.market.schema import create_tables
from liqstrat.market.store import open_store

SYMBOL = "1000SATSUSDT"


@pytest.mark.parametrize("digits", [0, 3])
def test_volumes_are_exact(tmp_path: Path, digits: int) -> None:
    database = tmp_path / "market.duckdb"
    tail = Decimal(7).scaleb(-digits)
    recorded = [Decimal(10) ** 11 + tail, Decimal(5), Decimal(92_233_720_368) + tail, Decimal(10) ** 12]
    with duckdb.connect(str(database)) as connection:
        for kind in ("klines_1m", "trades"):
            create_tables(connection, kind)
        for minute, volume in enumerate(recorded):
            connection.execute(
                "insert into klines_1m_history by name select timestamp '2024-03-01' + to_minutes(?) as timestamp, "
                f"'{SYMBOL}' as symbol, 0.00002 as open, 0.00002 as high, 0.00002 as low, 0.00002 as close, "
                "?::decimal(28,8) as volume",
                [minute, volume],
            )
        connection.execute(
            f"""
            insert into aggtrades_history by name select range + 1 as agg_trade_id, '{SYMBOL}' as symbol,
            timestamp '2024-03-01 00:10' + to_seconds(range) as timestamp, 'binance' as exchange, 0.00002 as price,
            9000000000 + {tail} as quantity, 'buy' as side from range(40)
            """
        )
    with open_store(database) as store:
        build_catalog(store, SYMBOL, tmp_path / "nautilus")
    bars = ParquetDataCatalog(str(tmp_path / "nautilus")).query_bars(identifiers=[str(minute_bars(SYMBOL))])
    assert [bar.volume.as_decimal() for bar in bars] == [*recorded, 40 * (9_000_000_000 + tail)]
