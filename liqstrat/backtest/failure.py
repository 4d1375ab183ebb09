"""Errors raised inside callbacks, which the engine would only log: kept, and raised again after the run."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any


class Failures:
    """The first error of a run, and whether there was one: `any`."""

    def __init__(self) -> None:
        self.any = False
        self._first: BaseException | None = None

    def keep(self, error: BaseException) -> None:
        """Remember an error, if it is the first."""
        if not self.any:
            self.any, self._first = True, error

    def raise_first(self) -> None:
        """Raise it, with the traceback it had."""
        # Not kept any longer: its traceback refers to the component, and the component to this object. Nautilus's part
        # of a component is invisible to the garbage collector, so such a circle would never be freed.
        error, self._first = self._first, None
        if error is not None:
            try:
                raise error
            finally:
                del error

    @contextmanager
    def keeping_interrupts(self) -> Iterator[None]:
        """Keep an interrupt from the keyboard too; a second one is raised where it comes.

        While the engine runs, an interrupt would come up on entering some callback, before that could catch it.
        """
        usual = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is not threading.main_thread() or usual is not signal.default_int_handler:
            yield
            return
        signal.signal(signal.SIGINT, self._interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, usual)

    def _interrupt(self, *_: object) -> None:
        if self.any:
            raise KeyboardInterrupt
        self.keep(KeyboardInterrupt())


def guarded[**P, R](method: Callable[P, R]) -> Callable[P, R | None]:
    """Make a callback of an actor or strategy end the run with its error; `failures` must be an attribute of it."""

    @wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> R | None:
        component: Any = args[0]
        failures: Failures = component.failures
        try:
            if not failures.any:
                return method(*args, **kwargs)
        except BaseException as error:
            failures.keep(error)
        component.shutdown_system("the run has failed")
        return None

    return call
