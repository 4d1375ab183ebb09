"""Wrong and broken files: refused by name, with what was found and expected, and nothing of them stays."""

import zipfile
from pathlib import Path

import pytest

from liqstrat.market.ingest import ingest
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

GOOD = trade_lines(3)
TRADES = "BTCUSDT-aggTrades-2024-03-01.zip"
ID, PRICE, QUANTITY, FIRST, LAST, TIME, MAKER = range(7)


def row_with(column: int, value: str) -> str:
    cells = f"9,60000.1,0.5,1,1,{DAY_MS},true".split(",")
    cells[column] = value
    return ",".join(cells)


def kline(open_: str = "100", high: str = "110", low: str = "90", close: str = "105", volume: str = "5") -> str:
    return f"{DAY_MS},{open_},{high},{low},{close},{volume},{DAY_MS + 59_999},9,3,2,4,0"


CASES = {
    "letters in a price": (TRADES, [*GOOD, row_with(PRICE, "abc")], ["line 4", "price", "abc", "number"]),
    "letters after a header": (TRADES, [TRADES_HEADER, *GOOD, row_with(ID, "x9")], ["line 5", "agg_trade_id", "x9"]),
    "letters in the first line": (TRADES, [row_with(QUANTITY, "much"), *GOOD], ["line 1", "quantity", "much"]),
    "price below zero": (TRADES, [TRADES_HEADER, *GOOD, row_with(PRICE, "-5")], ["line 5", "price", "-5", "above 0"]),
    "price zero": (TRADES, [*GOOD, row_with(PRICE, "0.0")], ["line 4", "price", "above 0"]),
    "quantity below zero": (TRADES, [*GOOD, row_with(QUANTITY, "-1")], ["line 4", "quantity", "not below 0"]),
    "nothing but quantities of zero": (TRADES, [row_with(QUANTITY, "0.0")], ["line 1", "quantity", "in one row"]),
    "nine digits": (TRADES, [*GOOD, row_with(PRICE, "0.123456789")], ["line 4", "price", "0.123456789", "8 digits"]),
    "digits far behind": (TRADES, [*GOOD, row_with(QUANTITY, "5.0000000000001")], ["line 4", "quantity", "8 digits"]),
    "blank price": (TRADES, [*GOOD, row_with(PRICE, "")], ["line 4", "price is blank"]),
    "time in seconds": (TRADES, [*GOOD, row_with(TIME, "1709251200")], ["line 4", "1709251200", "2019"]),
    "time before 2019": (TRADES, [*GOOD, row_with(TIME, "1500000000000")], ["line 4", "1500000000000", "2019"]),
    "time absurd": (TRADES, [*GOOD, row_with(TIME, "9999999999999")], ["line 4", "9999999999999"]),
    "time in nanoseconds": (TRADES, [*GOOD, row_with(TIME, f"{DAY_MS}000000")], ["line 4", f"{DAY_MS}000000"]),
    "a cell too few": (TRADES, [*GOOD, "9,60000.1,0.5"], ["line 4", "3 columns", "7"]),
    "a cell too many": (TRADES, [*GOOD, row_with(MAKER, "true,1"), *GOOD], ["line 4", "8 columns", "7"]),
    "cut inside the last cell": (TRADES, [*GOOD, row_with(MAKER, "t")], ["middle of a row", '"t"']),
    "neither true nor false": (TRADES, [*GOOD, row_with(MAKER, "maybe"), *GOOD], ["line 4", "maybe", "true or false"]),
    "one id, two prices": (TRADES, [*GOOD, row_with(ID, "3")], ["agg_trade_id 3"]),
    "empty": ("BTCUSDT-aggTrades-2024-03-01.csv", [""], ["empty"]),
    "only a header": (TRADES, [TRADES_HEADER], ["no row", "aggTrades"]),
    "unknown columns": (TRADES, ["a,b,c", "1,2,3"], ["3 columns", "a,b,c", TRADES_HEADER]),
    "spot by its columns": (TRADES, [row_with(MAKER, "True,True")], ["8 columns", "spot", "7"]),
    "single trades": ("BTCUSDT-x-2024.csv", [f"1,60000.1,0.5,30000,{DAY_MS},true"], ["single trades", "aggTrades"]),
    "spot single trades": (TRADES, [f"1,60000.1,0.5,30000.05,{DAY_MS},True,True"], ["spot"]),
    "single trades by name": ("BTCUSDT-trades-2024-03-01.zip", GOOD, ["single trades"]),
    "spot by name": ("SPOT-BTCUSDT-aggTrades-2024-03-01.csv", GOOD, ["spot", "USDⓈ-M"]),
    "no symbol": ("trades.csv", GOOD, ["trades", "BTCUSDT-aggTrades-2024-03-01.zip"]),
    "other kind than named": ("BTCUSDT-metrics-2024-03-01.zip", GOOD, ["metrics", "aggTrades"]),
    "trades named as klines": ("BTCUSDT-1m-2024-03-01.zip", GOOD, ["1m", "aggTrades"]),
    "another symbol inside": (
        "BTCUSDT-metrics-2024-03-01.zip",
        [METRICS_HEADER, "2024-03-01 00:05:00,ETHUSDT,1,1,1,1,1,1"],
        ["BTCUSDT", "ETHUSDT"],
    ),
    "open interest below zero": (
        "BTCUSDT-metrics-2024-03-01.zip",
        [METRICS_HEADER, "2024-03-01 00:05:00,BTCUSDT,-1,1,1,1,1,1"],
        ["line 2", "sum_open_interest", "-1"],
    ),
    "open interest of 1970": (
        "BTCUSDT-metrics-2024-03-01.zip",
        [METRICS_HEADER, "1970-01-01 00:05:00,BTCUSDT,1,1,1,1,1,1"],
        ["line 2", "create_time", "2019"],
    ),
    "a rate in percent": (
        "BTCUSDT-fundingRate-2024-03.zip",
        [FUNDING_HEADER, f"{DAY_MS},8,1.5"],
        ["line 2", "last_funding_rate", "1.5"],
    ),
    "high below low": ("BTCUSDT-1m-2024-03-01.zip", [KLINES_HEADER, kline(high="80")], ["line 2", "high"]),
    "klines in microseconds": (
        "BTCUSDT-1m-2025-03-01.zip",
        [kline().replace(str(DAY_MS), f"{DAY_MS}000").replace(str(DAY_MS + 59_999), f"{DAY_MS + 59_999}999")],
        ["line 1", "milliseconds"],
    ),
    "klines of mark prices": ("BTCUSDT-1m-2024-03-01.zip", [kline(volume="0")], ["volume", "mark"]),
    "liquidation of no side": (
        "BTCUSDT-liquidationSnapshot-2024-03-01.zip",
        [f"{DAY_MS},HOLD,LIMIT,IOC,0.014,59000.10,59010.25,FILLED,0.002,0.014"],
        ["line 1", "HOLD", "BUY or SELL"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_refused_with_what_was_found(write_archive: ArchiveWriter, database: Path, case: str) -> None:
    name, lines, words = CASES[case]
    file = only(ingest([write_archive(name, lines)], database))
    assert file.state == "refused"
    assert [word for word in words if word not in file.reason] == [], file.reason
    assert not database.exists()


def test_a_refused_file_leaves_what_is_there_untouched(write_archive: ArchiveWriter, database: Path) -> None:
    good = write_archive(TRADES, trade_lines(20))
    ingest([good], database)
    tables = ("aggtrades_history", "ingest_ledger")
    before = [rows(database, f"select * from {table} order by all") for table in tables]
    broken = write_archive(TRADES, [*trade_lines(19), row_with(PRICE, "-1")])
    assert only(ingest([broken], database)).state == "refused"
    assert [rows(database, f"select * from {table} order by all") for table in tables] == before


def test_the_others_go_in(write_archive: ArchiveWriter, database: Path, tmp_path: Path) -> None:
    files = [
        write_archive("BTCUSDT-aggTrades-2024-03-01.zip", trade_lines(5)),
        write_archive("BTCUSDT-aggTrades-2024-03-02.zip", [row_with(PRICE, "abc")]),
        tmp_path / "BTCUSDT-aggTrades-2024-03-03.zip",
        write_archive("BTCUSDT-aggTrades-2024-03-04.zip", trade_lines(5, first_id=20, day=4)),
    ]
    report = ingest(files, database)
    assert states(report) == ["loaded", "refused", "refused", "loaded"]
    assert [file.path.name for file in report.refused] == [files[1].name, files[2].name]
    assert "no such file" in report.files[2].reason
    assert rows(database, "select count(*) from aggtrades_history") == [(10,)]


def test_a_wrong_checksum_is_refused(write_archive: ArchiveWriter, database: Path) -> None:
    path = write_archive(TRADES, GOOD)
    path.with_name(f"{TRADES}.CHECKSUM").write_text(f"{'0' * 64}  {TRADES}\n")
    assert f"{TRADES}.CHECKSUM" in only(ingest([path], database)).reason


@pytest.mark.parametrize("damage", ["cut", "flip", "other checksum", "not a zip"])
def test_a_broken_zip_is_refused(write_archive: ArchiveWriter, database: Path, damage: str) -> None:
    path = write_archive(TRADES, trade_lines(2000))
    path.with_name(f"{TRADES}.CHECKSUM").unlink()
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        crc = archive.infolist()[0].CRC.to_bytes(4, "little")
    damaged = {
        "cut": content[:-200],
        "flip": content[:2000] + bytes(byte ^ 0xFF for byte in content[2000:2050]) + content[2050:],
        "other checksum": content.replace(crc, bytes(byte ^ 1 for byte in crc)),
        "not a zip": b"<html>not found</html>",
    }
    path.write_bytes(damaged[damage])
    assert "not a whole zip" in only(ingest([path], database)).reason
    assert not database.exists()


def test_the_symbol_in_a_zip_is_that_of_its_name(write_archive: ArchiveWriter, database: Path) -> None:
    path = write_archive("ETHUSDT-aggTrades-2024-03-01.zip", GOOD)
    renamed = path.rename(path.with_name("BTCUSDT-aggTrades-2024-03-01.zip"))
    assert "ETHUSDT" in only(ingest([renamed], database)).reason


def test_the_line_is_right_far_into_a_file(write_archive: ArchiveWriter, database: Path) -> None:
    lines = trade_lines(40_000)
    lines[35_000] = row_with(PRICE, "oops")
    assert "line 35001:" in only(ingest([write_archive(TRADES, lines)], database)).reason
    lines[35_000] = row_with(PRICE, "-1")
    assert "line 35002:" in only(ingest([write_archive(TRADES, [TRADES_HEADER, *lines])], database)).reason


def test_the_archives_folder_tells_other_klines(write_archive: ArchiveWriter, database: Path) -> None:
    path = write_archive("BTCUSDT-1m-2024-03-01.zip", [kline()], folder="um/daily/markPriceKlines/BTCUSDT/1m")
    assert "mark prices" in only(ingest([path], database)).reason
    path = write_archive("BTCUSDT-1m-2024-03-01.zip", [kline()], folder="data/spot/daily/klines")
    assert "spot" in only(ingest([path], database)).reason
