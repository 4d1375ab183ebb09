"""A run in a process of its own: what `liqstrat serve` starts, and hears of line by line as JSON."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from liqstrat.ending import raise_if_asked, run
from liqstrat.errors import LiqstratError
from liqstrat.progress import Progress, Step

_EVERY_SECONDS = 0.2


class _Told(Progress):
    """Says how far a task is, some times a second."""

    @contextmanager
    def task(self, name: str, total: float | None = None, unit: str = "", before: float = 0.0) -> Iterator[Step]:
        done, said = before, 0.0

        def step(more: float, told: str = "") -> None:
            nonlocal done, said
            raise_if_asked()
            done += more
            if time.monotonic() - said >= _EVERY_SECONDS:
                said = time.monotonic()
                _say({"task": name, "done": done, "total": total, "unit": unit})

        _say({"task": name, "done": done, "total": total, "unit": unit})
        yield step
        _say({"task": name, "done": done, "total": total if total is None else done, "unit": unit})


def _say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _work() -> None:
    from liqstrat.app import run_backtest
    from liqstrat.run_file import load_run_file

    run_file, results = map(Path, sys.argv[1:3])
    try:
        folder = run_backtest(load_run_file(run_file), results, _Told())
    except LiqstratError as error:
        _say({"error": str(error).replace(str(run_file), run_file.name)})
        raise
    _say({"run": folder.name})


if __name__ == "__main__":
    run(_work, at_last=True)
