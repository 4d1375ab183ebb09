"""Killed at any moment: what is in is whole, and going on is the same command again."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from liqstrat.market.ingest import ingest
from liqstrat.market.ledger import entries
from liqstrat.market.store import open_store
from tests.market.archive_files import ArchiveWriter, rows, trade_lines

FILES, ROWS = 6, 20_000
SCRIPT = """
import sys
from pathlib import Path
from liqstrat.market.ingest import ingest
print("begun", flush=True)
ingest([Path(sys.argv[1])], Path(sys.argv[2]))
"""


@pytest.mark.parametrize("seconds", [0.05, 0.3])
def test_killed_then_again(write_archive: ArchiveWriter, database: Path, seconds: float) -> None:
    lines = trade_lines(FILES * ROWS)
    for day in range(FILES):
        name = f"BTCUSDT-aggTrades-2024-03-0{day + 1}.zip"
        folder = write_archive(name, lines[day * ROWS : (day + 1) * ROWS]).parent
    command = [sys.executable, "-c", SCRIPT, str(folder), str(database)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(seconds)
        process.kill()
    if database.exists():
        with open_store(database) as store:
            whole = len(entries(store.connection))
            there = store.trades("BTCUSDT").read_all().num_rows if whole else 0
        assert there == whole * ROWS
    ingest([folder], database)
    assert rows(database, "select count(*), count(distinct agg_trade_id) from aggtrades_history") == [
        (FILES * ROWS, FILES * ROWS)
    ]
    assert sorted(path.name for path in database.parent.iterdir()) == ["archive", "market.duckdb"]
