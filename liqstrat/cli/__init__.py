"""The command line: each module has commands of one subject, and what they print.

A module is read whenever the program starts, so what takes time to import is imported in the command that needs it.
"""

from collections.abc import Callable

from liqstrat.cli import (
    bench,
    calibrate,
    compare,
    events,
    history,
    inspect,
    levels,
    paper,
    price,
    record,
    results,
    runs,
    score,
    serve,
    signals,
    studies,
    watch,
)
from liqstrat.cli.program import app
from liqstrat.ending import run

_BY_SUBJECT: dict[str, list[Callable[..., None]]] = {
    "Start": [runs.demo],
    "History": [
        history.simulate,
        history.download,
        history.ingest,
        history.brackets,
        history.instruments,
        record.record,
        inspect.inspect,
        history.catalog,
    ],
    "Levels": [price.price, levels.levels, levels.heatmap, signals.signals, watch.watch],
    "Models": [score.score, events.events, calibrate.calibrate, bench.bench_model],
    "Pages": [serve.serve],
    "Runs": [runs.backtest, paper.paper, paper.parity, results.results, compare.compare],
    "Studies": [studies.sweep, studies.walk_forward, studies.holdout],
}
#: Every command's name, in the order of the help.
COMMANDS = [command.__name__.replace("_", "-") for commands in _BY_SUBJECT.values() for command in commands]

for _subject, _commands in _BY_SUBJECT.items():
    for _command in _commands:
        app.command(rich_help_panel=_subject)(_command)


def command() -> None:
    """Run the command that was typed."""
    app()


def main() -> None:
    """Run the command line and leave the program, see `ending.run`."""
    run(command)
