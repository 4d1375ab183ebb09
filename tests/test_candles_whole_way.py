"""From a history of candles and open interest alone to levels, a heatmap, a backtest and a report, by the commands."""

import json
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.candles_only import candles_only
from tests.shell import Shell

RUN = """\
name = "candles"
symbols = ["BTCUSDT"]
from = 2024-03-02
to = 2024-03-02T12:00:00
resolution = "{resolution}"

[data]
warmup_days = 1

[[strategies]]
use = "LevelFade"
"""


def test_five_minute_candles_do_for_everything_but_a_replay_of_trades(
    liqstrat: Shell, simulated_database: Path, tmp_path: Path
) -> None:
    candles_only(simulated_database, tmp_path / "catalog" / "market.duckdb", "5m")

    seen = liqstrat("inspect", "BTCUSDT").out
    assert "levels can be estimated: 2024-03-01 00:00 – 2024-03-03 00:00" in seen
    assert "levels rest on klines_5m, and open interest every 5 minutes" in seen

    at = ("levels", "BTCUSDT", "--at", "2024-03-02T12:00", "--json")
    found = liqstrat(*at)
    assert "rest on 5m candles" in found.err
    maps = [json.loads(found.out), json.loads(liqstrat(*at, "--db", str(simulated_database)).out)]
    assert maps[0]["open_interest"] == maps[1]["open_interest"]
    assert liqstrat("heatmap", "BTCUSDT", "--from", "2024-03-02", "--out", "maps.html").code == 0

    (tmp_path / "ticks.toml").write_text(RUN.format(resolution="tick"))
    refused = liqstrat("backtest", "ticks.toml")
    assert refused.code == 1
    assert 'There are klines_5m: set resolution = "1m" to replay candles' in refused.err

    (tmp_path / "run.toml").write_text(RUN.format(resolution="1m"))
    done = liqstrat("backtest", "run.toml")
    assert done.code == 0, done.err
    assert (done.out.count("rest on 5m candles"), done.err.count("rest on 5m candles")) == (1, 0), "said once"
    (folder,) = (tmp_path / "results").glob("candles-*")
    run = json.loads((folder / "run.json").read_text())
    assert any("rest on 5m candles" in note for note in run["notes"])
    assert not any("no trades from" in note for note in run["notes"])
    assert {fact["kind"] for fact in run["data"]} >= {"klines_5m", "open_interest"}
    assert (folder / "report.html").stat().st_size > 100_000


@pytest.mark.parametrize("lengths", [("5m",), ("1m", "5m", "1h")])
def test_bars_of_the_catalog_are_candles_known_at_their_end_each_volume_once(
    liqstrat: Shell, simulated_database: Path, tmp_path: Path, lengths: tuple[str, ...]
) -> None:
    path = candles_only(simulated_database, tmp_path / "catalog" / "market.duckdb", *lengths)
    assert liqstrat("catalog", "BTCUSDT").code == 0
    (folder,) = (tmp_path / "catalog").rglob("bars/*")
    bars = pq.read_table(folder)
    minutes = bars["ts_event"].cast("int64").to_numpy() // 60_000_000_000
    step = 5 if lengths == ("5m",) else 1
    assert (minutes % step == 0).all()
    with duckdb.connect(str(path), read_only=True) as connection:
        ((volume, first),) = connection.execute(
            f"select sum(volume)::double, epoch_us(min(timestamp)) // 60000000 from klines_{lengths[0]}_history"
        ).fetchall()
    np.testing.assert_allclose(np.sum([float(one) for one in bars["volume"].to_pylist()]), volume)
    assert minutes.min() == first + step


def test_levels_are_studied_on_candles_and_say_so(liqstrat: Shell, simulated_database: Path, tmp_path: Path) -> None:
    candles_only(simulated_database, tmp_path / "catalog" / "market.duckdb", "5m")
    done = liqstrat("events", "BTCUSDT", "--warmup-days", "0", "--from", "2024-03-02", "--out", "events.html")
    assert done.code == 0, done.err
    assert (done.out.count("rest on 5m candles"), done.err.count("rest on 5m candles")) == (1, 0), "said once"
    assert "rest on 5m candles" in (tmp_path / "events.html").read_text(encoding="utf-8")


def test_levels_are_scored_on_candles_and_say_so(liqstrat: Shell, simulated_database: Path, tmp_path: Path) -> None:
    candles_only(simulated_database, tmp_path / "catalog" / "market.duckdb", "5m")
    done = liqstrat("score", "BTCUSDT", "--warmup-days", "0", "--json")
    assert done.code == 0, done.err
    assert any("rest on 5m candles" in line for line in json.loads(done.out)["remarks"])
    assert "rest on 5m candles" not in done.err
