"""Trials of a sweep against the same runs alone, on minute bars of a year; by processor time."""

import time
from collections.abc import Callable
from datetime import timedelta

from liqstrat.app import run_backtest
from liqstrat.config import DataSettings, RunFile, StrategySettings
from liqstrat.studies.trial import Task, run_trial
from tests.benchmarks.measure import Place, Row, own_peak_memory
from tests.benchmarks.tape import START, SYMBOL

_REACH = 0.2
#: Of a trial, seconds: two hundred on two cores in ten minutes.
_REACH_SECONDS = 6.0
_MEMORY_MB = 2000.0
_TURNS = (0.002, 0.003)


def measure(place: Place) -> list[Row]:
    """A trial, once what it needs is prepared, against a run from the database to its report."""
    run = RunFile(
        name="year",
        symbols=[SYMBOL],
        start=START,
        end=START + timedelta(days=365),
        resolution="1m",
        data=DataSettings(db=place.year, catalog=place.folder / "catalog-year"),
        strategies=[StrategySettings(use="LevelFade")],
    )
    values = run.model_dump(by_alias=True)

    def trial(turn: float) -> None:
        run_trial(Task(values, {"strategies.0.params.turn": turn}, "year"))

    run_backtest(run, place.scratch("results"))
    alone = _seconds(lambda: run_backtest(run, place.scratch("results")))
    trial(0.0025)
    each = min(_seconds(lambda turn=turn: trial(turn)) for turn in _TURNS)
    peak = own_peak_memory() / 2**20
    place.scratch("results")
    what = "sweep, a trial of 1 m bars of a year, data prepared"
    return [
        Row(what, "the same from the command line, catalog built", f"≤ {_REACH} of it", f"{each / alone:.2f}", None),
        Row(what, "–", f"under {_REACH_SECONDS:.0f} s", f"{each:.1f} s", each < _REACH_SECONDS),
        Row("sweep, memory of a worker", "–", f"under {_MEMORY_MB:,.0f} MB", f"{peak:,.0f} MB", peak < _MEMORY_MB),
    ]


def _seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun
