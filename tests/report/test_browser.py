"""The report in a real browser: nothing said on the console, nothing asked of the network, all of it drawn."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from liqstrat.report import write_report
from liqstrat.report.heatmap import write_heatmap_page
from liqstrat.report.tables import read_results

pytestmark = pytest.mark.slow

Browse = Callable[[Path, int, str], Any]

LOOK = """
const colours = async (image) => {
  const loaded = new Image();
  loaded.src = image.getAttribute("href") || image.getAttribute("xlink:href");
  await loaded.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [loaded.width, loaded.height];
  const context = canvas.getContext("2d");
  context.drawImage(loaded, 0, 0);
  const pixels = new Uint32Array(context.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
  return new Set(pixels).size;
};
const heat = document.querySelector(".plot .hm image");
const root = document.documentElement;
const outside = [...document.querySelectorAll("main *")].filter((one) =>
  !one.closest(".scroll, .plot, pre") && one.getBoundingClientRect().right > root.clientWidth + 1);
return {
  overflow: root.scrollWidth - root.clientWidth,
  outside: outside.map((one) => one.outerHTML.slice(0, 100)),
  fetched: performance.getEntriesByType("resource").map((entry) => entry.name),
  plots: [...document.querySelectorAll(".plot")].map((plot) => {
    const box = plot.querySelector(".main-svg").getBoundingClientRect();
    return { name: plot.id, wide: box.width, high: box.height, fits: box.width <= plot.clientWidth + 1 };
  }),
  candles: document.querySelectorAll(".boxlayer path.box").length,
  bars: document.querySelectorAll(".barlayer path").length,
  uploads: [...document.querySelectorAll(".plot")].some((plot) => plot._context.showSendToCloud),
  colours: heat ? await colours(heat) : 0,
};
"""


@pytest.fixture(scope="module")
def report(demo_results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(Path(shutil.copytree(demo_results, tmp_path_factory.mktemp("report") / "results")))


@pytest.mark.parametrize("width", [1400, 800])
def test_all_is_drawn_and_nothing_sticks_out(browse: Browse, report: Path, width: int) -> None:
    seen = browse(report, width, LOOK)
    assert seen["overflow"] == 0
    assert seen["outside"] == []
    assert seen["fetched"] == []
    assert not seen["uploads"], "no button that sends the figure elsewhere"
    assert [plot["name"].split("-")[1] for plot in seen["plots"]] == ["equity", "heatmap", "map"]
    for plot in seen["plots"]:
        assert plot["wide"] > 0.85 * width
        assert plot["high"] > 300
        assert plot["fits"]
    assert seen["candles"] > 20
    assert seen["bars"] > 50
    assert seen["colours"] > 20, "the heatmap is not blank"


def test_a_heatmap_with_a_band_shows_and_says_bounds(browse: Browse, demo_results: Path, tmp_path: Path) -> None:
    demo = read_results(demo_results)
    levels = demo.levels("BTCUSDT")
    for name, factor in (("low", 0.5), ("high", 2.0)):
        levels = levels.append_column(name, pc.multiply(levels["contracts"], factor))
    page = write_heatmap_page(levels, demo.candles("BTCUSDT"), title="a", simulated=True, out=tmp_path / "heat.html")
    seen = browse(
        page,
        800,
        """
        const rest = () => new Promise((done) => setTimeout(done, 300));
        const plot = document.querySelector("[id^=plot-heatmap]"), drag = plot.querySelector(".nsewdrag");
        const box = drag.getBoundingClientRect(), said = [];
        for (const button of [0, 1, 2]) {
          plot.querySelectorAll(".updatemenu-button")[button].dispatchEvent(new MouseEvent("click"));
          await rest();
          Plotly.Fx.hover(plot, { clientX: box.x + box.width / 2, clientY: box.y + 40 + button, target: drag });
          await rest();
          const drawn = plot.data.filter((one) => one.type === "heatmap" && one.visible);
          said.push([drawn.map((one) => one.meta.bound), document.querySelector(".readout").textContent]);
        }
        return said;
        """,
    )
    assert [drawn for drawn, _ in seen] == [[""], ["at least"], ["at most"]]
    for _, said in seen:
        amounts = [float(one) * {"K": 1e3, "M": 1e6}[unit] for one, unit in re.findall(r"([\d.]+) ([KM])", said)]
        assert len(amounts) == 3, said
        assert amounts[1:] == pytest.approx([amounts[0] / 2, amounts[0] * 2], rel=0.1), said


def test_the_page_answers_to_its_reader(browse: Browse, report: Path, demo_results: Path) -> None:
    seen = browse(
        report,
        1400,
        """
        const rest = () => new Promise((done) => setTimeout(done, 300));
        const candles = (plot) => plot.data.filter((one) => one.meta?.candle_minutes);
        const shown = (plot) => candles(plot).find((one) => one.visible === true).meta.candle_minutes;
        const plot = document.querySelector("[id^=plot-heatmap]");
        const drag = plot.querySelector(".nsewdrag");
        const box = drag.getBoundingClientRect();
        Plotly.Fx.hover(plot, { clientX: box.x + box.width / 2, clientY: box.y + 5, target: drag });
        await rest();
        const readout = document.querySelector(".readout").textContent;
        const header = [...document.querySelectorAll(".trades th")].find((one) => one.textContent.startsWith("P&L"));
        const rows = () => [...document.querySelectorAll(".trades tbody tr")];
        const column = () => rows().map((row) => Number(row.cells[header.cellIndex].dataset.value));
        header.click();
        const downwards = column();
        header.click();
        const upwards = column();
        const before = shown(plot);
        document.querySelector("button.show").click();
        await rest();
        const [{ range }, { shapes: frames }] = [plot.layout.xaxis, plot.layout];
        Plotly.relayout(plot, { "xaxis.range": [range[0], range[0] + 2 * 3600e3] });
        await rest();
        const finest = Math.min(...candles(plot).map((one) => one.meta.candle_minutes));
        return { readout, downwards, upwards, range, frames, finest, zoomed: shown(plot), before };
        """,
    )
    assert " UTC " in seen["readout"]
    assert "USDT of " in seen["readout"] or "not recorded" in seen["readout"]
    assert seen["downwards"] == sorted(seen["downwards"], reverse=True)
    assert seen["upwards"] == sorted(seen["downwards"])
    assert seen["zoomed"] == seen["finest"] <= seen["before"]
    worst = min(read_results(demo_results).positions.to_pylist(), key=lambda row: row["pnl"])
    framed = [price for frame in seen["frames"] for price in (frame["y0"], frame["y1"])]
    assert framed == pytest.approx([worst[name] for name in ("level_low", "level_high") if worst[name]])
    assert seen["range"][0] < worst["opened"].timestamp() * 1000 < seen["range"][1]


def test_all_of_a_page_is_light_or_dark_and_light_on_paper(browse: Browse, report: Path) -> None:
    seen = browse(
        report,
        1400,
        """
        const rest = () => new Promise((done) => setTimeout(done, 400)), found = {};
        const table = JSON.parse(document.getElementById("light").textContent);
        const texts = (part) => typeof part === "string" ? [part]
          : part instanceof Object && !ArrayBuffer.isView(part) ? Object.values(part).flatMap(texts) : [];
        const look = (name) => {
          // What a template has is not seen where a figure says its own.
          const plots = [...document.querySelectorAll(".plot")];
          const all = new Set(texts(plots.map((one) => [one.data, { ...one.layout, template: 0 }])));
          const own = [...all].filter((one) => /^#[0-9a-f]{6}$/.test(one));
          found[name] = {
            dark: own.filter((one) => one in table).length,
            light: own.filter((one) => Object.values(table).includes(one)).length,
            neither: own.filter((one) => !(one in table) && !Object.values(table).includes(one)),
            page: getComputedStyle(document.body).color,
            closed: document.querySelectorAll("details:not([open])").length,
          };
        };
        for (const theme of ["light", "dark"]) {
          location.hash = theme;
          await rest();
          look(theme);
        }
        dispatchEvent(new Event("beforeprint"));
        await rest();
        look("paper");
        dispatchEvent(new Event("afterprint"));
        await rest();
        look("after");
        return found;
        """,
    )
    for name in ("light", "paper"):
        assert (seen[name]["dark"], seen[name]["neither"]) == (0, []), name
        assert seen[name]["light"] > 15
    for name in ("dark", "after"):
        assert (seen[name]["light"], seen[name]["neither"]) == (0, []), name
        assert seen[name]["dark"] > 15
    assert seen["light"]["page"] != seen["dark"]["page"]
    assert (seen["paper"]["closed"], seen["after"]["closed"]) == (0, seen["dark"]["closed"]), "nothing opens on paper"
    assert seen["dark"]["closed"] >= 2


def test_an_hour_without_a_trade_is_drawn_too(browse: Browse, results: Path) -> None:
    rows = {"positions": 0, "equity": 60, "candles": 2, "levels": 400}
    for name, count in rows.items():
        path = results / f"{name}.parquet"
        pq.write_table(pq.read_table(path).slice(0, count), path)
    metrics = json.loads((results / "metrics.json").read_text())
    (results / "metrics.json").write_text(json.dumps({**dict.fromkeys(metrics), "trades": 0}))
    seen = browse(write_report(results), 800, LOOK)
    assert seen["overflow"] == 0
    assert len(seen["plots"]) == 3


def test_the_heatmap_page_stands_alone(browse: Browse, demo_results: Path, tmp_path: Path) -> None:
    results = read_results(demo_results)
    symbol = results.run.symbols[0]
    page = write_heatmap_page(
        results.levels(symbol), results.candles(symbol), title="Levels", simulated=True, out=tmp_path / "x.html"
    )
    seen = browse(page, 800, LOOK)
    assert seen["overflow"] == 0
    assert seen["fetched"] == []
    assert seen["colours"] > 20
