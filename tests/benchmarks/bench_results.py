"""How long it takes to list, filter and sort the results of a thousand runs."""

import json
import os
from pathlib import Path

from liqstrat.backtest.account.metrics import Metrics
from liqstrat.research.expression import read_condition
from liqstrat.research.listing import list_results, sort_rows
from tests.benchmarks.bench_start import processor_time
from tests.benchmarks.measure import Place, Row, best_of

_RUNS = 1000
_REACH = 1.0
_FILTER = "trades >= 30 and max_drawdown > -0.25"


def measure(place: Place) -> list[Row]:
    """The first look, later ones, and the command as a process of its own, in processor time."""
    folder = place.scratch("results")
    write(folder, _RUNS)
    first = best_of({"first": lambda: _look(folder)}, 1)["first"]
    later = best_of({"later": lambda: _look(folder)}, place.repeats)["later"]
    words = ["results", str(folder), "--filter", _FILTER, "--sort", "-sharpe"]
    typed = min(processor_time(words) for _ in range(place.repeats))
    return [
        Row(
            f"{_RUNS:,} results listed, filtered and sorted",
            "–",
            f"≤ {_REACH:g} s",
            f"`liqstrat results` {typed:.2f} s of processor time; the first look {first:.2f} s, later {later:.2f} s",
            max(typed, first, later) <= _REACH,
        )
    ]


def _look(folder: Path) -> None:
    listing = list_results(folder)
    condition = read_condition(_FILTER, listing.columns)
    rows = sort_rows([row for row in listing.rows if condition.holds(row)], ["-sharpe"], listing.columns)
    assert 0 < len(rows) < len(listing.rows) == _RUNS


def write(folder: Path, runs: int) -> None:
    """Results of so many runs, as far as they are listed."""
    for number in range(runs):
        run = folder / f"run-{number:04d}"
        run.mkdir(parents=True)
        moment = f"2026-01-{number % 28 + 1:02d}T{number % 24:02d}:00:00+00:00"
        about = {
            **dict.fromkeys(("created", "start", "end"), moment),
            "name": "run",
            "simulated": True,
            "symbols": ["BTCUSDT"],
            "resolution": "tick",
            "config": {"strategies": [{"use": "LevelFade"}]},
            "config_hash": "0" * 64,
            "data_hash": "0" * 64,
        }
        figures = dict.fromkeys(Metrics.__dataclass_fields__, number * 0.001)
        (run / "run.json").write_text(json.dumps(about, indent=2))
        (run / "metrics.json").write_text(json.dumps({**figures, "trades": number, "by_strategy": {"A": figures}}))
        for name in ("run.json", "metrics.json"):
            os.utime(run / name, (0, 0))
