"""Map and heatmap as the market runs, in a real browser: they grow, say how fresh they are, and mend what was cut."""

import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.serve.browsing import chromium, until
from tests.serve.live_market import Market

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def market(simulated_archive: Path, simulated_database: Path, tmp_path: Path) -> Iterator[Market]:
    market = Market(tmp_path, simulated_archive, simulated_database, "--speed", "60")
    yield market
    market.close()


@contextmanager
def live(browser: Browser, market: Market, name: str, width: int = 1400) -> Iterator[Page]:
    """A page that shows the market as it runs; fails where anything was thrown."""
    context = browser.new_context(viewport={"width": width, "height": 900})
    page, wrong = context.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(f"http://127.0.0.1:{market.port}/{name}")
    page.click("#live")
    until(page, "window.live?.state === 'live' && window.shown")
    try:
        yield page
        assert not wrong, "\n".join(wrong)
    finally:
        context.close()


def of_map(page: Page) -> dict[tuple[str, int, int], float]:
    rows = page.evaluate("shown.answer.levels")
    return {(row["side"], row["leverage"], round(row["price_low"])): row["notional"] for row in rows}


def map_of(snapshot: dict[str, Any]) -> dict[tuple[str, int, int], float]:
    edges, tiers, found = snapshot["price_low"], snapshot["leverages"], {}
    for side in ("long", "short"):
        for tier, at, contracts in snapshot[side]:
            notional = contracts * sqrt(edges[at] * edges[at + 1])
            found[side, tiers[tier], round(edges[at])] = notional
    return found


def of_heatmap(page: Page) -> dict[tuple[int, int], float]:
    heat = page.evaluate("({ ms: shown.heat.ms, edges: shown.heat.price_edges, notional: shown.heat.notional })")
    return {
        (moment, round(heat["edges"][row])): notional
        for row, cells in enumerate(heat["notional"])
        for moment, notional in zip(heat["ms"], cells, strict=True)
        if notional
    }


def heatmap_of(snapshot: dict[str, Any]) -> dict[tuple[int, int], float]:
    found, high = {}, 1 + snapshot["height"]
    for column in snapshot["columns"]:
        moment = round(datetime.fromisoformat(column["time"]).timestamp() * 1000)
        for row, contracts in enumerate(column["contracts"]):
            low = column["price_low"] * high**row
            if contracts * low * sqrt(high) >= 0.5:
                found[moment, round(low)] = contracts * low * sqrt(high)
    return found


#: What a page holds, what it must hold by a new snapshot, and how many moments it has seen.
KINDS: dict[str, tuple[Callable[[Page], Any], Callable[[dict[str, Any]], Any], str]] = {
    "map": (of_map, map_of, "Date.parse(shown.answer.time) / 300000"),
    "heatmap": (of_heatmap, heatmap_of, "shown.heat.ms.length"),
}


def holds_what_a_snapshot_has(page: Page, market: Market, name: str) -> None:
    """When the exchange says nothing more, what came by changes is what stands; of before it a page may know more."""
    shown, expected, _ = KINDS[name]
    market.exchange.send_signal(signal.SIGSTOP)
    # What is under way may still come: it is all here when a second brings nothing new.
    before, snapshot = -1, market.snapshot(name)
    while snapshot["seq"] != before:
        page.wait_for_timeout(1000)
        before, snapshot = snapshot["seq"], market.snapshot(name)
    until(page, f"live.seq >= {snapshot['seq']}")
    page.wait_for_timeout(300)
    assert page.evaluate("live.seq") == snapshot["seq"]
    new, there = expected(snapshot), shown(page)
    assert {key: value for key, value in there.items() if key in new} == pytest.approx(new, rel=1e-9)
    assert all(key < min(new) for key in there.keys() - new.keys())


@pytest.mark.parametrize("name", KINDS)
def test_a_page_grows_and_holds_what_a_new_snapshot_has(browser: Browser, market: Market, name: str) -> None:
    moments = KINDS[name][2]
    with live(browser, market, name) as page:
        before, picture = page.evaluate(moments), page.evaluate("document.querySelector('canvas').toDataURL()")
        until(page, f"{moments} >= {before} + 2")
        assert page.evaluate("document.querySelector('canvas').toDataURL()") != picture
        assert re.match(r"Live · heard \d s ago · price of ", page.inner_text("#fresh"))
        holds_what_a_snapshot_has(page, market, name)
        assert page.evaluate("live.cuts") == 0
        found = [one for one in Axe().run(page).response["violations"] if one["impact"] in ("serious", "critical")]
        assert [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found] == []


def test_candles_grow_with_the_trades(browser: Browser, market: Market) -> None:
    with live(browser, market, "heatmap") as page:
        # A day of history is under the maps at first: it comes after the page is live.
        until(page, "shown.candles > 250")
        candles = page.evaluate("shown.candles")
        until(page, f"shown.candles > {candles} + 1 && shown.latest >= shown.heat.ms.at(-1)")
        holds_what_a_snapshot_has(page, market, "heatmap")
        # The one that grows may be told a moment later.
        assert page.evaluate("shown.ending[0].slice(1)") == market.snapshot("heatmap")["candles"][-2][1:]


def test_what_is_not_heard_and_what_is_cut_is_told_and_mended(browser: Browser, market: Market) -> None:
    with live(browser, market, "heatmap") as page:
        market.exchange.send_signal(signal.SIGSTOP)
        until(page, "live.state === 'stale'")
        assert re.match(r"STALE · nothing heard for \d\d s", page.inner_text("#fresh"))
        market.exchange.send_signal(signal.SIGCONT)
        until(page, "live.state === 'live'")
        market.kill_watch()
        until(page, "live.state === 'lost'")
        assert page.inner_text("#fresh").startswith("NOT CONNECTED · the connection was cut · trying again in ")
        assert "NOT CONNECTED" in page.inner_text("#fresh-aloud")
        before = page.evaluate("live.time")
        market.watch_again()
        until(page, "live.state === 'live'")
        assert "the connection is back (1 cut so far)" in page.inner_text("#fresh")
        until(page, f"live.time > '{before}'")
        holds_what_a_snapshot_has(page, market, "heatmap")


def test_a_page_whose_messages_are_held_up_does_not_go_on_with_a_gap(browser: Browser, market: Market) -> None:
    """A machine that sleeps: its page is cut as too slow, says so, and comes again with a new snapshot."""
    with live(browser, market, "map") as page:
        # What the page's script does while messages wait for it: nothing.
        with suppress(Exception):
            page.evaluate("(() => { const end = Date.now() + 6000; while (Date.now() < end); })()")
        until(page, "live.state === 'live' && live.heard > Date.now() - 1500")
        holds_what_a_snapshot_has(page, market, "map")


def test_pages_without_a_watch_say_what_to_do(browser: Browser, folders: tuple[Path, Path], tmp_path: Path) -> None:
    from tests.serve.browsing import opened, serving, settle

    with serving(*folders, tmp_path) as address, opened(browser, f"{address}/heatmap") as page:
        columns = page.evaluate("shown.heat.ms.length")
        page.click("#live")
        until(page, "document.querySelector('.state.told')")
        assert "liqstrat watch BTCUSDT --port 8001" in page.inner_text("#state")
        assert page.is_disabled("[name=model]")
        page.click("#live")
        settle(page)
        assert page.is_enabled("[name=model]")
        assert page.evaluate("shown.heat.ms.length") == columns
