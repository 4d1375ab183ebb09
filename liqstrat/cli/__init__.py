"""The command line: each module has commands of one subject, and what they print.

A module is read whenever the program starts, so what takes time to import is imported in the command that needs it.
"""

import sys
from collections.abc import Callable

from liqstrat.cli import bench, calibrate, history, inspect, levels, price, runs, score
from liqstrat.cli.program import app, err
from liqstrat.errors import LiqstratError

_BY_SUBJECT: dict[str, list[Callable[..., None]]] = {
    "Start": [runs.demo],
    "History": [
        history.simulate,
        history.download,
        history.ingest,
        history.brackets,
        history.instruments,
        inspect.inspect,
        history.catalog,
    ],
    "Levels": [price.price, levels.levels, levels.heatmap],
    "Models": [score.score, calibrate.calibrate, bench.bench_model],
    "Runs": [runs.backtest],
}
#: Every command's name, in the order of the help.
COMMANDS = [command.__name__.replace("_", "-") for commands in _BY_SUBJECT.values() for command in commands]

for _subject, _commands in _BY_SUBJECT.items():
    for _command in _commands:
        app.command(rich_help_panel=_subject)(_command)


def main() -> None:
    """Run the command line: exit code 0 done, 1 failed, 2 wrong usage."""
    try:
        app()
    except LiqstratError as error:
        err.print(f"error: {error}", markup=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        err.print("stopped; run the same command again to go on")
        sys.exit(1)
