"""A run from its file to its results: complete, the same every time, blind to the future, and honest about gaps."""

import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from liqstrat.app import run_backtest
from liqstrat.backtest.account import results as tables
from liqstrat.config import RunFile
from liqstrat.errors import LiqstratError, StrategyError
from liqstrat.market.store import open_store
from liqstrat.market.width import automatic_bin_width
from tests.backtest.runs import rows, run_file, wandering_market
from tests.history import START, Trades, open_interest_every, random_trades, write_history

TABLES = {
    "equity": tables.EQUITY,
    "orders": tables.ORDERS,
    "fills": tables.FILLS,
    "positions": tables.POSITIONS,
    "funding": tables.FUNDING,
    "candles": tables.CANDLES,
    "levels": tables.LEVELS,
    "map": tables.MAP,
    "plots": tables.PLOTS,
    "notes": tables.NOTES,
}

#: Strategies that trade often enough for a few hours.
BUSY = [
    {"use": "LevelFade", "params": {"min_strength": 0.01, "turn": 0.001}},
    {"use": "LevelMagnet", "params": {"min_ratio": 1.0, "min_distance": 0.001}},
    {"use": "RandomEntry", "params": {"per_day": 60, "stop": 0.003}},
    {"use": "RandomEntry", "params": {"per_day": 60, "stop": 0.003, "seed": 7}},
]


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFile, Path]:
    """A run of nine hours after one of history, and its results."""
    folder = tmp_path_factory.mktemp("busy")
    run = run_file(folder, wandering_market(folder, hours=10), hours=10, start_hours=1, strategies=BUSY)
    return run, run_backtest(run, folder / "results")


def load(folder: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
    return content


def test_results_are_complete(busy: tuple[RunFile, Path]) -> None:
    run, folder = busy
    made = {path.name for path in folder.iterdir()}
    assert made == {"run.json", "metrics.json", "report.html", *(f"{name}.parquet" for name in TABLES)}
    for name, schema in TABLES.items():
        assert pq.read_schema(folder / f"{name}.parquet").remove_metadata() == schema
    about = load(folder, "run")
    assert about["run"] == folder.name
    assert folder.name.startswith("test-2")
    assert about["config"]["strategies"][0]["params"] == BUSY[0]["params"]
    assert RunFile.model_validate(about["config"]) == run
    assert [(fact["kind"], fact["rows"]) for fact in about["data"]] == [("trades", 10_794), ("open_interest", 108)]
    assert about["simulated"] is False
    assert not list(folder.parent.glob(".*"))


def test_money_is_conserved_to_the_cent(busy: tuple[RunFile, Path]) -> None:
    _, folder = busy
    metrics, positions, fills = load(folder, "metrics"), rows(folder, "positions"), rows(folder, "fills")
    last = rows(folder, "equity")[-1]
    assert len(positions) > 20
    # Some are open at the end, so that what they paid for depth is not realized yet.
    assert any(position["closed"] is None for position in positions)
    assert metrics["slippage"] > 0
    assert metrics["trades"] == sum(position["closed"] is not None for position in positions)
    assert metrics["final_equity"] == pytest.approx(
        100_000 + sum(position["pnl"] for position in positions) + last["unrealized"], abs=0.01
    )
    assert last["equity"] == pytest.approx(metrics["final_equity"], abs=0.01)
    assert last["balance"] == pytest.approx(100_000 + sum(position["pnl"] for position in positions), abs=0.01)
    cash = sum((1 if fill["side"] == "sell" else -1) * fill["quantity"] * fill["price"] - fill["fee"] for fill in fills)
    assert last["equity"] == pytest.approx(100_000 + cash + last["notional"], abs=0.01)
    assert metrics["fees"] == pytest.approx(sum(fill["fee"] for fill in fills))
    assert metrics["slippage"] == pytest.approx(sum(fill["slippage"] for fill in fills))
    by_strategy = metrics["by_strategy"]
    assert list(by_strategy) == ["LevelFade", "LevelMagnet", "RandomEntry", "RandomEntry-2"]
    assert sum(part["net_pnl"] for part in by_strategy.values()) == pytest.approx(metrics["net_pnl"], abs=0.01)


def test_every_position_says_how_it_began_and_ended(busy: tuple[RunFile, Path]) -> None:
    _, folder = busy
    orders = {order["order_id"]: order for order in rows(folder, "orders")}
    assert {order["role"] for order in orders.values()} >= {"entry", "stop", "target"}
    for fill in rows(folder, "fills"):
        assert fill["role"] == orders[fill["order_id"]]["role"]
        assert (fill["liquidity"] == "maker") == (fill["role"] == "target")
    for position in rows(folder, "positions"):
        assert position["reason"]
        assert (position["level_side"] is None) == position["strategy"].startswith("Random")
        assert (position["exit_role"] is None) == (position["closed"] is None)
        assert position["return"] == pytest.approx(position["pnl"] / (position["quantity"] * position["entry_price"]))


def test_maps_are_recorded_at_the_pace_asked_for_from_the_moment_they_were_known(busy: tuple[RunFile, Path]) -> None:
    run, folder = busy
    levels = pq.read_table(folder / "levels.parquet").to_pandas()
    moments = sorted(levels["time"].unique())
    assert moments[0] == run.start
    assert set(np.diff(moments)) == {np.timedelta64(15, "m")}
    longs = levels[levels["side"] == "long"].groupby("time")["contracts"].sum()
    assert (longs > 100).all()
    last = pq.read_table(folder / "map.parquet").to_pandas()
    candle = rows(folder, "candles")[-1]
    assert set(last["price"]) == {candle["close"]}
    assert (last[last["side"] == "long"]["price_high"] <= last["price"].iloc[0] * 1.001).all()


def test_the_same_run_on_the_same_data_gives_the_same_bytes(busy: tuple[RunFile, Path], tmp_path: Path) -> None:
    run, folder = busy
    again = run_backtest(run, tmp_path)
    assert again.name.rsplit("-", 1)[1] == folder.name.rsplit("-", 1)[1]
    for name in TABLES:
        assert (again / f"{name}.parquet").read_bytes() == (folder / f"{name}.parquet").read_bytes(), name
    assert load(again, "metrics") == load(folder, "metrics")
    one, other = load(again, "run"), load(folder, "run")
    for about in (one, other):
        del about["created"], about["run"]
    assert one == other
    reports = [
        (path / "report.html").read_text().replace(path.name, "").replace(load(path, "run")["created"], "")
        for path in (again, folder)
    ]
    assert reports[0] == reports[1]


def test_decisions_do_not_depend_on_what_comes_after_them(busy: tuple[RunFile, Path], tmp_path: Path) -> None:
    """History is cut in the middle of the run: all before is as it was."""
    _, folder = busy
    cut = START + timedelta(hours=5, minutes=2, seconds=30)
    whole = random_trades(10, a_minute=20)
    kept = whole.time_us < int(cut.timestamp() * 1e6)
    trades = Trades(*(column[kept] for column in (whole.time_us, whole.price, whole.contracts, whole.buy)))
    # A different future: price jumps, so that anything that looked ahead would show.
    later = Trades(whole.time_us[~kept], whole.price[~kept] * 0.8 // 1, whole.contracts[~kept], whole.buy[~kept])
    both = Trades(*(np.concatenate(pair) for pair in zip(_columns(trades), _columns(later), strict=True)))
    interest = {
        moment: contracts * (1 if moment <= cut else 3)
        for moment, contracts in {START: 1_000.0, **open_interest_every(5, 10, seed=2)}.items()
    }
    database = write_history(tmp_path / "cut.duckdb", both, interest)
    other = run_file(tmp_path, database, hours=10, start_hours=1, strategies=BUSY)
    changed = run_backtest(other, tmp_path / "results")

    compared = 0
    for name, moment in (("orders", "time_submitted"), ("fills", "time"), ("levels", "time"), ("equity", "time")):
        before = [_without_end(row) for row in rows(folder, name) if _before(row[moment], cut)]
        assert [_without_end(row) for row in rows(changed, name) if _before(row[moment], cut)] == before
        compared += len(before)
    assert compared > 1_000
    assert rows(changed, "fills") != rows(folder, "fills")


def _columns(trades: Trades) -> tuple[Any, ...]:
    return trades.time_us, trades.price, trades.contracts, trades.buy


def _before(moment: datetime | None, cut: datetime) -> bool:
    return moment is not None and moment < cut


def _without_end(row: dict[str, Any]) -> dict[str, Any]:
    """What is known of an order when it is sent; how it ends is the future's."""
    known = ("order_id", "strategy", "side", "type", "trigger_price", "reduce_only", "role", "time_submitted")
    return {name: row[name] for name in known} if "time_submitted" in row else row


def test_without_history_in_the_range_the_answer_names_what_there_is(
    busy: tuple[RunFile, Path], tmp_path: Path
) -> None:
    run, _ = busy
    late = run.model_copy(update={"start": START + timedelta(days=40), "end": START + timedelta(days=41)})
    with pytest.raises(LiqstratError, match=r"\(trades\) does not cover 2024-04-10 .*it has trades 2024-03-01 00:00"):
        run_backtest(late, tmp_path / "results")
    with pytest.raises(LiqstratError, match="ETHUSDT"):
        run_backtest(run.model_copy(update={"symbols": ["ETHUSDT"]}), tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_without_open_interest_there_is_nothing_to_make_levels_of(tmp_path: Path) -> None:
    database = write_history(tmp_path / "m.duckdb", random_trades(1), {START + timedelta(days=9): 1.0})
    with pytest.raises(LiqstratError, match=r"BTCUSDT \(open_interest\) does not cover"):
        run_backtest(run_file(tmp_path, database, hours=1), tmp_path / "results")


def test_a_run_that_fails_leaves_nothing_behind(busy: tuple[RunFile, Path], tmp_path: Path) -> None:
    run, _ = busy
    use = [{"use": "tests.backtest.test_strategy:Fails"}]
    broken = RunFile.model_validate({**run.model_dump(by_alias=True), "strategies": use})
    with pytest.raises(StrategyError, match="ZeroDivisionError: my own mistake"):
        run_backtest(broken, tmp_path / "results")
    assert list((tmp_path / "results").iterdir()) == []


def test_strategies_trade_the_symbols_they_are_given_on_one_account(tmp_path: Path) -> None:
    database = wandering_market(tmp_path, hours=4)
    write_history(database, random_trades(4, seed=5, price=3_000.0), open_interest_every(5, 4), symbol="ETHUSDT")
    use = [{"use": "RandomEntry", "params": {"per_day": 100, "stop": 0.003}}, {**BUSY[2], "symbols": ["ETHUSDT"]}]
    run = run_file(tmp_path, database, hours=4, start_hours=1, symbols=["BTCUSDT", "ETHUSDT"], strategies=use)
    folder = run_backtest(run, tmp_path / "results")
    traded = {(row["strategy"], row["symbol"]) for row in rows(folder, "positions")}
    assert traded == {("RandomEntry", "BTCUSDT"), ("RandomEntry", "ETHUSDT"), ("RandomEntry-2", "ETHUSDT")}
    assert {row["symbol"] for row in rows(folder, "levels")} == {"BTCUSDT", "ETHUSDT"}
    assert {row["symbol"] for row in rows(folder, "map")} == {"BTCUSDT", "ETHUSDT"}
    last, metrics = rows(folder, "equity")[-1], load(folder, "metrics")
    assert last["equity"] == pytest.approx(metrics["final_equity"], abs=0.01)


def test_gaps_are_noted(tmp_path: Path) -> None:
    whole = random_trades(6)
    hours = (whole.time_us - whole.time_us[0]) / 3.6e9
    there = (hours < 2) | (hours > 3)
    trades = Trades(*(column[there] for column in _columns(whole)))
    interest = open_interest_every(5, 6)
    for moment in list(interest):
        if timedelta(hours=4) < moment - START < timedelta(hours=5):
            del interest[moment]
    database = write_history(tmp_path / "m.duckdb", trades, interest)
    notes = load(run_backtest(run_file(tmp_path, database, hours=6), tmp_path / "results"), "run")["notes"]
    assert any(note.startswith("BTCUSDT: no trades from 2024-03-01 02:00 to 2024-03-01 03:00") for note in notes)
    wanted = "BTCUSDT: no open interest, levels rest on the last value from 2024-03-01 04:00 to 2024-03-01 05:00"
    assert wanted in notes
    assert any("the book starts empty" in note for note in notes)
    assert any("no funding rates" in note for note in notes)


def test_missing_ids_are_noted_though_time_goes_on(tmp_path: Path) -> None:
    database = write_history(tmp_path / "m.duckdb", random_trades(4), open_interest_every(5, 4))
    with duckdb.connect(str(database)) as connection:
        connection.execute(
            "delete from aggtrades_history where agg_trade_id between 500 and 502 or agg_trade_id = 5000"
            "or agg_trade_id % 200 = 0 and agg_trade_id between 3000 and 4000"
        )
        sql = "select strftime(timestamp, '%Y-%m-%d %H:%M:%S') from aggtrades_history where agg_trade_id in (499, 503)"
        before, after = (time for (time,) in connection.execute(f"{sql} order by 1").fetchall())
    run = run_file(tmp_path, database, hours=4, start_hours=2)
    notes = load(run_backtest(run, tmp_path / "results"), "run")["notes"]
    missing = [note for note in notes if "missing" in note]
    assert missing[0] == f"BTCUSDT: 3 trades are missing (agg_trade_id) between {before} and {after}", "in the warm-up"
    assert missing[-1] == "BTCUSDT: 3 trades are missing in 3 more gaps"
    assert len(missing) == 6


def test_a_run_says_nothing_on_the_terminal_and_ends_in_silence(busy: tuple[RunFile, Path], tmp_path: Path) -> None:
    run, _ = busy
    (tmp_path / "run.json").write_text(run.model_dump_json(by_alias=True))
    code = (
        "from pathlib import Path; from liqstrat.config import RunFile;"
        "from liqstrat.app import run_backtest;"
        "run_backtest(RunFile.model_validate_json(Path('run.json').read_text()), Path('results'))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_run_tells_which_bin_width_its_market_got(tmp_path: Path) -> None:
    """The hour before is calm, so bins are narrow; a width in the run file stays."""
    database = write_history(tmp_path / "m.duckdb", random_trades(4), {START: 1_000.0, **open_interest_every(5, 4)})
    widths = []
    for number, model in enumerate(({}, {"bin_width": 0.002})):
        run = run_file(tmp_path, database, hours=3, start_hours=1, name=f"w{number}", model=model)
        folder = run_backtest(run, tmp_path / "results")
        widths.append(load(folder, "run")["bin_width"]["BTCUSDT"])
        assert f"bins of {100 * widths[-1]:.4g}%" in (folder / "report.html").read_text()
    assert widths[1] == 0.002
    with open_store(database) as store:
        assert widths[0] == automatic_bin_width(store, "BTCUSDT", START + timedelta(hours=1))
