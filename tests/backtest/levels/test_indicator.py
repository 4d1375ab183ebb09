"""The levels that a strategy sees in a replay are those of the model, known neither earlier nor later than can be."""

from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from nautilus_trader.model import AggressorSide, Bar, Price, Quantity, TradeId, TradeTick

from liqstrat.backtest.levels import interval
from liqstrat.backtest.levels.feeds import open_interest_type
from liqstrat.backtest.levels.indicator import LiquidationLevels
from liqstrat.backtest.levels.interval import BarInterval
from liqstrat.backtest.strategy import LevelStrategy
from liqstrat.catalog.instruments import instrument_id, minute_bars
from liqstrat.config import RunFile
from liqstrat.liquidation.book import LiquidationBook
from liqstrat.liquidation.flow import flow_from_trades
from liqstrat.liquidation.kinds import new_model
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.liquidation.model import Since
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.market.flow import flows
from liqstrat.market.store import open_store
from tests.backtest.runs import NO_COSTS, replayed, run_file, wandering_market
from tests.history import START, START_US, Trades, open_interest_every, random_trades, write_history

BTC = instrument_id("BTCUSDT")
SECOND = 1_000_000_000
FIVE_MINUTES = 300 * SECOND


def tick(time_ns: int, price: float, contracts: float = 1.0, buy: bool = True) -> TradeTick:
    side = AggressorSide.BUY if buy else AggressorSide.SELL
    return TradeTick(BTC, Price(price, 1), Quantity(contracts, 3), side, TradeId(str(time_ns)), time_ns, time_ns)


def maps_in_replay(run: RunFile) -> list[LiquidationMap]:
    seen: list[LiquidationMap] = []
    replayed(run, lambda levels: seen.append(levels.map()))
    return seen


def maps_by_sql(run: RunFile, trades: Trades) -> list[LiquidationMap]:
    """The book after each value of open interest, less what the trades of that very moment ran through."""
    book = new_model(run.model, "BTCUSDT")
    maps = []
    with open_store(run.data.db) as store:
        for flow, open_interest in flows(store, "BTCUSDT", START - timedelta(days=1), run.end, run.model):
            book.step(flow, open_interest)
            now = trades.price[trades.time_us == flow.end_ns // 1000]
            reached = {"low": now.min(), "high": now.max(), "price": float(now[-1])} if len(now) else {}
            maps.append(book.map(Since(**reached)))
    start, end = (round(moment.timestamp() * 1e9) for moment in (run.start, run.end))
    return [one for one in maps if start < one.time_ns < end]


def same(one: LiquidationMap, other: LiquidationMap) -> None:
    assert one.time_ns == other.time_ns
    assert one.price == other.price
    kept, expected = one.columns(), other.columns()
    np.testing.assert_allclose(kept["contracts"], expected["contracts"], rtol=1e-9)
    for name in ("side", "price_low", "leverage"):
        np.testing.assert_array_equal(kept[name], expected[name])


@pytest.mark.parametrize(
    ("start_hours", "every", "model"),
    [
        (0.0, 5, {}),
        (2.0, 5, {}),
        (2.04, 5, {}),
        pytest.param(2.04, 60, {}, marks=pytest.mark.slow),
        (2.04, 5, {"kind": "large_trades", "large_by": "top", "large": 3}),
        (2.04, 5, {"kind": "ensemble", "large_by": "portion", "large": 0.3}),
    ],
    ids=["from the start", "later", "within an interval", "hourly open interest", "large trades", "mixture"],
)
def test_maps_in_a_replay_equal_those_of_the_flow_by_sql(
    tmp_path: Path, start_hours: float, every: int, model: dict[str, Any]
) -> None:
    """Also when the run starts between two values of open interest, and with trades at the very moments of some."""
    trades = random_trades(6)
    five_minutes = 300_000_000
    late = trades.time_us % five_minutes > five_minutes - 4_000_000
    time_us = np.where(late, (trades.time_us // five_minutes + 1) * five_minutes, trades.time_us)
    trades = Trades(time_us, trades.price, trades.contracts, trades.buy)
    database = write_history(tmp_path / "m.duckdb", trades, {START: 1_000.0, **open_interest_every(every, 6)})
    run = run_file(tmp_path, database, hours=6, start_hours=start_hours, model={"bin_width": 0.001, **model})

    seen = [one for one in maps_in_replay(run) if one.time_ns > round(run.start.timestamp() * 1e9)]
    expected = maps_by_sql(run, trades)

    assert len(seen) == len(expected) > 40
    for one, other in zip(seen, expected, strict=True):
        same(one, other)


class Alone(LevelStrategy):
    """Keeps levels of its own as Nautilus has it: an indicator registered for trades."""

    maps: ClassVar[list[tuple[LiquidationMap, LiquidationMap]]] = []

    def on_begin(self) -> None:
        self.maps.clear()
        self.own = LiquidationLevels(self.levels.settings, "BTCUSDT")
        self.register_indicator_for_trade_ticks(self.instrument_id, self.own)
        self.subscribe_trades(self.instrument_id)
        self.subscribe_data(open_interest_type(self.instrument_id))

    def on_data(self, data: Any) -> None:
        self.own.handle_open_interest(data.data.contracts, data.ts_event)

    def on_price(self, price: float) -> None:
        assert self.own.price == price
        assert list(self.own.clusters()) == list(self.levels.clusters())
        self.maps.append((self.own.map(), self.levels.map()))


def test_levels_read_from_the_tape_are_those_of_an_indicator_that_hears_every_trade(tmp_path: Path) -> None:
    """Ten times between two values of open interest, too, and with trades at the very moments of asking."""
    trades = random_trades(3)
    on_seconds = Trades(trades.time_us // 1_000_000 * 1_000_000, trades.price, trades.contracts, trades.buy)
    database = write_history(tmp_path / "m.duckdb", on_seconds, {START: 1_000.0, **open_interest_every(5, 3)})
    use = [{"use": f"{__name__}:Alone", "params": {"decide_seconds": 30}}]
    replayed(run_file(tmp_path, database, hours=3, strategies=use, venue=NO_COSTS))
    assert len(Alone.maps) > 300
    for heard, read in Alone.maps:
        same(heard, read)


class AloneOnBars(LevelStrategy):
    """Keeps levels of its own that hear every minute bar from the engine."""

    seen: ClassVar[list[tuple[LiquidationMap, LiquidationMap]]] = []
    swept: ClassVar[list[int]] = []

    def on_begin(self) -> None:
        self.seen.clear()
        self.swept.clear()
        self.closes: set[float] = set()
        self.own = LiquidationLevels(self.levels.settings, "BTCUSDT", interval=BarInterval())
        self.register_indicator_for_bars(minute_bars("BTCUSDT"), self.own)
        self.subscribe_bars(minute_bars("BTCUSDT"))
        self.subscribe_data(open_interest_type(self.instrument_id))

    def on_bar(self, bar: Bar) -> None:
        self.closes.add(round(float(bar.close), 1))
        assert np.isnan(self.levels.price) or self.levels.price in self.closes

    def on_data(self, data: Any) -> None:
        self.own.handle_open_interest(data.data.contracts, data.ts_event)

    def on_price(self, price: float) -> None:
        assert self.own.price == price
        assert len(self.own.clusters()) == len(self.levels.clusters())
        assert [swept.time_ns for swept in self.own.consumed] == [swept.time_ns for swept in self.levels.consumed]
        self.swept.append(len(self.own.consumed))
        self.seen.append((self.own.map(), self.levels.map()))


def test_levels_read_from_the_minutes_are_those_of_an_indicator_that_hears_every_bar(tmp_path: Path) -> None:
    """Also over minutes without a bar, and when the run starts between two values of open interest."""
    trades = random_trades(5)
    # Wild, so that clusters are run through.
    price = np.round(60_000 * (trades.price / 60_000) ** 3, 1)
    there = (trades.time_us // 60_000_000) % 7 != 3
    trades = Trades(trades.time_us[there], price[there], trades.contracts[there], trades.buy[there])
    database = write_history(tmp_path / "m.duckdb", trades, {START: 1_000.0, **open_interest_every(5, 5)})
    use = [{"use": f"{__name__}:AloneOnBars"}]
    run = run_file(
        tmp_path, database, hours=5, start_hours=1.05, strategies=use, venue=NO_COSTS, resolution="1m",
        data={"db": database, "catalog": tmp_path / "catalog", "warmup_days": 0},
    )  # fmt: skip
    replayed(run, flow_of_bars=True)
    assert len(AloneOnBars.seen) > 200
    assert max(AloneOnBars.swept) > 0
    for heard, read in AloneOnBars.seen:
        same(heard, read)


class MidMoment(LevelStrategy):
    """Asks for the price at every trade, while others of the same moment are still to come."""

    asked: ClassVar[list[tuple[float, float]]] = []

    def on_begin(self) -> None:
        self.asked.clear()
        self.subscribe_trades(self.instrument_id)

    def on_trade(self, trade: TradeTick) -> None:
        self.asked.append((float(trade.price), self.levels.price))


def test_nothing_of_the_same_moment_is_known_before_it_has_happened(tmp_path: Path) -> None:
    seconds = np.repeat(np.arange(100), 3)
    prices = 60_000.1 + np.arange(300)
    trades = Trades(START_US + seconds * 1_000_000, prices, np.full(300, 1.001), np.ones(300, dtype=bool))
    database = write_history(tmp_path / "m.duckdb", trades, {START: 1_000.0})
    use = [{"use": f"{__name__}:MidMoment", "params": {"decide_seconds": 3600}}]
    replayed(run_file(tmp_path, database, hours=0.1, strategies=use, venue=NO_COSTS))
    assert len(MidMoment.asked) == 300
    assert all(known <= price for price, known in MidMoment.asked[3:])


def test_trades_at_the_moment_of_open_interest_belong_to_the_next_interval() -> None:
    settings = ModelSettings()
    levels = LiquidationLevels(settings, "BTCUSDT")
    first, second = 1_000 * FIVE_MINUTES, 1_001 * FIVE_MINUTES
    for time_ns, price in ((first - 1, 100.0), (first, 110.0), (second - 1, 105.0), (second, 120.0)):
        levels.handle_trade_tick(tick(time_ns, price))
        if time_ns in (first, second):
            levels.handle_open_interest(1_000.0, time_ns)

    book = LiquidationBook(settings, "BTCUSDT")
    for start, end, prices in ((first, first, [100.0]), (first, second, [110.0, 105.0])):
        count = len(prices)
        flow = flow_from_trades(
            start,
            end,
            np.array(prices),
            np.ones(count),
            np.ones(count, dtype=bool),
            width=settings.fine_width,
            brackets=book.brackets(end),
        )
        book.step(flow, 1_000.0)
    same(levels.map(), book.map(Since(high=120.0, low=120.0, price=120.0)))
    assert levels.price == 120.0
    assert levels.known_at == second


def test_a_long_silence_of_open_interest_changes_nothing_but_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def steps(most: int) -> LiquidationMap:
        monkeypatch.setattr(interval, "MOST_OBJECTS", most)
        levels = LiquidationLevels(ModelSettings(), "BTCUSDT")
        rng = np.random.default_rng(5)
        for i in range(1_000):
            levels.handle_trade_tick(tick(i * SECOND, 60_000 + round(rng.normal(0, 50), 1), 0.5, bool(i % 3)))
            if i % 37 == 0:
                assert levels.price > 0
            if i == 200:
                levels.handle_open_interest(500.0, i * SECOND)
        levels.handle_open_interest(700.0, 900 * SECOND)
        return levels.map()

    same(steps(50), steps(1_000_000))


@pytest.fixture
def calm() -> LiquidationLevels:
    """Longs liquidated a little above 98, shorts a little below 102, price at 100."""
    levels = LiquidationLevels(ModelSettings(leverage={50: 1.0}, turnover=0.0, unrest=0.0, seed_spread=0.0), "BTCUSDT")
    levels.handle_trade_tick(tick(1, 100.0))
    levels.handle_open_interest(1_000.0, FIVE_MINUTES)
    return levels


def test_clusters_are_the_nearest_on_each_side(calm: LiquidationLevels) -> None:
    above, below = calm.above(), calm.below()
    assert above is not None
    assert below is not None
    assert (above.side, below.side) == ("short", "long")
    assert 101 < above.price < 102
    assert 98 < below.price < 99
    assert above.distance == pytest.approx(above.price / 100 - 1)
    assert below.distance == pytest.approx(below.price / 100 - 1)
    assert calm.above(103.0) is None


def test_what_price_runs_through_leaves_the_map_at_once(calm: LiquidationLevels) -> None:
    calm.handle_trade_tick(tick(FIVE_MINUTES + 1, 97.0))
    calm.handle_trade_tick(tick(FIVE_MINUTES + 2, 99.0))
    assert calm.map().longs.sum() == 0
    assert calm.map().shorts.sum() == pytest.approx(1_000)
    assert calm.below() is None
    assert calm.above() is not None


def test_a_consumed_cluster_is_remembered_with_how_far_price_went(calm: LiquidationLevels) -> None:
    heart = calm.below()
    assert heart is not None
    calm.handle_trade_tick(tick(FIVE_MINUTES + 1, heart.price + 0.1))
    assert calm.consumed == []
    calm.handle_trade_tick(tick(FIVE_MINUTES + 2, 97.5))
    (swept,) = calm.consumed
    assert (swept.cluster.side, swept.time_ns, swept.extreme) == ("long", FIVE_MINUTES + 2, 97.5)
    calm.handle_trade_tick(tick(FIVE_MINUTES + 3, 97.0))
    calm.handle_trade_tick(tick(FIVE_MINUTES + 4, 99.0))
    calm.handle_open_interest(900.0, 2 * FIVE_MINUTES)
    calm.handle_trade_tick(tick(2 * FIVE_MINUTES + 1, 98.0))
    (swept,) = calm.consumed
    assert (swept.time_ns, swept.extreme) == (FIVE_MINUTES + 2, 97.0)
    calm.handle_trade_tick(tick(2 * FIVE_MINUTES + 2, 96.0))
    assert calm.consumed[0].extreme == 96.0


def test_a_consumed_cluster_is_forgotten_in_time(calm: LiquidationLevels) -> None:
    calm.handle_trade_tick(tick(FIVE_MINUTES + 1, 97.0))
    assert calm.consumed
    for step in range(2, 30):
        calm.handle_open_interest(1_000.0, step * FIVE_MINUTES)
    assert not calm.consumed


def test_nothing_is_known_before_open_interest_is() -> None:
    levels = LiquidationLevels(ModelSettings(), "BTCUSDT")
    assert not levels.initialized
    assert not levels.has_inputs
    levels.handle_trade_tick(tick(1, 100.0))
    assert levels.has_inputs
    assert not levels.initialized
    assert not list(levels.clusters())
    assert levels.above() is None
    levels.handle_open_interest(1_000.0, FIVE_MINUTES)
    assert levels.initialized
    assert levels.clusters()
    levels.reset()
    assert not levels.initialized
    assert not levels.has_inputs


def test_minute_bars_make_nearly_the_same_map_as_trades(tmp_path: Path) -> None:
    database = wandering_market(tmp_path)
    by_trades = maps_in_replay(run_file(tmp_path, database, hours=8, start_hours=1))
    by_bars = maps_in_replay(run_file(tmp_path, database, hours=8, start_hours=1, resolution="1m"))
    assert [one.time_ns for one in by_trades] == [one.time_ns for one in by_bars]
    assert by_trades[-1].longs.sum() == pytest.approx(by_bars[-1].longs.sum(), rel=1e-3)
    assert [one.price for one in by_trades] == [one.price for one in by_bars]
    overlap: Any = np.minimum(_by_price(by_trades[-1]), _by_price(by_bars[-1])).sum() / _by_price(by_trades[-1]).sum()
    assert overlap > 0.8


def _by_price(levels: LiquidationMap) -> Any:
    grid = np.linspace(20_000, 120_000, 2_000)
    columns = levels.columns()
    return np.histogram(columns["price_low"], bins=grid, weights=columns["contracts"])[0]
