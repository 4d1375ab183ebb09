"""Ingest while the server is asked all the time."""

import shutil
import subprocess
import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from liqstrat.serve.app import create_app

pytestmark = pytest.mark.slow


def test_ingest_runs_while_it_serves(folders: tuple[Path, Path], simulated_archive: Path, tmp_path: Path) -> None:
    """A writer gets its turn between questions, and questions get answers or are told to come again."""
    database = tmp_path / "catalog" / "market.duckdb"
    database.parent.mkdir()
    shutil.copy(folders[0] / "demo" / "market.duckdb", database)
    client = TestClient(create_app(tmp_path / "catalog", tmp_path / "results"), base_url="http://localhost")
    known = "/data/funding?symbol=BTCUSDT"
    before = client.get(known).json()
    statuses, over = set[int](), threading.Event()

    def ask() -> None:
        minute = 0
        while not over.is_set():
            at = datetime(2024, 3, 2) + timedelta(minutes=minute % 1400)
            minute += 1
            statuses.add(client.get(f"/liquidations/map?symbol=BTCUSDT&at={at.isoformat()}").status_code)
            again = client.get(known)
            assert again.json() == before

    asker = threading.Thread(target=ask)
    asker.start()
    command = [sys.executable, "-m", "liqstrat", "ingest", str(simulated_archive), "--db", str(database)]
    runs = [subprocess.run(command, capture_output=True, text=True) for _ in range(3)]
    over.set()
    asker.join()
    assert [run.returncode for run in runs] == [0, 0, 0], [run.stderr for run in runs]
    assert 200 in statuses
    assert statuses <= {200, 503}
