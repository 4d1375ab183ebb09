"""Files that are broken, odd or meant to harm: their rows as they are, or refused by name; the other files go in."""

import json
import os
import zipfile
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from liqstrat.market.ingest import FileReport, ingest
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

Loaded = tuple[Path, dict[str, FileReport]]

DAY = "BTCUSDT-aggTrades-2024-03-01.csv"
MAKER = 6


def trade(cells: dict[int, str]) -> str:
    row = f"9,60000.1,0.5,1,1,{DAY_MS},true".split(",")
    return ",".join(cells.get(i, cell) for i, cell in enumerate(row))


def ids(database: Path) -> list[int]:
    return [id_ for (id_,) in rows(database, "select agg_trade_id from aggtrades_history order by 1")]


def test_no_quote_swallows_rows(write_archive: ArchiveWriter, database: Path) -> None:
    lines = [f"{i},60000.1,0.5,1,1,{DAY_MS},true" for i in range(1, 21)]
    lines[3], lines[10] = (lines[i].replace(",1,1,", ',"1,1,') for i in (3, 10))
    headers = ("", TRADES_HEADER, f'"{TRADES_HEADER}', f"\ufeff{TRADES_HEADER}", f"\n{TRADES_HEADER}")
    files = []
    for number, (ending, header) in enumerate(product(("\n", "\r\n", "\r"), headers)):
        text = ending.join([*filter(None, [header.replace("\n", ending)]), *lines, "", ""])
        plain = write_archive(f"A{number:02}USDT-aggTrades-2024-03-01.csv", [])
        plain.write_bytes(text.encode())
        packed = plain.with_name(f"B{plain.name}").with_suffix(".zip")
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(plain, f"B{plain.name}")
        files += [plain, packed]
    for file in ingest(files, database).files:
        assert (file.state, file.rows) == ("loaded", 20), file
    found = rows(database, "select symbol, list(agg_trade_id order by agg_trade_id) from aggtrades_history group by 1")
    assert len(found) == len(files)
    assert all(ids == list(range(1, 21)) for _, ids in found)


@pytest.mark.parametrize("suffix", ["csv", "zip"])
@pytest.mark.parametrize(
    ("folder", "other"),
    [("data [1]", "data 1"), ("data*", "data1"), ("a[b", "ab"), ("a[!b]", "ac"), ("price=5/symbol=X", "price=5")],
)
def test_a_path_is_no_pattern(
    write_archive: ArchiveWriter, database: Path, folder: str, other: str, suffix: str
) -> None:
    write_archive(f"BTCUSDT-aggTrades-2024-03-01.{suffix}", trade_lines(5, 1), folder=other)
    wanted = write_archive(f"BTCUSDT-aggTrades-2024-03-01.{suffix}", trade_lines(20, 100), folder=folder)
    own = wanted.parent / "market.duckdb"
    for target in (database, own):
        assert only(ingest([wanted.parent], target)).rows == 20
        assert ids(target) == list(range(100, 120))


def test_a_files_own_name_is_no_pattern(write_archive: ArchiveWriter, database: Path) -> None:
    write_archive("BTCUSDT-aggTrades-2024-03-01.csv", trade_lines(5, 1))
    star = write_archive("BTCUSDT-aggTrades-2024-03-0*.csv", trade_lines(5, 5000))
    assert only(ingest([star], database)).rows == 5
    assert ids(database) == list(range(5000, 5005))


METRICS, ROW = "BTCUSDT-metrics-2024-03-01.csv", "2024-03-01 00:05:00,BTCUSDT,80000.1,6000000.5,1,1,1,"
FUNDING = "BTCUSDT-fundingRate-2024-03.csv"
KLINE = f"{DAY_MS},60000,60010,59990,60005,12.5,{DAY_MS + 59_999},750000,321,6.25,375000,0"
WRONG: dict[str, tuple[str, list[str], list[str]]] = {
    "an id with a point": (DAY, [trade({0: "1.6"}), *trade_lines(3, 20)], ["line 1", 'agg_trade_id is "1.6"']),
    "an id in hex": (DAY, [trade({0: "0x10"})], ["line 1", "0x10", "whole number"]),
    "an id in powers": (DAY, [trade({0: "1e2"})], ["line 1", "1e2", "whole number"]),
    "an id with underscores": (DAY, [TRADES_HEADER, trade({0: "1_000"})], ["line 2", "1_000"]),
    "an id below zero": (DAY, [trade({0: "-5"})], ["line 1", "agg_trade_id", "-5"]),
    "an id of nineteen digits": (DAY, [trade({0: "1" + "0" * 18})], ["line 1", "agg_trade_id", "whole number"]),
    "an id of many digits": (DAY, [trade({0: "9" * 30})], ["line 1", "agg_trade_id", "whole number"]),
    "a time of fractions": (DAY, [trade({5: f"{DAY_MS}.7"})], ["line 1", "transact_time"]),
    "a time in hex": (DAY, [trade({5: hex(DAY_MS)})], ["line 1", "transact_time", "0x18"]),
    "a price with underscores": (DAY, [trade({1: "60_000.5"})], ["line 1", 'price is "60_000.5"']),
    "a price in too fine powers": (DAY, [trade({1: "1.5e-9"})], ["line 1", "price", "8 digits"]),
    "blanks around": (DAY, [trade({1: " 60000.1"})], ["line 1", "price"]),
    "a tab": (DAY, [trade({1: "60000.1\t"})], ["line 1", "price"]),
    "quotes around": (DAY, [trade({1: '"60000.1"'})], ["line 1", "price", "in quotes"]),
    "a quantity too large": (DAY, [trade({2: "12052330040"})], ["line 1", "quantity", "below 10,000,000,000"]),
    "takers of t": (DAY, [trade({MAKER: "t"}), *trade_lines(3, 20)], ["line 1", '"t"', "true or false"]),
    "takers of 1": (DAY, [trade({MAKER: "1"}), *trade_lines(3, 20)], ["line 1", '"1"', "true or false"]),
    "takers of no": (DAY, [TRADES_HEADER, trade({MAKER: "no"}), *trade_lines(3, 20)], ["line 2", '"no"']),
    "digits of another script": (DAY, [trade({0: "\u0661\u0662"})], ["line 1", "agg_trade_id"]),
    "only a byte order mark": (DAY, ["\ufeff"], ["empty"]),
    "only blanks": (DAY, ["\u00a0\u2003", " "], ["empty"]),
    "only line ends": (DAY, ["\n" * 70_000], ["empty"]),
    "a cell of 200,000 letters": (DAY, [trade({1: "x" * 200_000})], ["columns"]),
    "a cell of 200,000 letters further down": (DAY, [*trade_lines(3), trade({1: "7" * 200_000})], ["line 4", "price"]),
    "lines that end in two ways": (
        DAY,
        [*trade_lines(3), trade_lines(1, 9)[0] + "\r", *trade_lines(3, 20)],
        ["end in"],
    ),
    "no UTF-8 in a column that is not used": (
        "BTCUSDT-liquidationSnapshot-2024-03-01.csv",
        [f"{DAY_MS},SELL,LIMIT,IO\udcd5,4.161,57340.05,,FILLED,1,1"],
        ["line 1", "UTF-8"],
    ),
    "letters of no UTF-8": (DAY, [*trade_lines(3), trade({1: "\udcff"})], ["line 4", "UTF-8"]),
    "a huge ratio": (METRICS, [METRICS_HEADER, ROW + "1e308"], ["line 2", "1e308", "ratio"]),
    "a huge open interest": (METRICS, [ROW.replace("80000.1", "1" + "0" * 18) + "1"], ["line 1", "below"]),
    "a time that is none": (METRICS, [ROW.replace("03-01", "02-31") + "1"], ["line 1", "create_time", "YYYY"]),
    "a time without seconds": (METRICS, [ROW.replace("05:00,", "05,") + "1"], ["line 1", "create_time"]),
    "an odd funding interval": (FUNDING, [f"{DAY_MS},800,0.0001"], ["line 1", "funding_interval_hours"]),
    "a rate in hex": (FUNDING, [FUNDING_HEADER, f"{DAY_MS},8,0x1", f"{DAY_MS},8,0.1"], ["line 2", "last_funding_rate"]),
    "a candle that closes late": ("BTCUSDT-1m-2024-03-01.csv", [KLINE.replace("59999", "99999")], ["1m"]),
    "a candle between minutes": (
        "BTCUSDT-1m-2024-03-01.csv",
        [KLINES_HEADER, KLINE.replace(str(DAY_MS), str(DAY_MS + 7)).replace("59999", "60006")],
        ["line 2", "open_time", "multiple"],
    ),
}


@pytest.fixture(scope="module")
def loaded_at_once(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """Each wrong file in a folder of its own, and a good one behind them all."""
    root = tmp_path_factory.mktemp("wrong")
    write = ArchiveWriter(root)
    files = {}
    for case, (name, lines, _) in WRONG.items():
        files[case] = write(name, [], folder=case)
        files[case].write_bytes("\n".join([*lines, ""]).encode(errors="surrogateescape"))
    good = write("BTCUSDT-aggTrades-2024-03-02.csv", trade_lines(3, 90, day=2))
    report = ingest([*files.values(), good], root / "market.duckdb")
    return root / "market.duckdb", dict(zip([*files, "good"], report.files, strict=True))


@pytest.mark.parametrize("case", WRONG)
def test_refused_by_line(loaded_at_once: Loaded, case: str) -> None:
    refused = loaded_at_once[1][case]
    assert refused.state == "refused"
    assert [word for word in WRONG[case][2] if word not in refused.reason] == [], refused.reason
    assert "fault of this program" not in refused.reason
    assert len(refused.reason) < 400


def test_the_one_good_file_goes_in_and_nothing_of_the_others(loaded_at_once: Loaded) -> None:
    database, reports = loaded_at_once
    assert reports["good"].state == "loaded"
    assert rows(database, "select table_name, estimated_size from duckdb_tables() order by 1") == [
        ("aggtrades_history", 3),
        ("ingest_ledger", 1),
    ]


def test_line_ends_behind_the_last_row_are_no_rows(write_archive: ArchiveWriter, database: Path) -> None:
    path = write_archive(DAY, [*trade_lines(20), "\n" * 70_000])
    assert only(ingest([path], database)).rows == 20


def test_nothing_traded_is_left_out_and_counted(write_archive: ArchiveWriter, database: Path) -> None:
    lines = [*trade_lines(5), trade({0: "6", 2: "0"}), trade({0: "7", 2: "0.000"}), trade({0: "8"})]
    file = only(ingest([write_archive(DAY, [TRADES_HEADER, *lines])], database))
    assert (file.state, file.rows) == ("loaded", 6)
    assert "2 of its rows were left out: quantity is 0 (the first in line 7)" in file.reason
    assert ids(database) == [1, 2, 3, 4, 5, 8]


def test_noise_of_floating_point_is_rounded_and_told(write_archive: ArchiveWriter, database: Path) -> None:
    noisy = [trade({0: "1", 1: repr(60000.1 + 1e-11), 2: repr(0.1 + 0.2)}), trade({0: "2", 1: "1e-05"})]
    file = only(ingest([write_archive(DAY, noisy)], database))
    assert (file.state, file.rows) == ("loaded", 2)
    assert "1 of its rows have digits behind the eighth" in file.reason
    assert rows(database, "select price, quantity from aggtrades_history order by agg_trade_id") == [
        (Decimal("60000.1"), Decimal("0.3")),
        (Decimal("0.00001"), Decimal("0.5")),
    ]


def test_no_numbers_among_ratios_are_blank_and_told(write_archive: ArchiveWriter, database: Path) -> None:
    lines = [
        METRICS_HEADER,
        "2024-03-01 00:05:00,BTCUSDT,80000.1,6e9,inf,nan,-inf,1.5",
        ROW.replace(":05:", ":10:") + "2",
    ]
    file = only(ingest([write_archive(METRICS, lines)], database))
    assert "1 of its rows have nan or inf in place of a number" in file.reason
    sql = "select open_interest_value, columns('.*ratio') from open_interest_history order by timestamp limit 1"
    assert rows(database, sql) == [(Decimal("6000000000"), None, None, None, 1.5)]


@pytest.mark.parametrize(
    ("name", "line", "other"),
    [
        (DAY, trade({5: "1677628933729"}), trade({0: "10"})),
        (METRICS, "2023-03-01 00:05:00" + ROW[19:] + "1", ROW.replace(":05:", ":10:") + "1"),
        ("BTCUSDT-1m-2024-03-01.csv", KLINE.replace("17092512", "16776288"), KLINE),
        ("BTCUSDT-fundingRate-2024-03.csv", "1677628800000,8,0.0001", f"{DAY_MS},8,0.0001"),
        ("BTCUSDT-liquidationSnapshot-2024-03-01.csv", *(
            f"{time},SELL,LIMIT,IOC,0.014,59000.10,59010.25,FILLED,0.002,0.014" for time in (1677628933729, DAY_MS)
        )),
    ],
)  # fmt: skip
def test_rows_of_another_day_than_the_name(
    write_archive: ArchiveWriter, database: Path, name: str, line: str, other: str
) -> None:
    file = only(ingest([write_archive(name, [line])], database))
    assert file.state == "refused"
    assert "is named for 2024-03" in file.reason
    assert "rows of 2023-03-01" in file.reason
    file = only(ingest([write_archive(name, [line, other])], database))
    assert file.state == "loaded"
    assert "1 of its rows are not (the first of 2023-03-01" in file.reason


def test_one_moment_with_two_open_interests_has_none(write_archive: ArchiveWriter, database: Path) -> None:
    lines = [f"2024-03-01 00:{minute}:00,BTCUSDT,{contracts},,,,," for minute, contracts in (
        ("05", 10_000), ("10", 10_001), ("10", 990_000), ("15", ""), ("15", 10_002), ("20", 10_003), ("20", 10_003),
    )]  # fmt: skip
    file = only(ingest([write_archive(METRICS, [METRICS_HEADER, *lines])], database))
    assert file.state == "loaded"
    assert "1 moments have two different rows and were left out (the first 2024-03-01 00:10:00" in file.reason
    assert "990,000" in file.reason
    found = rows(
        database, "select minute(timestamp), open_interest_contracts::int from open_interest_history order by 1"
    )
    assert found == [(5, 10_000), (15, 10_002), (20, 10_003)]


def test_other_values_than_are_there_are_told(write_archive: ArchiveWriter, database: Path) -> None:
    ingest([write_archive(METRICS, [ROW + "1"])], database)
    month = write_archive("BTCUSDT-metrics-2024-03.csv", [ROW.replace("80000.1", "990000") + "1"])
    assert (
        "1 of its rows were there already, 1 of them with other values, which stay"
        in only(ingest([month], database)).reason
    )
    answer = [
        {"symbol": "BTCUSDT", "sumOpenInterest": "5e6", "sumOpenInterestValue": "1", "timestamp": DAY_MS + 300_000}
    ]
    file = only(ingest([write_archive("oi.json", [json.dumps(answer)])], database))
    assert "1 of them with other values, which stay" in file.reason
    assert rows(database, "select open_interest_contracts from open_interest_history") == [(Decimal("80000.1"),)]


def test_a_candle_that_closes_early_goes_in_and_is_told(write_archive: ArchiveWriter, database: Path) -> None:
    lines = [
        KLINE.replace(
            str(DAY_MS + 59_999), str(DAY_MS + minute * 60_000 + (19_999 if minute == 3 else 59_999))
        ).replace(str(DAY_MS), str(DAY_MS + minute * 60_000), 1)
        for minute in range(5)
    ]
    file = only(ingest([write_archive("BTCUSDT-1m-2024-03-01.csv", [KLINES_HEADER, *lines])], database))
    assert (file.state, file.kind, file.rows) == ("loaded", "klines_1m", 5)
    assert "1 of its candles close early (the first in line 5)" in file.reason


class Odd:
    """What is no file, in a folder beside one that is good."""

    @staticmethod
    def pipe(path: Path) -> None:
        os.mkfifo(path)

    @staticmethod
    def device(path: Path) -> None:
        path.symlink_to("/dev/zero")

    @staticmethod
    def loop(path: Path) -> None:
        path.symlink_to(path.name)

    @staticmethod
    def nowhere(path: Path) -> None:
        path.symlink_to("nothing.csv")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("odd", ["pipe", "device", "loop", "nowhere"])
@pytest.mark.parametrize("suffix", ["csv", "zip", "json"])
def test_what_is_no_file_is_refused_at_once(
    write_archive: ArchiveWriter, database: Path, odd: str, suffix: str
) -> None:
    good = write_archive(DAY, trade_lines(3))
    strange = good.with_name(f"BTCUSDT-aggTrades-2024-03-02.{suffix}")
    getattr(Odd, odd)(strange)
    report = ingest([good.parent], database)
    assert {file.path.name: file.state for file in report.files} == {good.name: "loaded", strange.name: "refused"}
    assert only(ingest([strange], database)).state == "refused"


def test_folders_that_link_to_themselves_are_looked_into_once(write_archive: ArchiveWriter, database: Path) -> None:
    folder = write_archive(DAY, trade_lines(3)).parent
    for name in ("a", "b", "c"):
        (folder / name).mkdir()
        for link in ("one", "two", "three"):
            (folder / name / link).symlink_to(folder, target_is_directory=True)
    assert states(ingest([folder, folder / "a" / "one"], database)) == ["loaded"]


@pytest.mark.skipif(os.name == "nt", reason="names are of bytes elsewhere")
def test_names_of_no_text_are_refused(write_archive: ArchiveWriter, database: Path) -> None:
    folder = write_archive(DAY, trade_lines(3)).parent
    strange = os.fsdecode(os.fsencode(folder) + b"/BTCUSDT-aggTrades-2024-03-\xff.csv")
    Path(strange).write_text("\n".join(trade_lines(3, 9)))
    report = ingest([folder], database)
    assert sorted(states(report)) == ["loaded", "refused"]
    assert "UTF-8" in report.refused[0].reason


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_DEFLATED])
def test_zips_of_every_packing_go_in_whole_or_are_refused_broken(
    write_archive: ArchiveWriter, database: Path, packing: int
) -> None:
    path = write_archive("BTCUSDT-aggTrades-2024-03-01.zip", [])
    path.with_name(f"{path.name}.CHECKSUM").unlink()
    with zipfile.ZipFile(path, "w", packing) as archive:
        archive.writestr(DAY, "\n".join(trade_lines(2000)))
    whole = path.read_bytes()
    for at in range(len(whole) // 3, len(whole) - 400, len(whole) // 7):
        path.write_bytes(whole[:at] + bytes(byte ^ 0x5A for byte in whole[at : at + 9]) + whole[at + 9 :])
        assert only(ingest([path], database)).state == "refused"
        assert not database.exists()
    path.write_bytes(whole)
    assert only(ingest([path], database)).rows == 2000


def test_a_zip_that_would_fill_the_disk_is_refused(write_archive: ArchiveWriter, database: Path) -> None:
    path = write_archive("BTCUSDT-aggTrades-2024-03-01.zip", [])
    path.with_name(f"{path.name}.CHECKSUM").unlink()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(DAY, "w") as plain:
        for _ in range(120):
            plain.write(bytes(1 << 20))
    assert "no history is" in only(ingest([path], database)).reason
    # One that tells less than it holds.
    content = path.read_bytes()
    size = (120 << 20).to_bytes(4, "little")
    path.write_bytes(content.replace(size, (1 << 20).to_bytes(4, "little")))
    assert only(ingest([path], database)).state == "refused"


def test_a_zip_with_an_undecodable_name_is_refused(write_archive: ArchiveWriter, database: Path) -> None:
    path = write_archive("BTCUSDT-aggTrades-2024-03-01.zip", trade_lines(3))
    path.with_name(f"{path.name}.CHECKSUM").unlink()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("é" + DAY, "\n".join(trade_lines(3)))
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xff\xfe"))
    assert "not a whole zip" in only(ingest([path], database)).reason


def test_a_huge_checksum_is_not_read_whole(write_archive: ArchiveWriter, database: Path) -> None:
    path = write_archive(DAY, trade_lines(3))
    with path.with_name(f"{DAY}.CHECKSUM").open("wb") as file:
        file.truncate(8 << 30)  # of no size on the disk
    assert "SHA-256" in only(ingest([path], database)).reason


TICK = {"filterType": "PRICE_FILTER", "tickSize": "0.10"}
STEP = {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.001", "maxQty": "1000"}
MARKET = {"symbol": "BTCUSDT", "contractType": "PERPETUAL", "filters": [TICK, STEP]}
BAD_MARKETS: dict[str, Any] = {
    "null": None,
    "no filters": {**MARKET, "symbol": "NEWUSDT", "filters": []},
    "filters true": {**MARKET, "symbol": "NEWUSDT", "filters": True},
    "a list as the type of a filter": {**MARKET, "symbol": "NEWUSDT", "filters": [{"filterType": [1]}]},
    "a tick of zero": {**MARKET, "symbol": "NEWUSDT", "filters": [{**TICK, "tickSize": "0.00"}, STEP]},
    "a step below zero": {**MARKET, "symbol": "NEWUSDT", "filters": [TICK, {**STEP, "stepSize": "-1"}]},
    "a tick of nan": {**MARKET, "symbol": "NEWUSDT", "filters": [{**TICK, "tickSize": float("nan")}, STEP]},
    "a huge tick": {**MARKET, "symbol": "NEWUSDT", "filters": [{**TICK, "tickSize": "1e999"}, STEP]},
    "a tick too fine": {**MARKET, "symbol": "NEWUSDT", "filters": [{**TICK, "tickSize": "1e-9"}, STEP]},
    "a least quantity below zero": {**MARKET, "symbol": "NEWUSDT", "filters": [TICK, {**STEP, "minQty": "-5"}]},
    "a path as the symbol": {**MARKET, "symbol": "../../NEWUSDT"},
    "a line end in the symbol": {**MARKET, "symbol": "1\n2"},
    "a number as the symbol": {**MARKET, "symbol": 5},
    "a list as the status": {**MARKET, "symbol": "NEWUSDT", "status": ["TRADING"]},
    "listed in the year 100,000": {**MARKET, "symbol": "NEWUSDT", "onboardDate": 3_093_527_980_800_000},
}


def test_a_listing_that_cannot_be_right_is_left_out_by_name(write_archive: ArchiveWriter, database: Path) -> None:
    answers, alone = [], []
    for number, (case, bad) in enumerate(BAD_MARKETS.items()):
        for listed, files in (([bad, MARKET], answers), ([bad], alone)):
            document = {"serverTime": DAY_MS + number * 86_400_000, "symbols": listed}
            files.append(write_archive("info.json", [json.dumps(document)], folder=f"{case} {len(listed)}"))
    for file in ingest(answers, database).files:
        assert (file.state, file.rows) == ("loaded", 1), file
        assert "left out" in file.reason
        assert "\n" not in file.reason
    assert rows(database, "select distinct symbol from instruments") == [("BTCUSDT",)]
    assert set(states(ingest(alone, database))) == {"refused"}


def brackets(**of_first: Any) -> list[dict[str, Any]]:
    first = {"notionalFloor": 0, "notionalCap": 5000, "maintMarginRatio": 0.01, "cum": 0, "initialLeverage": 75}
    second = {"notionalFloor": 5000, "notionalCap": 9000, "maintMarginRatio": 0.02, "cum": 50, "initialLeverage": 50}
    return [{**first, **of_first}, second]


BAD_BRACKETS: dict[str, Any] = {
    "null": None,
    "a word as the coefficient": {"symbol": "NEWUSDT", "notionalCoef": "abc", "brackets": brackets()},
    "an object as the coefficient": {"symbol": "NEWUSDT", "notionalCoef": {}, "brackets": brackets()},
    **{
        f"{key} of {value!r}": {"symbol": "NEWUSDT", "brackets": brackets(**{key: value})}
        for key, value in (
            ("initialLeverage", float("inf")),
            ("initialLeverage", 1.5),
            ("initialLeverage", 0),
            ("initialLeverage", "1e99999999"),
            ("initialLeverage", [75]),
            ("initialLeverage", True),
            ("notionalFloor", float("nan")),
            ("notionalFloor", -1),
            ("notionalCap", "1e999999999"),
            ("notionalCap", "9" * 5000),
            ("notionalCap", 0),
            ("cum", "NaN"),
            ("cum", None),
            ("maintMarginRatio", 0),
            ("maintMarginRatio", 1.5),
            ("maintMarginRatio", "0.0123456789"),
        )
    },
    "a bracket of null": {"symbol": "NEWUSDT", "brackets": [None]},
    "no bracket": {"symbol": "NEWUSDT", "brackets": []},
    "a path as the symbol": {"symbol": "../../X", "brackets": brackets()},
}


def test_brackets_that_cannot_be_right_are_left_out_by_name(write_archive: ArchiveWriter, database: Path) -> None:
    good = {"symbol": "ABCUSDT", "brackets": brackets()}
    answers = [
        write_archive(f"2024-03-{number:02}.json", [json.dumps([good, bad])])
        for number, bad in enumerate(BAD_BRACKETS.values(), 1)
    ]
    for file in ingest(answers, database).files:
        assert (file.state, file.rows) == ("loaded", 2), file
        assert "left out" in file.reason
    assert rows(database, "select distinct symbol from leverage_brackets") == [("ABCUSDT",)]


DOCUMENTS = {
    "lists in lists": ("BTCUSDT-x.json", "[" * 100_000),
    "objects in objects": ("BTCUSDT-x.json", '{"a":' * 100_000),
    "half a letter": ("x.json", '{"e":"forceOrder","o":{"s":"BTCUSDT","T":1709251200000,"S":"BUY","q":"1","p":"6",'
                                '"ap":"6","X":"\\ud800"}}'),
    "a comma in a cell": ("BTCUSDT.json", f'[{{"a":"1,2","p":"1","q":"1","f":1,"l":1,"T":{DAY_MS},"m":true}}]'),
    "a line end in a cell": ("BTCUSDT.json", f'[{{"a":"1\\n2","p":"1","q":"1","f":1,"l":1,"T":{DAY_MS},"m":true}}]'),
    "a quote in a cell": ("BTCUSDT.json", f'[{{"a":"1","p":"\\"1","q":"1","f":1,"l":1,"T":{DAY_MS},"m":true}}]'),
    "a list in a cell": ("BTCUSDT.json", f'[{{"a":[1],"p":"1","q":"1","f":1,"l":1,"T":{DAY_MS},"m":true}}]'),
    "a word as a truth": ("BTCUSDT.json", f'[{{"a":1,"p":"1","q":"1","f":1,"l":1,"T":{DAY_MS},"m":"yes"}}]'),
    "a path as the symbol": ("x.json", f'[{{"symbol":"../../X","fundingTime":{DAY_MS},"fundingRate":"0.1"}}]'),
    "a time of 5000 digits": ("info.json", f'{{"serverTime":{"9" * 5000},"symbols":[{json.dumps(MARKET)}]}}'),
    "two documents": ("BTCUSDT.json", '[\n{"a":1}\n]\n[\n{"a":1}\n]'),
    "a comma too many": ("BTCUSDT.json", '[\n{"a":1},\n]'),
    "no UTF-8": ("BTCUSDT.json", "\udcff\udcfe"),
}  # fmt: skip


def test_json_that_is_none_is_refused(write_archive: ArchiveWriter, database: Path) -> None:
    files = []
    for case, (name, content) in DOCUMENTS.items():
        files.append(write_archive(name, [], folder=case))
        files[-1].write_bytes(content.encode(errors="surrogateescape"))
    for file in ingest(files, database).files:
        assert file.state == "refused", file
        assert "fault of this program" not in file.reason
        assert len(file.reason) < 400
    assert not database.exists()


def test_a_large_document_is_read_in_the_memory_of_an_entry(write_archive: ArchiveWriter, database: Path) -> None:
    keys = {"p": "60000.1", "q": "0.5", "f": 1, "l": 1, "T": DAY_MS, "m": True, "more": "x" * 3000}
    entries = ",".join(json.dumps({"a": i, **keys}) for i in range(1, 7001))
    path = write_archive("BTCUSDT.json", [f"[{entries}]"])
    assert path.stat().st_size > 20_000_000
    assert only(ingest([path], database)).rows == 7000
    path = write_archive("ETHUSDT.json", ['[{"a": "' + "x" * 40_000_000])
    assert "16 MB" in only(ingest([path], database)).reason


def test_a_file_whose_prices_and_quantities_are_swapped_is_refused(
    write_archive: ArchiveWriter, database: Path
) -> None:
    cells = [
        (str(i), f"{60_000 + i / 10}", f"{(0.001, 0.02, 1.5)[i % 3]}", "1", "1", f"{DAY_MS + i}", "true")
        for i in range(30)
    ]
    write_archive(DAY, [",".join((a, q, p, *rest)) for a, p, q, *rest in cells])
    (report,) = ingest([write_archive.root / "archive"], database).files
    assert report.state == "refused"
    assert "columns price and quantity are swapped" in (report.reason or "")
    write_archive(DAY, [",".join(row) for row in cells])
    assert only(ingest([write_archive.root / "archive"], database)).rows == 30


def test_a_minus_before_a_zero_is_no_number_whichever_way_a_file_is_read(
    write_archive: ArchiveWriter, database: Path
) -> None:
    lines = trade_lines(30)
    lines[4] = lines[4].replace("5,", "-0,", 1)
    reason = only(ingest([write_archive(DAY, lines)], database)).reason
    assert reason == 'line 5: agg_trade_id is "-0", expected a whole number'


def test_a_reason_is_one_line_whatever_the_file_says(write_archive: ArchiveWriter, database: Path) -> None:
    bracket = {"notionalFloor": 0, "notionalCap": 5000, "maintMarginRatio": "1\n2", "cum": 0, "initialLeverage": 5}
    text = json.dumps([{"symbol": "XUSDT", "brackets": [bracket]}])
    reason = only(ingest([write_archive("2024-03-01.json", [text])], database)).reason
    assert reason is not None
    assert 'maintMarginRatio is "1\\n2", expected a number' in reason
    assert "\n" not in reason
