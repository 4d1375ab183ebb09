"""A history that has candles of chosen lengths in place of single trades, made of one that has trades."""

from datetime import datetime
from pathlib import Path

import duckdb

from liqstrat.market.schema import create_tables
from liqstrat.market.store import open_store


def candles_only(source: Path, target: Path, *lengths: str, keep_trades_until: datetime | None = None) -> Path:
    """Copies open interest, funding, liquidations and ledger of `source`, and makes candles of its BTCUSDT trades."""
    target.parent.mkdir(parents=True, exist_ok=True)
    made = {}
    with open_store(source) as store:
        for length in lengths:
            made[length] = store.klines("BTCUSDT", interval=length)
    with duckdb.connect(str(target)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"attach '{source}' as old (read_only)")
        for table in ("open_interest_history", "funding_rate_history", "liquidation_history", "ingest_ledger"):
            there = "select 1 from duckdb_tables() where database_name = 'old' and table_name = ?"
            if connection.execute(there, [table]).fetchone():
                connection.execute(f"create table {table} as select * from old.{table}")
        if keep_trades_until is not None:
            create_tables(connection, "trades")
            until = f"timestamp '{keep_trades_until:%Y-%m-%d %H:%M:%S}'"
            connection.execute(
                "insert into aggtrades_history by name select * exclude gross_value from old.aggtrades_history "
                f"where timestamp < {until}"
            )
        for length, rows in made.items():
            create_tables(connection, f"klines_{length}")
            connection.register("rows", rows)
            connection.execute(
                f"insert into klines_{length}_history by name select * exclude time, time::timestamp as timestamp, "
                "'BTCUSDT' as symbol from rows"
            )
    return target
