"""Archive files into DuckDB, against DuckDB's own reading of the same files.

By itself: `python -m tests.benchmarks.bench_ingest [FOLDER] [TRADES]`, which prints the rows of the table.
"""

import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from liqstrat.market.ingest import ingest
from tests.benchmarks.measure import Place, Row, machine, markdown, own_peak_memory, peak_memory

_REACH = 0.6
_REACH_MEMORY = 2e9
_MEMORY_ONLY = "--memory"


@dataclass(frozen=True)
class _Took:
    """Seconds of the clock and of the processors; those of the clock say little where others use the machine."""

    wall: float
    cpu: float


def measure(place: Place) -> list[Row]:
    """Zips with checksums by `ingest`, against `create table as select * from read_csv` of the same files unzipped."""
    archive = place.archive()
    files = _unzipped(place, archive)
    ways: dict[str, Callable[[Path], None]] = {
        "yardstick": lambda database: _read_by_duckdb(files, database),
        "ours": lambda database: _read_by_us(archive, database, place.trades),
    }
    turns: dict[str, list[_Took]] = {name: [] for name in ways}
    for _ in range(place.repeats):
        for name, read in ways.items():
            turns[name].append(_timed(read, place.scratch("ingest.duckdb")))
    shutil.rmtree(files[0].parent)
    wall = {name: min(took.wall for took in each) for name, each in turns.items()}
    cpu = {name: min(took.cpu for took in each) for name, each in turns.items()}
    share = wall["yardstick"] / wall["ours"]
    speed = {name: place.trades / seconds / 1e6 for name, seconds in wall.items()}
    memory = peak_memory("bench_ingest", _MEMORY_ONLY, str(archive), str(place.scratch("ingest.duckdb")))
    place.scratch("ingest.duckdb")
    return [
        Row(
            "archive CSV → DuckDB, unzipping, checksums, checks and ledger included",
            "`create table as select * from read_csv` of the same files unzipped",
            f"≥ {_REACH} of its speed",
            f"{share:.2f} ({speed['ours']:.1f}M against {speed['yardstick']:.1f}M trades/s; "
            f"by processor time {cpu['yardstick'] / cpu['ours']:.2f})",
            share >= _REACH,
        ),
        Row(
            f"memory of ingest, {place.trades / 1e6:.0f}M trades",
            "–",
            "< 2 GB",
            f"{memory / 1e9:.2f} GB",
            memory < _REACH_MEMORY,
        ),
    ]


def _unzipped(place: Place, archive: Path) -> list[Path]:
    folder = place.scratch("unzipped")
    for path in sorted(archive.glob("*.zip")):
        with zipfile.ZipFile(path) as packed:
            packed.extractall(folder)
    return sorted(folder.iterdir())


def _timed(read: Callable[[Path], None], database: Path) -> _Took:
    wall, cpu = time.perf_counter(), time.process_time()
    read(database)
    return _Took(time.perf_counter() - wall, time.process_time() - cpu)


def _read_by_duckdb(files: list[Path], database: Path) -> None:
    with duckdb.connect(str(database)) as connection:
        connection.execute(f"create table trades as select * from read_csv({[str(path) for path in files]})")


def _read_by_us(archive: Path, database: Path, trades: int) -> None:
    report = ingest([archive], database)
    if sum(file.rows for file in report.files) != trades:
        raise RuntimeError(f"expected {trades:,} trades in {archive}, found {report.files}")


def main(folder: Path, trades: int) -> None:
    """Measure in `folder`, and print the rows of the table."""
    rows = measure(Place(folder, trades))
    print(markdown((row, machine()) for row in rows))


if __name__ == "__main__":
    if sys.argv[1:2] == [_MEMORY_ONLY]:
        ingest([Path(sys.argv[2])], Path(sys.argv[3]))
        print(own_peak_memory())
    else:
        with tempfile.TemporaryDirectory(prefix="liqstrat-benchmarks-") as temporary:
            main(Path((sys.argv[1:2] or [temporary])[0]), int((sys.argv[2:3] or ["10000000"])[0]))
