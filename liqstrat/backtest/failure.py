"""Errors raised inside callbacks, which the engine would only log: kept, and raised again after the run."""

import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any

from liqstrat.ending import note, on_signal
from liqstrat.errors import LiqstratError, StrategyError
from liqstrat.moments import at_ns

#: Where our own code lies, and that of the engine: a user's mistake is elsewhere.
_OURS = Path(__file__).resolve().parents[1]
_STRATEGIES = _OURS / "strategies"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_INTERRUPTING = (signal.default_int_handler, on_signal)


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
        """Keep a signal that would interrupt the program too; a second one is raised where it comes.

        While the engine runs, an interrupt would come up on entering some callback, before that could catch it.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        usual = {number: handler for number in _SIGNALS if (handler := signal.getsignal(number)) in _INTERRUPTING}
        for number in usual:
            signal.signal(number, self._interrupt)
        try:
            yield
        finally:
            for number, handler in usual.items():
                signal.signal(number, handler)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self.any:
            on_signal(number, frame)
        note(number)
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
        except Exception as error:
            failures.keep(_told(error, component))
        except BaseException as error:
            failures.keep(error)
        component.shutdown_system("the run has failed")
        return None

    return call


def _told(error: Exception, component: Any) -> Exception:
    """An error that was raised in a strategy's own code, in words for who wrote it; any other as it is."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_a_user_s(frame.filename)]
    if isinstance(error, LiqstratError) or not frames or not hasattr(component, "label"):
        return error
    moment = at_ns(component.clock.timestamp_ns())
    lines = [f"  {frame.filename}:{frame.lineno} in {frame.name}: {frame.line}" for frame in frames]
    what = traceback.format_exception_only(error)[-1].strip()
    told = StrategyError(
        "\n".join([f"strategy {component.label} failed at {moment:%Y-%m-%d %H:%M:%S}: {what}", *lines])
    )
    told.__cause__ = error
    return told


def _is_a_user_s(filename: str) -> bool:
    path = Path(filename).resolve()
    if _STRATEGIES in path.parents:
        return True
    return _OURS not in path.parents and "site-packages" not in path.parts and not filename.startswith("<")
