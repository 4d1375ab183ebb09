"""The report of a session on paper when it is stopped: that of a backtest, of what happened on paper."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from liqstrat.app import prepare, write
from liqstrat.backtest.replay import Replayed, SymbolData, Trader
from liqstrat.config import RunFile
from liqstrat.errors import LiqstratError
from liqstrat.held import partial_folder
from liqstrat.live.watching import load_recordings
from liqstrat.progress import SILENT, Progress
from liqstrat.report.report import write_report

REPORT, LEVELS = "report", "levels.parquet"


def write_paper_report(
    run: RunFile,
    folder: Path,
    recordings: Path,
    data: Mapping[str, SymbolData],
    traders: Sequence[Trader],
    replayed: Replayed,
    last: Mapping[str, float],
    about: dict[str, Any],
    progress: Progress = SILENT,
) -> Path:
    """Write results and report of the session in `folder`, in place of those of before; returns the page.

    run: from where it began to where it is. data, replayed, last: what it had of the markets, how it ended, the last
    prices. about: what is to be said of it. Its maps are in `LEVELS` in its folder. Raises `LiqstratError` where the
    recordings cannot be loaded into the database, which the rest is from.
    """
    notes: list[str] = []
    load_recordings(recordings, run.data.db, run.symbols, notes.append)
    if notes:
        raise LiqstratError(notes[0])
    prepared = prepare(run, progress, keep_levels=False)
    minutes = {symbol: replace(one, minutes=data[symbol].minutes) for symbol, one in prepared.data.items()}
    prepared = replace(prepared, data=minutes, about={**prepared.about, "paper": about})
    created = datetime.now(UTC)
    with partial_folder(folder / f"{REPORT}-new") as (partial, made):
        write(prepared, traders, replayed, partial, f"{run.name}-paper-{created:%Y%m%dT%H%M%S}", created, last)
        shutil.copy(folder / LEVELS, partial / "levels.parquet")
        write_report(partial)
    shutil.rmtree(folder / REPORT, ignore_errors=True)
    made.rename(folder / REPORT)
    (folder / LEVELS).unlink()
    return folder / REPORT / "report.html"
