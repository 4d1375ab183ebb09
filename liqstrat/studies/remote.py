"""What a worker of a cluster does: it has the catalog's folder, or a copy of it, and no database.

The folder is where the run file says, or else where LIQSTRAT_CATALOG says on the worker's machine.
"""

import gc
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from liqstrat.app import Prepared, with_run
from liqstrat.catalog.copies import require_copy
from liqstrat.catalog.kept import code_hash
from liqstrat.errors import LiqstratError, StrategyError
from liqstrat.research.code import Code
from liqstrat.studies.kept import known, place_of, remember, unpickled, write
from liqstrat.studies.sent_code import learn
from liqstrat.studies.trial import Outcome, Task, run_of, run_prepared

CATALOG = "LIQSTRAT_CATALOG"
#: The engine's objects stay in the thread that made them, and replays share the process's memory: one at a time.
_turn = threading.Lock()
#: What was found whole in this process, by what was prepared for it.
_checked: set[Path] = set()


@dataclass(frozen=True)
class Errand:
    """A task for a worker elsewhere.

    key: of what is prepared for it. catalog: the print of what the catalog must have. code: of this package and its
    libraries, by their hash. modules: of the user's strategies.
    """

    task: Task
    key: str
    catalog: str
    code: str
    modules: Sequence[Code] = ()


def run_errand(errand: Errand, sent: bytes | None = None) -> Outcome | None:
    """Run a task; None where what is prepared for it is not here and was not sent along.

    Raises `LiqstratError`, with the name of this machine, where code or catalog are not as they must be.
    """
    from distributed import get_worker

    with _turn, _unwatched(get_worker), _garbage_kept():
        try:
            return _run(errand, sent)
        except StrategyError as error:
            failed: LiqstratError = StrategyError(str(error))
        except LiqstratError as error:
            failed = LiqstratError(f"the worker on {socket.gethostname()}: {error}")
        # The first one has frames, and these the engine's objects: gone before another thread can free them.
        gc.collect()
    raise failed


def _run(errand: Errand, sent: bytes | None) -> Outcome | None:
    if code_hash() != errand.code:
        raise LiqstratError(
            "has another version of liqstrat, or of what it reckons with, than who gives out the work: install the same"
        )
    learn(errand.modules)
    task = _here(errand.task)
    run = run_of(task)
    if isinstance(run, Outcome):
        return run
    place = place_of(run, errand.key)
    prepared = known(place) or _arrived(place, errand, sent)
    if prepared is None:
        return None
    if place not in _checked:
        require_copy(run.data.catalog, run.symbols, run.start, run.end, errand.catalog)
        _checked.add(place)
    return run_prepared(task, with_run(prepared, run))


def _here(task: Task) -> Task:
    """With the catalog where it is on this machine."""
    place = os.environ.get(CATALOG)
    if not place:
        return task
    data: Mapping[str, Any] = {**task.values["data"], "catalog": Path(place)}
    return replace(task, values={**task.values, "data": data})


def _arrived(place: Path, errand: Errand, sent: bytes | None) -> Prepared | None:
    prepared = None if sent is None else unpickled(sent)
    if prepared is not None and sent is not None:
        remember(place, prepared)
        if errand.task.keep:
            write(place, sent)
    return prepared


@contextmanager
def _unwatched(get_worker: Callable[[], Any]) -> Iterator[None]:
    """Have Dask's profiler not look at what this thread does: it holds the frames that it sees in a thread of its own,
    which frees the engine's objects if it is the last to leave them."""
    try:
        worker = get_worker()
    except ValueError:
        # Nobody watches where there is no worker.
        yield
        return
    own = threading.get_ident()
    with worker.active_threads_lock:
        task = worker.active_threads.pop(own)
    try:
        yield
    finally:
        with worker.active_threads_lock:
            worker.active_threads[own] = task


@contextmanager
def _garbage_kept() -> Iterator[None]:
    """Have no other thread of the worker free what the engine has left."""
    usual = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if usual:
            gc.enable()
