"""Where the benchmarks work, how they measure, and what a row of their table is."""

import contextlib
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from liqstrat.catalog.build import build_catalog
from liqstrat.demo import run_demo
from liqstrat.market.ingest import ingest
from liqstrat.market.schema import table_of
from liqstrat.market.store import open_store
from tests.benchmarks.tape import SYMBOL, write_candles, write_trades

_ARCHIVE_HEADER = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker"


@dataclass(frozen=True)
class Row:
    """One line of the table; `reached` is None where nothing was promised."""

    what: str
    yardstick: str
    reach: str
    measured: str
    reached: bool | None = None


@dataclass(frozen=True)
class Place:
    """A folder for generated data, which is made once and kept, and how much of it is measured how often."""

    folder: Path
    trades: int
    repeats: int = 3

    @property
    def database(self) -> Path:
        """The generated history: see `tape.write_trades`."""
        return self.once(f"trades-{self.trades}.duckdb", lambda path: write_trades(path, self.trades))

    @property
    def ingested(self) -> Path:
        """The same history, its trades put in by an ingest of the archive, whose ledger says that each is in once."""
        return self.once(f"ingested-{self.trades}.duckdb", self._ingest)

    @property
    def year(self) -> Path:
        """A year of minute candles: see `tape.write_candles`."""
        return self.once("candles-365.duckdb", lambda path: write_candles(path, 365))

    @property
    def catalog(self) -> Path:
        """The catalog of the generated history."""
        return self.once(f"catalog-{self.trades}", self._build_catalog)

    def archive(self) -> Path:
        """The same trades as the exchange's archive has them: a folder of a zip and its checksum for each day."""
        return self.once(f"archive-{self.trades}", self._write_archive)

    @property
    def demo(self) -> Path:
        """A folder in which the demo was run, a week of a SIMULATED market."""
        return self.once("demo", _run_demo)

    def scratch(self, name: str) -> Path:
        """A path in which nothing is, for what is measured."""
        path = self.folder / f"scratch-{name}"
        shutil.rmtree(path, ignore_errors=True)
        path.unlink(missing_ok=True)
        return path

    def once(self, name: str, make: Callable[[Path], object]) -> Path:
        """What `make` puts into the path that it is given; made where it is not there yet."""
        path = self.folder / name
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            part = self.scratch(name)
            make(part)
            part.rename(path)
        return path

    def _build_catalog(self, path: Path) -> None:
        with open_store(self.database) as store:
            build_catalog(store, SYMBOL, path)

    def _ingest(self, path: Path) -> None:
        ingest([self.archive()], path)
        with duckdb.connect(str(path)) as connection:
            connection.execute(f"attach '{self.database}' as generated (read_only)")
            table = table_of("open_interest")
            connection.execute(f"create table {table} as select * from generated.{table}")

    def _write_archive(self, path: Path) -> None:
        path.mkdir()
        with duckdb.connect(str(self.database), read_only=True) as connection:
            days = connection.execute("select distinct timestamp::date from aggtrades_history order by 1").fetchall()
            for (day,) in days:
                _write_day(connection, path, f"{SYMBOL}-aggTrades-{day}", day)


def _run_demo(folder: Path) -> None:
    """As somebody types it there: run files name what they need as seen from the folder, which is renamed after it."""
    folder.mkdir()
    with contextlib.chdir(folder):
        run_demo(Path())


def best_of(
    ways: Mapping[str, Callable[[], object]], times: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """The shortest time of each way in seconds; the ways take turns, so that a busy moment hits all of them.

    clock: `time.process_time` for what runs on one core, whatever else the machine does.
    """
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(times):
        for name, run in ways.items():
            begin = clock()
            run()
            best[name] = min(best[name], clock() - begin)
    return best


def peak_memory(module: str, *arguments: str) -> int:
    """Bytes that a process of its own, which runs a module of the benchmarks, had in memory at most."""
    command = [sys.executable, "-m", f"tests.benchmarks.{module}", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return int(done.stdout.split()[-1])


def own_peak_memory() -> int:
    """Bytes that this process has had in memory at most."""
    status = Path("/proc/self/status")
    if status.exists():
        # The figure of `getrusage` starts with that of the parent.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return path.stat().st_size if path.is_file() else sum(p.stat().st_size for p in path.rglob("*") if p.is_file())


def machine() -> str:
    """The machine, and how busy it is now."""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{platform.machine()}, {os.process_cpu_count()} cores{load}"


def markdown(rows: Iterable[tuple[Row, str]]) -> str:
    """The table, of rows and the machine they were measured on."""
    lines = ["| what | yardstick | reach | measured | machine |", "|---|---|---|---|---|"]
    for row, where in rows:
        mark = {True: " ✓", False: " ✗", None: ""}[row.reached]
        lines.append(f"| {row.what} | {row.yardstick} | {row.reach} | {row.measured}{mark} | {where} |")
    return "\n".join(lines)


def _write_day(connection: duckdb.DuckDBPyConnection, folder: Path, name: str, day: object) -> None:
    csv, target = folder / f"{name}.csv", folder / f"{name}.zip"
    connection.execute(
        f"copy (select agg_trade_id, price::decimal(18, 2), quantity::decimal(18, 3), agg_trade_id * 2, "
        f"agg_trade_id * 2 + 1, epoch_ms(timestamp), side = 'sell' from aggtrades_history "
        f"where timestamp::date = date '{day}' order by agg_trade_id) to '{csv}' (header false)"
    )
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed, packed.open(f"{name}.csv", "w") as out:
        out.write(f"{_ARCHIVE_HEADER}\n".encode())
        with csv.open("rb") as source:
            shutil.copyfileobj(source, out, 1 << 20)
    csv.unlink()
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    (folder / f"{name}.zip.CHECKSUM").write_text(f"{digest}  {name}.zip\n")
