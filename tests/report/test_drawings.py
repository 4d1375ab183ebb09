"""What strategies draw: in the results, over the price or below it, and as notes with words that are no markup."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from liqstrat.app import run_backtest
from liqstrat.backtest.sketch import Sketch
from liqstrat.backtest.strategy import LevelStrategy
from liqstrat.errors import LiqstratError
from liqstrat.report import write_report
from liqstrat.report.drawings import MOST_POINTS
from liqstrat.report.drawings import _thinned as thinned
from liqstrat.report.tables import read_results
from tests.backtest.runs import rows, run_file, wandering_market

pytestmark = pytest.mark.slow

Browse = Callable[[Path, int, str], Any]


class Draws(LevelStrategy):
    def on_price(self, price: float) -> None:
        hours = self.bars("15m", 4).close
        self.plot("mean of an hour", hours.mean() if len(hours) == 4 else None)
        self.plot("open interest", self.open_interest)
        self.plot("a share <b>", 0.5 if self.now.minute % 2 else float("nan"))
        if self.now.minute == 30:
            self.note("half past </script><script>alert(1)</script>")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    use = [
        {"use": f"{__name__}:Draws", "params": {"decide_seconds": 60}},
        {"use": "RandomEntry", "params": {"per_day": 200}},
    ]
    run = run_file(folder, wandering_market(folder, hours=4), hours=4, start_hours=1, resolution="1m", strategies=use)
    return run_backtest(run, folder / "results")


def test_plots_and_notes_are_in_the_results(drawn: Path) -> None:
    plots, notes = rows(drawn, "plots"), rows(drawn, "notes")
    assert {(row["strategy"], row["symbol"], row["name"]) for row in plots} == {
        ("Draws", "BTCUSDT", name) for name in ("mean of an hour", "open interest", "a share <b>")
    }
    times = [row["time"] for row in plots]
    assert times == sorted(times)
    share = [row["value"] for row in plots if row["name"] == "a share <b>"]
    assert len(share) > 170
    assert {*share} == {0.5, None}
    interest = {row["value"] for row in plots if row["name"] == "open interest"}
    assert 10 < len(interest) < len(share), "it is known every five minutes"
    assert [(row["time"].minute, row["text"][:9]) for row in notes] == [(30, "half past")] * 3
    assert all(row["price"] > 0 for row in notes)


@pytest.mark.parametrize("width", [1400, 800])
def test_prices_are_drawn_over_the_candles_and_the_rest_in_panes_below(browse: Browse, drawn: Path, width: int) -> None:
    seen = browse(
        drawn / "report.html",
        width,
        """
        const plot = document.getElementById("plot-heatmap-BTCUSDT");
        const root = document.documentElement;
        return {
          overflow: root.scrollWidth - root.clientWidth,
          lines: Object.fromEntries(plot._fullData.filter((one) => one.mode === "lines" && one.name && one.showlegend)
            .map((one) => [one.name, one.yaxis])),
          notes: plot._fullData.find((one) => one.name === "notes").text.length,
          panes: ["xy", "xy2", "xy3"].map((name) => plot._fullLayout._plots[name].yaxis)
            .map((axis) => [axis._offset, axis._length]),
          ticks: plot.querySelectorAll(".xaxislayer-above .xtick").length,
        };
        """,
    )
    assert seen["overflow"] == 0
    assert seen["lines"] == {"mean of an hour": "y", "open interest": "y2", "a share &lt;b&gt;": "y3"}
    assert seen["notes"] == 3
    price, first, second = seen["panes"]
    assert price[0] + price[1] < first[0]
    assert first[0] + first[1] < second[0]
    assert price[1] > 500
    assert min(first[1], second[1]) > 80
    assert seen["ticks"] > 2


def test_results_of_before_have_neither(drawn: Path, results: Path) -> None:
    for name in ("plots", "notes"):
        (results / f"{name}.parquet").unlink()
    assert read_results(results).plots("BTCUSDT").num_rows == 0
    assert write_report(results).stat().st_size > 1_000_000


def test_a_long_line_keeps_its_extremes() -> None:
    time = np.arange(100_000.0)
    value = np.sin(time / 5_000)
    value[77_777] = 9.0
    value[40_000:41_000] = np.nan
    short_time, short = thinned(time, value)
    assert len(short) <= MOST_POINTS + 100
    assert np.nanmax(short) == 9.0
    assert np.nanmin(short) == np.nanmin(value)
    assert np.isnan(short).any()
    assert (np.diff(short_time) > 0).all()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("", 1.0, "plot: name is '', expected a text"),
        ("ema\n", 1.0, "plot: name is 'ema\\n', expected a text"),
        ("ema", "1", "plot: value of \"ema\" is '1', expected a number"),
    ],
)
def test_what_cannot_be_drawn_is_named(name: str, value: Any, said: str) -> None:
    with pytest.raises(LiqstratError) as told:
        Sketch().plot("Mine", "BTCUSDT", name, 0, value)
    assert str(told.value).startswith(said)
