"""What commands take: settings over a run file, times, files with a model; and what they print for programs."""

import json
import shutil
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from tests.shell import Shell

pytestmark = pytest.mark.slow

RUN = """\
name = "mine"
symbols = ["BTCUSDT"]
from = 2024-03-02
to = 2024-03-03
data = {{ db = "{db}" }}

[[strategies]]
use = "RandomEntry"
params = {{ per_day = 24 }}
"""


def test_a_backtest_takes_settings_times_and_resolution_over_its_file(
    liqstrat: Shell, simulated_database: Path, tmp_path: Path
) -> None:
    Path("run.toml").write_text(RUN.format(db=simulated_database))
    done = liqstrat(
        *("backtest", "run.toml", "--set", "strategies.0.params.per_day=48", "--set", "name=short", "--no-report"),
        *("--from", "2024-03-02T06:00", "--to", "2024-03-02T12:00", "--resolution", "5m", "--json"),
    )
    assert done.code == 0, done.err
    facts = json.loads(done.out)
    about = json.loads((Path(facts["folder"]) / "run.json").read_text())
    assert (about["start"], about["end"]) == ("2024-03-02T06:00:00+00:00", "2024-03-02T12:00:00+00:00")
    assert about["config"]["strategies"][0]["params"] == {"per_day": 48}
    assert facts["name"] == "short"
    assert facts["resolution"] == "5m"
    assert facts["simulated"] is True
    assert facts["report"] is None
    assert not (Path(facts["folder"]) / "report.html").exists()
    closed = pq.read_table(Path(facts["folder"]) / "positions.parquet")["closed"]
    assert facts["metrics"]["trades"] == len(closed) - closed.null_count

    wrong = liqstrat("backtest", "run.toml", "--set", "strategies.0.parms.per_day=48")
    assert (wrong.code, 'did you mean "params"' in wrong.err) == (1, True)
    assert liqstrat("backtest", "run.toml", "--set", "per_day").code == 2


def test_a_heatmap_from_the_day_on_which_history_begins_starts_at_its_first_moment(
    liqstrat: Shell, simulated_database: Path
) -> None:
    shutil.copy(simulated_database, "late.duckdb")
    with duckdb.connect("late.duckdb") as connection:
        connection.execute("delete from open_interest_history where timestamp < timestamp '2024-03-01 00:05'")
    db = ("--db", "late.duckdb")
    for typed, first in (("2024-03-01", "04:00"), ("2024-03-01T00:05", "00:05"), ("2024-02-29T20:30", "00:30")):
        done = liqstrat("heatmap", "BTCUSDT", *db, "--from", typed, "--every", "4h", "--out", "heat.parquet")
        assert done.code == 0, done.err
        assert f"{pq.read_table('heat.parquet')['time'][0].as_py():%H:%M}" == first
        assert ("note: there is no open interest before" in done.out) == (first != "00:05")
    early = liqstrat("heatmap", "BTCUSDT", *db, "--from", "2024-02-20", "--out", "early.parquet")
    assert (early.code, "starts at 2024-03-01 00:05" in early.err) == (1, True)


def test_levels_take_a_file_with_only_a_model(liqstrat: Shell, simulated_database: Path) -> None:
    Path("model.toml").write_text('[model]\nkind = "large_trades"\n')
    done = liqstrat("levels", "BTCUSDT", "--db", str(simulated_database), "--config", "model.toml", "--json")
    assert done.code == 0, done.err
    assert {tier for one in json.loads(done.out)["bins"] for tier in one["by_leverage"]} <= {"10", "25", "50", "100"}


def test_levels_tell_how_uncertain_they_are_where_they_are_asked(liqstrat: Shell, simulated_database: Path) -> None:
    command = ("levels", "BTCUSDT", "--db", str(simulated_database))
    plain, told = (json.loads(liqstrat(*command, *more, "--json").out) for more in ((), ("--band",)))
    for one, other in zip(told["bins"] + told["clusters"], plain["bins"] + plain["clusters"], strict=True):
        low, high = one.pop("band")
        assert 0 <= low <= high
        assert other.pop("band", None) is None
        assert one == other
    shown = liqstrat(*command, "--band").out
    assert "90 % band" in shown
    assert "lumps of" in shown
    assert "90 % band" not in liqstrat(*command).out
    Path("model.toml").write_text('[model]\nkind = "large_trades"\n')
    done = liqstrat(*command, "--band", "--config", "model.toml")
    assert (done.code, 'this model\'s is "large_trades"' in done.err) == (1, True)
    done = liqstrat(*command, "--band", "--venues", "binance,bybit")
    assert (done.code, "--band is of one market's map" in done.err) == (1, True)


def test_commands_print_their_facts_for_programs(liqstrat: Shell, tmp_path: Path) -> None:
    simulated = json.loads(liqstrat("simulate", "sim", "--days", "1", "--json").out)
    assert (simulated["symbol"], simulated["simulated"]) == ("BTCUSDT", True)
    loaded = json.loads(liqstrat("ingest", "sim", "--json").out)
    assert {file["state"] for file in loaded["files"]} == {"loaded"}
    assert sum(file["rows"] for file in loaded["files"] if file["kind"] == "trades") == simulated["trades"]
    built = json.loads(liqstrat("catalog", "BTCUSDT", "--json").out)
    assert built["rows"]["trades"] == simulated["trades"]
    heat = json.loads(liqstrat("heatmap", "BTCUSDT", "--every", "4h", "--out", "heat.parquet", "--json").out)
    assert heat["rows"] == len(pq.read_table("heat.parquet"))
    assert heat["simulated"] is True
