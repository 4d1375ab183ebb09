"""Draw the pictures of README and docs anew, from the demo: `uv run poe pictures`."""

import contextlib
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page

from liqstrat.demo import DemoResult, run_demo
from tests.serve.browsing import chromium, opened, serving

_DOCS = Path(__file__).parents[1] / "docs"
_WIDTH, _HEIGHT, _REPORT_HEIGHT = 1400, 860, 2560
#: Where the pointer stands, so that a picture shows what it tells: right and down, as shares of the chart.
_ON_MAP, _ON_HEATMAP = (0.37, 0.62), (0.5, 0.28)


def main() -> None:
    """Run the demo in a folder of its own and take a picture of two pages and of a report."""
    with (
        tempfile.TemporaryDirectory(prefix="liqstrat-pictures-") as aside,
        contextlib.chdir(aside),
        chromium() as browser,
    ):
        made = run_demo(Path())
        with serving(Path("catalog"), Path("results"), Path("configs")) as address:
            _pages(browser, address, made)


def _pages(browser: Browser, address: str, made: DemoResult) -> None:
    run = made.folders["magnet"].name
    with opened(browser, f"{address}/map", _WIDTH) as page:
        _take(page, "map", _ON_MAP)
    with opened(browser, f"{address}/heatmap?run={run}", _WIDTH) as page:
        _take(page, "heatmap", _ON_HEATMAP)
    with opened(browser, f"{address}/runs/{made.folders['fade'].name}/report", _WIDTH) as page:
        page.locator(".plot .main-svg").first.wait_for()
        page.set_viewport_size({"width": _WIDTH, "height": _REPORT_HEIGHT})
        page.wait_for_timeout(1000)
        page.screenshot(path=_DOCS / "report.png")


def _take(page: Page, name: str, pointer: tuple[float, float]) -> None:
    page.set_viewport_size({"width": _WIDTH, "height": _HEIGHT})
    page.wait_for_timeout(500)
    box = page.locator("#stage canvas").last.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + pointer[0] * box["width"], box["y"] + pointer[1] * box["height"])
    page.wait_for_timeout(500)
    page.screenshot(path=_DOCS / f"{name}.png")


if __name__ == "__main__":
    main()
