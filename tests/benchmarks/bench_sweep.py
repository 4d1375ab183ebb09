"""Trials of a sweep against the same runs alone, on minute bars of a year and trade by trade; by processor time."""

import shutil
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from liqstrat.app import run_backtest
from liqstrat.config import DataSettings, RunFile, StrategySettings
from liqstrat.studies.trial import Task, run_trial
from tests.benchmarks.measure import Place, Row, own_peak_memory
from tests.benchmarks.tape import START, SYMBOL, days_of

_REACH = 0.2
#: Of a tick by tick run alone.
_REACH_OF_TICKS = 0.7
#: Of a trial, seconds: two hundred on two cores in ten minutes.
_REACH_SECONDS = 6.0
_MEMORY_MB = 2000.0
_TURNS = (0.002, 0.003)


def measure(place: Place) -> list[Row]:
    """A trial, once what it needs is prepared, against a run from the database to its report."""
    return _bars(place) + _ticks(place)


def _bars(place: Place) -> list[Row]:
    run = _run(place.year, place.folder / "catalog-year", 365, "1m")
    _, alone, each = _alone_and_trial(run, place)
    peak = own_peak_memory() / 2**20
    what = "sweep, a trial of 1 m bars of a year, data prepared"
    return [
        Row(what, "the same from the command line, catalog built", f"≤ {_REACH} of it", f"{each / alone:.2f}", None),
        Row(what, "–", f"under {_REACH_SECONDS:.0f} s", f"{each:.1f} s", each < _REACH_SECONDS),
        Row("sweep, memory of a worker", "–", f"under {_MEMORY_MB:,.0f} MB", f"{peak:,.0f} MB", peak < _MEMORY_MB),
    ]


def _ticks(place: Place) -> list[Row]:
    days = days_of(place.trades)
    catalog = place.scratch("catalog")
    shutil.copytree(place.catalog, catalog, ignore=shutil.ignore_patterns("kept", "prepared"))
    run = _run(place.database, catalog, days, "tick")
    first, again, each = _alone_and_trial(run, place)
    place.scratch("catalog")
    what = f"sweep, a trial tick by tick, {days} days of {place.trades / days / 1e6:.1f} M trades, data prepared"
    alone = "the same from the command line, catalog built"
    reach, told = f"≤ {_REACH_OF_TICKS} of it", f"{each:.1f} s"
    return [
        Row(what, f"{alone}, {first:.1f} s", reach, f"{told}, {each / first:.2f}", each <= _REACH_OF_TICKS * first),
        Row(what, f"{alone}, a second time, {again:.1f} s", "–", f"{told}, {each / again:.2f}", None),
    ]


def _run(db: Path, catalog: Path, days: int, resolution: str) -> RunFile:
    return RunFile(
        name="swept",
        symbols=[SYMBOL],
        start=START,
        end=START + timedelta(days=days),
        resolution=resolution,
        data=DataSettings(db=db, catalog=catalog),
        strategies=[StrategySettings(use="LevelFade")],
    )


def _alone_and_trial(run: RunFile, place: Place) -> tuple[float, float, float]:
    """Seconds of a run alone for the first time and again, and of a trial."""
    values = run.model_dump(by_alias=True)

    def trial(turn: float) -> None:
        run_trial(Task(values, {"strategies.0.params.turn": turn}, run.resolution))

    first, again = (_seconds(lambda: run_backtest(run, place.scratch("results"))) for _ in range(2))
    trial(0.0025)
    each = min(_seconds(lambda turn=turn: trial(turn)) for turn in _TURNS)
    place.scratch("results")
    return first, again, each


def _seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun
