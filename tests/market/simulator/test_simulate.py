"""Simulating into a folder: deterministic by seed, day by day, and never over somebody's files."""

import hashlib
import json
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from liqstrat.errors import LiqstratError
from liqstrat.market.simulator import Holders, SimulationSettings, archive_writer, simulate
from tests.market.simulator.simulated_folder import SimulatedFolder

pytestmark = pytest.mark.slow

TINY = SimulationSettings(positions=60, trades=500, step_seconds=300, warmup_days=1, warmup_step_seconds=300)


def _hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        simulate(tmp_path / name, days=2, seed=seed, settings=TINY)
    first, again, other = (_hashes(tmp_path / name) for name in "abc")
    assert first == again
    assert len(first) == 2 * (5 * 2 + 2) + 1
    assert first.keys() == other.keys()
    assert not set(first.values()) & set(other.values())


def test_days_continue_each_other(tmp_path: Path):
    simulate(tmp_path / "one", days=1, settings=TINY)
    market = SimulatedFolder(tmp_path / "two", simulate(tmp_path / "two", days=2, settings=TINY))
    truth = "truth/BTCUSDT-positions-2024-03-01.parquet"
    assert (tmp_path / "one" / truth).read_bytes() == (tmp_path / "two" / truth).read_bytes()
    first, second = (market.archive("aggTrades", day=date(2024, 3, day)) for day in (1, 2))
    assert second["agg_trade_id"].iloc[0] == first["agg_trade_id"].iloc[-1] + 1
    assert second["first_trade_id"].iloc[0] == first["last_trade_id"].iloc[-1] + 1
    metrics = market.archive("metrics", day=date(2024, 3, 2))
    assert metrics["sum_taker_long_short_vol_ratio"].notna().all()


def test_the_folder_says_that_it_is_simulated_and_how(tmp_path: Path):
    simulate(tmp_path / "out", days=1, seed=5, start=date(2023, 7, 1), settings=TINY)
    mark = json.loads((tmp_path / "out" / "SIMULATED.json").read_text())
    assert mark["simulated"] is True
    parameters = mark["markets"]["BTCUSDT"]
    assert (parameters["seed"], parameters["days"], parameters["start"]) == (5, 1, "2023-07-01")
    assert parameters["settings"]["leverage"][0] == [3, 0.08]


def test_a_folder_that_is_no_simulation_is_not_touched(tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(LiqstratError, match="not overwritten"):
        simulate(tmp_path / "mine", days=1, settings=TINY)
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["notes.txt"]
    with pytest.raises(LiqstratError, match="is a file"):
        simulate(tmp_path / "mine" / "notes.txt", days=1, settings=TINY)


def test_an_earlier_simulation_of_the_symbol_is_replaced_and_others_stay(tmp_path: Path):
    out = tmp_path / "out"
    simulate(out, days=2, settings=TINY)
    simulate(out, "ETHUSDT", days=1, settings=TINY)
    ethereum = {name: text for name, text in _hashes(out).items() if "ETHUSDT" in name}
    simulate(out, days=1, seed=9, settings=TINY)
    after = _hashes(out)
    assert not [name for name in after if "BTCUSDT" in name and "2024-03-02" in name]
    assert {name: text for name, text in after.items() if "ETHUSDT" in name} == ethereum
    assert set(json.loads((out / "SIMULATED.json").read_text())["markets"]) == {"BTCUSDT", "ETHUSDT"}


def test_an_interrupted_simulation_leaves_whole_days_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    replaced = archive_writer.ArchiveWriter.parquet

    def fails_on_the_second_day(self, label, day, rows):
        if day == date(2024, 3, 2):
            raise KeyboardInterrupt
        replaced(self, label, day, rows)

    monkeypatch.setattr(archive_writer.ArchiveWriter, "parquet", fails_on_the_second_day)
    with pytest.raises(KeyboardInterrupt):
        simulate(tmp_path / "out", days=3, settings=TINY)
    monkeypatch.undo()
    visible = [name for name in _hashes(tmp_path / "out") if not name.startswith(".")]
    assert len([name for name in visible if "2024-03-01" in name]) == 12
    assert not [name for name in visible if "2024-03-02" in name]
    simulate(tmp_path / "out", days=1, settings=TINY)
    assert len(_hashes(tmp_path / "out")) == 13


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"symbol": "btc/usdt"}, "btc/usdt"),
        ({"days": 0}, "days is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"start": date(1999, 1, 1)}, "1999-01-01"),
    ],
)
def test_wrong_arguments_are_named_and_nothing_is_made(tmp_path: Path, arguments: dict, said: str):
    with pytest.raises(LiqstratError, match=said):
        simulate(tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("symbol", "price", "price_digits", "quantity_digits"),
    [("ETHUSDT", 3400, 2, 3), ("SOLUSDT", 130, 3, 0), ("XYZUSDT", 10, 4, 1)],
)
def test_other_symbols_trade_on_their_own_ticks(
    tmp_path: Path, symbol: str, price: float, price_digits: int, quantity_digits: int
):
    simulate(tmp_path, symbol, days=1, settings=TINY)
    trades = pd.read_csv(tmp_path / "aggTrades" / f"{symbol}-aggTrades-2024-03-01.zip", dtype=str)
    digits = trades["price"].str.partition(".")[2].str.len()
    assert set(digits) == {price_digits}
    assert set(trades["quantity"].str.partition(".")[2].str.len()) == {quantity_digits}
    assert trades["price"].astype(float).between(price * 0.7, price * 1.4).all()


def test_settings_name_what_is_wrong():
    with pytest.raises(ValueError, match="holders has shares"):
        SimulationSettings(holders=(Holders("all", 0.5, 1),))
    with pytest.raises(ValueError, match="step_seconds is 7"):
        SimulationSettings(step_seconds=7)
    with pytest.raises(ValueError, match="opener_takes is 2"):
        SimulationSettings(opener_takes=2)
