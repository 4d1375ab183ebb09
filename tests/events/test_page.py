"""The page of an event study, in a browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import liqstrat as lq
from tests.report.conftest import browse, browser

__all__ = ["browse", "browser"]

pytestmark = pytest.mark.slow

Browse = Callable[[Path, int, str], Any]

LOOK = """
const root = document.documentElement;
await new Promise((done) => setTimeout(done, 500));
const outside = [...document.querySelectorAll("main *")].filter((one) =>
  !one.closest(".scroll") && !one.closest(".plot") && one.getBoundingClientRect().right > root.clientWidth + 1);
return {
  overflow: root.scrollWidth - root.clientWidth,
  outside: outside.map((one) => one.outerHTML.slice(0, 100)),
  plots: [...document.querySelectorAll(".plot")].map((one) => one.querySelectorAll(".trace").length),
  tables: document.querySelectorAll("table").length,
  text: document.querySelector("main").innerText,
};
"""


@pytest.mark.parametrize("width", [1400, 800])
def test_the_page_has_all_of_it_and_nothing_beside_it(
    browse: Browse, simulated_database: Path, tmp_path: Path, width: int
) -> None:
    found = lq.History(simulated_database).events("BTCUSDT", progress=False)
    seen = browse(found.save(tmp_path / "events.html"), width, LOOK)
    assert (seen["overflow"], seen["outside"], seen["tables"]) == (0, [], 3)
    assert all(count >= 2 for count in seen["plots"]), seen["plots"]
    assert len(seen["plots"]) == 3
    for text in ("SIMULATED", "too few days to tell", "Is a level reached?", "largest third", "1 d", "Placebo"):
        assert text in seen["text"], text
