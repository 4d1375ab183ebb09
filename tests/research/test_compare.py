"""Runs side by side: on the command line, and on a page in a real browser."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from liqstrat.research.compare import unmatched
from tests.report.conftest import browse, browser
from tests.research.conftest import folder_of
from tests.shell import Shell

pytestmark = pytest.mark.slow

__all__ = ["browse", "browser"]

Browse = Callable[[Path, int, str], Any]


def folders(runs: Path, *names: str) -> list[str]:
    return [str(folder_of(runs, name)) for name in names]


def test_facts(liqstrat: Shell, three_runs: Path) -> None:
    done = liqstrat("compare", *folders(three_runs, "base", "wider", "dearer"), "--json")
    assert (done.code, done.err) == (0, "")
    facts = json.loads(done.out)
    assert facts["differs"]["configuration"] == {
        "strategies.0.params.turn": [None, 0.004, None],
        "venue.taker_fee": ["0.0005", "0.0005", "0.001"],
    }
    assert facts["differs"]["data"] == {}
    assert facts["warnings"] == ["account or costs differ: venue.taker_fee"]
    fees = facts["figures"]["fees"]
    assert facts["against_first"]["C"]["fees"]["value"] == pytest.approx(fees[2] - fees[0], rel=0.2)
    assert facts["against_first"]["B"]["days"] == 1
    assert facts["intervals"] == "none: 1 day in common, 7 are needed"
    counts = {name: one["of"] for name, one in facts["only"].items()}
    assert counts["A"] == len(pq.read_table(Path(folders(three_runs, "base")[0]) / "positions.parquet"))
    same = {name: one["of"] - one["trades"] for name, one in facts["only"].items()}
    assert same["A"] >= same["B"]
    assert same["A"] >= same["C"] > 0


def test_other_data_are_warned_of(liqstrat: Shell, runs: Path) -> None:
    path = folder_of(runs, "wider") / "run.json"
    about = json.loads(path.read_text())
    path.write_text(json.dumps({**about, "data_hash": "0" * 64, "simulated": False}))
    done = liqstrat("compare", *folders(runs, "base", "wider"))
    assert "warning: the data differ" in done.out
    assert "some of these runs are SIMULATED and some are not" in done.out
    assert "account or costs" not in done.out


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["base"], "1 results folders, expected 2"),
        (["base", "base"], "given more than once"),
    ],
)
def test_what_cannot_be_compared_is_said(liqstrat: Shell, three_runs: Path, names: list[str], said: str) -> None:
    done = liqstrat("compare", *folders(three_runs, *names), "--out", "page.html")
    assert (done.code, said in done.err) == (1, True)
    assert not Path("page.html").exists()


def test_trades_are_the_same_where_side_and_time_are() -> None:
    def trades(*rows: tuple[str, str, int]) -> pd.DataFrame:
        frame = pd.DataFrame(rows, columns=["symbol", "side", "opened"])
        return frame.assign(opened=pd.to_datetime(frame["opened"], unit="s", utc=True))

    mine = trades(("A", "long", 0), ("A", "long", 50), ("A", "short", 500), ("B", "long", 900))
    other = trades(("A", "long", 1), ("A", "long", 500), ("B", "long", 930), ("B", "long", 2000))
    assert unmatched(mine, [other]).tolist() == [False, True, True, False], "each trade has one fellow at most"
    assert unmatched(other, [mine]).tolist() == [False, True, False, True]
    assert unmatched(mine, [other, mine]).tolist() == [False] * 4
    assert unmatched(mine, [mine.iloc[:0]]).all()


def test_the_page_stands_alone_and_draws_everything(
    liqstrat: Shell, browse: Browse, three_runs: Path, tmp_path: Path
) -> None:
    page = tmp_path / "pages" / "compare.html"
    assert liqstrat("compare", *folders(three_runs, "base", "wider", "dearer"), "--out", str(page)).code == 0
    for width in (1400, 800):
        seen = browse(
            page,
            width,
            """
            const root = document.documentElement;
            const outside = [...document.querySelectorAll("main *")].filter((one) =>
              !one.closest(".scroll, .plot, pre") && one.getBoundingClientRect().right > root.clientWidth + 1);
            return {
              overflow: root.scrollWidth - root.clientWidth,
              outside: outside.map((one) => one.outerHTML.slice(0, 100)),
              fetched: performance.getEntriesByType("resource").length,
              lines: document.querySelectorAll("#plot-equity .scatterlayer path.js-line").length,
              drawn: [...document.querySelectorAll(".plot")].every((one) => one.querySelector(".main-svg")),
              keys: [...document.querySelectorAll("table")][0].innerText,
              figures: [...document.querySelectorAll("table")][1].textContent,
              banners: [...document.querySelectorAll(".banner")].map((one) => one.innerText),
              badge: document.querySelector(".badge").innerText,
            };
            """,
        )
        assert (seen["overflow"], seen["outside"], seen["fetched"]) == (0, [], 0)
        assert seen["drawn"]
        assert seen["lines"] == 3
        assert "venue.taker_fee" in seen["keys"]
        for name in ("Net P&L", "CAGR", "Expectancy, USDT", "Expectancy, R", "Probabilistic Sharpe"):
            assert name in seen["figures"], "called as on a report"
        assert "costs differ" in seen["banners"][0]
        assert seen["badge"] == "SIMULATED"
