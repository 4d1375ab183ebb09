"""A strategy that says when it has nothing to decide is asked less, and sees and does the same."""

from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from nautilus_trader.model import TradeTick

from liqstrat import app
from liqstrat.app import prepare, resolve_traders
from liqstrat.backtest.pace import Pace
from liqstrat.backtest.params import StrategyParams
from liqstrat.backtest.replay import Replayed
from liqstrat.backtest.strategy import LevelStrategy
from liqstrat.backtest.trade import Trade
from tests.backtest.runs import path, run_file, settled, wandering_market
from tests.history import START, open_interest_every, write_history


class Sleeper(LevelStrategy):
    """Enters after a sweep, and writes down what it sees then; it may rest as long as nothing was swept."""

    class Params(StrategyParams):
        rests: bool = True
        by_trades: int = 0

    params: Params
    asked: ClassVar[list[int]] = []
    seen: ClassVar[list[Any]] = []

    def on_begin(self) -> None:
        self.asked.clear()
        self.seen.clear()
        self._since, self._trades, self._has_closed = 0, 0, False
        if self.params.by_trades:
            self.subscribe_trades(self.instrument_id)

    def on_price(self, price: float) -> None:
        now = self.clock.timestamp_ns()
        self.asked.append(now)
        new = [one for one in self.levels.consumed if one.time_ns > self._since]
        if not self.flat:
            if self.params.rests:
                self.rest()
            return
        if self._has_closed:
            self._has_closed = False
            self.seen.append(("flat again", now, price))
        if new:
            self._since = new[-1].time_ns
            self.seen.append((now, price, [(one.cluster.price, one.time_ns, one.extreme) for one in new]))
            if len(self.seen) % 3 == 1:
                self.enter("long", stop=price * 0.995, target=price * 1.005)
        elif self.params.rests:
            self.rest(until=self.now + timedelta(minutes=200))

    def on_closed(self, trade: Trade) -> None:
        self._has_closed = True

    def on_trade(self, trade: TradeTick) -> None:
        self._trades += 1
        if self._trades % self.params.by_trades == 0 and self.flat:
            self.enter("short", stop=self.price * 1.003, target=self.price * 0.997)
            # Followed at each decision, which rest must not keep away.
            self.trail(self.price * 0.001)


def _replayed(tmp_path: Path, database: Path, *, kept: bool = True, **changes: Any) -> tuple[list[int], Any, Replayed]:
    use = {"use": f"{__name__}:Sleeper", "params": changes.pop("params")}
    run = run_file(tmp_path, database, hours=9.0, start_hours=1.5, strategies=[use], **changes)
    prepared = prepare(run, keep_levels=kept)
    folder = tmp_path / str(len(list(tmp_path.iterdir())))
    folder.mkdir()
    made = app.replay(prepared, resolve_traders(run), folder)
    return list(Sleeper.asked), list(Sleeper.seen), made


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return settled(wandering_market(tmp_path_factory.mktemp("market"), hours=9.0, seed=4))


@pytest.mark.parametrize(
    ("resolution", "params"),
    [("1m", {}), ("5m", {}), ("tick", {"decide_seconds": 7}), ("tick", {"decide_seconds": 7, "by_trades": 1500})],
    ids=["minutes", "five minutes", "ticks", "ticks, with orders meanwhile"],
)
def test_rest_changes_nothing_but_how_often_it_is_asked(
    tmp_path: Path, database: Path, resolution: str, params: dict[str, Any]
) -> None:
    def replayed(*, kept: bool = True, **asked: bool) -> tuple[list[int], Any, Replayed]:
        return _replayed(tmp_path, database, kept=kept, resolution=resolution, params={**asked, **params})

    always, expected, by_always = replayed(rests=False)
    asked, seen, made = replayed(rests=True)
    assert len(expected) >= 3
    assert seen == expected
    assert made.ledger == by_always.ledger
    assert made.ledger.fills
    assert set(asked) < set(always)
    assert len(asked) < 0.9 * len(always)

    # Where the levels are not known ahead, and where it is wished, it is asked as ever.
    for restless in (replayed(rests=True, kept=False), replayed(rests=True, ask_always=True)):
        asked, seen, made = restless
        assert asked == always
        assert (seen, made.ledger) == (expected, by_always.ledger)


BUSY: dict[str, dict[str, Any]] = {
    "LevelFade": {"min_strength": 0, "turn": 0.0005, "patience_minutes": 60},
    "Cascade": {"min_strength": 0, "pace": 0, "turn": 0.001, "reach": 0.03, "max_minutes": 30},
    "LimitAtLevel": {"min_strength": 0, "far": 0.02, "wait_minutes": 5, "stop_gap": 0.002},
    "RandomEntry": {"per_day": 60, "stop": 0.002, "hold_minutes": 25},
    "AvoidZones(LevelFade)": {"min_strength": 0, "turn": 0.0005, "zone_share": 0.5},
}


@pytest.fixture(scope="module")
def wild(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Price goes up and down by about one percent in a quarter of an hour."""
    steps = np.random.default_rng(3).normal(0, 0.012, 60)
    points = [(9.0 * number, 60_000 * np.exp(total)) for number, total in enumerate(np.cumsum(steps))]
    interest = {START: 1_000.0, **open_interest_every(5, 8.9, seed=2)}
    file = tmp_path_factory.mktemp("wild") / "market.duckdb"
    return settled(write_history(file, path(points, every_seconds=3.0), interest))


@pytest.mark.parametrize("resolution", ["1m", pytest.param("tick", marks=pytest.mark.slow)])
@pytest.mark.parametrize("use", BUSY)
def test_strategies_of_the_package_rest_where_nothing_is_to_be_decided(
    tmp_path: Path, wild: Path, monkeypatch: pytest.MonkeyPatch, use: str, resolution: str
) -> None:
    strategies = [{"use": use, "params": BUSY[use]}]
    run = run_file(tmp_path, wild, hours=8.8, start_hours=1.5, resolution=resolution, strategies=strategies)
    prepared = prepare(run)
    asked = 0

    def ledger(folder: Path) -> Any:
        folder.mkdir()
        return app.replay(prepared, resolve_traders(run), folder).ledger

    def counted(pace: Pace, until: int | None) -> None:
        nonlocal asked
        asked += 1

    rested = ledger(tmp_path / "rested")
    monkeypatch.setattr(Pace, "rest", counted)
    assert ledger(tmp_path / "restless") == rested
    assert asked > 50
    assert len(rested.fills) >= 4
