"""What the tests of the engine share."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def _collected() -> Iterator[None]:
    """The engine's objects complain when they are freed by another thread than theirs; the collector runs in any."""
    yield
    gc.collect()
