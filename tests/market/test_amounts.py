"""Liquidated amounts by interval: exports of vendors, and any table by a mapping."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from liqstrat.errors import LiqstratError
from liqstrat.market.archive.mapping import read_mapping
from liqstrat.market.ingest import FileReport, ingest
from liqstrat.market.store import open_store
from tests.market.archive_files import only, rows, states

HOUR = 1_709_251_200  # 2024-03-01, seconds
AMOUNTS = (
    "select symbol, epoch(timestamp)::bigint, seconds, long_contracts::double, short_contracts::double, "
    "long_value::double, short_value::double, venues, record from liquidation_amounts_history order by timestamp"
)


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def mapping(tmp_path: Path) -> Callable[[str], Path]:
    return lambda text: written(tmp_path / "mapping.toml", text)


def test_answers_of_coinalyze_are_contracts_of_the_exchange_that_the_symbol_ends_with(
    tmp_path: Path, database: Path
) -> None:
    history = [{"t": HOUR + 3600 * i, "l": 1.5 + i, "s": 0.25} for i in range(3)]
    path = written(tmp_path / "a.json", json.dumps([{"symbol": "BTCUSDT_PERP.A", "history": history}]))
    report = only(ingest([path], database))
    assert (report.state, report.kind, report.symbol, report.rows) == ("loaded", "liquidation_amounts", "BTCUSDT", 3)
    assert "Coinalyze: contracts of binance" in report.reason
    assert rows(database, AMOUNTS)[1] == ("BTCUSDT", HOUR + 3600, 3600, 2.5, 0.25, None, None, "binance", None)
    assert states(ingest([path], database)) == ["unchanged"]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "BTCUSDT-binance.csv",
            "datetime,long_liquidations,short_liquidations,long_liquidations_usd,short_liquidations_usd\n"
            "2024-03-01 00:00:00,2.0,1.0,120000,60000\n2024-03-01 01:00:00,0,0.5,0,30000\n",
            (2.0, 1.0, None, None, "binance"),
        ),
        (
            "coinalyze.csv",
            "symbol,t,l,s\nBTCUSDT_PERP.3,1709251200,2.5,1\nBTCUSDT_PERP.3,1709254800,0,0.5\n",
            (2.5, 1.0, None, None, "okx"),
        ),
        (
            "coinglass-BTCUSDT-bybit.json",
            '{"code": "0", "data": [{"time": 1709251200000, "long_liquidation_usd": "10.5",'
            '"short_liquidation_usd": 3},'
            '{"time": 1709254800000, "long_liquidation_usd": "1", "short_liquidation_usd": 2}]}',
            (None, None, 10.5, 3.0, "bybit"),
        ),
        (
            "BTCUSDT.json",
            '{"status": {}, "result": {"window": "hour", "data": ['
            '{"start_time": "2024-03-01T00:00:00Z", "long_liquidations": 1, "short_liquidations": 2},'
            '{"start_time": "2024-03-01T01:00:00Z", "long_liquidations": 1, "short_liquidations": 2}]}}',
            (1.0, 2.0, None, None, "unknown"),
        ),
        (
            "BTCUSDT.csv",
            "time,aggregated_long_liquidation_usd,aggregated_short_liquidation_usd\n1709251200,5,6\n1709254800,7,8\n",
            (None, None, 5.0, 6.0, "several"),
        ),
    ],
)
def test_exports_are_known_by_their_columns(
    tmp_path: Path, database: Path, name: str, text: str, expected: tuple[object, ...]
) -> None:
    report = only(ingest([written(tmp_path / name, text)], database))
    assert report.state == "loaded", report.reason
    first = rows(database, AMOUNTS)[0]
    assert first[:3] == ("BTCUSDT", HOUR, 3600)
    assert first[3:8] == expected


def test_a_mapping_reads_candles_open_interest_and_amounts_out_of_one_table(
    tmp_path: Path, database: Path, mapping: Callable[[str], Path]
) -> None:
    told = mapping(
        'symbol = "BTCUSDT"\ntime = "closed"\ntimes_are = "end"\n[klines]\nvolume = "vol"\n'
        '[open_interest]\ncontracts = "oi"\n'
        '[liquidations]\nlong = "l"\nshort = "s"\nunit = "usd"\nvenues = "binance+bybit"\nrecord = "complete"\n'
    )
    table = pa.table(
        {
            "closed": pa.array([(HOUR + 3600 * i) * 10**6 for i in (1, 2, 3)]).cast(pa.timestamp("us", "UTC")),
            **{name: [100.0, 101.0, 102.0] for name in ("open", "high", "low", "close")},
            "vol": [1.0, 2.0, 3.0],
            "oi": [10.0, None, 12.123456789123],
            "l": [5.5, 0.0, None],
            "s": [0.0, 1.0, 2.0],
        }
    )
    path = tmp_path / "hours.parquet"
    pq.write_table(table, path)
    report = ingest([path], database, mapping=read_mapping(told))
    assert {file.kind: file.rows for file in report.files} == {
        "klines_1h": 3, "open_interest": 2, "liquidation_amounts": 2,
    }  # fmt: skip
    with open_store(database) as store:
        assert store.open_interest("BTCUSDT")["time"].cast("int64").to_pylist() == [
            (HOUR + 3600) * 10**6, (HOUR + 3 * 3600) * 10**6,
        ]  # fmt: skip
        assert store.open_interest("BTCUSDT")["contracts"].to_pylist() == [10.0, 12.12345679]
        assert store.klines("BTCUSDT", interval="1h")["time"].cast("int64")[0].as_py() == HOUR * 10**6
    assert rows(database, AMOUNTS) == [
        ("BTCUSDT", HOUR, 3600, None, None, 5.5, 0.0, "binance+bybit", "complete"),
        ("BTCUSDT", HOUR + 3600, 3600, None, None, 0.0, 1.0, "binance+bybit", "complete"),
    ]
    assert set(states(ingest([path], database, mapping=read_mapping(told)))) == {"unchanged"}


def refused(path: Path, database: Path, told: Path) -> FileReport:
    report = only(ingest([path], database, mapping=read_mapping(told)))
    assert report.state == "refused"
    assert not database.exists()
    return report


AMOUNTS_TOML = (
    'symbol = "BTCUSDT"\ntime = "t"\n[liquidations]\nlong = "long"\nshort = "short"\nunit = "usd"\nvenues = "okx"\n'
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("t,longs,short\n1709251200,1,2\n1709254800,1,2\n", 'has no column long (did you mean "longs"?)'),
        ("t,long,short\n1709251200,1,2\n1709254800,x,2\n", 'line 3: long is "x", expected a number'),
        ("t,long,short\n1709251200,1,2\nlater,1,2\n", 'line 3: t is "later", expected a moment'),
        ("t,long,short\n1709251200,1,2\n1709254800,-1,2\n", 'line 3: long is "-1", expected a number not below 0'),
        ("t,long,short\n1709251200,1,\n1709254800,1,nan\n", "short is blank in all 2 rows, expected amounts of both"),
        ("t;long;short\n1709251200;1;2\n", """has ";" between its columns, expected commas: 't;long;short'"""),
        (
            "t,long,short\n1709251200,1,2\n1709254800,1,2\n1709254800,1,3\n",
            "two different rows with timestamp 2024-03-01 01:00:00, seconds 3600, venues okx, expected each once",
        ),
        ("t,long,short\n1709251200,1,2\n", "has one row, which does not tell how long its interval is"),
        ("t,long,short\n1709251260,1,2\n1709254860,1,2\n", "expected the start of an interval of that length"),
        ("t,long,short\n1709251200,1\n", "line 2: has 2 columns, expected 3"),
    ],
)
def test_a_wrong_table_is_refused_with_its_line_and_leaves_nothing(
    tmp_path: Path, database: Path, mapping: Callable[[str], Path], text: str, expected: str
) -> None:
    report = refused(written(tmp_path / "x.csv", text), database, mapping(AMOUNTS_TOML))
    assert expected in report.reason


def test_of_a_table_of_several_kinds_it_is_said_which_is_refused(
    tmp_path: Path, database: Path, mapping: Callable[[str], Path]
) -> None:
    told = mapping(AMOUNTS_TOML + '[open_interest]\ncontracts = "oi"\n')
    path = written(tmp_path / "x.csv", "t,long,oi\n1709251200,1,2\n1709254800,1,2\n")
    found = {file.state: file.reason for file in ingest([path], database, mapping=read_mapping(told)).files}
    assert found["refused"].startswith("liquidations: has no column short")
    assert "loaded" in found


@pytest.mark.parametrize(
    "of_hour",
    [
        lambda at: str(at),
        lambda at: str(at * 1000),
        lambda at: str(at * 10**6),
        lambda at: str(at * 10**9),
        lambda at: datetime.fromtimestamp(at, ZoneInfo("Asia/Tokyo")).isoformat(),
        lambda at: f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}",
    ],
    ids=["s", "ms", "µs", "ns", "ISO of Tokyo", "text"],
)
def test_times_may_be_epochs_or_texts_of_any_zone(
    tmp_path: Path, database: Path, mapping: Callable[[str], Path], of_hour: Callable[[int], str]
) -> None:
    lines = "".join(f"{of_hour(HOUR + 3600 * i)},{i},2\n" for i in range(3))
    path = written(tmp_path / "x.csv", f"t,long,short\n{lines}")
    ingest([path], database, mapping=read_mapping(mapping(AMOUNTS_TOML)))
    assert [row[1] for row in rows(database, AMOUNTS)] == [HOUR + 3600 * i for i in range(3)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (AMOUNTS_TOML.replace("unit", "units"), 'there is no key liquidations.units (did you mean "unit"?)'),
        (AMOUNTS_TOML.replace('"usd"', '"usdt"'), "unit is 'usdt', expected one of contracts, usd"),
        (AMOUNTS_TOML.replace('"okx"', '"OKX, Bybit"'), "venues is 'OKX, Bybit', expected names of exchanges"),
        ('time = "t"\n', "says of no kind what holds it"),
        ("time = \n", "is not TOML"),
        ("[klines]\n", "has no key time"),
        (AMOUNTS_TOML.replace('short = "short"\n', ""), "has no key liquidations.short"),
        ('time = "t"\nstep = "soon"\n[klines]\n', 'step is "soon" is not a candle length'),
    ],
)
def test_a_wrong_mapping_is_told_by_its_key(mapping: Callable[[str], Path], text: str, expected: str) -> None:
    with pytest.raises(LiqstratError) as error:
        read_mapping(mapping(text))
    assert expected in str(error.value)
