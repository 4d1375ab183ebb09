"""Who runs the trials: this process itself, or some of its own."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from loky import ProcessPoolExecutor

from liqstrat.studies.trial import ignore_interrupts

#: A worker that has nothing to do ends after so many seconds, also where nobody is left to tell it.
_IDLE_SECONDS = 60.0


class Here(Executor):
    """Runs what it is given at once, in this process."""

    def submit[T](self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """What has been run; an error in it is kept, an interrupt is raised."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Workers:
    """So many workers, made when they are first needed and again when one of them was killed."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool: Any = None

    def submit[T](self, fn: Callable[..., T], *args: Any) -> "Future[T]":
        if self._pool is None:
            self._pool = Here() if self.count == 1 else _processes(self.count)
        found: Future[T] = self._pool.submit(fn, *args)
        return found

    def end(self) -> None:
        """End them now, whatever they do."""
        if self._pool is not None and self.count > 1:
            self._pool.shutdown(wait=True, kill_workers=True)
        self._pool = None


def _processes(count: int) -> Any:
    return ProcessPoolExecutor(count, timeout=_IDLE_SECONDS, initializer=ignore_interrupts)
