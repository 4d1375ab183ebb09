"""What the report's tests share: a real run's results to change, and a browser."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.report.browser import Browser

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

Browse = Callable[[Path, int, str], Any]


@pytest.fixture
def results(demo_results: Path, tmp_path: Path) -> Path:
    """A copy of a real run's results that a test may change."""
    return Path(shutil.copytree(demo_results, tmp_path / "results"))


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Headless Chromium."""
    chromium = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if chromium is None:
        pytest.skip(f"no browser: none of {', '.join(_BROWSERS)} is on PATH")
    with Browser(chromium, tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture(scope="session")
def browse(browser: Browser) -> Browse:
    """Open a page at a width, run JavaScript in it and return its answer.

    Fails where the page says anything on the console, breaks or wants something from elsewhere.
    """

    def ask(page: Path, width: int, script: str) -> Any:
        found, wrong = browser.ask(page, width, script)
        assert wrong == []
        return found

    return ask
