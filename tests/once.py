"""What is dear to make and the same for all tests: made by one of the processes that run them, used by all."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

_LONGEST_SECONDS = 300


def made_once(temporary: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that `make` has filled, in one of the processes; the others wait for it."""
    base = temporary.getbasetemp()
    # Processes have folders of their own beside each other.
    shared = base.parent if base.name.startswith("popen-") else base
    folder, claim, done = (shared / f"{name}{suffix}" for suffix in ("", ".claim", ".done"))
    try:
        claim.mkdir()
    except FileExistsError:
        waited_until = time.monotonic() + _LONGEST_SECONDS
        while not done.exists():
            if time.monotonic() > waited_until:
                raise TimeoutError(f"another process has not made {folder}") from None
            time.sleep(0.1)
        return folder
    make(folder)
    done.touch()
    return folder
