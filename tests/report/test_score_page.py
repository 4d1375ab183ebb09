"""The page of a score in a real browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.shell import Shell

pytestmark = pytest.mark.slow

Browse = Callable[[Path, int, str], Any]


def test_the_page_stands_alone_and_draws_everything(
    liqstrat: Shell, browse: Browse, simulated_database: Path, tmp_path: Path
) -> None:
    out = tmp_path / "pages" / "score.html"
    arguments = ("--db", str(simulated_database), "--model", "conserving,large_trades", "--out", str(out))
    assert liqstrat("score", "BTCUSDT", *arguments).code == 0
    assert [path.name for path in out.parent.iterdir()] == ["score.html"]
    for width in (1400, 800):
        seen = browse(
            out,
            width,
            """
            const plot = (name) => document.getElementById(`plot-${name}`);
            const root = document.documentElement;
            return {
              overflow: root.scrollWidth - root.clientWidth,
              lifts: plot("lift").data.map((trace) => trace.name),
              diagonal: plot("reliability").data[0].x.join() === plot("reliability").data[0].y.join(),
              reliability: plot("reliability").data.length,
              marks: plot("heatmap")._fullData.filter((one) => /liquidated/.test(one.name)).map((one) => one.x.length),
              heat: plot("heatmap").data.some((trace) => trace.type === "heatmap"),
              words: document.querySelectorAll("header .caution, header .gain").length,
              text: document.body.innerText,
            };
            """,
        )
        assert seen["overflow"] == 0
        assert seen["lifts"] == ["conserving", "large_trades"]
        assert seen["diagonal"]
        assert seen["reliability"] == 3
        assert len(seen["marks"]) == 2
        assert min(seen["marks"]) > 10
        assert seen["heat"]
        assert seen["words"] == 3
        assert "every liquidation is on record" in seen["text"]
