"""What the base of strategies promises: sizes by risk, one position at a time, a stop on every entry, errors told."""

import itertools
import signal
from datetime import timedelta
from pathlib import Path
from typing import Annotated, ClassVar

import pytest
from pydantic import Field

from liqstrat.app import resolve_traders
from liqstrat.backtest.params import StrategyParams
from liqstrat.backtest.strategy import LevelStrategy
from liqstrat.config import RunFile
from liqstrat.errors import LiqstratError, StrategyError
from tests.backtest.runs import NO_COSTS, ONE_TIER, path, replayed, rising_interest, run_file
from tests.history import START, write_history


class Once(LevelStrategy):
    """Buys when there are levels, and again whenever it thinks it is flat."""

    class Params(StrategyParams):
        stop: Annotated[float, Field(gt=0)] = 0.01
        target: float = 0.02
        most: int = 1
        leave_after_minutes: float = 1e9

    params: Params
    log: ClassVar[list[tuple[str, timedelta]]] = []

    def on_begin(self) -> None:
        self.log.clear()
        self.sent = 0

    def on_levels(self) -> None:
        self.log.append(("levels", self.now - START))

    def on_price(self, price: float) -> None:
        self.log.append(("price", self.now - START))
        if self.sent < self.params.most and self.flat:
            stop, target = price * (1 - self.params.stop), price * (1 + self.params.target)
            self.sent += bool(self.enter("long", stop=stop, target=target, level=self.levels.below(), reason="once"))
            # Twice in one decision must not open two.
            assert not self.enter("long", stop=stop, target=target)
        elif not self.flat and self.now - START > timedelta(minutes=self.params.leave_after_minutes):
            self.exit()


class Fails(LevelStrategy):
    def on_price(self, price: float) -> None:
        raise ZeroDivisionError("my own mistake")


class Interrupted(LevelStrategy):
    """Somebody presses Ctrl-C while the engine is at work, long before the next decision."""

    heard: ClassVar[list[float]] = []

    def on_begin(self) -> None:
        self.heard.clear()

    def on_price(self, price: float) -> None:
        self.heard.append(price)
        if len(self.heard) == 3:
            signal.raise_signal(signal.SIGINT)


def market(tmp_path: Path, points: list[tuple[float, float]], use: str, **changes: object) -> RunFile:
    minutes = int(points[-1][0])
    database = write_history(tmp_path / "m.duckdb", path(points), rising_interest(minutes, until=10))
    params = changes.pop("params", {})
    use = f"tests.backtest.test_strategy:{use}"
    settings = {"strategies": [{"use": use, "params": params}], "model": ONE_TIER, "venue": NO_COSTS}
    return run_file(tmp_path, database, hours=minutes / 60, **{**settings, **changes})


FALL = [(0.0, 60_000.0), (12.0, 60_000.0), (30.0, 58_000.0)]
RISE = [(0.0, 60_000.0), (12.0, 60_000.0), (30.0, 63_000.0)]


def test_a_stop_loses_the_share_of_equity_that_was_to_be_risked(tmp_path: Path) -> None:
    for risk in (0.01, 0.03):
        ledger = replayed(market(tmp_path / str(risk), FALL, "Once", params={"risk": risk})).ledger
        (trip,) = ledger.trips
        assert (trip.exit_role, trip.side) == ("stop", "long")
        assert float(trip.pnl) == pytest.approx(-risk * 100_000, rel=0.01)
        assert trip.exit_price == pytest.approx(59_400, abs=5)


@pytest.fixture(autouse=True)
def _folders(tmp_path: Path) -> None:
    for name in ("0.01", "0.03"):
        (tmp_path / name).mkdir()


def test_a_target_earns_in_proportion_and_takes_the_stop_away(tmp_path: Path) -> None:
    ledger = replayed(market(tmp_path, RISE, "Once")).ledger
    (trip,) = ledger.trips
    assert trip.exit_role == "target"
    assert float(trip.pnl) == pytest.approx(2_000, rel=0.01)
    assert {(order.role, order.status) for order in ledger.orders} == {
        ("entry", "filled"),
        ("stop", "canceled"),
        ("target", "filled"),
    }
    assert trip.entry is not None
    assert trip.entry.level is not None
    assert trip.entry.level.side == "long"
    assert trip.entry.reason == "once"


def test_size_is_bounded_by_leverage(tmp_path: Path) -> None:
    run = market(tmp_path, RISE, "Once", params={"stop": 0.0005}, venue={**NO_COSTS, "leverage": 3})
    (entry,) = [order for order in replayed(run).ledger.orders if order.role == "entry"]
    assert float(entry.quantity) * 60_000 == pytest.approx(300_000 * 0.95, rel=0.001)


def test_one_position_at_a_time(tmp_path: Path) -> None:
    points = [(0.0, 60_000.0), (12.0, 60_000.0), (13.0, 59_300.0), (14.0, 60_000.0), (20.0, 62_000.0)]
    trips = replayed(market(tmp_path, points, "Once", params={"most": 100})).ledger.trips
    assert len(trips) > 1
    for one, following in itertools.pairwise(trips):
        assert one.closed_ns is not None
        assert following.opened_ns >= one.closed_ns


def test_a_stop_that_price_has_passed_before_it_was_placed_closes_the_position(tmp_path: Path) -> None:
    points = [(0.0, 60_000.0), (5.02, 60_000.0), (5.05, 59_000.0), (15.0, 59_000.0)]
    run = market(tmp_path, points, "Once", params={"decide_seconds": 1}, venue={**NO_COSTS, "latency_ms": 5_000})
    ledger = replayed(run).ledger
    (trip,) = ledger.trips
    assert trip.closed_ns is not None
    assert trip.closed_ns - trip.opened_ns <= 15_000_000_000
    assert trip.exit_role in ("exit", "stop")


def test_leaving_by_hand_closes_the_position_and_its_orders(tmp_path: Path) -> None:
    ledger = replayed(market(tmp_path, [(0.0, 60_000.0), (30.0, 60_100.0)], "Once", params={"leave_after_minutes": 20}))
    (trip,) = ledger.ledger.trips
    assert trip.exit_role == "exit"
    assert all(order.status in ("filled", "canceled") for order in ledger.ledger.orders)


def test_an_entry_below_the_least_size_is_counted_not_sent(tmp_path: Path) -> None:
    run = market(tmp_path, RISE, "Once", venue={**NO_COSTS, "balance": 5})
    done = replayed(run)
    assert done.ledger.orders == []
    (refused,) = done.ledger.refusals
    assert (refused.reason, refused.side, refused.times) == ("too small", "buy", 600)


@pytest.mark.parametrize(("resolution", "step"), [("tick", 30), ("1m", 60), ("5m", 300)])
def test_decisions_come_at_the_pace_of_the_resolution_after_levels(tmp_path: Path, resolution: str, step: int) -> None:
    replayed(market(tmp_path, RISE, "Once", params={"decide_seconds": 30}, resolution=resolution))
    moments = [at for what, at in Once.log if what == "price"]
    assert {b - a for a, b in itertools.pairwise(moments)} == {timedelta(seconds=step)}
    # The first map is of the values at the fifth minute; a decision of that moment knows it already.
    assert moments[0] == timedelta(minutes=5)
    assert Once.log[0] == ("levels", timedelta(minutes=5))
    levels = [at for what, at in Once.log if what == "levels"]
    assert levels == [timedelta(minutes=m) for m in range(5, 30, 5)]


def test_an_error_in_a_strategy_is_told_by_its_market_time_and_the_user_s_lines(tmp_path: Path) -> None:
    with pytest.raises(StrategyError) as told:
        replayed(market(tmp_path, RISE, "Fails"))
    head, *lines = str(told.value).splitlines()
    assert head == "strategy Fails failed at 2024-03-01 00:05:00: ZeroDivisionError: my own mistake"
    (line,) = lines
    assert __file__ in line
    assert line.endswith('in on_price: raise ZeroDivisionError("my own mistake")')


def test_an_interrupt_from_the_keyboard_ends_the_run(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            replayed(market(tmp_path, RISE, "Interrupted"))
        assert len(Interrupted.heard) == 3
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_mistyped_parameter_is_answered_with_the_nearest_right_one(tmp_path: Path) -> None:
    with pytest.raises(LiqstratError, match=r'unknown parameter "tagret" \(did you mean "target"\?\)') as told:
        resolve_traders(market(tmp_path, RISE, "Once", params={"tagret": 1}))
    assert (
        "expected one of risk, risk_with_costs, decide_seconds, stale_seconds, ask_always, stop, target, most"
        in str(told.value)
    )


def test_a_wrong_value_of_a_parameter_is_named(tmp_path: Path) -> None:
    with pytest.raises(LiqstratError, match="Once: stop is -1: input should be greater than 0"):
        resolve_traders(market(tmp_path, RISE, "Once", params={"stop": -1}))
