"""How long it takes until the program says what it can do."""

import os
import subprocess
import sys

from liqstrat.cli import COMMANDS
from tests.benchmarks.measure import Place, Row

_REACH = 0.4


def measure(place: Place) -> list[Row]:
    """Processor time of `--help` and of every command's, each a process of its own; the best of some."""
    pages = [[], *([command] for command in COMMANDS)]
    seconds = {" ".join(["liqstrat", *page]): _best(page, place.repeats) for page in pages}
    slowest = max(seconds, key=lambda page: seconds[page])
    whole = seconds["liqstrat"]
    return [
        Row(
            "`liqstrat --help`, and every command's",
            "–",
            f"< {_REACH:g} s of processor time",
            f"{whole:.2f} s; the slowest is `{slowest} --help` with {seconds[slowest]:.2f} s",
            seconds[slowest] < _REACH,
        )
    ]


def _best(page: list[str], times: int) -> float:
    """With one more before, after which Python has compiled what it imports, where it may keep that."""
    return min([processor_time([*page, "--help"]) for _ in range(times + 1)][1:])


def processor_time(arguments: list[str]) -> float:
    """Seconds of processor time that the program takes with `arguments`."""
    before = os.times()
    subprocess.run([sys.executable, "-m", "liqstrat", *arguments], check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system
