"""Archive files into the history: the right rows, once, whatever way they come."""

from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from liqstrat.market.ingest import ingest
from liqstrat.market.store import open_store
from tests.market.archive_files import DAY_MS, TRADES_HEADER, ArchiveWriter, only, rows, states, trade_lines


def test_a_corrected_file_replaces_its_rows(write_archive: ArchiveWriter, database: Path) -> None:
    name = "BTCUSDT-aggTrades-2024-03-01.zip"
    next_day = write_archive("BTCUSDT-aggTrades-2024-03-02.zip", [f"90,1,1,1,1,{DAY_MS + 86_400_000},true"])
    ingest([write_archive(name, trade_lines(20)), next_day], database)
    corrected = write_archive(name, [TRADES_HEADER, *trade_lines(15, price="61000.5")])
    file = only(ingest([corrected], database))
    assert (file.state, file.rows) == ("replaced", 15)
    assert rows(database, "select price, count(*) from aggtrades_history group by 1 order by 1") == [
        (Decimal(1), 1),
        (Decimal("61000.5"), 15),
    ]
    assert rows(database, "select file_name, rows from ingest_ledger order by 1") == [
        (name, 15),
        ("BTCUSDT-aggTrades-2024-03-02.zip", 1),
    ]
    assert only(ingest([corrected], database)).state == "unchanged"


def test_a_correction_can_be_shorter(write_archive: ArchiveWriter, database: Path) -> None:
    name = "BTCUSDT-aggTrades-2024-03-01.zip"
    ingest([write_archive(name, trade_lines(20))], database)
    assert only(ingest([write_archive(name, trade_lines(15))], database)).state == "replaced"
    assert rows(database, "select count(*), max(agg_trade_id) from aggtrades_history") == [(15, 15)]


def test_a_correction_keeps_what_another_file_brought_too(write_archive: ArchiveWriter, database: Path) -> None:
    month = write_archive("BTCUSDT-aggTrades-2024-03.zip", trade_lines(50))
    day = write_archive("BTCUSDT-aggTrades-2024-03-01.zip", trade_lines(30))
    ingest([day, month], database)
    corrected = write_archive("BTCUSDT-aggTrades-2024-03-01.zip", trade_lines(20, price="61000.5"))
    assert only(ingest([corrected], database)).state == "replaced"
    found = rows(database, "select price, count(*), min(agg_trade_id) from aggtrades_history group by 1 order by 1")
    assert found == [(Decimal("60000.1"), 30, 21), (Decimal("61000.5"), 20, 1)]


def test_rows_of_another_file_are_not_doubled(write_archive: ArchiveWriter, database: Path) -> None:
    day = write_archive("BTCUSDT-aggTrades-2024-03-01.zip", trade_lines(30))
    month = write_archive("BTCUSDT-aggTrades-2024-03.zip", [TRADES_HEADER, *trade_lines(50)])
    ingest([day], database)
    file = only(ingest([month], database))
    assert (file.state, file.rows) == ("loaded", 20)
    assert "30" in file.reason
    assert rows(database, "select count(*), count(distinct agg_trade_id) from aggtrades_history") == [(50, 50)]


def test_the_same_rows_unzipped_are_the_same_file(write_archive: ArchiveWriter, database: Path) -> None:
    packed = write_archive("BTCUSDT-aggTrades-2024-03-01.zip", trade_lines(30))
    plain = write_archive("BTCUSDT-aggTrades-2024-03-01.csv", [TRADES_HEADER, *trade_lines(30)])
    assert states(ingest([packed, plain], database)) == ["loaded", "unchanged"]
    assert states(ingest([packed, plain], database)) == ["unchanged", "unchanged"]
    assert rows(database, "select count(*) from aggtrades_history") == [(30,)]


def test_unsorted_and_doubled_rows_are_stored_once_and_in_order(write_archive: ArchiveWriter, database: Path) -> None:
    lines = trade_lines(40)
    ingest([write_archive("BTCUSDT-aggTrades-2024-03-01.zip", [*reversed(lines), *lines[:5]])], database)
    found = [id_ for (id_,) in rows(database, "select agg_trade_id from aggtrades_history order by rowid")]
    assert found == list(range(1, 41))


def test_simulated_and_real_rows_of_a_symbol_stay_apart(write_archive: ArchiveWriter, database: Path) -> None:
    real = write_archive("BTCUSDT-aggTrades-2024-03-01.zip", trade_lines(5))
    comment = b'SIMULATED {"seed": 1}'
    simulated = write_archive("BTCUSDT-aggTrades-2024-03-02.zip", trade_lines(5, 10, day=2), comment=comment)
    other = write_archive("ETHUSDT-aggTrades-2024-03-02.zip", trade_lines(5, 10, day=2), comment=comment)
    report = ingest([real, simulated, other], database)
    assert states(report) == ["loaded", "refused", "loaded"]
    assert "SIMULATED" in report.files[1].reason
    with open_store(database) as store:
        assert not store.simulated("BTCUSDT")
        assert store.simulated("ETHUSDT")


def test_a_simulators_folder_marks_its_files_without_its_truth(write_archive: ArchiveWriter, database: Path) -> None:
    path = write_archive("BTCUSDT-aggTrades-2024-03-01.csv", trade_lines(5), folder="sim/aggTrades")
    top = path.parents[1]
    (top / "SIMULATED.json").write_text("{}")
    (top / "truth").mkdir()
    (top / "truth" / "BTCUSDT-aggTrades-2024-03-02.csv").write_text("1,2")
    report = ingest([top], database)
    assert states(report) == ["loaded"]
    assert [skipped.path.name for skipped in report.skipped] == ["truth"]
    with open_store(database) as store:
        assert store.simulated("BTCUSDT")


def test_existing_tables_of_another_shape_are_filled(write_archive: ArchiveWriter, database: Path) -> None:
    with duckdb.connect(str(database)) as connection:
        connection.execute("set TimeZone = 'Asia/Tokyo'")
        connection.execute(
            "create table aggtrades_history (agg_trade_id BIGINT, timestamp TIMESTAMPTZ, symbol VARCHAR, "
            "price DOUBLE, quantity DOUBLE, side VARCHAR)"
        )
        connection.execute(
            "insert into aggtrades_history values (1, '2024-03-01 00:00:00+00', 'BTCUSDT', 60000.1, 0.01, 'BUY')"
        )
    file = only(ingest([write_archive("BTCUSDT-aggTrades-2024-03-01.zip", trade_lines(3))], database))
    assert (file.state, file.rows) == ("loaded", 2)
    assert rows(database, "select agg_trade_id, epoch_ms(timestamp) from aggtrades_history order by 1") == [
        (i + 1, DAY_MS + 1000 * i) for i in range(3)
    ]


@pytest.mark.parametrize("suffix", ["zip", "csv"])
def test_nothing_but_the_database_is_left(write_archive: ArchiveWriter, database: Path, suffix: str) -> None:
    folder = write_archive(f"BTCUSDT-aggTrades-2024-03-01.{suffix}", trade_lines(3)).parent
    stale = database.with_name(f".{database.name}.unpacked")
    stale.mkdir()
    (stale / "left.csv").write_text("from a killed one")
    ingest([folder], database)
    assert sorted(path.name for path in database.parent.iterdir()) == ["archive", "market.duckdb"]
