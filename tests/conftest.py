"""What tests share: where real market data lies, when it is there."""

import gc
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real exchange files beside the project; tests that need it are skipped without it."""
    path = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not path.is_dir():
        pytest.skip("no real market data beside the project")
    return path


def pytest_unconfigure() -> None:
    """Hypothesis leaves a callback with the garbage collector, which then frees less at exit: DuckDB would complain."""
    gc.callbacks.clear()
