"""Every format of the archive, with the faults that its files usually have."""

from datetime import UTC, datetime
from decimal import Decimal, localcontext
from pathlib import Path

import duckdb

from liqstrat.market.ingest import ingest
from liqstrat.market.store import open_store
from tests.market.archive_files import (
    DAY_MS,
    FUNDING_HEADER,
    KLINES_HEADER,
    METRICS_HEADER,
    TRADES_HEADER,
    ArchiveWriter,
    only,
    rows,
    states,
    trade_lines,
)


def test_header_or_not_zip_or_not_all_read_the_same(write_archive: ArchiveWriter, database: Path) -> None:
    files = [
        write_archive("BTCUSDT-aggTrades-2024-03-01.zip", trade_lines(10)),
        write_archive("BTCUSDT-aggTrades-2024-03-02.zip", [TRADES_HEADER, *trade_lines(10, 11, day=2)]),
        write_archive("BTCUSDT-aggTrades-2024-03-03.csv", [TRADES_HEADER.upper(), *trade_lines(5, 21, day=3)]),
        write_archive("BTCUSDT-aggTrades-2024-03-04.csv", [line + "\r" for line in trade_lines(5, 26, day=4)]),
    ]
    assert set(states(ingest(files, database))) == {"loaded"}
    assert rows(database, "select count(*), sum(agg_trade_id), count(distinct price) from aggtrades_history") == [
        (30, sum(range(1, 31)), 1)
    ]


def test_micro_and_milliseconds_are_told_apart_by_magnitude(write_archive: ArchiveWriter, database: Path) -> None:
    lines = [f"1,60000.1,0.5,1,1,{DAY_MS},true", f"2,60000.1,0.5,2,2,{DAY_MS}001,true"]
    ingest([write_archive("BTCUSDT-aggTrades-2024-03-01.csv", lines)], database)
    assert rows(database, "select timestamp from aggtrades_history order by 1") == [
        (datetime(2024, 3, 1),),
        (datetime(2024, 3, 1, 0, 0, 0, 1),),
    ]


def test_zeros_behind_the_last_digit_are_no_digits(write_archive: ArchiveWriter, database: Path) -> None:
    lines = [f"1,60000.123456780000,0.000000010000,1,1,{DAY_MS},true"]
    ingest([write_archive("BTCUSDT-aggTrades-2024-03-01.csv", lines)], database)
    assert rows(database, "select price, quantity from aggtrades_history") == [
        (Decimal("60000.12345678"), Decimal("0.00000001"))
    ]


def test_new_tables_have_gross_value_too(write_archive: ArchiveWriter, database: Path) -> None:
    """Made when it is read, exactly, without overflow."""
    pairs = [("60000.1", "0.01"), ("9999999999.99999999", "9999999999.99999999"), ("0.00000001", "0.00000001")]
    lines = [f"{i},{price},{quantity},1,1,{DAY_MS + i},true" for i, (price, quantity) in enumerate(pairs, 1)]
    ingest([write_archive("BTCUSDT-aggTrades-2024-03-01.zip", lines)], database)
    with localcontext(prec=40):
        products = [(Decimal(price) * Decimal(quantity),) for price, quantity in pairs]
    assert rows(database, "select gross_value from aggtrades_history order by agg_trade_id") == products


def test_files_of_very_large_values_only_are_taken(write_archive: ArchiveWriter, database: Path) -> None:
    lines = [f"{i},9999999999.5,{1_709_251_200 + i},1,1,{DAY_MS + i},true" for i in range(1, 31)]
    ingest([write_archive("BTCUSDT-aggTrades-2024-03-01.csv", lines)], database)
    assert rows(database, "select count(*), min(quantity) from aggtrades_history") == [(30, 1_709_251_201)]


def test_gross_value_of_tables_that_have_it_is_exact_for_the_largest_and_the_smallest(
    write_archive: ArchiveWriter, database: Path
) -> None:
    with duckdb.connect(str(database)) as connection:
        connection.execute(
            "create table aggtrades_history (agg_trade_id BIGINT, timestamp TIMESTAMP, symbol VARCHAR, "
            "exchange VARCHAR, price DECIMAL(18,8), quantity DECIMAL(18,8), side VARCHAR, gross_value DECIMAL(38,8))"
        )
    pairs = [("99999.9", "9999999.999"), ("0.0000123", "1.3"), ("1234567.12345678", "987654.3")]
    lines = [f"{i},{price},{quantity},1,1,{DAY_MS + i},true" for i, (price, quantity) in enumerate(pairs, 1)]
    ingest([write_archive("BTCUSDT-aggTrades-2024-03-01.csv", lines)], database)
    expected = [(round(Decimal(price) * Decimal(quantity), 8),) for price, quantity in pairs]
    assert rows(database, "select gross_value from aggtrades_history order by agg_trade_id") == expected


def test_metrics_with_their_usual_faults(write_archive: ArchiveWriter, database: Path) -> None:
    lines = [
        METRICS_HEADER,
        "2024-03-01 00:10:00,BTCUSDT,1001.50000000,60090000.0,1.5,1.2,,0.9",
        "2024-03-01 00:05:00,BTCUSDT,1000.25000000,60015000.0,1.5,1.2,1.1,0.9",
        "2024-03-01 00:05:00,BTCUSDT,1000.25000000,60015000.0,1.5,1.2,1.1,0.9",
        '2024-03-01 00:15:00,BTCUSDT,0E-8,0E-8,"","",,',
    ]
    assert only(ingest([write_archive("BTCUSDT-metrics-2024-03-01.zip", lines)], database)).rows == 3
    assert rows(database, "select * exclude (symbol) from open_interest_history order by timestamp")[1:] == [
        (datetime(2024, 3, 1, 0, 10), Decimal("60090000"), Decimal("1001.5"), 1.5, 1.2, None, 0.9),
        (datetime(2024, 3, 1, 0, 15), None, None, None, None, None, None),
    ]
    with open_store(database) as store:
        assert store.open_interest("BTCUSDT")["contracts"].to_pylist() == [1000.25, 1001.5]


def test_funding_klines_and_liquidations_of_the_archive(write_archive: ArchiveWriter, database: Path) -> None:
    funding = [FUNDING_HEADER, f"{DAY_MS + 3},8,-0.00012500"]
    kline = f"{DAY_MS},60000,60010,59990,60005,12.5,{DAY_MS + 59_999},750000,321,6.25,375000,0"
    order = f"{DAY_MS + 1234},SELL,LIMIT,IOC,0.014,59000.10,59010.25,FILLED,0.002,0.014"
    files = [
        write_archive("BTCUSDT-fundingRate-2024-03.zip", funding),
        write_archive("BTCUSDT-1m-2024-03-01.zip", [KLINES_HEADER, kline]),
        write_archive("ETHUSDT-1m-2024-03-01.zip", [kline]),
        write_archive("BTCUSDT-liquidationSnapshot-2024-03-01.zip", [order, order]),
    ]
    report = ingest(files, database)
    assert [(file.state, file.kind) for file in report.files] == [
        ("loaded", "funding"),
        ("loaded", "klines_1m"),
        ("loaded", "klines_1m"),
        ("loaded", "liquidations"),
    ]
    with open_store(database) as store:
        assert store.funding("BTCUSDT").to_pylist() == [
            {"time": datetime(2024, 3, 1, 0, 0, 0, 3000, tzinfo=UTC), "rate": Decimal("-0.000125")}
        ]
        for symbol in ("BTCUSDT", "ETHUSDT"):
            candle = store.klines(symbol).to_pylist()[0]
            assert (candle["close"], candle["taker_buy_volume"]) == (Decimal(60005), Decimal("6.25"))
        assert store.liquidations("BTCUSDT").to_pylist() == [
            {
                "time": datetime(2024, 3, 1, 0, 0, 1, 234000, tzinfo=UTC),
                "side": "long",
                "price": 59010.25,
                "contracts": 0.014,
            }
        ]


def test_candle_lengths_go_into_tables_of_their_own(write_archive: ArchiveWriter, database: Path) -> None:
    hour = 3_600_000
    lines = [f"{DAY_MS + i * hour},1,2,1,2,5,{DAY_MS + (i + 1) * hour - 1},9,3,2,4,0" for i in range(3)]
    assert only(ingest([write_archive("BTCUSDT-1h-2024-03-01.zip", lines)], database)).kind == "klines_1h"
    renamed = write_archive("BTCUSDT-1m-2024-03-01.zip", lines)
    assert "1h" in only(ingest([renamed], database)).reason
