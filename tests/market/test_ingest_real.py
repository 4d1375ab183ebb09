"""Real files of the exchange, checked against a plain reading of them."""

import csv
import io
import json
import shutil
import zipfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from liqstrat.market.ingest import ingest
from liqstrat.market.store import open_store
from tests.market.archive_files import rows, states


def parsed(path: Path) -> list[tuple[Any, ...]]:
    """An archive file of trades read without any of our code."""
    with zipfile.ZipFile(path) as archive:
        text = archive.read(archive.namelist()[0]).decode()
    lines = [line for line in csv.reader(io.StringIO(text)) if line[0].isdigit()]
    epoch = datetime(1970, 1, 1)
    return [
        (
            int(id_),
            epoch + timedelta(milliseconds=int(time)),
            Decimal(price),
            Decimal(quantity),
            "sell" if maker.lower() == "true" else "buy",
        )
        for id_, price, quantity, _, _, time, maker in lines
    ]


def test_real_trades_arrive_as_they_are_in_the_files(shared_data: Path, database: Path) -> None:
    folder = shared_data / "aggTrades"
    report = ingest([folder], database)
    assert set(states(report)) == {"loaded"}
    for symbol in ("BTCUSDT", "ETHUSDT"):
        expected = [row for path in sorted(folder.glob(f"{symbol}-*.zip")) for row in parsed(path)]
        found = rows(
            database,
            "select agg_trade_id, timestamp, price, quantity, side from aggtrades_history "
            f"where symbol = '{symbol}' and exchange = 'binance' order by agg_trade_id",
        )
        assert found == sorted(expected)


def test_a_second_time_changes_nothing(shared_data: Path, database: Path) -> None:
    folder = shared_data / "aggTrades"
    ingest([folder], database)
    ledger = "select * from ingest_ledger order by all"
    before = rows(database, ledger), rows(database, "select * from aggtrades_history order by all")
    assert set(states(ingest([folder, folder], database))) == {"unchanged"}
    assert (rows(database, ledger), rows(database, "select * from aggtrades_history order by all")) == before


def test_every_real_file_goes_in_or_is_refused_by_name(shared_data: Path, database: Path) -> None:
    report = ingest([shared_data], database)
    loaded = {(file.symbol, file.kind) for file in report.files if file.state == "loaded"}
    assert {("BTCUSDT", kind) for kind in ("trades", "open_interest", "funding", "klines_1h", "klines_1m")} <= loaded
    assert {("SOLUSDT", kind) for kind in ("open_interest", "funding", "klines_1h")} <= loaded
    refused = {file.path.name: file.reason for file in report.refused}
    assert list(refused) == ["SPOT-BTCUSDT-aggTrades-2026-01-01.csv"]
    assert "spot" in refused["SPOT-BTCUSDT-aggTrades-2026-01-01.csv"]
    assert {("CLUSDT", "trades"), ("SOLUSDC", "open_interest"), (None, "liquidations"), (None, "brackets")} <= loaded
    assert len(refused) + sum(file.state == "loaded" for file in report.files) == len(report.files)
    assert {skipped.path.suffix for skipped in report.skipped} <= {".md", ".parquet"}


def test_real_exports_keep_their_values(shared_data: Path, database: Path) -> None:
    ingest([shared_data / "openInterest", shared_data / "funding", shared_data / "klines"], database)
    with open_store(database) as store:
        first = store.open_interest("BTCUSDT").slice(0, 1).to_pylist()[0]
        assert first["time"] == datetime(2026, 2, 20, 4, tzinfo=UTC)
        assert (first["contracts"], first["value"]) == (80485.615, 5419496040.188065)
        second = store.funding("BTCUSDT").slice(1, 1).to_pylist()[0]
        assert second["time"] == datetime(2026, 1, 13, 0, 0, 0, 7000, tzinfo=UTC)  # the jitter is kept
        assert second["rate"] == Decimal("0.00002245")
        candle = store.klines("BTCUSDT", interval="1m").slice(0, 1).to_pylist()[0]
        assert candle["time"] == datetime(2025, 1, 1, tzinfo=UTC)
        assert (candle["high"], candle["volume"]) == (Decimal("93599.9"), Decimal("71.187"))
        assert candle["taker_buy_volume"] is None


def test_real_recordings_and_answers_keep_their_values(shared_data: Path, database: Path) -> None:
    ingest([shared_data / "rest", shared_data / "forceOrder"], database)
    frames = [
        json.loads(line)["o"]
        for path in (shared_data / "forceOrder").iterdir()
        for line in path.read_text().splitlines()
    ]
    expected = {
        (f["T"], f["s"], f["S"].lower(), Decimal(f["q"]), Decimal(f["p"]), Decimal(f["ap"]) or None) for f in frames
    }
    found = rows(
        database,
        "select epoch_ms(timestamp), symbol, side, quantity, price, average_price from liquidation_history",
    )
    assert len(found) == len(expected)
    assert set(found) == expected
    with open_store(database) as store:
        trade = store.trades("CLUSDT").read_all().slice(0, 1).to_pylist()[0]
        assert trade["time"] == datetime(2026, 5, 1, 12, 12, 0, 540000, tzinfo=UTC)
        assert (trade["id"], trade["price"], trade["quantity"], trade["buy"]) == (
            6133129,
            Decimal("104.2"),
            Decimal("65.89"),
            False,
        )
        value = store.open_interest("SOLUSDC").to_pylist()[0]
        assert (value["contracts"], value["value"]) == (432266.83, 80522665.0924)


def test_spot_is_refused_whatever_it_is_called(shared_data: Path, database: Path, tmp_path: Path) -> None:
    spot = shared_data / "wrong-market" / "SPOT-BTCUSDT-aggTrades-2026-01-01.csv"
    renamed = tmp_path / "BTCUSDT-aggTrades-2026-01-01.csv"
    shutil.copy(spot, renamed)
    report = ingest([spot, renamed], database)
    assert states(report) == ["refused", "refused"]
    reason = report.files[1].reason
    assert "8 columns" in reason
    assert "spot" in reason
    assert "7" in reason
    assert not database.exists(), "a refused file makes no database"
