"""Errors raised inside callbacks, which the engine would only log: kept, and raised again after the run."""

from collections.abc import Callable
from functools import wraps
from typing import Any


class Failures:
    """The first error of a run."""

    def __init__(self) -> None:
        self.first: BaseException | None = None

    def raise_first(self) -> None:
        """Raise it, with the traceback it had."""
        if self.first is not None:
            raise self.first


def guarded[**P, R](method: Callable[P, R]) -> Callable[P, R | None]:
    """Make a callback of an actor or strategy end the run with its error; `failures` must be an attribute of it.

    An interrupt from the keyboard arrives in some callback too, so it is kept like any error.
    """

    @wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> R | None:
        component: Any = args[0]
        try:
            return method(*args, **kwargs) if component.failures.first is None else None
        except BaseException as error:
            component.failures.first = error
            component.shutdown_system(repr(error))
            return None

    return call
