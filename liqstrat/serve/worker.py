"""A run or an event study in a process of its own: what `liqstrat serve` starts, and hears of line by line as JSON."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from liqstrat.ending import raise_if_asked, run
from liqstrat.errors import LiqstratError
from liqstrat.progress import Progress, Step

if TYPE_CHECKING:
    from liqstrat.config import RunFile

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
    from liqstrat.run_file import load_run_file

    kind, run_file, results = sys.argv[1], *map(Path, sys.argv[2:4])
    try:
        if kind == "run":
            from liqstrat.app import run_backtest

            _say({"run": run_backtest(load_run_file(run_file), results, _Told()).name})
        else:
            _study(load_run_file(run_file), results)
    except LiqstratError as error:
        _say({"error": str(error).replace(str(run_file), run_file.name)})
        raise


def _study(run: "RunFile", results: Path) -> None:
    """What happens at the levels of a run file's markets, in its time and by its model."""
    from liqstrat.events.saved import save
    from liqstrat.events.study import study_events
    from liqstrat.market.store import open_store

    warmup = timedelta(days=run.data.warmup_days)
    with open_store(run.data.db, files=run.data.allow_files) as store:
        for symbol in run.symbols:
            study = study_events(store, symbol, run.start, run.end, run.model, warmup=warmup, progress=_Told())
            _say({"study": save(study, results).name})


if __name__ == "__main__":
    run(_work, at_last=True)
