"""Killed at any moment: what is in is whole, and going on is the same command again."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from liqstrat.market.ingest import ingest
from liqstrat.market.ledger import entries
from liqstrat.market.store import open_store
from tests.market.archive_files import ArchiveWriter, rows, states, trade_lines

pytestmark = pytest.mark.slow

FILES, ROWS = 6, 10_000
# Lives get longer, so that the last one ends by itself however busy the machine is.
MOST_KILLS, LONGER = 30, 1.2
PRICES = ("60000.1", "61000.5")

# Forks from a process without threads, so that not every one of many has to import all anew. A life ends after so many
# seconds or, where it is a whole number, before so many lines of the code that writes to the database have been run.
SCRIPT = """
import os, signal, sys, threading, time
from pathlib import Path
from liqstrat.market import ledger, merge
from liqstrat.market.ingest import ingest

WRITING = (merge.merge, merge._remove, merge._insert, ledger.record, ledger.strike)
codes = {function.__code__ for function in WRITING} | {merge.transaction.__wrapped__.__code__}
left = 0

def trace(frame, event, _):
    global left
    if frame.f_code not in codes:
        return None
    if event == "line":
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
    return trace

for told in sys.stdin:
    child = os.fork()
    if not child:
        if told.strip().isdecimal():
            left = int(told)
            threading.settrace(trace)
        ingest([Path(sys.argv[1])], Path(sys.argv[2]))
        os._exit(0)
    if not told.strip().isdecimal():
        time.sleep(float(told))
        os.kill(child, signal.SIGKILL)
    print(os.WIFSIGNALED(os.waitpid(child, 0)[1]), flush=True)
"""


class Mortal:
    """Loads a folder into a database, and is killed on the way."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def live(self, long: float) -> bool:
        """Seconds, or a whole number of lines. Whether it was killed; it may have ended before."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(long, file=self._process.stdin, flush=True)
        return self._process.stdout.readline() == "True\n"


@contextmanager
def mortal(folder: Path, database: Path) -> Iterator[Mortal]:
    command = [sys.executable, "-c", SCRIPT, str(folder), str(database)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True, env=environment) as process:
        yield Mortal(process)
        process.communicate()


def write_days(write: ArchiveWriter, price: str) -> Path:
    for day in range(FILES):
        lines = trade_lines(ROWS, first_id=1 + day * ROWS, price=price, day=day + 1)
        path = write(f"BTCUSDT-aggTrades-2024-03-0{day + 1}.zip", lines)
    return path.parent


def loaded(database: Path) -> dict[str, int]:
    """How many files are in by the price of their trades, each of them wholly and as the ledger says."""
    if not database.exists():
        return {}
    with open_store(database) as store:
        ledger = entries(store.connection)
    if not ledger:
        return {}
    sql = f"""
        select price::double::varchar, count(*), count(distinct agg_trade_id),
               count(distinct (agg_trade_id - 1) // {ROWS})
        from aggtrades_history group by all
    """
    found = {price: (count, ids, files) for price, count, ids, files in rows(database, sql)}
    assert all(count == ids == files * ROWS for count, ids, files in found.values()), found
    assert sum(files for _, _, files in found.values()) == len(ledger)
    return {price: files for price, (_, _, files) in found.items()}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_many_points_nothing_is_lost_or_double(write_archive: ArchiveWriter, tmp_path: Path) -> None:
    folder, database = write_days(write_archive, PRICES[0]), tmp_path / "market.duckdb"
    begin = time.perf_counter()
    ingest([folder], tmp_path / "timed.duckdb")
    whole_run = time.perf_counter() - begin
    halfway = kills = 0
    # Into a new file, and then corrections of all that is in.
    for price in PRICES:
        write_days(write_archive, price)
        with mortal(folder, database) as process:
            for kill in range(MOST_KILLS):
                if not process.live(whole_run * 0.1 * LONGER**kill):
                    break
                halfway += 0 < loaded(database).get(price, 0) < FILES
                kills += 1
        ingest([folder], database)
        assert loaded(database) == {price: FILES}
        assert set(states(ingest([folder], database))) == {"unchanged"}
    assert halfway, "the moments are badly chosen"
    assert kills >= 8
    assert not list(tmp_path.glob(".*.unpacked"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_between_the_lines_of_what_writes(write_archive: ArchiveWriter, tmp_path: Path) -> None:
    if sys.gettrace() is not None:
        pytest.skip("coverage counts lines, too, and only one can")
    database = tmp_path / "market.duckdb"
    sql = "select count(*), min(price)::double, max(price)::double, (select count(*) from ingest_ledger) from {}"
    states_seen = []
    for price, step in zip(PRICES, (4, 2), strict=True):
        path = write_archive("BTCUSDT-aggTrades-2024-03-01.zip", trade_lines(50, price=price))
        with mortal(path.parent, database) as process:
            lines = 1
            while process.live(lines):
                lines += step
                if rows(database, "select 1 from information_schema.tables where table_name = 'ingest_ledger'"):
                    states_seen += rows(database, sql.format("aggtrades_history"))
        assert lines > 20
    whole = [(50, float(price), float(price), 1) for price in PRICES]
    assert set(states_seen) == set(whole)
    assert rows(database, sql.format("aggtrades_history")) == whole[1:]
