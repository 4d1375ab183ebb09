"""From archive files to a report, by the commands a user types."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.shell import Shell

RUN = """\
name = "mine"
symbols = ["BTCUSDT"]
from = 2024-03-02
to = 2024-03-02T12:00:00
resolution = "{resolution}"

[[strategies]]
use = "own:Patient"
params = {{ hours = 2.0 }}
"""

OWN = """\
from datetime import timedelta

from liqstrat.backtest.params import StrategyParams
from liqstrat.backtest.strategy import LevelStrategy


class Patient(LevelStrategy):
    class Params(StrategyParams):
        hours: float = 1.0

    def on_begin(self):
        self.last = self.now

    def on_price(self, price):
        if self.flat and self.now - self.last >= timedelta(hours=self.params.hours):
            self.last = self.now
            self.enter("long", stop=price * 0.99, target=price * 1.01, level=self.levels.below())
"""


def test_from_archive_files_to_a_report(liqstrat: Shell, simulated_archive: Path, tmp_path: Path) -> None:
    loaded = liqstrat("ingest", str(simulated_archive))
    assert loaded.code == 0
    assert "10 loaded" in loaded.out
    again = liqstrat("ingest", str(simulated_archive)).out
    assert "10 unchanged" in again
    assert "0 rows in" in again

    (seen,) = json.loads(liqstrat("inspect", "BTCUSDT", "--json").out)
    kinds = {kind["kind"]: kind for kind in seen["kinds"]}
    assert kinds.keys() >= {"trades", "open_interest", "funding", "klines_1m", "liquidations"}
    assert all(kind["origin"] == "simulated" for kind in kinds.values())
    assert "SIMULATED" in liqstrat("inspect").out
    assert liqstrat("inspect", "BTCUSDT", "--strict").code == 0

    # Two days, and the open interest of the midnight after.
    assert "3 days written" in liqstrat("catalog", "BTCUSDT").out
    assert "0 days written, 3 kept" in liqstrat("catalog", "BTCUSDT").out

    map_ = json.loads(liqstrat("levels", "BTCUSDT", "--at", "2024-03-02T06:30", "--json").out)
    for side in ("long", "short"):
        contracts = sum(b["contracts"] for b in map_["bins"] if b["side"] == side)
        assert contracts == pytest.approx(map_["open_interest"], rel=1e-6)
    assert "SIMULATED" in liqstrat("levels", "BTCUSDT", "--at", "2024-03-02T06:30").out
    Path("other.toml").write_text(
        'name = "other"\nsymbols = ["BTCUSDT"]\nfrom = 2024-03-02\nto = 2024-03-03\n'
        '[model]\nkind = "large_trades"\n[[strategies]]\nuse = "LevelFade"\n'
    )
    drawn = json.loads(
        liqstrat("levels", "BTCUSDT", "--at", "2024-03-02T06:30", "--config", "other.toml", "--json").out
    )
    assert {tier for one in drawn["bins"] for tier in one["by_leverage"]} <= {"10", "25", "50", "100"}

    assert liqstrat("heatmap", "BTCUSDT", "--every", "4h", "--out", "heat.parquet").code == 0
    assert {"time", "side", "price_low", "price_high", "leverage", "contracts"} == set(
        pq.read_schema("heat.parquet").names
    )
    assert liqstrat("heatmap", "BTCUSDT", "--every", "4h", "--out", "heat.html").code == 0
    assert "SIMULATED" in Path("heat.html").read_text()

    Path("own.py").write_text(OWN)
    for resolution in ("tick", "5m"):
        Path("run.toml").write_text(RUN.format(resolution=resolution))
        done = liqstrat("backtest", "run.toml")
        assert done.code == 0, done.err
        (line,) = [line for line in done.out.splitlines() if line.startswith("report: ")]
        folder = Path(line.removeprefix("report: ")).parent
        figures = json.loads((folder / "metrics.json").read_text())
        assert 1 <= figures["trades"] <= 6
        assert "SIMULATED" in (folder / "report.html").read_text()


def test_a_wrong_run_is_one_message_and_leaves_nothing(
    liqstrat: Shell, simulated_archive: Path, tmp_path: Path
) -> None:
    liqstrat("ingest", str(simulated_archive))
    Path("own.py").write_text(OWN)
    right = RUN.format(resolution="tick")
    for found, written, said in (
        ("own:Patient", "own:Pateint", 'did you mean "Patient"'),
        ("own:Patient", "LevelFad", 'did you mean "LevelFade"'),
        ("hours =", "ours =", 'did you mean "hours"'),
        ("BTCUSDT", "BTCUSD", 'did you mean "BTCUSDT"'),
        ("2024-03-02\n", "2023-03-02\n", "2024-03-01"),
    ):
        Path("run.toml").write_text(right.replace(found, written))
        done = liqstrat("backtest", "run.toml")
        assert done.code == 1, found
        assert said in done.err, done.err
    assert not any(Path("results").glob("*"))
