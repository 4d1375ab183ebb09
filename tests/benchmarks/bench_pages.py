"""How long pages take in a headless Chromium without graphics card: results of two thousand runs, each page of a
generated history, and frames a second of a heatmap that is moved."""

import time

from playwright.sync_api import Browser, Page

from tests.benchmarks import bench_results
from tests.benchmarks.measure import Place, Row
from tests.serve.browsing import chromium, opened, serving, settle, until

_RUNS = 2000
_PAGES = ("map", "heatmap", "compare", "liquidations")
_FRAMES = """async () => {
  const place = document.getElementById("scroller"), taken = [];
  let last = performance.now();
  for (let at = 0; at < 120; at++) {
    place.scrollTop += 120;
    await new Promise(requestAnimationFrame);
    taken.push(performance.now() - last);
    last = performance.now();
  }
  taken.sort((one, other) => one - other);
  return [taken[60], taken[114]];
}"""

_CELLS = (
    "(await (await fetch('/liquidations/heatmap?symbol=BTCUSDT&window=7d&interval={}')).json()).notional.flat().length"
)
# The wheel turns, or the picture is dragged to and fro, in every frame, so that none is drawn for nothing.
_MOVING = """async (drag) => {
  const canvas = document.querySelector("#stage canvas:last-of-type"), box = canvas.getBoundingClientRect(), taken = [];
  const [x, y] = [box.left + box.width / 3, box.top + box.height / 3];
  const at = { clientX: x, clientY: y, cancelable: true, pointerId: 1 };
  const send = (Kind, name, more) => canvas.dispatchEvent(new Kind(name, { ...at, ...more }));
  if (drag) send(PointerEvent, "pointerdown", {});
  await new Promise(requestAnimationFrame);
  for (let number = 0, last = performance.now(); number < 240; number++) {
    const way = Math.floor(number / 40) % 2 ? 1 : -1, far = way * (20 - (number % 40));
    if (drag) send(PointerEvent, "pointermove", { clientX: x + 6 * far, clientY: y + far });
    else send(WheelEvent, "wheel", { deltaY: way * 25 });
    await new Promise(requestAnimationFrame);
    taken.push(performance.now() - last);
    last = performance.now();
  }
  if (drag) send(PointerEvent, "pointerup", {});
  const mean = taken.reduce((sum, one) => sum + one) / taken.length;
  taken.sort((one, other) => one - other);
  return [1000 / mean, taken[120], taken[228]];
}"""


def measure(place: Place) -> list[Row]:
    """Wall time: a page waits for the server, and a reader for both."""
    results = place.scratch("many-results")
    bench_results.write(results, _RUNS)
    nothing = place.scratch("no-configs")
    with chromium() as browser:
        with serving(nothing, results, nothing) as address:
            rows = [_results(browser, address)]
        house = place.scratch("pages")
        house.mkdir()
        (house / "market.duckdb").symlink_to(place.database.resolve())
        with serving(house, nothing, nothing) as address:
            rows += [_page(browser, address, name, place.trades) for name in _PAGES]
        with serving(place.demo / "catalog", nothing, nothing) as address:
            rows += [_moved(browser, address, every) for every in ("30m", "15m", "5m")]
    return rows


def _results(browser: Browser, address: str) -> Row:
    begin = time.perf_counter()
    with opened(browser, f"{address}/results") as page:
        shown = _since(begin, page, "document.querySelectorAll('#runs tbody tr').length > 10")
        median, most = page.evaluate(_FRAMES)
        begin = time.perf_counter()
        page.fill("[name=filter]", "trades >= 1000")
        filtered = _since(begin, page, f"document.getElementById('count').textContent.startsWith('{_RUNS // 2:,}')")
        begin = time.perf_counter()
        page.click("thead button >> text=sharpe")
        ordered = _since(begin, page, "document.querySelector('[aria-sort]').textContent.startsWith('sharpe')")
        settle(page)
    told = (
        f"opened in {shown:.1f} s, filtered in {filtered:.1f} s of which 0.35 wait for the next key, sorted in "
        f"{ordered:.1f} s, a frame of scrolling {median:.0f} ms (95 % within {most:.0f} ms)"
    )
    return Row(f"results page of {_RUNS:,} runs", "–", "≤ 2 s", told, max(shown, filtered, ordered) <= 2)


def _page(browser: Browser, address: str, name: str, trades: int) -> Row:
    taken = []
    for _ in range(2):
        begin = time.perf_counter()
        with opened(browser, f"{address}/{name}") as page:
            taken.append(_since(begin, page, "document.getElementById('origin').textContent"))
            settle(page)
    told = f"{taken[0]:.1f} s, asked again {taken[1]:.1f} s"
    return Row(f"{name} page of {trades:,} trades", "–", "–", told)


def _moved(browser: Browser, address: str, every: str) -> Row:
    """A week of the demo's maps, zoomed by the wheel and dragged."""
    with opened(browser, f"{address}/heatmap?symbol=BTCUSDT&window=7d&interval={every}") as page:
        settle(page)
        cells = page.evaluate(f"async () => {_CELLS.format(every)}")
        # The pointer that drags must be there.
        page.mouse.move(300, 400)
        told, least = [], float("inf")
        for name, drag in (("zooming", False), ("panning", True)):
            second, median, most = page.evaluate(_MOVING, drag)
            least = min(least, second)
            told.append(f"{name} {second:.0f} frames/s, a frame {median:.0f} ms (95 % within {most:.0f} ms)")
    return Row(f"heatmap of {cells:,} cells, moved", "–", "≥ 30 frames/s", "; ".join(told), least >= 30)


def _since(begin: float, page: Page, expression: str) -> float:
    until(page, expression)
    return time.perf_counter() - begin
