"""Runs beside the trials, given out to workers, whose outcomes are kept in a file so that none is run twice."""

import json
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import asdict
from pathlib import Path

from loky.process_executor import TerminatedWorkerError

from liqstrat.errors import LiqstratError, StrategyError
from liqstrat.held import alone
from liqstrat.progress import SILENT, Progress
from liqstrat.studies.trial import Outcome, Task
from liqstrat.studies.workers import Workers

_MOST_KILLED = 3


def run_all(
    wanted: Mapping[str, Task], kept: Path, what: str, hands: Workers, progress: Progress = SILENT
) -> dict[str, Outcome]:
    """The outcomes of all tasks by their names, which `kept` knows of before or after; `what` is told as they are run.

    Who else asks for the same waits until they are there.
    """
    with alone(kept.with_suffix(".lock"), lambda _: None):
        found = outcomes_in(kept)
        todo = [name for name in wanted if name not in found]
        running: dict[Future[Outcome], str] = {}
        killed: dict[str, int] = {}
        with progress.task(what, total=len(todo), unit="runs") as step, kept.open("a", encoding="utf-8") as file:
            while todo or running:
                while todo and len(running) < hands.count:
                    name = todo.pop(0)
                    running[hands.submit(wanted[name])] = name
                for future in wait(running, timeout=1.0, return_when=FIRST_COMPLETED).done:
                    name = running.pop(future)
                    try:
                        found[name] = future.result()
                    except TerminatedWorkerError:
                        killed[name] = killed.get(name, 0) + 1
                        if killed[name] > _MOST_KILLED:
                            raise LiqstratError(
                                f"{what}: the worker of {name} was killed {_MOST_KILLED + 1} times; was there too "
                                "little memory? --workers 1 takes less"
                            ) from None
                        todo += [name, *running.values()]
                        running.clear()
                        hands.end()
                        break
                    except StrategyError as error:
                        raise StrategyError(f"{what}, {name}: {error}") from None
                    file.write(json.dumps([name, asdict(found[name])]) + "\n")
                    file.flush()
                    step(1)
                step(0)
    return {name: found[name] for name in wanted}


def outcomes_in(kept: Path) -> dict[str, Outcome]:
    """What the file knows, by name; a line that was not written to its end is as good as none."""
    if not kept.exists():
        return {}
    content = kept.read_text(encoding="utf-8")
    whole = content[: content.rfind("\n") + 1]
    if whole != content:
        kept.write_text(whole, encoding="utf-8")
    return {name: Outcome(**outcome) for name, outcome in map(json.loads, whole.splitlines())}
