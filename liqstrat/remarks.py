"""What somebody who reads results must know, told as it is found: to whoever listens, as the command line does."""

from collections.abc import Callable

_listeners: list[Callable[[str], object]] = []


def listen(listener: Callable[[str], object]) -> None:
    """Hear every remark from now on."""
    _listeners.append(listener)


def remark(text: str) -> None:
    """Tell something, in words."""
    for listener in _listeners:
        listener(text)
