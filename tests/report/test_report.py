import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from liqstrat.errors import LiqstratError
from liqstrat.report import write_report

MEGABYTE = 1_000_000


def keep_rows(path: Path, rows: int) -> None:
    pq.write_table(pq.read_table(path).slice(0, rows), path)


def change_run(folder: Path, **changes: Any) -> None:
    path = folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def text(folder: Path) -> str:
    """What a reader sees: the page up to the scripts at its end."""
    return write_report(folder).read_text(encoding="utf-8").partition("</main>")[0]


def test_the_same_results_give_the_same_bytes(results: Path) -> None:
    first = write_report(results).read_bytes()
    assert write_report(results).read_bytes() == first
    assert sorted(path.suffix for path in results.iterdir() if path.name.startswith(".")) == []


def test_two_runs_differ_only_in_their_names_and_times(results: Path) -> None:
    run = json.loads((results / "run.json").read_text())
    before = write_report(results).read_text(encoding="utf-8")
    change_run(results, run="other-run", created="2031-01-01T00:00:00+00:00")
    after = write_report(results).read_text(encoding="utf-8")
    assert after != before
    back = after.replace("2031-01-01T00:00:00+00:00", run["created"]).replace("other-run", run["run"])
    assert back == before


def test_the_page_is_small_enough_to_send(results: Path) -> None:
    assert write_report(results).stat().st_size < 7 * MEGABYTE


def test_the_page_forbids_itself_the_network(results: Path) -> None:
    page = text(results)
    assert "Content-Security-Policy\" content=\"default-src 'none'; " in page
    assert 'src="http' not in page
    assert 'href="http' not in page


def test_what_was_run_is_said(results: Path) -> None:
    run = json.loads((results / "run.json").read_text())
    page = text(results)
    assert run["config"]["strategies"][0]["use"] in page
    assert run["symbols"][0] in page
    assert run["start"][:10] in page
    for digest in (run["config_hash"], run["data_hash"]):
        assert digest in page
    for note in run["notes"]:
        assert note.split("%")[0] in page


def test_simulated_data_are_called_so_and_real_data_are_not(results: Path) -> None:
    change_run(results, simulated=True)
    simulated = text(results)
    assert simulated.count('class="badge">SIMULATED') == 1
    assert simulated.count("SIMULATED\\u003c") == 3, "in every picture"
    change_run(results, simulated=False)
    assert "SIMULATED" not in text(results)


def test_notes_and_names_cannot_break_the_page(results: Path) -> None:
    hostile = "</script><script>alert(1)</script>"
    change_run(results, notes=[hostile], name="<b>")
    trades = pq.read_table(results / "positions.parquet")
    column = trades.schema.get_field_index("strategy")
    pq.write_table(trades.set_column(column, "strategy", [[hostile] * len(trades)]), results / "positions.parquet")
    page = text(results)
    assert "<script>alert" not in page
    assert "&lt;b&gt;" in page


def test_switched_off_costs_are_told(results: Path) -> None:
    config = json.loads((results / "run.json").read_text())["config"]
    change_run(results, config={**config, "venue": {**config["venue"], "funding": False}})
    assert "switched off: funding" in text(results)


@pytest.mark.parametrize(
    ("emptied", "said"),
    [
        (["positions"], "No trade was closed"),
        (["levels", "map"], "No levels were recorded"),
        (["levels", "candles"], "Neither levels nor candles"),
        (["equity"], "No equity was recorded"),
    ],
)
def test_a_run_without_it_says_so(results: Path, emptied: list[str], said: str) -> None:
    for name in emptied:
        keep_rows(results / f"{name}.parquet", 0)
    assert said in text(results)


def test_a_folder_that_is_none_of_a_run(tmp_path: Path) -> None:
    with pytest.raises(LiqstratError, match=r"is not the results folder of a run: no run\.json, metrics\.json"):
        write_report(tmp_path)
