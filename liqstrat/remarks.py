"""What somebody who reads results must know, told as it is found: to whoever listens, as the command line does."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

_listeners: list[Callable[[str], object]] = []
#: What waits for results to tell it; None where nothing has to.
_waiting: list[str] | None = None


def listen(listener: Callable[[str], object]) -> None:
    """Hear every remark from now on."""
    _listeners.append(listener)


def remark(text: str, *, in_results: bool = False) -> None:
    """Tell something, in words; in_results: who asked will find it among the results, too, see `told_with_results`."""
    if in_results and _waiting is not None:
        _waiting.append(text)
        return
    for listener in _listeners:
        listener(text)


@contextmanager
def told_with_results() -> Iterator[Callable[[Iterable[str]], None]]:
    """Meanwhile what is found among the results waits for them, so that nobody reads it twice.

    The value is to be called with what the results have told; what they have not, is told at the end, whatever happens.
    """
    global _waiting
    waiting: list[str] = []
    told: set[str] = set()
    _waiting = waiting
    try:
        yield told.update
    finally:
        _waiting = None
        for text in waiting:
            if text not in told:
                remark(text)
