"""What a run must tell rather than hide: silence, caps, two strategies on one account, and what was never done."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import pyarrow.parquet as pq
import pytest
from nautilus_trader.model import BarType, OrderSide
from pydantic import Field

from liqstrat.app import prepare_symbol, resolve_traders, run_backtest
from liqstrat.backtest.params import StrategyParams
from liqstrat.backtest.replay import Replayed, replay
from liqstrat.backtest.strategy import LevelStrategy
from liqstrat.backtest.ticket import Ticket
from liqstrat.catalog.instruments import minute_bars
from liqstrat.config import RunFile
from liqstrat.errors import LiqstratError
from liqstrat.liquidation.brackets import brackets_for
from liqstrat.market.store import open_store
from tests.backtest.runs import NO_COSTS, ONE_TIER, path, replayed, rising_interest, rows, run_file, wandering_market
from tests.history import START, Trades, open_interest_every, random_trades, write_history


class Eager(LevelStrategy):
    """Wants to be long whenever it is not, and keeps its tickets."""

    class Params(StrategyParams):
        stop: Annotated[float, Field(gt=0)] = 0.01
        target: float = 0.02

    params: Params
    tickets: ClassVar[list[Ticket]] = []

    def on_begin(self) -> None:
        if self._setup.number == 0:
            self.tickets.clear()

    def on_price(self, price: float) -> None:
        if self.flat:
            stop, target = price * (1 - self.params.stop), price * (1 + self.params.target)
            self.tickets.append(self.enter("long", stop=stop, target=target))


class Hold(LevelStrategy):
    """Buys by an order of its own."""

    class Params(StrategyParams):
        size: float = 1.0

    params: Params

    def on_begin(self) -> None:
        self.bought = False

    def on_price(self, price: float) -> None:
        if not self.bought:
            self.bought = True
            quantity = self.cache.instrument(self.instrument_id).make_qty(Decimal(str(self.params.size)))
            self.submit_order(self.order_factory.market(self.instrument_id, OrderSide.BUY, quantity))


class Writes(LevelStrategy):
    def on_levels(self) -> None:
        self.log.info(f"a map at {self.now:%H:%M}")

    def on_price(self, price: float) -> None:
        self.log.debug("looked")


class Listens(LevelStrategy):
    """Subscribes to what its parameter says."""

    class Params(StrategyParams):
        to: str = "quotes"

    params: Params

    def on_begin(self) -> None:
        if self.params.to == "other bars":
            self.subscribe_bars(BarType.from_str(str(minute_bars(self.symbol)).replace("1-MINUTE", "5-MINUTE")))
        else:
            getattr(self, f"subscribe_{self.params.to}")(self.instrument_id)


class Paced(LevelStrategy):
    """Writes down when it hears of maps and prices."""

    heard: ClassVar[list[tuple[str, timedelta]]] = []

    def on_begin(self) -> None:
        self.heard.clear()

    def on_levels(self) -> None:
        self.heard.append(("levels", timedelta(microseconds=self.clock.timestamp_ns() // 1000) - _SINCE))

    def on_price(self, price: float) -> None:
        self.heard.append(("price", timedelta(microseconds=self.clock.timestamp_ns() // 1000) - _SINCE))


_SINCE = timedelta(seconds=START.timestamp())


def use(name: str, **params: Any) -> dict[str, Any]:
    return {"use": f"{__name__}:{name}", "params": params}


def market(
    tmp_path: Path, points: list[tuple[float, float]], strategies: list[dict[str, Any]], **changes: Any
) -> RunFile:
    minutes = int(points[-1][0])
    trades = changes.pop("trades", None) or path(points, contracts=50.001)
    database = write_history(tmp_path / "m.duckdb", trades, rising_interest(minutes, until=10))
    settings = {"strategies": strategies, "model": ONE_TIER, "venue": NO_COSTS}
    return run_file(tmp_path, database, hours=minutes / 60, **{**settings, **changes})


FLAT = [(0.0, 60_000.0), (30.0, 60_000.0)]


def test_two_strategies_at_one_moment_do_not_both_take_the_whole_account(tmp_path: Path) -> None:
    run = market(
        tmp_path, FLAT, [use("Eager", stop=0.0005), use("Eager", stop=0.0005)], venue={**NO_COSTS, "leverage": 3}
    )
    done = replayed(run)
    (entry,) = [order for order in done.ledger.orders if order.role == "entry"]
    assert float(entry.quantity) * 60_000 == pytest.approx(300_000 * 0.95, rel=0.001)
    assert {(one.strategy, one.reason) for one in done.ledger.refusals} == {("Eager-2", "no room in the account")}
    first, second = Eager.tickets[:2]
    assert (bool(first), bool(second)) == (True, False)
    assert second.reason == "no room in the account"
    assert second.state == "refused"


def test_what_is_open_and_asked_for_stays_below_the_exchange_s_cap(tmp_path: Path) -> None:
    cap = brackets_for("BTCUSDT", START).most_notional(125)
    assert cap == 50_000
    run = market(tmp_path, FLAT, [use("Eager", stop=0.0005)] * 2, venue={**NO_COSTS, "leverage": 125})
    done = replayed(run)
    held = sum(float(trip.quantity) * trip.entry_price for trip in done.ledger.trips)
    assert held == pytest.approx(cap, rel=0.002)
    assert held <= cap
    assert {one.reason for one in done.ledger.refusals} == {"beyond the exchange's cap for this leverage"}


def test_an_entry_takes_no_more_than_its_share_of_recent_volume(tmp_path: Path) -> None:
    run = market(tmp_path, FLAT, [use("Eager")], venue={**NO_COSTS, "participation": 0.0001})
    (entry,) = [order for order in replayed(run).ledger.orders if order.role == "entry"]
    # Five minutes have traded so far, 50.001 contracts a second.
    assert float(entry.quantity) == pytest.approx(0.0001 * 5 * 60 * 50.001, abs=0.001)


def test_what_one_order_may_not_hold_is_refused_and_a_position_left_in_several(tmp_path: Path) -> None:
    run = market(tmp_path, FLAT, [use("Eager")])
    done = _replayed_with(run, Decimal("1.5"))
    assert not done.ledger.orders
    (refusal,) = done.ledger.refusals
    assert (refusal.reason, refusal.detail) == (
        "more than one order may hold",
        "the exchange takes 1.5 in one market order",
    )
    assert "1.5" in Eager.tickets[0].reason


def _replayed_with(run: RunFile, most: Decimal) -> Replayed:
    with open_store(run.data.db) as store:
        data = {"BTCUSDT": replace(prepare_symbol(store, "BTCUSDT", run), most_quantity=most)}
    return replay(run, resolve_traders(run), data, lambda levels: None)


def test_a_strategy_can_ask_how_old_the_price_is_and_is_not_let_in_on_a_stale_one(tmp_path: Path) -> None:
    seconds = np.concatenate([np.arange(0, 302, 1.0), np.arange(1500, 1800, 1.0)])
    trades = Trades(
        round(START.timestamp() * 1e6) + (seconds * 1e6).astype(np.int64),
        np.full(len(seconds), 60_000.1),
        np.full(len(seconds), 50.001),
        np.arange(len(seconds)) % 2 == 0,
    )
    for resolution in ("tick", "1m"):
        (tmp_path / resolution).mkdir()
        run = market(
            tmp_path / resolution, FLAT, [use("Eager", stale_seconds=30, decide_seconds=60)],
            trades=trades, resolution=resolution, **{"from": START + timedelta(minutes=9)},
        )  # fmt: skip
        done = replayed(run)
        (refusal,) = done.ledger.refusals
        assert refusal.reason == "price is stale"
        assert refusal.times >= 15
        assert refusal.detail.startswith("nothing has traded for ")
        (entry,) = done.ledger.trips
        assert entry.opened_ns / 1e9 - START.timestamp() >= 1500


def test_orders_that_were_denied_are_told_with_the_engine_s_reason(tmp_path: Path) -> None:
    run = market(tmp_path, FLAT, [use("Hold", size=600.0)])
    folder = run_backtest(run, tmp_path / "results", report=False)
    (order,) = rows(folder, "orders")
    assert (order["status"], order["filled"], order["quantity"]) == ("denied", 0.0, 600.0)
    assert order["reason"].startswith("denied by the engine: ")
    told = json.loads((folder / "metrics.json").read_text())["entries_not_made"]
    assert told == {"denied by the engine": 1}
    notes = json.loads((folder / "run.json").read_text())["notes"]
    assert "1 entry was not made: denied by the engine 1" in notes


def test_an_order_tells_how_much_was_asked_for_not_what_was_left(tmp_path: Path) -> None:
    """The stop of a position whose target fills in parts shrinks with it."""
    points = [(0.0, 60_000.0), (12.0, 60_000.0), (13.0, 61_200.0), (20.0, 61_200.0), (30.0, 59_000.0)]
    ledger = replayed(market(tmp_path, points, [use("Eager")], trades=path(points, contracts=0.101))).ledger
    entry, stop, target = ledger.orders[:3]
    assert entry.role, stop.role == ("entry", "stop")
    assert entry.quantity == stop.quantity == target.quantity > 0


@pytest.mark.parametrize(
    ("resolution", "start"), [("1m", 1.0), ("5m", 1.0), pytest.param("1m", 62 / 60, marks=pytest.mark.slow)]
)
def test_a_run_of_bars_sees_the_maps_of_a_run_by_trades(tmp_path: Path, resolution: str, start: float) -> None:
    """Whether the book ended an interval right at the start, or two minutes before."""
    database = write_history(tmp_path / "m.duckdb", random_trades(5), {START: 1_000.0, **open_interest_every(5, 5)})
    tables = []
    for name in ("tick", resolution):
        run = run_file(tmp_path, database, hours=5, start_hours=start, resolution=name, report={"levels_every": "5m"})
        tables.append(pq.read_table(run_backtest(run, tmp_path / name, report=False) / "levels.parquet").to_pandas())
    by_trades, by_bars = tables
    assert by_trades["time"].nunique() > 40
    keys = ["time", "side", "leverage", "price_low"]
    both = by_trades.merge(by_bars, on=keys, how="outer", suffixes=("", "_bars"), indicator=True)
    assert (both["_merge"] == "both").all()
    np.testing.assert_allclose(both["contracts"], both["contracts_bars"], rtol=1e-9)


def test_every_map_is_told_once_whatever_the_pace_of_decisions(tmp_path: Path) -> None:
    for resolution, step in (("tick", 900), ("15m", 900), ("1m", 60)):
        (tmp_path / resolution).mkdir()
        replayed(market(tmp_path / resolution, FLAT, [use("Paced", decide_seconds=900)], resolution=resolution))
        maps = [at for what, at in Paced.heard if what == "levels"]
        assert [round(at.total_seconds()) for at in maps] == [300 * n for n in range(1, 6)]
        prices = [at.total_seconds() for what, at in Paced.heard if what == "price"]
        assert prices
        assert set(np.diff(prices)) <= {step}


def test_a_run_that_ends_within_a_minute_is_valued_at_the_last_price_before_its_end(tmp_path: Path) -> None:
    points = [(0.0, 60_000.0), (12.0, 60_000.0), (20.0, 60_800.0)]
    end = START + timedelta(minutes=15, seconds=42.5)
    run = market(tmp_path, points, [use("Hold", size=1.0)], to=end)
    folder = run_backtest(run, tmp_path / "results", report=False)
    last = rows(folder, "equity")[-1]
    assert last["time"] == end
    # 100 USDT a minute; the last trade before the end is of its 42nd second.
    assert last["notional"] == pytest.approx(60_000 + 100 * (3 + 42 / 60), abs=0.11)
    with pytest.raises(ValueError, match=r"to is 2024-03-01 00:15:42\.500000, expected a whole minute with bars"):
        market(tmp_path, points, [use("Hold")], to=end, resolution="1m")


def test_what_a_strategy_writes_down_is_in_the_results_and_on_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run_backtest(market(tmp_path, FLAT, [use("Writes")]), tmp_path / "results", report=False)
    lines = (folder / "log.txt").read_text().splitlines()
    assert "2024-03-01 00:05:00 Writes info: a map at 00:05" in lines
    assert sum(line.endswith("debug: looked") for line in lines) > 100
    shown = capsys.readouterr().err.splitlines()
    assert shown[0] == "2024-03-01 00:05:00 Writes info: a map at 00:05"
    assert not any("looked" in line for line in shown)


@pytest.mark.parametrize(
    ("to", "resolution", "said"),
    [
        ("quotes", "tick", "subscribes to quotes, this run replays trades or bars"),
        ("book_deltas", "tick", "subscribes to order books"),
        ("trades", "1m", 'subscribes to trades, this run replays bars; subscribe to them, or set resolution = "tick"'),
        ("bars", "tick", "subscribes to bars, this run replays trades"),
        ("other bars", "1m", r"subscribes to bars of type .*5-MINUTE.*, this run replays bars of type .*1-MINUTE"),
    ],
)
def test_data_that_would_never_arrive_is_refused(tmp_path: Path, to: str, resolution: str, said: str) -> None:
    with pytest.raises(LiqstratError, match=f"strategy Listens: {said}"):
        replayed(market(tmp_path, FLAT, [use("Listens", to=to)], resolution=resolution))


def test_runs_that_end_badly_end_in_a_report_that_tells_it(tmp_path: Path) -> None:
    """A liquidated account at 125x, orders beyond the exchange's cap, a gap, and two strategies on one symbol."""
    points = [(0.0, 60_000.0), (12.0, 60_000.0), (14.0, 58_000.0), (90.0, 58_500.0)]
    trades = path(points, contracts=50.001)
    there = (trades.time_us - trades.time_us[0]) // 60_000_000
    quiet = (there < 20) | (there > 70)
    trades = Trades(trades.time_us[quiet], trades.price[quiet], trades.contracts[quiet], trades.buy[quiet])
    venue = {"leverage": 125, "balance": 100_000}
    run = market(tmp_path, points, [use("Hold", size=100.0), use("Eager")], trades=trades, venue=venue)
    folder = run_backtest(run, tmp_path / "results")
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["account_liquidations"] == 1
    assert 0 <= metrics["final_equity"] < 2_000
    assert min(row["equity"] for row in rows(folder, "equity")) >= 0
    page = (folder / "report.html").read_text()
    for said in (
        "the account was liquidated on 2024-03-01 00:1",
        "Hold: 1 order(s) of its own were larger than the exchange allows at this leverage",
        "entries were not made: ",
        "no trades from 2024-03-01 00:19 to 2024-03-01 01:11",
    ):
        assert said in page.replace("&#x27;", "'"), said


def test_books_that_do_not_agree_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check takes the engine's equity at the engine's own last price, not at ours."""
    from liqstrat.backtest import measured

    real = measured.equity_curve
    monkeypatch.setattr(measured, "equity_curve", lambda *args: _off_by_a_little(real(*args)))
    with pytest.raises(RuntimeError, match="the fills add up to"):
        run_backtest(market(tmp_path, FLAT, [use("Hold")]), tmp_path / "results", report=False)
    assert not list((tmp_path / "results").iterdir())


def _off_by_a_little(curve: Any) -> Any:
    return replace(curve, unrealized=curve.unrealized + 0.02)


def test_a_wandering_market_gives_the_same_results_twice(tmp_path: Path) -> None:
    database = wandering_market(tmp_path, hours=4)
    run = run_file(tmp_path, database, hours=4, start_hours=1, strategies=[use("Eager", stop=0.002, target=0.001)])
    one, other = (run_backtest(run, tmp_path / name, report=False) for name in ("one", "other"))
    for name in ("orders", "fills", "positions", "equity", "levels"):
        assert (one / f"{name}.parquet").read_bytes() == (other / f"{name}.parquet").read_bytes()
