"""The app behind a real port, and pages of it in a headless Chromium that notes what goes wrong."""

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright

from liqstrat.serve.app import create_app

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PATIENCE_MS = 60_000


@contextmanager
def serving(catalog: Path, results: Path, configs: Path) -> Iterator[str]:
    """The address of an app that serves these folders."""
    app = create_app(catalog, results, configs)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.02)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
            app.state.served.close()


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser; the test is skipped where there is none."""
    found = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(_BROWSERS)} is on PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, address: str, width: int = 1400, scheme: Any = "dark") -> Iterator[Page]:
    """A page that is loaded; fails where anything was said on the console, thrown, or asked of elsewhere."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, accept_downloads=True)
    page, wrong = context.new_page(), []
    page.set_default_timeout(_PATIENCE_MS)
    page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    home = "/".join(address.split("/")[:3])
    page.on("request", lambda one: None if one.url.startswith((home, "data:", "blob:")) else wrong.append(one.url))
    page.goto(address)
    settle(page)
    try:
        yield page
        assert not wrong, "\n".join(wrong)
    finally:
        context.close()


def settle(page: Page) -> None:
    """Wait until a page asks for nothing more and has drawn."""
    page.wait_for_load_state("networkidle")
    until(page, "!document.querySelector('.state.busy')")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def until(page: Page, expression: str) -> None:
    """Wait until an expression is true; Playwright's own way is what a page's policy forbids."""
    patience = time.monotonic() + _PATIENCE_MS / 1000
    while not page.evaluate(f"() => Boolean({expression})"):
        assert time.monotonic() < patience, expression
        page.wait_for_timeout(50)
