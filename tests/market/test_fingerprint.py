"""The fingerprint of data: the same for the same rows, another for any other."""

from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from liqstrat.market.ingest import ingest
from liqstrat.market.store import open_store
from tests.history import START
from tests.market.archive_files import METRICS_HEADER, ArchiveWriter, trade_lines


@pytest.fixture
def history(write_archive: ArchiveWriter, database: Path) -> Path:
    metrics = [f"2024-03-01 00:{m:02}:00,BTCUSDT,{1000 + m}.5,{60e6},1,1.25,,1" for m in (5, 10, 15)]
    files = [
        write_archive("BTCUSDT-aggTrades-2024-03-01.zip", trade_lines(100)),
        write_archive("BTCUSDT-metrics-2024-03-01.zip", [METRICS_HEADER, *metrics]),
    ]
    ingest(files, database)
    return database


def fingerprint(path: Path, minutes: int | None = None) -> str:
    with open_store(path) as store:
        return store.fingerprint("BTCUSDT", START, minutes and START + timedelta(minutes=minutes))


def change(path: Path, *statements: str) -> None:
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)


def test_order_types_and_empty_tables_do_not_matter(history: Path) -> None:
    before = fingerprint(history)
    change(
        history,
        """create or replace table aggtrades_history as
        select agg_trade_id, timestamp, symbol, price::double as price, quantity::double as quantity,
        upper(side) as side from aggtrades_history order by hash(agg_trade_id)""",
        "create table funding_rate_history (timestamp TIMESTAMP, symbol VARCHAR, funding_rate DOUBLE)",
    )
    assert fingerprint(history) == before


def test_a_trade_that_stands_twice_counts_once(history: Path) -> None:
    before = fingerprint(history)
    change(
        history,
        "insert into aggtrades_history select * exclude (gross_value) from aggtrades_history where agg_trade_id = 50",
    )
    assert fingerprint(history) == before


@pytest.mark.parametrize(
    "statement",
    [
        "update aggtrades_history set price = price + 0.00000001 where agg_trade_id = 7",
        "update aggtrades_history set side = 'sell' where agg_trade_id = 1",
        "update aggtrades_history set timestamp = timestamp + interval 1 microsecond where agg_trade_id = 7",
        "update aggtrades_history set quantity = if(agg_trade_id = 8, 0.09, 0.08) where agg_trade_id in (8, 9)",
        "update aggtrades_history set price = 60000.1 + if(agg_trade_id = 7, 0.1, -0.1) where agg_trade_id in (7, 8)",
        "delete from aggtrades_history where agg_trade_id = 50",
        "update open_interest_history set open_interest_contracts = 999 where timestamp = '2024-03-01 00:10:00'",
        "update open_interest_history set count_long_short_ratio = 0 where timestamp = '2024-03-01 00:10:00'",
    ],
)
def test_any_change_shows(history: Path, statement: str) -> None:
    before = fingerprint(history)
    change(history, statement)
    assert fingerprint(history) != before


def test_only_the_range_counts(history: Path) -> None:
    before = fingerprint(history, minutes=6)
    change(history, "delete from open_interest_history where timestamp = '2024-03-01 00:15:00'")
    assert fingerprint(history, minutes=6) == before


def test_it_is_the_same_on_every_machine(history: Path) -> None:
    assert fingerprint(history) == "b4adb396df41a1dbe6321421325b1cbcabb9f1947b39d49fa23c00e99855d1af"


def test_the_largest_quantities_do_not_overflow(write_archive: ArchiveWriter, database: Path) -> None:
    lines = [f"{1020 + i},0.0000123,{quantity},1,1,{1709251200000 + i},true" for i, quantity in enumerate((9e9, 8.9e6))]
    ingest([write_archive("BTCUSDT-aggTrades-2024-03-01.zip", [f"1,1,1,1,1,{1709251200000},true", *lines])], database)
    assert len(fingerprint(database)) == 64
