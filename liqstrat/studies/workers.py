"""Who runs the trials: this process itself, some of its own, or those of a cluster."""

import os
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any, Protocol

from loky import ProcessPoolExecutor
from loky.process_executor import TerminatedWorkerError

from liqstrat.studies.trial import Outcome, Task, ignore_interrupts, run_trial

#: A worker that has nothing to do ends after so many seconds, also where nobody is left to tell it.
_IDLE_SECONDS = 60.0


class Workers(Protocol):
    """Those who run what is given to them, so many at a time."""

    @property
    def count(self) -> int:
        """How many there are now."""

    def submit(self, task: Task) -> "Future[Outcome]":
        """Give a task to one of them."""

    def end(self) -> None:
        """End now whatever they do; what is given to them then begins anew."""


class OwnWorkers:
    """So many processes of this one, made when they are first needed and again when one of them was killed; a single
    worker is this process itself."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool: Any = None

    @property
    def count(self) -> int:
        return self._count

    def submit(self, task: Task) -> "Future[Outcome]":
        if self._pool is None:
            self._pool = _Here() if self._count == 1 else _processes(self._count)
        try:
            found: Future[Outcome] = self._pool.submit(run_trial, task)
        except TerminatedWorkerError as error:
            # One was killed that had nothing to do, or whose end nobody has been told of yet.
            found = Future()
            found.set_exception(error)
        return found

    def end(self) -> None:
        if self._pool is not None and self._count > 1:
            self._pool.shutdown(wait=True, kill_workers=True)
        self._pool = None


@contextmanager
def working(workers: int | None = None, scheduler: str | None = None) -> Iterator[Workers]:
    """So many workers of this machine (default: one a core), or those of the Dask scheduler at an address; whatever
    they do ends with the block.

    Raises `LiqstratError` where no scheduler answers, or its library is not installed.
    """
    hands: Workers
    if scheduler is None:
        hands = OwnWorkers(workers or os.process_cpu_count() or 1)
    else:
        from liqstrat.studies.cluster import ClusterWorkers

        hands = ClusterWorkers(scheduler)
    try:
        yield hands
    finally:
        hands.end()


class _Here(Executor):
    """Runs what it is given at once, in this process."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """What has been run; an error in it is kept, an interrupt is raised."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def _processes(count: int) -> Any:
    return ProcessPoolExecutor(count, timeout=_IDLE_SECONDS, initializer=ignore_interrupts)
