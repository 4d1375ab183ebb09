"""The pages in a real browser: everything is drawn, every selector changes the data behind it, nothing goes wrong."""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route

from tests.serve.browsing import chromium, opened, serving, settle, until

pytestmark = pytest.mark.slow

PAGES = ["map", "heatmap", "compare", "liquidations", "results", "run", "docs"]
DRAWN = ["map", "heatmap", "compare", "liquidations"]

RUN_FILE = """\
name = "from-the-page"
symbols = ["BTCUSDT"]
from = 2024-03-02
to = 2024-03-03
resolution = "5m"

[data]
db = {db}
catalog = {catalog}

[[strategies]]
use = "LevelFade"
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def house(folders: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Folders as the package's tests have them, with a second run and a run file, to be changed here."""
    root = tmp_path_factory.mktemp("house")
    catalog, results, configs = (root / name for name in ("catalog", "results", "configs"))
    shutil.copytree(folders[0], catalog)
    shutil.copytree(folders[1], results)
    (first,) = results.glob("demo-*")
    shutil.copytree(first, results / "demo-second")
    configs.mkdir()
    database, cache = catalog / "demo" / "market.duckdb", root / "nautilus"
    text = RUN_FILE.format(db=json.dumps(str(database)), catalog=json.dumps(str(cache)))
    (configs / "quick.toml").write_text(text, encoding="utf-8")
    return catalog, results, configs


@pytest.fixture(scope="module")
def address(house: tuple[Path, Path, Path]) -> Iterator[str]:
    with serving(*house) as address:
        yield address


def shown(page: Page) -> str:
    """A hash of the data behind what is drawn."""
    return hashlib.sha256(json.dumps(page.evaluate("window.shown")).encode()).hexdigest()


def serious(page: Page) -> list[tuple[str, list[str]]]:
    """What axe finds that keeps somebody from using a page."""
    found = [one for one in Axe().run(page).response["violations"] if one["impact"] in ("serious", "critical")]
    return [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found]


def pictures(page: Page) -> list[str]:
    """Hashes of what the canvases show."""
    drawn = page.evaluate("[...document.querySelectorAll('main canvas')].map((one) => one.toDataURL())")
    return [hashlib.sha256(one.encode()).hexdigest() for one in drawn]


@pytest.mark.parametrize("width", [1400, 800])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_and_is_accessible(browser: Browser, address: str, name: str, width: int) -> None:
    for scheme in ("dark", "light"):
        with opened(browser, f"{address}/{name}", width, scheme) as page:
            assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
            assert page.locator(".state.told").count() == 0
            assert serious(page) == []


@pytest.mark.parametrize("name", DRAWN)
def test_a_picture_has_colours(browser: Browser, address: str, name: str) -> None:
    with opened(browser, f"{address}/{name}") as page:
        colours = page.evaluate("""() => {
          const canvas = document.querySelector("main canvas"), context = canvas.getContext("2d");
          const pixels = new Uint32Array(context.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
          return new Set(pixels).size;
        }""")
        assert colours > 20
        assert page.locator("#origin").inner_text() == "SIMULATED"


@pytest.mark.parametrize("name", DRAWN)
def test_a_picture_that_gets_another_size_is_not_empty_for_a_frame(browser: Browser, address: str, name: str) -> None:
    """What observes the size last sees the picture as the frame will show it."""
    with opened(browser, f"{address}/{name}") as page:
        colours = page.evaluate("""() => new Promise((done) => {
          const canvas = document.querySelector("main canvas"), stage = canvas.parentElement;
          let sizes = 0;
          new ResizeObserver(() => {
            if (!sizes++) return void (stage.style.height = `${stage.clientHeight + 40}px`);
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            done(new Set(new Uint32Array(data.buffer)).size);
          }).observe(stage);
        })""")
        assert colours > 20


def test_models_are_compared_by_keyboard(browser: Browser, address: str) -> None:
    with opened(browser, f"{address}/compare") as page:
        before = pictures(page)
        page.focus(".quad canvas")
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(200)
        assert all(one != other for one, other in zip(before, pictures(page), strict=True))
        page.keyboard.press("Escape")
        page.wait_for_timeout(200)
        assert pictures(page) == before


SELECTORS = {
    "map": [
        ("radio", "band", "on"),
        ("select", "model", "oi_candle"),
        ("radio", "timeframe", "12h"),
        ("radio", "side", "long"),
        ("range", "threshold", "50"),
        ("time", "at", "2024-03-02T06:00"),
        ("chip", "[data-tier='20']", ""),
    ],
    "heatmap": [
        ("select", "model", "large_trades"),
        ("radio", "window", "24h"),
        ("select", "interval", "1h"),
        ("radio", "side", "short"),
        ("range", "threshold", "30"),
        ("select", "run", "demo-second"),
        ("chip", "[data-layer='oi']", ""),
    ],
    "compare": [("radio", "timeframe", "12h"), ("time", "at", "2024-03-02T06:00")],
    "liquidations": [
        ("radio", "window", "24h"),
        ("select", "interval", "15m"),
        ("time", "until", "2024-03-02T06:00"),
        ("select", "model", "large_trades"),
    ],
}
LOOKS = {"map": [("scale", "log")], "heatmap": [("scale", "log")], "compare": [("height", "notional")]}
LOOKS |= {"liquidations": [("measure", "count")]}


def choose(page: Page, kind: str, name: str, value: str) -> None:
    match kind:
        case "select":
            page.select_option(f"[name={name}]", value)
        case "radio":
            page.check(f"[name={name}][value='{value}']", force=True)
        case "chip":
            page.click(name)
        case _:
            page.fill(f"[name={name}]", value)
            page.dispatch_event(f"[name={name}]", "change")
    # A slider asks when it has come to rest.
    page.wait_for_timeout(1500 if kind == "range" else 250)
    settle(page)


@pytest.mark.parametrize("name", DRAWN)
def test_each_selector_changes_the_data_and_is_in_the_link(browser: Browser, address: str, name: str) -> None:
    for kind, control, value in SELECTORS[name]:
        with opened(browser, f"{address}/{name}") as page:
            before = shown(page)
            choose(page, kind, control, value)
            after = shown(page) if kind != "chip" or name == "map" else json.dumps(page.evaluate("shown.view"))
            assert after != before, control
            link = page.url
            assert link != f"{address}/{name}"
            drawn = pictures(page)
        with opened(browser, link) as page:
            assert pictures(page) == drawn, control


@pytest.mark.parametrize("name", DRAWN)
def test_each_way_of_looking_changes_the_picture(browser: Browser, address: str, name: str) -> None:
    for control, value in LOOKS[name]:
        with opened(browser, f"{address}/{name}") as page:
            before = pictures(page)
            choose(page, "radio", control, value)
            assert pictures(page) != before, control


def test_the_slider_never_shows_what_came_after(browser: Browser, address: str) -> None:
    with opened(browser, f"{address}/heatmap?window=24h&interval=30m") as page:
        last = int(page.get_attribute("#known", "max") or 0)
        for index in (last, last * 2 // 3, last // 3, 2):
            page.fill("#known", str(index))
            settle(page)
            seen = page.evaluate("""() => {
              const { heat, until, latest, panes, candles, bubbles } = window.shown;
              const canvas = document.getElementById("chart"), [from, to] = window.shown.view;
              const copy = document.createElement("canvas");
              [copy.width, copy.height] = [canvas.width, canvas.height];
              const context = copy.getContext("2d", { willReadFrequently: true });
              context.drawImage(canvas, 0, 0);
              const ratio = devicePixelRatio, wide = canvas.width / ratio - 66 - 120;
              const x = Math.ceil(((until + heat.step - from) / (to - from)) * wide) + 2;
              const pixels = x + 4 < wide ? context.getImageData(x, 60, wide - x - 2, 120).data : [];
              const ink = new Set();
              for (let at = 0; at < pixels.length; at += 4) ink.add(pixels.slice(at, at + 3).join());
              return { until, latest, panes, candles, bubbles, ink: ink.size, index: heat.ms.indexOf(until) };
            }""")
            assert seen["index"] == index
            assert seen["latest"] <= seen["until"]
            assert all(pane["latest"] is None or pane["latest"] <= seen["until"] for pane in seen["panes"])
            # Right of the moment: the ground, and grid lines across it.
            assert index == last or seen["ink"] <= 6
        link = page.url
        assert "known=" in link
    with opened(browser, link) as page:
        assert page.input_value("#known") == "2"


def _raised(factor: float, route: Route) -> None:
    answer = route.fetch()
    content = answer.json()
    for row in content["klines"]:
        if row["time"] >= "2024-03-02T12:00":
            row["high"] *= factor
    route.fulfill(response=answer, json=content)


def test_colours_and_the_range_of_prices_know_nothing_of_what_comes(browser: Browser, address: str) -> None:
    """Candles of the future, made a hundred times as high, change nothing of the picture of a moment before them."""
    pictured = []
    for factor in (1, 100):
        with opened(browser, f"{address}/map") as page:
            page.route("**/prices/klines?*", partial(_raised, factor))
            page.goto(f"{address}/heatmap?window=24h&interval=1h&known=2024-03-02T12:00")
            settle(page)
            pictured.append(pictures(page))
    assert pictured[0] == pictured[1]


def test_zoom_and_keys_move_the_view(browser: Browser, address: str) -> None:
    with opened(browser, f"{address}/heatmap") as page:
        view = page.evaluate("window.shown.view")
        page.focus("#over")
        page.keyboard.press("ArrowLeft")
        assert "from price" in page.inner_text("#readout")
        page.keyboard.press("+")
        page.keyboard.press("Shift+ArrowLeft")
        page.wait_for_timeout(400)
        assert re.search(r"view=[\d.]+(~|%7E)", page.url)
        page.keyboard.press("Home")
        page.wait_for_timeout(50)
        assert "view=" not in page.url
        assert page.evaluate("window.shown.view") == view


def test_exports_are_files_of_what_is_shown(browser: Browser, address: str, tmp_path: Path) -> None:
    import pyarrow.csv
    import pyarrow.parquet as pq

    with opened(browser, f"{address}/heatmap?window=12h&interval=1h") as page:
        sums = page.evaluate("window.shown.heat.notional.flat().reduce((sum, one) => sum + one, 0)")
        files: dict[str, Path] = {}
        for kind in ("png", "csv", "parquet"):
            with page.expect_download() as waiting:
                page.click(f"#{kind}")
            files[kind] = tmp_path / waiting.value.suggested_filename
            waiting.value.save_as(files[kind])
    assert files["png"].read_bytes().startswith(b"\x89PNG")
    assert pyarrow.csv.read_csv(files["csv"])["notional"].to_pandas().sum() == pytest.approx(sums)
    table = pq.read_table(files["parquet"])
    assert table["notional"].to_pandas().sum() == pytest.approx(sums)
    assert json.loads(table.schema.metadata[b"about"])["origin"] == "SIMULATED"


def test_runs_are_tagged_noted_put_aside_and_brought_back(browser: Browser, address: str) -> None:
    hostile = "<script>window.broken = 1</script><img src=x onerror='window.broken = 1'>"
    with opened(browser, f"{address}/results") as page:
        assert page.locator("#runs tbody tr:not([hidden])").count() >= 2
        page.check("[aria-label='Tick demo-second']")
        page.click("#note")
        page.fill("#dialog-text", hostile)
        page.click("dialog .primary")
        page.wait_for_selector("td.note[title*=script]")
        assert page.inner_text("td.note[title*=script]") == hostile
        page.click("#tag")
        page.fill("#dialog-text", "second, <b>bold</b>")
        page.click("dialog .primary")
        until(page, "document.querySelectorAll('.pill:not(.simulated)').length === 2")
        assert page.evaluate("window.broken") is None
        page.fill("[name=filter]", "trades >= 0 and run == 'demo-second'")
        until(page, "window.shown.rows.length === 1")
        page.fill("[name=filter]", "")
        until(page, "window.shown.rows.length >= 2")
        page.click("#delete")
        until(page, "!window.shown.rows.some((row) => row.run === 'demo-second')")
        page.reload()
        settle(page)
        assert page.inner_text("#undo") == "Undo: bring 1 back"
        page.click("#undo")
        until(page, "window.shown.rows.some((row) => row.run === 'demo-second')")
        assert page.is_hidden("#undo")


def test_the_list_of_runs_fits_with_the_figures_that_matter_most(browser: Browser, address: str) -> None:
    over = "document.getElementById('scroller').scrollWidth - document.getElementById('scroller').clientWidth"
    with opened(browser, f"{address}/results?sort=win_rate", width=800) as page:
        assert page.evaluate(over) <= 0
        narrow = page.evaluate("window.shown.columns")
        assert {"net_return", "max_drawdown", "sharpe", "win_rate"} <= set(narrow)
        page.set_viewport_size({"width": 1600, "height": 900})
        until(page, f"window.shown.columns.length > {len(narrow)}")
        assert page.evaluate(over) <= 0
        assert set(narrow) < set(page.evaluate("window.shown.columns"))
        page.select_option("[name=columns]", "all")
        until(page, "window.shown.columns.includes('data_hash')")


def test_a_report_and_a_comparison_open_inside(browser: Browser, address: str) -> None:
    with opened(browser, f"{address}/results?run=demo-second") as page:
        frame = page.frame_locator("#frame")
        frame.locator("h1").first.wait_for()
        frame.locator(".plot .main-svg").first.wait_for()
    with opened(browser, f"{address}/results") as page:
        for tick in page.locator("#runs tbody input").all()[:2]:
            tick.check()
        page.click("#compare")
        page.frame_locator("#frame").get_by_text("What differs").wait_for()
        assert "compare=" in page.url


SEEN = """(plot) => ({
  ground: getComputedStyle(document.body).backgroundColor,
  paper: plot.layout.paper_bgcolor,
  heat: plot.data.find((one) => one.type === "heatmap").colorscale.at(-1)[1],
  label: plot.layout.annotations[0].bgcolor,
  range: plot.layout.xaxis.range,
  marked: Boolean(window.marked),
})"""


def test_what_is_shown_inside_has_the_theme_of_the_page(browser: Browser, address: str) -> None:
    with opened(browser, f"{address}/results?run=demo-second", scheme="light") as page:
        plot = page.frame_locator("#frame").locator("#plot-heatmap-BTCUSDT")
        plot.locator(".main-svg").first.wait_for()
        light = plot.evaluate(SEEN)
        colours = light["ground"], light["paper"], light["heat"], light["label"]
        assert colours == ("rgb(243, 245, 248)", "#ffffff", "#260c4a", "rgba(251,252,253,0.75)")
        first, last = light["range"]
        plot.evaluate("(plot, range) => Plotly.relayout(plot, { 'xaxis.range': range })", [first, (first + last) / 2])
        plot.evaluate("() => { window.marked = true; }")
        page.click("#theme")
        page.wait_for_timeout(500)
        dark = plot.evaluate(SEEN)
        colours = dark["ground"], dark["paper"], dark["heat"], dark["label"]
        assert colours == ("rgb(13, 16, 21)", "#141920", "#fcffa4", "rgba(10,13,18,0.75)")
        assert dark["marked"], "it is repainted, not loaded again"
        assert dark["range"] == [first, (first + last) / 2], "and stays where it was moved to"
        assert str(page.get_attribute("#inside-open", "href")).endswith("#dark")


PRINTED = """() => [...document.querySelectorAll(".stage canvas")].map((canvas) => {
  const { width, height } = canvas, box = canvas.getBoundingClientRect();
  const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, width, height);
  const light = data.filter((_, at) => at % 4 === 1 && data[at + 2] > 0);
  return { bright: light.reduce((sum, one) => sum + one, 0) / Math.max(light.length, 1), shape: width / height,
    seen: box.width / box.height, ground: getComputedStyle(document.body).backgroundColor };
})"""


@pytest.mark.parametrize("name", DRAWN)
def test_a_page_is_light_on_paper_and_dark_again_after(browser: Browser, address: str, name: str) -> None:
    with opened(browser, f"{address}/{name.removeprefix('map')}") as page:
        settle(page)
        before = page.evaluate(PRINTED)
        assert before[0]["bright"] < 80
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        for canvas in page.evaluate(PRINTED):
            assert canvas["ground"] == "rgb(255, 255, 255)"
            assert canvas["bright"] > 100
            assert canvas["seen"] == pytest.approx(canvas["shape"], rel=0.02), "not drawn out of shape"
        page.emulate_media(media="screen")
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        page.wait_for_timeout(300)
        after = page.evaluate(PRINTED)
        assert [(one["ground"], one["shape"]) for one in after] == [(one["ground"], one["shape"]) for one in before]
        assert after[0]["bright"] == pytest.approx(before[0]["bright"], rel=0.01)


@pytest.mark.parametrize("width", [1400, 800])
def test_reports_and_comparisons_are_accessible_in_both_themes(
    browser: Browser, address: str, house: tuple[Path, Path, Path], width: int
) -> None:
    runs = [path.name for path in house[1].glob("demo-*")]
    for path in (f"/runs/{runs[0]}/report", f"/runs/compare/page?run={runs[0]}&run={runs[1]}"):
        for scheme in ("dark", "light"):
            with opened(browser, address + path, width, scheme) as page:
                assert serious(page) == []


def test_a_run_is_edited_started_and_shown(browser: Browser, address: str) -> None:
    with opened(browser, f"{address}/run") as page:
        page.wait_for_selector("#errors .fine")
        text = page.input_value("#text")
        page.fill("#text", text.replace('resolution = "5m"', "resolutoin = 5"))
        page.wait_for_selector("#errors button")
        assert page.inner_text("#errors").startswith('line 5unknown key "resolutoin" (did you mean "resolution"?)')
        assert page.is_disabled("#start")
        assert page.inner_text("#lines .bad").strip() == "5"
        assert page.inner_text("#ink .beside").startswith('   ← unknown key "resolutoin"')
        page.fill("#text", text.replace("LevelFade", "LevelFad"))
        until(page, "document.getElementById('errors').innerText.includes('did you mean')")
        page.click("#revert")
        page.wait_for_selector("#errors .fine")
        page.click("#start")
        link = page.wait_for_selector("#jobs a")
        assert link is not None
        page.goto(f"{address}{link.get_attribute('href')}")
        page.frame_locator("#frame").get_by_text("from-the-page").first.wait_for()
        page.goto(f"{address}/run")
        page.wait_for_selector("#errors .fine")
        page.click("#events")
        study = page.wait_for_selector("#jobs a[href*='study=']")
        assert study is not None
        page.goto(f"{address}{study.get_attribute('href')}")
        page.frame_locator("#frame").get_by_text("Is a level reached?").wait_for()
        assert "events, " in page.inner_text("#study-rows")
        assert "too little to tell" in page.inner_text("#study-rows")


def test_a_run_file_is_saved_and_over_another_only_when_asked(
    browser: Browser, address: str, house: tuple[Path, Path, Path]
) -> None:
    configs = house[2]
    with opened(browser, f"{address}/run?file={configs / 'quick.toml'}") as page:
        page.wait_for_selector("#errors .fine")
        text = page.input_value("#text")
        page.fill("#text", text + "# mine\n")
        page.keyboard.press("Control+s")
        assert "is there already" in page.inner_text("#dialog-told")
        assert page.inner_text("#dialog-ok") == "Write over it"
        page.fill("#dialog-name", "mine.toml")
        assert page.inner_text("#dialog-ok") == "Save"
        page.click("#dialog-ok")
        until(page, "document.getElementById('told').textContent.endsWith('mine.toml is saved.')")
        assert (configs / "mine.toml").read_text() == text + "# mine\n"
        assert (configs / "quick.toml").read_text() == text
        assert page.input_value("#file") == str(configs / "mine.toml")
        assert page.is_disabled("#revert")
        page.fill("#text", text + "# again\n")
        page.click("#save")
        page.click("#dialog-ok")
        until(
            page,
            "document.getElementById('text').value.endsWith('again\\n') && document.getElementById('revert').disabled",
        )
        assert (configs / "mine.toml").read_text() == text + "# again\n"
    (configs / "mine.toml").unlink()


def test_levels_that_were_run_through_are_marked(browser: Browser, address: str) -> None:
    """Each mark is where price went, and what it took out the maps had held."""
    with opened(browser, f"{address}/heatmap?window=24h&interval=15m") as page:
        marks, heat = page.evaluate("[shown.swept, shown.heat]")
        candles = page.evaluate(
            "(async () => (await (await fetch('/prices/klines?symbol=BTCUSDT&interval=15m')).json()).klines)()"
        )
        went = {row["time"][:16]: (row["low"], row["high"]) for row in candles}
        assert len(marks) > 10
        for one in marks[:20]:
            column = heat["ms"].index(one["time"])
            low, high = went[heat["times"][column - 1][:16]]
            assert low <= one["high"] * 1.002
            assert one["low"] <= high * 1.002
        before = pictures(page)
        page.click("[data-layer=swept]")
        settle(page)
        assert pictures(page) != before


def test_completion_offers_what_fits(browser: Browser, address: str) -> None:
    with opened(browser, f"{address}/run") as page:
        page.wait_for_selector("#errors .fine")
        page.focus("#text")
        page.keyboard.press("Control+End")
        page.keyboard.type("params = { tu")
        assert page.inner_text("#complete") == "turn"
        page.keyboard.press("Tab")
        page.keyboard.type(" = 0.003 }")
        assert page.input_value("#text").rstrip().endswith("params = { turn = 0.003 }")
        page.wait_for_selector("#errors .fine")


#: All that is written on canvases from now on.
WRITTEN = """() => {
  const { fillText } = CanvasRenderingContext2D.prototype;
  window.written = [];
  CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
    window.written.push(text);
    return fillText.call(this, text, ...rest);
  };
}"""


def test_markets_in_another_currency_say_which(
    browser: Browser, house: tuple[Path, Path, Path], other_markets: Path
) -> None:
    with serving(other_markets, house[1], house[2]) as address:
        for symbol, data, quote in (("BTCUSDC", "usdc", "USDC"), ("BTCUSD_PERP", "coin", "USD")):
            for name in DRAWN:
                with opened(browser, f"{address}/{name}?data={data}&symbol={symbol}") as page:
                    assert not page.locator(".state.told").count()
                    page.evaluate(WRITTEN)
                    page.set_viewport_size({"width": 1390, "height": 900})
                    until(page, "window.written.length")
                    page.focus("main canvas[tabindex]") if name != "compare" else page.hover("main canvas >> nth=0")
                    page.keyboard.press("ArrowRight")
                    settle(page)
                    told = [page.inner_text("main"), *page.evaluate("window.written")]
                    assert any(re.search(rf"\b{quote}\b", text) for text in told), name
                    assert not any("USDT" in text for text in told), name
                    if name == "heatmap":
                        assert page.is_disabled("[data-layer=funding]") == (data == "coin"), "none is on record there"
                        assert f"Liquidated, {quote}" in told


def test_an_empty_house_says_what_to_do(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path / "catalog", tmp_path / "results", tmp_path / "configs") as address:
        for name in (*DRAWN, "results"):
            with opened(browser, f"{address}/{name}") as page:
                assert "liqstrat demo" in page.inner_text(".state.told")
                assert name == "results" or page.is_hidden("#controls")
