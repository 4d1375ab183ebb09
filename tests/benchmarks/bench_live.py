"""From the exchange's message to the picture in the browser: map and heatmap of a market as it runs."""

from datetime import date
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser

from liqstrat.market.ingest import ingest
from liqstrat.market.simulator import SimulationSettings, simulate
from tests.benchmarks.measure import Place, Row
from tests.live.conftest import SYMBOL
from tests.serve.browsing import chromium, until
from tests.serve.live_market import Market

_SPEED, _SECONDS = 20, 90
_QUICK = SimulationSettings(trades=40_000, warmup_days=6, step_seconds=20)
#: The frame after the one that draws has what was drawn.
_NOTE = """
window.pictures = [];
addEventListener("drawn", ({ detail }) => requestAnimationFrame(() => {
  const now = (performance.timeOrigin + performance.now()) / 1000;
  if (detail && pictures.at(-1)?.[0] !== detail) pictures.push([detail, now]);
}));
"""


def measure(place: Place) -> list[Row]:
    """One row a page."""
    archive = place.once("live-archive", _simulate)
    database = place.once("live.duckdb", lambda path: ingest([archive], path))
    with chromium() as browser:
        return [_row(place, archive, database, browser, name) for name in ("map", "heatmap")]


def _simulate(folder: Path) -> None:
    simulate(folder, SYMBOL, days=2, seed=1, start=date(2024, 3, 1), settings=_QUICK)


def _row(place: Place, archive: Path, database: Path, browser: Browser, name: str) -> Row:
    folder = place.scratch(f"live-{name}")
    folder.mkdir(parents=True)
    sent = folder / "sent.txt"
    market = Market(folder, archive, database, "--speed", str(_SPEED), "--sent", str(sent))
    try:
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.add_init_script(_NOTE)
        page.goto(f"http://127.0.0.1:{market.port}/{name}?live=1")
        until(page, "window.live?.state === 'live' && window.shown")
        page.wait_for_timeout(3000)
        page.evaluate("pictures.length = 0")
        page.wait_for_timeout(_SECONDS * 1000)
        pictures = page.evaluate("pictures")
        page.close()
        at = {int(number): float(time) for number, time in map(str.split, sent.read_text().splitlines())}
    finally:
        market.close()
    late = np.array([time - at[number] for number, time in pictures if number in at]) * 1000
    half, most = np.percentile(late, [50, 99])
    return Row(
        f"exchange's message to the picture, {name} page",
        "–",
        "–",
        f"median {half:.0f} ms, 99 % within {most:.0f} ms ({len(late):,} pictures)",
    )
