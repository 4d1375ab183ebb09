"""The page of a session on paper: what somebody reads there, in a browser, at two widths."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from liqstrat.backtest.account.equity import EquityCurve
from liqstrat.live.paper_page import PAGE, Shown, write_paper_page
from liqstrat.moments import MINUTE_NS, nanoseconds
from tests.report.conftest import Browse, browse, browser

__all__ = ["browse", "browser"]

START = datetime(2024, 3, 2, 9, 55, tzinfo=UTC)
HOSTILE = "<script>document.title='taken over'</script> so long that it does not stay in its column " * 3
LOOK = """
const wide = [...document.querySelectorAll("main *")].filter((one) => !one.closest(".scroll"))
  .filter((one) => one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.outerHTML.slice(0, 80));
return {text: document.body.innerText, title: document.title, wide,
  again: !!document.querySelector("[http-equiv=refresh]"), fresh: document.getElementById("fresh").innerText,
  state: getComputedStyle(document.getElementById("state")).display,
  bars: [...document.querySelectorAll("td.bar i")].map((one) => Math.round(one.getBoundingClientRect().width))};
"""


def now(**changed: Any) -> dict[str, Any]:
    level = {"side": "short", "low": 62_000.0, "high": 62_200.0, "notional": 8e6, "distance": 0.03}
    other = {"side": "long", "low": 58_000.0, "high": 58_100.0, "notional": 2e6, "distance": -0.035}
    return {
        "time": "2024-03-02T11:35:02.500000+00:00",
        "currency": "USDT",
        "balance": "100250.5",
        "equity": "100100.25",
        "positions": [{"strategy": "LevelFade", "symbol": "BTCUSDT", "side": "long", "contracts": "1.250",
                       "entry": 60_100.0, "opened": "2024-03-02T11:20:00+00:00", "unrealized": -150.25}],
        "resting": [{"strategy": "LevelFade", "symbol": "BTCUSDT", "side": "sell", "type": "stop_market",
                     "role": "stop", "contracts": "1.250", "price": "59800.0"}],
        "levels": {"BTCUSDT": {"price": 60_000.0, "known_at": "2024-03-02T11:30:00+00:00",
                               "clusters": [level, other]}},
        "orders": 3,
        "fills": 2,
        "funding": "-4.5",
        "decisions": [{"time": "2024-03-02T11:19:59+00:00", "strategy": "LevelFade", "symbol": "BTCUSDT",
                       "what": "entry: buy 1.250", "state": "filled", "why": HOSTILE}],
        **changed,
    }  # fmt: skip


def shown(found: dict[str, Any], **changed: Any) -> Shown:
    times = nanoseconds(START) + np.arange(101, dtype=np.int64) * MINUTE_NS
    flat = np.full(101, 100_000.0)
    curve = EquityCurve(times, flat + np.arange(101), np.zeros(101), np.zeros(101))
    values: dict[str, Any] = {
        "name": "fade", "simulated": True, "symbols": ["BTCUSDT"], "state": "trading", "running": True, "start": START,
        "now": found, "curve": curve, "balance": 100_000.0, "lag_seconds": 1.2, "facts": {"Late trades": "7"},
    }  # fmt: skip
    return Shown(**{**values, **changed})


@pytest.mark.parametrize("width", [1400, 800, 420])
def test_the_page_says_what_a_session_does(browse: Browse, tmp_path: Path, width: int) -> None:
    found = browse(write_paper_page(tmp_path, shown(now())), width, LOOK)
    text = found["text"]
    assert found["title"] == "fade SIMULATED PAPER"
    for part in ("none leaves for a real one", "100,100.25", "+0.10%", "1.250", "59,800.0", "stop market",
                 "−150.25", "62,000.0 to 62,200.0", "+3.00%", "8.00 M", "so long that",
                 "2024-03-02 11:35:02", "trading"):  # fmt: skip
        assert part in text, part
    assert found["again"]
    assert re.fullmatch(r"written \d+ s ago", found["fresh"])
    assert found["bars"][0] == pytest.approx(4 * found["bars"][1], abs=3)
    assert found["wide"] == []


def test_the_page_of_a_dead_session_says_that_it_does_not_run(browse: Browse, tmp_path: Path) -> None:
    page = write_paper_page(tmp_path, shown(now()))
    text = page.read_text()
    written = re.search(r'data-written="(\d+)"', text)
    assert written
    page.write_text(text.replace(written[1], str(int(written[1]) - 60_000)))
    found = browse(page, 1400, LOOK)
    assert found["fresh"].startswith("NOT RUNNING: what is here was written 6")
    assert found["state"] == "none"


def test_a_stopped_session_is_not_read_again_and_has_nothing_open(browse: Browse, tmp_path: Path) -> None:
    stopped = shown(now(positions=[], resting=[], decisions=[]), state="stopped", running=False, curve=None,
                    links=[("report", "report/report.html")])  # fmt: skip
    found = browse(write_paper_page(tmp_path, stopped), 800, LOOK)
    assert (tmp_path / PAGE).exists()
    assert not found["again"]
    for part in ("stopped", "None is open.", "Nothing has been decided yet.", "The session has just begun.", "report"):
        assert part in found["text"], part


def test_amounts_are_in_the_account_s_currency(tmp_path: Path) -> None:
    page = write_paper_page(tmp_path, shown(now(currency="USDC"), symbols=["BTCUSDC"])).read_text()
    assert "USDC, negative was paid" in page
    assert "USDT, negative was paid" not in page
