"""Signals of a moment out of the database are those that a strategy was told then."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import liqstrat as lq
from liqstrat.app import prepare_symbol
from liqstrat.backtest.params import StrategyParams
from liqstrat.backtest.replay import Trader, replay
from liqstrat.backtest.strategy import LevelStrategy
from liqstrat.config import DataSettings
from liqstrat.demo import demo_run
from liqstrat.liquidation.signals import Signal, SignalRules, Swept
from liqstrat.market.store import open_store
from liqstrat.sweeps import standing_at
from tests.candles_only import candles_only
from tests.shell import Shell

#: Wide, so that there is something to say at most times.
RULES = SignalRules(min_strength=0.01, watch=0.03, turn=0.001, patience_minutes=110, pace=0.0, run_minutes=110)


@pytest.mark.slow
def test_a_moment_s_signals_are_those_of_a_strategy_then(simulated_database: Path, tmp_path: Path) -> None:
    data_settings = DataSettings(db=simulated_database, catalog=tmp_path / "nautilus")
    # By default the width follows from the days before a run begins, or before the moment that is asked for.
    model = lq.ModelSettings(bin_width=0.001)
    run = demo_run("signals", "RandomEntry", 2, data_settings).model_copy(update={"model": model})
    told: dict[datetime, tuple[list[Signal], list[Swept]]] = {}

    class Listener(LevelStrategy):
        def on_price(self, price: float) -> None:
            now, swept = self.clock.timestamp_ns(), self.levels.consumed
            since = self.now - max(told, default=self.now - timedelta(days=1))
            # At some fixed times, and some seconds after price has run through a level.
            fixed = self.now.minute == 3 and self.now.second == 40 and self.now.hour % 4 == 3
            fresh = swept and swept[-1].time_ns > self.levels.known_at and now - swept[-1].time_ns > 20e9
            if fixed or (fresh and since > timedelta(minutes=30)):
                told[self.now] = (self.signals(RULES), swept)

    with open_store(simulated_database) as store:
        data = {"BTCUSDT": prepare_symbol(store, "BTCUSDT", run)}
    replay(run, [Trader("L", Listener, StrategyParams(), ["BTCUSDT"])], data, lambda levels: None)
    assert len(told) > 6, "a sweep, besides the fixed times"
    kinds = set()
    with open_store(simulated_database) as store:
        for moment, (expected, consumed) in told.items():
            standing = standing_at(store, "BTCUSDT", moment, model, timedelta(days=14))
            found = standing.signals(RULES)
            assert _facts(found) == _facts(expected), moment
            assert _sweeps(standing.consumed) == _sweeps(consumed), moment
            kinds |= {one.kind for one in found}
    assert kinds >= {"WAIT", "REVERSAL"}


def _facts(found: list[Signal]) -> list[tuple[Any, ...]]:
    """In an order, and as exact, as does not depend on when within seconds a sweep was noticed, and within minutes its
    side's contracts were added up."""
    rows = sorted((one.kind, one.way, one.level.price, one.level.contracts, one.strength) for one in found)
    return [(*row[:3], pytest.approx(row[3], rel=1e-9), pytest.approx(row[4], rel=0.03, abs=0.005)) for row in rows]


def _sweeps(consumed: Sequence[Swept]) -> list[tuple[Any, ...]]:
    """But for those that are about to be forgotten."""
    last = max((one.time_ns for one in consumed), default=0)
    kept = [one for one in consumed if one.time_ns > last - 50 * 60e9]
    return sorted((one.cluster.side, one.cluster.price, one.extreme) for one in kept)


def test_the_command_says_what_the_library_says(simulated_database: Path, liqstrat: Shell) -> None:
    at = "2024-03-02T15:00"
    typed = ("signals", "BTCUSDT", "--db", str(simulated_database), "--at", at, "--set", "watch=0.05")
    printed = json.loads(liqstrat(*typed, "--json").out)
    found = lq.History(simulated_database).signals("BTCUSDT", at, rules={"watch": 0.05}, progress=False)
    assert [(one["kind"], one["reason"]) for one in printed["signals"]] == [(one.kind, one.reason) for one in found]
    assert found
    assert (printed["simulated"], printed["rules"]["watch"]) == (True, 0.05)
    assert printed["time"] == datetime(2024, 3, 2, 15, tzinfo=UTC).isoformat()
    shown = liqstrat(*typed)
    assert shown.code == 0
    assert "SIMULATED" in shown.out
    for one in found:
        assert one.kind in shown.out
    wrong = liqstrat("signals", "BTCUSDT", "--db", str(simulated_database), "--set", "wach=0.05")
    assert wrong.code == 1
    assert wrong.err.strip().endswith(
        'unknown parameter "wach" (did you mean "watch"?); expected of min_strength, '
        "full_strength, near, watch, turn, patience_minutes, run_levels, run_minutes, pace"
    )


def test_candles_will_do(simulated_database: Path, tmp_path: Path) -> None:
    candles = lq.History(candles_only(simulated_database, tmp_path / "candles.duckdb", "1m"))
    at, rules = "2024-03-02T15:02:30", {"watch": 0.05, "min_strength": 0.0}
    found = candles.signals("BTCUSDT", at, rules=rules, progress=False)
    by_trades = lq.History(simulated_database).signals("BTCUSDT", at, rules=rules, progress=False)
    assert {one.way for one in found} == {one.way for one in by_trades} == {"long", "short"}
