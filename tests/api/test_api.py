"""Runs, results and history from Python."""

import json
import sys
import types
import webbrowser
from pathlib import Path

import numpy as np
import pytest

import liqstrat as lq
from tests.shell import Shell


def test_a_run_is_what_its_folder_holds(at_home: Path) -> None:
    run = lq.load(at_home)
    assert run.metrics["trades"] == run.trades["closed"].notna().sum() > 0
    assert run.metrics["fees"] == pytest.approx(run.fills["fee"].sum())
    assert run.equity.index.name == "time"
    assert str(run.equity.index.tz) == "UTC"
    assert run.metrics_by_strategy.loc["LevelFade", "trades"] == run.metrics["trades"]
    assert set(run.fills["order_id"]) <= set(run.orders["order_id"])
    assert set(run.levels["side"]) == {"long", "short"}
    assert len(run.candles) > 100
    assert run.arrow.levels.num_rows == len(run.levels)
    assert run.simulated
    assert "SIMULATED" in repr(run)
    with pytest.raises(AttributeError, match=r'no table "trade" \(did you mean "trades"\?\)'):
        _ = run.arrow.trade


def test_the_command_line_and_python_run_the_same(at_home: Path, liqstrat: Shell, home: Path) -> None:
    """`liqstrat` moves to an empty folder."""
    settings = {"strategies.0.params.turn": 0.003, "resolution": "15m"}
    values = {
        "name": "same",
        "symbols": ["BTCUSDT"],
        "from": "2024-03-02",
        "to": "2024-03-03",
        "data": {"db": str(home / "catalog" / "market.duckdb")},
        "strategies": [{"use": "LevelFade"}],
    }
    made = lq.run(values, settings, out="mine", report=False, progress=False)
    text = (home / "configs" / "fade.toml").read_text().replace("fade", "same")
    Path("run.toml").write_text(f'data.db = "{values["data"]["db"]}"\n{text}')
    typed = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    done = json.loads(liqstrat("backtest", "run.toml", *typed, "--no-report", "--json").out)
    assert json.loads((made.folder / "metrics.json").read_text()) == done["metrics"]
    assert made.about["config_hash"] == lq.load(done["folder"]).about["config_hash"]
    assert not (made.folder / "report.html").exists()
    assert made.report.path.exists(), "a report is written when it is asked for"


def test_progress_goes_where_the_command_line_puts_it(at_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lq.History().levels("BTCUSDT", at="2024-03-02")
    printed = capsys.readouterr()
    assert ("flow:" in printed.err, printed.out) == (True, "")
    lq.History().levels("BTCUSDT", at="2024-03-02", progress=False)
    assert capsys.readouterr().err == ""


def test_levels_are_those_of_the_command_line(at_home: Path, home: Path, liqstrat: Shell) -> None:
    db = home / "catalog" / "market.duckdb"
    model = {"kind": "large_trades", "large": 100_000}
    levels = lq.History(db).levels("BTCUSDT", at="2024-03-02 06:30", model=model, progress=False)
    Path("model.toml").write_text('[model]\nkind = "large_trades"\nlarge = 100000\n')
    printed = liqstrat(
        "levels", "BTCUSDT", "--at", "2024-03-02T06:30", "--db", str(db), "--config", "model.toml", "--json"
    )
    told = json.loads(printed.out)
    assert [one.price for one in levels.clusters] == [one["price"] for one in told["clusters"]]
    assert levels.bins["contracts"].sum() == pytest.approx(sum(one["contracts"] for one in told["bins"]))
    assert isinstance(levels.clusters[0], lq.Cluster)
    assert f"{levels.time:%H:%M}" == "06:30"


def test_a_heatmap_is_its_maps_added_up(at_home: Path, tmp_path: Path) -> None:
    history = lq.History()
    when = {"start": "2024-03-02", "end": "2024-03-02 04:00", "every": "1h", "progress": False}
    heat = history.heatmap("BTCUSDT", **when)
    for one in history.maps("BTCUSDT", **when):
        rows = heat.rows[heat.rows["time"] == one.time]
        near = one.bins[np.abs(np.sqrt(one.bins["price_low"] * one.bins["price_high"]) / one.price - 1) < 0.19]
        expected = near.groupby("price_low")["contracts"].sum()
        found = rows.set_index("price_low")["contracts"].loc[expected.index]
        assert found.to_numpy() == pytest.approx(expected.to_numpy())
    assert "SIMULATED" in heat.save(tmp_path / "heat.html").read_text()
    assert "SIMULATED" in repr(heat)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: lq.load("results/fad"), "results/fad: no such folder"),
        (lambda: lq.load("configs"), "configs: is not the results folder of a run: no run.json, metrics.json in it"),
        (lambda: lq.results("resluts"), "resluts: no such folder"),
        (lambda: lq.History("nowhere.duckdb"), "nowhere.duckdb"),
        (lambda: lq.History().levels("BTCUSD", progress=False), 'did you mean "BTCUSDT"'),
        (lambda: lq.History().levels("BTCUSDT", at="noon"), '"noon" is not a time, expected'),
        (lambda: lq.History().levels("BTCUSDT", model={"turnver": 1}), 'did you mean "turnover"'),
        (lambda: lq.History().heatmap("BTCUSDT", every="2h"), '"2h" is not a length, expected one of'),
        (
            lambda: lq.run("configs/fad.toml"),
            "configs/fad.toml: cannot be read: No such file or directory (did you mean",
        ),
        (lambda: lq.run("configs/fade.toml", {"strategies.0.use": "LevelFad"}, progress=False), 'mean "LevelFade"'),
        (lambda: lq.load(min(Path("results").glob("fade-*"))).arrow.table("trade"), 'did you mean "trades"'),
    ],
)
def test_what_is_wrong_is_said_in_the_sentences_of_the_command_line(at_home: Path, call: object, said: str) -> None:
    with pytest.raises(lq.LiqstratError) as error:
        call()
    assert said in str(error.value)


def test_a_folder_that_cannot_be_read_is_left_out_of_the_table_with_a_warning(at_home: Path, tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("{")
    (tmp_path / "good").symlink_to(at_home)
    with pytest.warns(UserWarning, match="broken is left out"):
        table = lq.results(tmp_path)
    assert table["folder"].tolist() == [str(tmp_path / "good")]
    (tmp_path / "empty").mkdir()
    assert lq.results(tmp_path / "empty").empty


def test_the_report_opens_in_the_browser_and_in_a_notebook(at_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = lq.load(at_home).report
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    report.show()
    assert opened == [report.path.resolve().as_uri()]

    shown: list[object] = []
    notebook = types.SimpleNamespace(
        get_ipython=lambda: types.SimpleNamespace(kernel=True), display=types.SimpleNamespace(display=shown.append)
    )
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    report.show()
    assert shown == [report]
    frame = report._repr_html_()
    assert frame.startswith("<iframe srcdoc=")
    assert "SIMULATED" in frame
