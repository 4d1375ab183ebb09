"""How long it takes until the program says what it can do, and until a changed run has its report."""

import os
import subprocess
import sys
from pathlib import Path

from liqstrat.cli import COMMANDS
from liqstrat.demo import SYMBOL
from tests.benchmarks.measure import Place, Row

_REACH = 0.4


def measure(place: Place) -> list[Row]:
    """Processor time of `--help` and of every command's, each a process of its own; the best of some."""
    pages = [[], *([command] for command in COMMANDS)]
    seconds = {" ".join(["liqstrat", *page]): _best(page, place.repeats) for page in pages}
    slowest = max(seconds, key=lambda page: seconds[page])
    whole = seconds["liqstrat"]
    return [
        *_again(place),
        Row(
            "`liqstrat --help`, and every command's",
            "–",
            f"< {_REACH:g} s of processor time",
            f"{whole:.2f} s; the slowest is `{slowest} --help` with {seconds[slowest]:.2f} s",
            seconds[slowest] < _REACH,
        ),
    ]


def _again(place: Place) -> list[Row]:
    """The demo's run of six days, of which only a parameter of the strategy has changed since the last time."""
    run_file = Path("catalog", "demo", f"{SYMBOL}-7d-seed1", "fade.toml")
    rows = []
    for resolution, reach in (("1m", 4.0), ("tick", 10.0)):
        seconds = []
        for number in range(place.repeats + 1):
            changed = f"strategies.0.params.turn={0.002 + number / 10_000:.4f}"
            arguments = ["backtest", str(run_file), "--resolution", resolution, "--set", changed]
            seconds.append(processor_time([*arguments, "--out", str(place.scratch("again"))], place.demo))
        rows.append(
            Row(
                f"a run of six days again, another parameter, resolution {resolution}",
                "–",
                f"< {reach:g} s of processor time",
                f"{min(seconds[1:]):.2f} s",
                min(seconds[1:]) < reach,
            )
        )
    place.scratch("again")
    return rows


def _best(page: list[str], times: int) -> float:
    """With one more before, after which Python has compiled what it imports, where it may keep that."""
    return min([processor_time([*page, "--help"]) for _ in range(times + 1)][1:])


def processor_time(arguments: list[str], folder: Path | None = None) -> float:
    """Seconds of processor time that the program takes with `arguments`, typed in `folder`."""
    before = os.times()
    subprocess.run(
        [sys.executable, "-m", "liqstrat", *arguments],
        check=True,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system
