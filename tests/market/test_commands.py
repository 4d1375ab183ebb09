"""The commands about history as a user types them: what they print, and with which code they end."""

import json
from datetime import date
from pathlib import Path

import duckdb
import pytest

from tests.market import existing_files
from tests.market.archive_files import ArchiveWriter, rows, trade_lines
from tests.market.served import Server
from tests.market.test_brackets import entry, exchange_info
from tests.shell import Shell

DB = ("--db", "market.duckdb")
FLAWS = {
    "ids": ("delete from aggtrades_history where agg_trade_id between 100 and 102", "3 missing"),
    "open interest": (
        "delete from open_interest_history where timestamp = timestamp '2024-03-01 01:00'",
        "gap in open_interest: 2024-03-01 00:55 – 2024-03-01 01:05, 1 missing",
    ),
    "a day": (
        "update funding_rate_history set timestamp = timestamp + to_days(2) where hour(timestamp) = 8",
        "days without funding: 1: 2024-03-02",
    ),
}
HARMLESS = {
    "repeated values": (
        "update open_interest_history set open_interest_contracts = 5 "
        "where timestamp between timestamp '2024-03-01 02:00' and timestamp '2024-03-01 04:00'",
        "open interest stood still: 2024-03-01 02:00 – 2024-03-01 04:00, 25 times 5.000",
    ),
    "a price": (
        "update aggtrades_history set price = 6 where agg_trade_id = 1800",
        "price 6.0000 at 2024-03-01 04:59:50 lies far from 60,302.10 to 60,604.10",
    ),
}


@pytest.fixture
def market(tmp_path: Path) -> Path:
    path = tmp_path / "market.duckdb"
    existing_files.write(str(path), "decimal")
    return path


def test_inspect_ends_with_0_where_nothing_is_missing(liqstrat: Shell, market: Path) -> None:
    done = liqstrat("inspect", "BTCUSDT", "--strict", *DB)
    assert done.code == 0
    assert "gap" not in done.out.split("\n", 2)[2]
    assert "levels can be estimated: 2024-03-01 00:00 – 2024-03-01 10:00" in done.out
    assert liqstrat("inspect", "--strict", *DB).code == 0


@pytest.mark.parametrize("flaw", [*FLAWS, *HARMLESS])
def test_inspect_tells_each_flaw_and_strict_ends_with_1_where_it_is_a_gap(
    liqstrat: Shell, market: Path, flaw: str
) -> None:
    statement, said = (FLAWS | HARMLESS)[flaw]
    with duckdb.connect(str(market)) as connection:
        connection.execute(statement)
    plain = liqstrat("inspect", "BTCUSDT", *DB)
    assert plain.code == 0
    assert said in plain.out
    strict = liqstrat("inspect", "BTCUSDT", "--json", "--strict", *DB)
    assert strict.code == int(flaw in FLAWS) == liqstrat("inspect", "--strict", *DB).code
    (told,) = json.loads(strict.out)
    assert told["has_gaps"] is (flaw in FLAWS)


def test_what_is_rare_is_not_said_to_be_missing(liqstrat: Shell, market: Path) -> None:
    with duckdb.connect(str(market)) as connection:
        connection.execute(
            "insert into liquidation_history by name select timestamp '2024-05-01' as timestamp, 'BTCUSDT' as symbol, "
            "'buy' as side, 1 as quantity, 1 as price"
        )
    assert liqstrat("inspect", "BTCUSDT", "--strict", *DB).code == 0
    found = {kind["kind"]: kind for kind in json.loads(liqstrat("inspect", "--json", *DB).out)}
    assert (found["liquidations"]["rows"], found["liquidations"]["days_missing"]) == (6, [])


def test_instruments_and_brackets_come_from_an_address(liqstrat: Shell, served: Server, tmp_path: Path) -> None:
    served.put("fapi/v1/exchangeInfo", json.dumps(exchange_info()))
    served.put("fapi/v1/leverageBracket", json.dumps([entry("BTCUSDT")]))
    done = liqstrat("instruments", "BTCUSDT", "--exchange-info", f"{served.url}/fapi/v1/exchangeInfo", *DB)
    assert (done.code, done.err) == (0, "")
    assert "instruments of BTCUSDT as of 2024-03-01: 1 rows changed" in done.out
    done = liqstrat("brackets", "--from", f"{served.url}/fapi/v1/leverageBracket", "--as-of", "2024-04-01", *DB)
    assert (done.code, done.err) == (0, "")
    database = tmp_path / "market.duckdb"
    assert rows(database, "select symbol, as_of from instruments") == [("BTCUSDT", date(2024, 3, 1))]
    assert rows(database, "select distinct symbol, as_of from leverage_brackets") == [("BTCUSDT", date(2024, 4, 1))]
    done = liqstrat("brackets", "--from", f"{served.url}/nothing", "--as-of", "2024-04-01", *DB)
    assert done.code == 1
    assert f"error: {served.url}/nothing: cannot be read: the server answers 404" in done.err


def test_ingest_ends_with_1_where_a_file_is_refused_and_names_it(
    liqstrat: Shell, write_archive: ArchiveWriter, database: Path
) -> None:
    good = write_archive("BTCUSDT-aggTrades-2024-03-01.zip", trade_lines(3))
    bad = write_archive("BTCUSDT-aggTrades-2024-03-02.zip", ["1,2,3"])
    assert liqstrat("ingest", str(good), "--db", str(database)).code == 0
    done = liqstrat("ingest", str(good.parent), "--db", str(database))
    assert done.code == 1
    assert f"refused {bad}: " in done.out
    assert "1 refused, 1 unchanged" in done.out


def test_nothing_in_names_and_files_steers_the_terminal(
    liqstrat: Shell, write_archive: ArchiveWriter, database: Path
) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\u202etxt"
    good = write_archive(f"BTCUSDT-aggTrades-2024-03-01 {evil}.csv", trade_lines(3))
    bad = write_archive("BTCUSDT-aggTrades-2024-03-02.csv", [f"1,{evil},1,1,1,1709251200000,true"], folder=f"a {evil}")
    done = liqstrat("ingest", str(good), str(bad), str(bad.with_name(f"no {evil}")), "--db", str(database))
    assert done.code == 1
    assert "\\x1b]0;owned\\x07\\x1b[2J\\u202etxt" in done.out
    assert done.out.replace("\n", "").isprintable()
    missing = liqstrat("inspect", "--db", f"{evil}.duckdb")
    assert missing.err.replace("\n", "").isprintable()
