"""Texts in the results stay texts on the page, whoever wrote them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from liqstrat.report import write_report
from liqstrat.report.heading import heading_html, small_print_html
from liqstrat.report.tables import read_results
from tests.report.browser import Browser

pytestmark = pytest.mark.slow

MARK = "<img src=x onerror=document.title='mine'>"


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths to all values that hold no others."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from leaves(value[key], (*path, key))
    else:
        yield path


def marked(run: Any, path: tuple[Any, ...]) -> Any:
    changed = json.loads(json.dumps(run))
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = MARK
    return changed


def test_every_value_of_a_run_is_escaped_or_refused(results: Path) -> None:
    file = results / "run.json"
    run = json.loads(file.read_text())
    run["config"]["strategies"][0]["params"] = {"near": "x"}
    run["bin_width"] = {symbol: 0.001 * (i + 1) for i, symbol in enumerate([*run["symbols"], "ETHUSDT"])}
    run["levels"] = run["levels"] or [{"symbol": "BTCUSDT", "words": "not scored", "reason": "none"}]
    shown = 0
    for path in leaves(run):
        file.write_text(json.dumps(marked(run, path)))
        try:
            told = read_results(results).run
            page = heading_html(told) + small_print_html(told)
        except Exception:
            continue
        assert MARK not in page, path
        shown += "&lt;img" in page
    assert shown > 20


def test_names_of_parts_are_escaped(results: Path) -> None:
    file = results / "run.json"
    run = json.loads(file.read_text())
    run["bin_width"] = {"BTCUSDT": 0.001, MARK: 0.002}
    run["versions"][MARK] = "1"
    run["config"]["strategies"][0]["params"] = {MARK: 1}
    file.write_text(json.dumps(run))
    told = read_results(results).run
    page = heading_html(told) + small_print_html(told)
    assert MARK not in page
    assert page.count("&lt;img src=x onerror") >= 3


def test_a_script_that_is_not_the_pages_own_does_not_run(browser: Browser, results: Path) -> None:
    page = write_report(results)
    text = page.read_text(encoding="utf-8")
    injected = f"<script>document.title = 'mine'</script>{MARK}"
    page.write_text(text.replace("</main>", f"{injected}</main>", 1), encoding="utf-8")
    look = "return { title: document.title, plots: document.querySelectorAll('.plot .main-svg').length };"
    seen, said = browser.ask(page, 1000, look)
    assert seen["title"] != "mine"
    assert seen["plots"] > 0
    assert any("Content Security Policy" in line for line in said)
