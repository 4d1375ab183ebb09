"""The whole way once: a simulated market, its history, three strategies and their reports."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from liqstrat.config import DataSettings, RunFile, StrategySettings
from liqstrat.errors import LiqstratError
from liqstrat.progress import SILENT, Progress

SYMBOL = "BTCUSDT"
START = date(2024, 3, 1)
#: Days of simulated history that fill the book before the strategies trade.
_FILLING_DAYS = 1
_STRATEGIES = {"fade": "LevelFade", "magnet": "LevelMagnet", "random": "RandomEntry"}


@dataclass(frozen=True)
class DemoResult:
    """Results folder and figures (`metrics.json`) of each run, by its name."""

    folders: dict[str, Path]
    figures: dict[str, dict[str, Any]]


def run_demo(root: Path, days: int = 7, seed: int = 1, progress: Progress = SILENT) -> DemoResult:
    """Simulate `days` of market, load them and run every strategy of the package on them.

    Data goes to `root/catalog/demo`, results to `root/results`. The same seed and days use the files there are.
    """
    from liqstrat.backtest.runner import run_backtest
    from liqstrat.market.ingest import ingest
    from liqstrat.market.simulator import simulate

    folder = root / "catalog" / "demo" / f"{SYMBOL}-{days}d-seed{seed}"
    archive, database = folder / "archive", folder / "market.duckdb"
    simulate(archive, SYMBOL, days=days, seed=seed, start=START, progress=progress)
    loaded = ingest([archive], database, progress=progress)
    if refused := [file for file in loaded.files if file.state == "refused"]:
        raise LiqstratError(f"{refused[0].path}: {refused[0].reason}")
    data = DataSettings(db=database, catalog=folder / "nautilus")
    folders = {
        name: run_backtest(demo_run(name, use, days, data), root / "results", progress=progress)
        for name, use in _STRATEGIES.items()
    }
    figures = {name: json.loads((path / "metrics.json").read_text()) for name, path in folders.items()}
    return DemoResult(folders, figures)


def demo_run(name: str, use: str, days: int, data: DataSettings) -> RunFile:
    """The run of one strategy over the simulated days that follow the filling of the book."""
    first = datetime(START.year, START.month, START.day, tzinfo=UTC)
    return RunFile(
        name=f"demo-{name}",
        symbols=[SYMBOL],
        start=first + timedelta(days=min(_FILLING_DAYS, days - 1)),
        end=first + timedelta(days=days),
        data=data,
        strategies=[StrategySettings(use=use)],
    )
