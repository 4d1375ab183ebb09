"""What there is, in words and days."""

from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from liqstrat.errors import LiqstratError
from liqstrat.market.ingest import ingest
from liqstrat.market.inspect import inspect
from liqstrat.market.store import open_store
from tests.market.archive_files import DAY_MS, FUNDING_HEADER, ArchiveWriter, trade_lines

DAY = 86_400_000


def test_ranges_rows_and_missing_days(write_archive: ArchiveWriter, database: Path) -> None:
    rates = [f"{DAY_MS + day * DAY},8,0.0001" for day in (0, 1, 4)]
    ingest(
        [
            write_archive("BTCUSDT-aggTrades-2024-03-01.zip", trade_lines(3)),
            write_archive("BTCUSDT-fundingRate-2024-03.zip", [FUNDING_HEADER, *rates]),
            write_archive("ETHUSDT-aggTrades-2024-03-01.zip", trade_lines(2), comment=b"SIMULATED {}"),
        ],
        database,
    )
    with open_store(database) as store:
        trades, funding, ether = inspect(store)
        assert inspect(store, "ETHUSDT") == [ether]
    assert (trades.symbol, trades.kind, trades.rows, trades.origin) == ("BTCUSDT", "trades", 3, "archive")
    assert trades.first == datetime(2024, 3, 1, tzinfo=UTC)
    assert trades.last == datetime(2024, 3, 1, 0, 0, 2, tzinfo=UTC)
    assert trades.days_missing == []
    assert funding.days_missing == [date(2024, 3, 3), date(2024, 3, 4)]
    assert ether.origin == "simulated"


def test_rows_from_elsewhere_are_of_unknown_origin(tmp_path: Path) -> None:
    path = tmp_path / "old.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "create table funding_rate_history as "
            "select '2024-03-01 23:30:00+00'::timestamptz as timestamp, 'BTCUSDT' as symbol, 0.0001 as funding_rate"
        )
    with open_store(path) as store:
        (funding,) = inspect(store)
        assert funding.origin == "unknown"
        assert funding.first == funding.last == datetime(2024, 3, 1, 23, 30, tzinfo=UTC)
        with pytest.raises(LiqstratError, match="ETHUSDT"):
            inspect(store, "ETHUSDT")
