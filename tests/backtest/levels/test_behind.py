"""Levels that are told of open interest when somebody looks are those that are told of each value as it comes."""

from collections import deque
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nautilus_trader.common import TimeEvent

from liqstrat.app import prepare, resolve_traders
from liqstrat.backtest.levels.behind import Behind
from liqstrat.backtest.levels.indicator import LiquidationLevels
from liqstrat.backtest.levels.kept_steps import KeptSteps
from liqstrat.backtest.levels.minute_tape import MinuteTape
from liqstrat.backtest.levels.reaches import Reaches
from liqstrat.backtest.params import StrategyParams
from liqstrat.backtest.replay import Replayed, SymbolData, bar_tape, kept_levels, replay
from liqstrat.backtest.strategy import LevelStrategy
from liqstrat.backtest.ticket import Ticket
from liqstrat.backtest.trade import Trade
from liqstrat.config import RunFile
from liqstrat.moments import MINUTE_NS, nanoseconds
from tests.backtest.runs import ONE_TIER, path, rising_interest, run_file, settled
from tests.history import write_history

#: Price is quiet for hours, falls within a minute through the levels of what was opened meanwhile and comes back, goes
#: on further than that for an hour, and rises through the others.
_POINTS = [
    *((0, 60000), (100, 60050), (230, 59950), (230.3, 58750), (231, 58750), (231.3, 59900), (300, 59800)),
    *((320, 58740), (390, 58500), (450, 58700), (470, 61400), (540, 61300)),
]


class Watcher(LevelStrategy):
    """Looks whenever it is asked, or every so often by a clock of its own, and writes down what it sees."""

    class Params(StrategyParams):
        rests: bool = True
        alarm_minutes: int = 0

    params: Params
    seen: ClassVar[list[Any]] = []

    def on_begin(self) -> None:
        self.seen.clear()
        if self.params.alarm_minutes:
            start = self.clock.timestamp_ns()
            every = self.params.alarm_minutes * MINUTE_NS
            self.clock.set_timer_ns("9-alarm", every, start_time_ns=start, callback=self._alarmed)

    def _alarmed(self, event: TimeEvent) -> None:
        self.seen.append(("alarm", event.ts_event, *_state(self.levels)))

    def on_price(self, price: float) -> None:
        self.seen.append(("price", price, *_state(self.levels), [asdict(one) for one in self.levels.clusters()]))
        if self.flat and len(self.seen) % 3 == 1:
            self.enter("long", at=price * 0.9998, stop=price * 0.99, target=price * 1.004, expires="30m")
        if self.params.rests:
            self.rest()

    def on_entered(self, ticket: Ticket) -> None:
        self.seen.append(("entered", *_state(self.levels)))

    def on_closed(self, trade: Trade) -> None:
        self.seen.append(("closed", *_state(self.levels)))


def _state(levels: LiquidationLevels) -> tuple[Any, ...]:
    swept = [(one.cluster.price, one.time_ns, one.extreme) for one in levels.consumed]
    return levels.known_at, levels.open_interest, levels.seeded_share, levels.price, levels.price_time_ns, swept


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    trades = path(_POINTS, every_seconds=5.0)
    file = tmp_path_factory.mktemp("market") / "market.duckdb"
    return settled(write_history(file, trades, rising_interest(540, until=200)))


@pytest.mark.parametrize(
    ("params", "latency_ms"),
    [({"rests": False}, 60_000), ({}, 50), ({"alarm_minutes": 35}, 60_000), ({"alarm_minutes": 100}, 50)],
    ids=["always, by orders too", "when a level may be reached", "by a clock", "seldom by a clock"],
)
@pytest.mark.parametrize("resolution", ["1m", "5m"])
def test_whoever_looks_late_sees_the_same(
    tmp_path: Path, database: Path, resolution: str, params: dict[str, Any], latency_ms: int
) -> None:
    strategies = [{"use": f"{__name__}:Watcher", "params": params}]
    asked = {"resolution": resolution, "strategies": strategies, "venue": {"latency_ms": latency_ms}, "model": ONE_TIER}
    run = run_file(tmp_path, database, hours=9, start_hours=1, **asked)
    data = prepare(run).data
    assert data["BTCUSDT"].levels is not None
    stepped = 0

    def told(levels: LiquidationLevels) -> None:
        nonlocal stepped
        stepped += 1

    def replayed(on_step: Any) -> tuple[list[Any], Replayed]:
        return replay(run, resolve_traders(run), data, on_step), list(Watcher.seen)

    (as_it_comes, expected), (late, seen) = replayed(told), replayed(None)
    assert stepped == 96
    assert seen == expected
    assert late.ledger == as_it_comes.ledger
    assert repr(late.maps) == repr(as_it_comes.maps)
    sweeps = {one[1] for told in seen for one in (told[-1] if told[0] != "price" else told[-2])}
    assert len(sweeps) >= 2


@given(
    looks=st.lists(st.tuples(st.integers(0, 479), st.booleans()), min_size=1, max_size=40, unique_by=lambda one: one[0])
)
@settings(deadline=None)
def test_at_whatever_moments_one_looks(prepared: tuple[RunFile, SymbolData], looks: list[tuple[int, bool]]) -> None:
    """Also where nobody has looked while a level was reached. The last bar counts once a moment is said to be over."""
    run, data = prepared
    begin, interest = nanoseconds(run.start), data.open_interest

    def told_late() -> Iterator[tuple[Any, ...]]:
        levels, tape, file = _fresh(run, data)
        reaches = Reaches.of(file, interest, data.minutes, data.warm.book.time_ns)
        assert reaches is not None
        behind = Behind(levels, tape, reaches, nanoseconds(run.end))
        levels.follow(behind.catch_up, behind.settle)
        for minute, is_over in sorted(looks):
            now = begin + minute * MINUTE_NS
            behind.now = lambda now=now: now
            if is_over:
                levels.settle(now)
            yield _state(levels)

    def told_at_once() -> Iterator[tuple[Any, ...]]:
        levels, tape, _ = _fresh(run, data)
        values = deque(interest.rows())
        for minute, is_over in sorted(looks):
            now = begin + minute * MINUTE_NS
            while values and values[0][2] <= now:
                time_ns, contracts, known_ns = values.popleft()
                tape.now = lambda known_ns=known_ns: known_ns
                levels.settle(known_ns)
                levels.handle_open_interest(contracts, time_ns)
            tape.now = lambda now=now: now
            if is_over:
                levels.settle(now)
            yield _state(levels)

    assert repr(list(told_late())) == repr(list(told_at_once()))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, database: Path) -> tuple[RunFile, SymbolData]:
    folder = tmp_path_factory.mktemp("prepared")
    run = run_file(folder, database, hours=9, start_hours=1, resolution="1m", model=ONE_TIER)
    return run, prepare(run).data["BTCUSDT"]


def _fresh(run: RunFile, data: SymbolData) -> tuple[LiquidationLevels, MinuteTape, Any]:
    file, tape = kept_levels(run, data), bar_tape(run, data, with_flows=False)
    assert file is not None
    levels = LiquidationLevels(data.model, "BTCUSDT", span=run.report.span, interval=tape)
    levels.go_on(KeptSteps(file, deepcopy(data.warm.book), run.report.span), data.warm.since)
    return levels, tape, file
