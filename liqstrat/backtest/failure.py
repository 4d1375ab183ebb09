"""Errors raised inside callbacks, which the engine would only log: kept, and raised again after the run."""

from collections.abc import Callable
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


def guarded[**P, R](method: Callable[P, R]) -> Callable[P, R | None]:
    """Make a callback of an actor or strategy end the run with its error; `failures` must be an attribute of it.

    An interrupt from the keyboard arrives in some callback too, so it is kept like any error.
    """

    @wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> R | None:
        component: Any = args[0]
        try:
            return None if component.failures.any else method(*args, **kwargs)
        except BaseException as error:
            component.failures.keep(error)
            component.shutdown_system(repr(error))
            return None

    return call
