"""The whole way once: a simulated market, its history, three strategies and their reports."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from liqstrat.config import DataSettings, RunFile, StrategySettings
from liqstrat.errors import LiqstratError
from liqstrat.held import partial_file
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.progress import SILENT, Progress

SYMBOL = "BTCUSDT"
START = date(2024, 3, 1)
#: Days of simulated history that fill the book before the strategies trade.
_FILLING_DAYS = 1
#: Who trades in this market has more leverage than is taken of real ones, so that a week has levels enough to trade at.
_LEVERAGE = {5: 0.12, 10: 0.20, 20: 0.23, 50: 0.22, 100: 0.15, 125: 0.08}
_STRATEGIES = {"fade": "LevelFade", "magnet": "LevelMagnet", "random": "RandomEntry"}


@dataclass(frozen=True)
class DemoResult:
    """The database, and by name each run's file, results folder and figures (`metrics.json`)."""

    database: Path
    run_files: dict[str, Path]
    folders: dict[str, Path]
    figures: dict[str, dict[str, Any]]

    @property
    def next_commands(self) -> list[str]:
        """Commands to go on with, on what the demo has made."""
        db = f"--db {self.database}"
        return [
            f"liqstrat inspect {SYMBOL} {db}",
            f"liqstrat levels {SYMBOL} {db}",
            f"liqstrat heatmap {SYMBOL} {db} --out heatmap.html",
            f"liqstrat backtest {self.run_files['fade']} --set strategies.0.params.turn=0.003",
        ]


def run_demo(root: Path, days: int = 7, seed: int = 1, progress: Progress = SILENT) -> DemoResult:
    """Simulate `days` of market, load them and run every strategy of the package on them.

    Data goes to `root/catalog/demo`, results to `root/results`. The same seed and days use the files there are.
    """
    from liqstrat.app import prepare, run_backtest
    from liqstrat.market.ingest import ingest
    from liqstrat.market.simulator import SimulationSettings, simulate

    # As by default, but for the leverage, coarser steps, fewer trades and a shorter past: a third of the time.
    market = SimulationSettings(
        leverage=tuple(_LEVERAGE.items()), step_seconds=30, warmup_days=10, warmup_step_seconds=300, trades=60_000
    )
    folder = root / "catalog" / "demo" / f"{SYMBOL}-{days}d-seed{seed}"
    archive, database = folder / "archive", folder / "market.duckdb"
    with _rehearsal():
        simulate(archive, SYMBOL, days=days, seed=seed, start=START, settings=market, progress=progress)
        loaded = ingest([archive], database, progress=progress)
    if refused := [file for file in loaded.files if file.state == "refused"]:
        raise LiqstratError(f"{refused[0].path}: {refused[0].reason}")
    data = DataSettings(db=database, catalog=folder / "nautilus")
    runs = {name: demo_run(name, use, days, data) for name, use in _STRATEGIES.items()}
    files = {name: _write_run_file(run, folder / f"{name}.toml") for name, run in runs.items()}
    # They ask the same of history.
    prepared = prepare(runs["fade"], progress)
    folders = {name: run_backtest(run, root / "results", progress, prepared=prepared) for name, run in runs.items()}
    figures = {name: json.loads((path / "metrics.json").read_text()) for name, path in folders.items()}
    return DemoResult(database, files, folders, figures)


def demo_run(name: str, use: str, days: int, data: DataSettings) -> RunFile:
    """The run of one strategy over the simulated days that follow the filling of the book."""
    first = datetime(START.year, START.month, START.day, tzinfo=UTC)
    return RunFile(
        name=f"demo-{name}",
        symbols=[SYMBOL],
        start=first + timedelta(days=min(_FILLING_DAYS, days - 1)),
        end=first + timedelta(days=days),
        data=data,
        # True of this market: its own mix, and all open interest is of holders, so that every change of it is believed
        # at once and a rush in full. Real ones have other business in both, which the default allows for.
        model=ModelSettings(leverage=dict(_LEVERAGE), patience=0.0, bustle=1.0),
        strategies=[StrategySettings(use=use)],
    )


def _write_run_file(run: RunFile, path: Path) -> Path:
    """The run as a file to change and run again."""
    mix = ", ".join(f"{leverage} = {share}" for leverage, share in run.model.leverage.items())
    text = f"""\
# A run of the demo, on a SIMULATED market: copy it, change one thing, run both and compare the two reports.

name = {json.dumps(run.name)}
symbols = {json.dumps(run.symbols)}
from = {run.start:%Y-%m-%dT%H:%M:%SZ}
to = {run.end:%Y-%m-%dT%H:%M:%SZ}

[data]
db = {json.dumps(str(run.data.db))}
catalog = {json.dumps(str(run.data.catalog))}

[model]                  # what is true of the simulated market; leave it out on a real one
leverage = {{ {mix} }}
patience = {run.model.patience}           # all its open interest is of holders: changes are believed at once,
bustle = {run.model.bustle}             # and a rush in full

[[strategies]]
use = {json.dumps(run.strategies[0].use)}
"""
    with partial_file(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return path


@contextmanager
def _rehearsal() -> Iterator[None]:
    """Have Numba compile what runs need, in a process of its own: meanwhile the second core has little to do."""
    compiled = any((Path(__file__).parent / "liquidation" / "__pycache__").glob("*.nbi"))
    if compiled or (os.process_cpu_count() or 1) < 2:
        yield
        return
    quiet = subprocess.DEVNULL
    # Its folder is ours, for it may be killed.
    with (
        TemporaryDirectory(prefix="liqstrat-") as aside,
        subprocess.Popen([sys.executable, "-m", __name__, aside], stdin=quiet, stdout=quiet, stderr=quiet) as process,
    ):
        try:
            yield
        except BaseException:
            process.kill()
            raise


def _rehearse(folder: Path) -> None:
    """A small run of the same kind, whose results nobody sees."""
    from liqstrat.app import run_backtest
    from liqstrat.market.ingest import ingest
    from liqstrat.market.simulator import SimulationSettings, simulate

    small = SimulationSettings(positions=300, trades=3000, step_seconds=300, warmup_days=3, warmup_step_seconds=300)
    simulate(folder / "archive", SYMBOL, days=2, seed=1, start=START, settings=small)
    ingest([folder / "archive"], folder / "market.duckdb")
    data = DataSettings(db=folder / "market.duckdb", catalog=folder / "nautilus")
    run_backtest(demo_run("rehearsal", "LevelFade", 2, data), folder / "results")


if __name__ == "__main__":
    _rehearse(Path(sys.argv[1]))
