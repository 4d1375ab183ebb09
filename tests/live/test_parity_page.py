"""The page of a parity, equal and not, in a browser."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from liqstrat.backtest.account.equity import EquityCurve
from liqstrat.live.parity import Difference, Parity
from liqstrat.live.parity_page import write_parity_page
from liqstrat.moments import MINUTE_NS, nanoseconds
from tests.report.conftest import Browse, browse, browser

__all__ = ["browse", "browser"]

BEGIN, END = (datetime(2024, 3, 2, hour, tzinfo=UTC) for hour in (9, 11))
LOOK = """
const wide = [...document.querySelectorAll("td, th")].filter((one) => one.scrollWidth > one.clientWidth + 1)
  .map((one) => one.innerText);
const plot = document.querySelector(".plot");
return {text: document.body.innerText, wide, page: document.documentElement.scrollWidth <= innerWidth,
  lines: plot.calcdata.map((one) => [one[0].trace.name, one.at(-1).y])};
"""


def intent(second: int, side: str) -> dict[str, Any]:
    return {"order_id": f"O-{second}", "strategy": "LevelFade", "symbol": "BTCUSDT", "side": side, "type": "limit",
            "quantity": "1.250", "price": "60000.5", "first_trigger": None, "reduce_only": False, "role": "entry",
            "submitted_ns": nanoseconds(BEGIN) + second * 10**9}  # fmt: skip


def curve(end: float) -> EquityCurve:
    times = nanoseconds(BEGIN) + np.arange(121, dtype=np.int64) * MINUTE_NS
    return EquityCurve(times, np.linspace(100_000, end, 121), np.zeros(121), np.zeros(121))


def parity(paper: list[dict[str, Any]], backtest: list[dict[str, Any]], equity: tuple[float, float]) -> Parity:
    rows, others = ({"intents": one, "fills": [], "funding": []} for one in (paper, backtest))
    unexplained = {kind: Difference.of(rows[kind], others[kind]) for kind in rows}
    curves = dict(zip(("on paper", "backtest with all that shaped the session", "plain backtest"),
                      (curve(equity[0]), curve(equity[1]), curve(101_000)), strict=True))  # fmt: skip
    late, absent = Difference.of([intent(5, "buy")], []), Difference.of([], [intent(9, "sell")] * 60)
    return Parity(True, BEGIN, END, rows, others, equity, unexplained, late, absent, 24.4, 1, 7, curves)


def test_a_session_that_is_equal_says_so_and_why_a_plain_backtest_is_not(browse: Browse, tmp_path: Path) -> None:
    same = [intent(30, "buy"), intent(60, "sell")]
    found = browse(write_parity_page(parity(same, same, (100_500, 100_500)), "fade", tmp_path, "USDT"), 800, LOOK)
    for part in ("Equal.", "SIMULATED", "PAPER", "more than 24 s after their mark", "7 trades when their time",
                     "1 funding rates more", "100,500.00",
                 "The first 50 of 60.", "2024-03-02 09:00 to 2024-03-02 11:00"):  # fmt: skip
        assert part in found["text"], part
    assert "NOT EQUAL" not in found["text"]
    assert found["wide"] == []
    assert found["page"]
    assert found["lines"] == [
        ["plain backtest", 101_000], ["backtest with all that shaped the session", 100_500], ["on paper", 100_500],
        ["difference", 0],
    ]  # fmt: skip


def test_a_session_that_is_not_equal_shows_what_only_one_has(browse: Browse, tmp_path: Path) -> None:
    unlike = parity([intent(30, "buy")], [intent(31, "buy")], (100_400, 100_500))
    found = browse(write_parity_page(replace(unlike, simulated=False), "fade", tmp_path, "USDC"), 1400, LOOK)
    for part in ("NOT EQUAL.", "Unexplained intents", "09:00:30.000", "09:00:31.000", "on paper", "60000.5", "USDC"):
        assert part in found["text"], part
    assert "SIMULATED" not in found["text"]
    assert found["lines"][-1] == ["difference", -100]
