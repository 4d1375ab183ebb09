"""The machine's time zone must not matter: the same files give the same history and the same answers anywhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.market.archive_files import DAY_MS, FUNDING_HEADER, METRICS_HEADER, ArchiveWriter, trade_lines

pytestmark = pytest.mark.slow

SCRIPT = """
import sys
from pathlib import Path
import duckdb
from liqstrat.market.ingest import ingest
from liqstrat.market.inspect import inspect
from liqstrat.market.store import open_store

folder, database = map(Path, sys.argv[1:])
with duckdb.connect(database) as connection:
    connection.execute(
        "create table funding_rate_history (timestamp TIMESTAMPTZ, symbol VARCHAR, funding_rate DOUBLE)"
    )
ingest([folder], database)
with open_store(database) as store:
    print(inspect(store))
    print(store.trades("BTCUSDT").read_all().to_pylist())
    print(store.klines("BTCUSDT", interval="1d").to_pylist(), store.klines("BTCUSDT", interval="4h").to_pylist())
    print(store.open_interest("BTCUSDT").to_pylist(), store.funding("BTCUSDT").to_pylist())
    print(store.span("BTCUSDT", "trades"), store.fingerprint("BTCUSDT"))
"""


def test_answers_are_the_same_everywhere(write_archive: ArchiveWriter, tmp_path: Path) -> None:
    late = DAY_MS + 86_400_000 - 1
    write_archive("BTCUSDT-aggTrades-2024-03-01.zip", [*trade_lines(3), f"9,60000.1,0.5,1,1,{late},true"])
    write_archive("BTCUSDT-fundingRate-2024-03.zip", [FUNDING_HEADER, f"{DAY_MS + 3},8,0.0001"])
    metrics = [METRICS_HEADER, "2024-03-01 00:05:00,BTCUSDT,1,1,1,1,1,1", "2024-03-10 02:30:00,BTCUSDT,1,1,1,1,1,1"]
    folder = write_archive("BTCUSDT-metrics-2024-03-01.zip", metrics).parent
    answers = []
    zones = ("UTC", "Asia/Tokyo", "America/New_York")
    for zone in zones:
        command = [sys.executable, "-c", SCRIPT, str(folder), str(tmp_path / zone.replace("/", "-"))]
        run = subprocess.run(command, env={**os.environ, "TZ": zone}, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        answers.append(run.stdout)
    assert "2024, 3, 1, 23, 59, 59, 999000" in answers[0]
    assert answers[1:] == answers[:1] * 2
