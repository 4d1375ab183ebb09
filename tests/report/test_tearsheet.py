"""The second fold of a report: there, closed, and right when it is opened."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from liqstrat.report import write_report

pytestmark = pytest.mark.slow

Browse = Callable[[Path, int, str], Any]

OPEN = """
const root = document.documentElement;
const fold = document.querySelector("details:has(.more)");
const closed = fold.getBoundingClientRect().height;
fold.open = true;
const outside = [...fold.querySelectorAll("*")].filter((one) =>
  !one.closest(".scroll") && one.getBoundingClientRect().right > root.clientWidth + 1);
return {
  closed,
  opened: fold.getBoundingClientRect().height,
  overflow: root.scrollWidth - root.clientWidth,
  outside: outside.map((one) => one.outerHTML.slice(0, 100)),
  text: fold.innerText,
  tables: fold.querySelectorAll("table").length,
};
"""


@pytest.mark.parametrize("width", [1400, 800])
def test_more_figures_open_without_crowding(browse: Browse, results: Path, width: int) -> None:
    seen = browse(write_report(results), width, OPEN)
    assert seen["closed"] < 60 < 300 < seen["opened"]
    assert (seen["overflow"], seen["outside"], seen["tables"]) == (0, [], 4)
    for name in ("Sortino", "Expectancy, R", "Buy and hold", "long", "short", "Weekday of entry", "Hour of entry"):
        assert name in seen["text"]


def test_figures_of_trades_are_those_of_the_table(results: Path) -> None:
    figures = json.loads((results / "metrics.json").read_text())
    rows = [row for row in pq.read_table(results / "positions.parquet").to_pylist() if row["closed"]]
    assert len(rows) > 3
    for row in rows:
        assert row["risk"] > 0, "every strategy of the package has a stop"
        assert row["r"] == pytest.approx(row["pnl"] / row["risk"])
        way = 1 if row["side"] == "long" else -1
        assert -row["mae"] - 1e-12 <= way * (row["exit_price"] / row["entry_price"] - 1) <= row["mfe"] + 1e-12
    for name in ("mae", "mfe"):
        assert figures[name] == pytest.approx(sum(row[name] for row in rows) / len(rows))
    assert figures["expectancy_r"] == pytest.approx(sum(row["r"] for row in rows) / len(rows))
    assert figures["cagr"] is None, "a day is no year"
    parts = figures["by_strategy"].values()
    assert figures["long"]["trades"] == sum(part["long"]["trades"] for part in parts)


def test_results_of_before_have_a_report_without_them(results: Path) -> None:
    path = results / "metrics.json"
    kept = {key: value for key, value in json.loads(path.read_text()).items() if key in ("trades", "net_return")}
    path.write_text(json.dumps(kept))
    assert "More figures" not in write_report(results).read_text().partition("</main>")[0]
