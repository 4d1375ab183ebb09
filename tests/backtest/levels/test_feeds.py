"""Open interest arrives in a replay when it was known, in order with the trades around it."""

from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from nautilus_trader.common import TimeEvent
from nautilus_trader.model import TradeTick

from liqstrat.backtest.levels.feeds import open_interest_type
from liqstrat.backtest.levels.indicator import LiquidationLevels
from liqstrat.backtest.strategy import LevelStrategy
from liqstrat.config import RunFile
from tests.backtest.replay import after_start
from tests.backtest.runs import NO_COSTS, replayed, run_file
from tests.history import START, START_US, Trades, write_history

SECOND = timedelta(seconds=1)
Heard = list[tuple[str, timedelta]]


class Listens(LevelStrategy):
    """Writes down what it hears of, and when."""

    heard: Heard

    def on_begin(self) -> None:
        type(self).heard = []
        self.subscribe_data(open_interest_type(self.instrument_id))
        self.subscribe_trades(self.instrument_id)
        self.clock.set_timer_ns("9-mark", 60_000_000_000, callback=self._mark)

    def on_trade(self, trade: TradeTick) -> None:
        self._hear("trade", trade.ts_event)

    def on_data(self, data: Any) -> None:
        assert data.ts_event == self.clock.timestamp_ns()
        self._hear(f"open interest {data.data.contracts:g}", data.ts_event)

    def on_levels(self) -> None:
        self._hear("levels", self.clock.timestamp_ns())

    def _mark(self, event: TimeEvent) -> None:
        self._hear("mark", event.ts_event)

    def _hear(self, what: str, time_ns: int) -> None:
        self.heard.append((what, after_start(time_ns)))


def market(tmp_path: Path, seconds: list[float], interest: dict[float, float]) -> RunFile:
    count = len(seconds)
    time_us = START_US + (np.array(seconds) * 1e6).astype(np.int64)
    trades = Trades(time_us, 100.1 + np.arange(count) * 0.0, np.full(count, 1.001), np.ones(count, dtype=bool))
    values = {START + at * SECOND: contracts for at, contracts in interest.items()}
    database = write_history(tmp_path / "market.duckdb", trades, values)
    use = [{"use": f"{__name__}:Listens", "params": {"decide_seconds": 60}}]
    return run_file(tmp_path, database, hours=0.25, strategies=use, venue=NO_COSTS)


def test_a_value_comes_after_all_trades_up_to_its_moment_and_before_all_later_ones(tmp_path: Path) -> None:
    run = market(tmp_path, [0, 59.999999, 60, 60, 60.000001, 300], {60: 1_000})
    replayed(run)
    assert Listens.heard[:8] == [
        ("trade", 0 * SECOND),
        ("trade", timedelta(seconds=59.999999)),
        ("trade", 60 * SECOND),
        ("trade", 60 * SECOND),
        ("open interest 1000", 60 * SECOND),
        ("levels", 60 * SECOND),
        ("mark", 60 * SECOND),
        ("trade", timedelta(seconds=60.000001)),
    ]


def test_values_come_when_nothing_trades_and_none_of_before_the_start_or_after_the_end(tmp_path: Path) -> None:
    run = market(tmp_path, [0, 1, 800], {-60: 700, 30: 800, 400: 900, 899: 950, 900: 960})
    replayed(run)
    values = [heard for heard in Listens.heard if heard[0].startswith("open")]
    assert values == [
        ("open interest 800", 30 * SECOND),
        ("open interest 900", 400 * SECOND),
        ("open interest 950", 899 * SECOND),
    ]


def test_the_levels_of_a_moment_hold_no_trade_of_later(tmp_path: Path) -> None:
    prices: list[tuple[timedelta, float]] = []

    def note(levels: LiquidationLevels) -> None:
        prices.append((after_start(levels.known_at), levels.price))

    seconds = np.arange(0, 900, 1.0)
    time_us = START_US + (seconds * 1e6).astype(np.int64)
    trades = Trades(time_us, 100.1 + seconds, np.full(900, 1.001), np.ones(900, dtype=bool))
    interest = {START + at * SECOND: 1_000.0 for at in (300, 600, 899)}
    database = write_history(tmp_path / "market.duckdb", trades, interest)
    replayed(run_file(tmp_path, database, hours=0.25, venue=NO_COSTS), note)
    assert prices == [(at * SECOND, pytest.approx(100.1 + at)) for at in (300, 600, 899)]


class Counts(LevelStrategy):
    """Writes down the number of every trade."""

    numbers: ClassVar[list[int]] = []

    def on_begin(self) -> None:
        self.numbers.clear()
        self.subscribe_trades(self.instrument_id)

    def on_trade(self, trade: TradeTick) -> None:
        self.numbers.append(int(str(trade.trade_id)))


def test_trades_of_many_days_come_one_by_one_in_order(tmp_path: Path) -> None:
    """Whichever day's file is there first, with several trades at each moment, from within a day to within another."""
    seconds = np.repeat(np.arange(0, 4 * 86_400, 60), 3)
    count = len(seconds)
    trades = Trades(START_US + seconds * 1_000_000, np.full(count, 100.1), np.full(count, 1.001), np.full(count, True))
    interest = {START + timedelta(hours=hour): 1_000.0 for hour in range(0, 96, 6)}
    database = write_history(tmp_path / "market.duckdb", trades, interest)
    use = [{"use": f"{__name__}:Counts", "params": {"decide_seconds": 3600}}]
    for first, last in ((66, 90), (6, 90)):
        replayed(run_file(tmp_path, database, hours=last, start_hours=first, strategies=use, venue=NO_COSTS))
        assert Counts.numbers == list(range(first * 180 + 1, last * 180 + 1))
