"""What a strategy can do with a position: wait for it at a level, leave it in parts, move its stop, hear of its end."""

import itertools
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nautilus_trader.model import OrderSide

from liqstrat.backtest.account.ledger import Ledger
from liqstrat.backtest.entries import in_steps, make_plan
from liqstrat.backtest.strategy import LevelStrategy
from liqstrat.backtest.ticket import Ticket
from liqstrat.backtest.trade import Trade
from liqstrat.errors import LiqstratError
from liqstrat.market.schema import create_tables
from tests.backtest.runs import NO_COSTS, ONE_TIER, path, replayed, rising_interest, run_file
from tests.history import START, write_history

RESOLUTIONS = ("tick", "1m")


class Acts(LevelStrategy):
    """Does what the script says at the decision of a minute, and writes down what it hears."""

    script: ClassVar[dict[int, Callable[["Acts"], Any]]] = {}
    after: ClassVar[Callable[["Acts"], Any] | None] = None
    tickets: ClassVar[list[Ticket]] = []
    entered: ClassVar[list[Ticket]] = []
    closed: ClassVar[list[Trade]] = []
    states: ClassVar[dict[int, tuple[str, str]]] = {}

    def on_begin(self) -> None:
        for heard in (self.tickets, self.entered, self.closed, self.states):
            heard.clear()

    def on_price(self, price: float) -> None:
        minute = round((self.now - START).total_seconds() / 60)
        if action := self.script.get(minute):
            done = action(self)
            if isinstance(done, Ticket):
                self.tickets.append(done)
        if self.tickets:
            self.states[minute] = (self.tickets[0].state, self.tickets[0].reason)

    def on_entered(self, ticket: Ticket) -> None:
        self.entered.append(ticket)

    def on_closed(self, trade: Trade) -> None:
        self.closed.append(trade)
        if Acts.after is not None:
            Acts.after(self)


def acted(
    folder: Path,
    points: list[tuple[float, float]],
    script: dict[int, Callable[[Acts], Any]],
    resolution: str,
    contracts: float = 50.001,
    **venue: Any,
) -> Ledger:
    Acts.script = script
    minutes = int(points[-1][0])
    database = write_history(
        folder / f"{resolution}.duckdb", path(points, contracts=contracts), rising_interest(minutes, until=10)
    )
    (folder / resolution).mkdir()
    run = run_file(
        folder / resolution, database, hours=minutes / 60, resolution=resolution, model=ONE_TIER,
        venue={**NO_COSTS, **venue},
        strategies=[{"use": f"{__name__}:Acts", "params": {"decide_seconds": 60}}],
    )  # fmt: skip
    return replayed(run).ledger


def fills(ledger: Ledger) -> list[tuple[str, float, float]]:
    return [(fill.role, float(fill.quantity), float(fill.price)) for fill in ledger.fills]


DIP = [(0.0, 60_000.0), (12.0, 60_000.0), (14.0, 59_700.0), (22.0, 60_900.0), (30.0, 58_000.0)]


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_an_entry_waits_at_its_level_and_leaves_in_parts(tmp_path: Path, resolution: str) -> None:
    def enter(s: Acts) -> Ticket:
        return s.enter("long", at=59_800.0, stop=59_300.0, targets=[(60_710.0, 0.3), (60_310.0, 0.5)], reason="dip")

    ledger = acted(tmp_path, DIP, {10: enter}, resolution)
    (ticket,) = Acts.tickets
    assert float(ticket.quantity) == pytest.approx(0.01 * 100_000 / 500, abs=0.001)
    assert [(role, price) for role, _, price in fills(ledger)] == [
        ("entry", 59_800.0), ("target", 60_310.0), ("target", 60_710.0),
        ("stop", pytest.approx(59_300.0, abs=11)),
    ]  # fmt: skip
    quantities = [fill.quantity for fill in ledger.fills]
    assert quantities[0] == sum(quantities[1:]) == Decimal(2)
    assert [float(part) for part in quantities[1:]] == [1.0, 0.6, 0.4]
    (trip,) = ledger.trips
    assert (trip.exit_role, trip.entry and trip.entry.reason) == ("stop", "dip")
    assert [Acts.states[minute] for minute in (11, 15, 29)] == [("working", ""), ("open", ""), ("closed", "")]
    assert Acts.entered == [ticket]
    (trade,) = Acts.closed
    assert (trade.side, trade.reason, trade.quantity) == ("long", "stop", Decimal(2))
    assert trade.pnl == pytest.approx(float(trip.pnl))
    assert (trade.entry_price, trade.exit_price) == (trip.entry_price, pytest.approx(trip.exit_price))
    assert round(trade.opened.timestamp() * 1e6) == trip.opened_ns // 1000


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_an_entry_that_waits_in_vain_expires(tmp_path: Path, resolution: str) -> None:
    def enter(s: Acts) -> Ticket:
        return s.enter("long", at=59_500.0, stop=59_000.0, target=61_000.0, expires="4m")

    ledger = acted(tmp_path, DIP, {9: enter, 16: enter}, resolution)
    assert all(Acts.tickets), "flat again as soon as the first has expired"
    assert (Acts.states[12], Acts.states[14]) == (("working", ""), ("gone", "expired"))
    assert {(order.status, order.reason, order.filled) for order in ledger.orders} == {("expired", "expired", 0)}
    assert ledger.orders[0].closed_ns is not None
    assert ledger.orders[0].closed_ns / 1e9 - START.timestamp() == 13 * 60
    assert not Acts.entered
    assert not Acts.closed


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_a_short_waits_above_and_its_stop_can_be_moved_and_trails(tmp_path: Path, resolution: str) -> None:
    points = [(0.0, 60_000.0), (12.0, 60_000.0), (14.0, 60_400.0), (20.0, 59_200.0), (30.0, 61_200.0)]
    moved: list[bool] = []

    def enter(s: Acts) -> Ticket:
        return s.enter("short", at=60_300.0, stop=61_000.0)

    def move(s: Acts) -> None:
        moved.append(s.move_stop(60_800.0))
        moved.append(s.move_stop(50_000.0))

    ledger = acted(tmp_path, points, {8: enter, 10: move, 16: lambda s: s.trail(300.0)}, resolution)
    assert moved == [True, False]
    (trip,) = ledger.trips
    # The lowest decision is at 59,200: the stop has been pulled to 300 above it, and never back.
    assert (trip.exit_role, trip.exit_price) == ("stop", pytest.approx(59_500.0, abs=5))
    (stop,) = [order for order in ledger.orders if order.role == "stop"]
    assert stop.reference == pytest.approx(Decimal(59_500), abs=5)
    assert abs(sum(fill.slippage for fill in ledger.fills)) < 20


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_a_stop_that_price_runs_through_with_the_entry_is_met_where_it_is(tmp_path: Path, resolution: str) -> None:
    points = [(0.0, 60_000.0), (12.0, 60_000.0), (12.5, 59_000.0), (12.9, 59_900.0), (30.0, 60_400.0)]
    ledger = acted(
        tmp_path, points, {10: lambda s: s.enter("long", at=59_800.0, stop=59_500.0, target=60_200.0)}, resolution
    )
    (trip,) = ledger.trips
    assert (trip.entry_price, trip.exit_role) == (59_800.0, "stop")
    assert trip.exit_price == pytest.approx(59_500.0, abs=35)


@pytest.mark.parametrize("how", ["bracket", "parts"])
@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_a_position_can_be_reduced_and_enlarged_and_its_exits_keep_up(
    tmp_path: Path, resolution: str, how: str
) -> None:
    def enter(s: Acts) -> Ticket:
        if how == "bracket":
            return s.enter("long", stop=59_000.0, target=60_800.0)
        return s.enter("long", stop=59_000.0, targets=[(60_400.0, 0.25), (60_800.0, 0.75)])

    points = [(0.0, 60_000.0), (16.0, 60_000.0), (24.0, 60_900.0), (30.0, 61_000.0)]
    ledger = acted(tmp_path, points, {8: enter, 10: lambda s: s.reduce(0.5), 12: lambda s: s.add(1.0)}, resolution)
    by_role: dict[str, list[float]] = {}
    for role, quantity, _ in fills(ledger):
        by_role.setdefault(role, []).append(quantity)
    assert by_role["entry"] == [1.0, 0.5]
    assert by_role["exit"] == [0.5]
    assert by_role["target"] == ([1.0] if how == "bracket" else [0.25, 0.75])
    assert len(Acts.entered) == 2
    (trade,) = Acts.closed
    assert (trade.quantity, trade.reason) == (Decimal(1), "target")
    assert {order.status for order in ledger.orders if order.role == "stop"} == {"canceled"}


def test_a_waiting_entry_that_is_filled_in_parts_has_its_exits_from_the_first_on(tmp_path: Path) -> None:
    """It is only ever touched, and gets a tenth of what prints there; a target then takes the rest of it back."""
    points = [(0.0, 60_000.0), (9.0, 60_000.0), (9.0, 59_800.0), (9.2, 59_800.0), (9.2, 60_500.0), (20.0, 60_500.0)]
    ledger = acted(
        tmp_path, points,
        {8: lambda s: s.enter("long", at=59_800.0, stop=59_300.0, targets=[(60_200.0, 0.5), (60_400.0, 0.5)])},
        "tick", contracts=1.001, touch_share=0.1,
    )  # fmt: skip
    entered = [fill.quantity for fill in ledger.fills if fill.role == "entry"]
    left = [(fill.role, fill.quantity) for fill in ledger.fills if fill.role != "entry"]
    assert len(entered) > 5
    assert sum(entered) < Decimal(2)
    assert [role for role, _ in left] == ["target", "target"]
    assert sum(quantity for _, quantity in left) == sum(entered)
    assert abs(left[0][1] - left[1][1]) <= Decimal("0.001")
    (entry,) = [order for order in ledger.orders if order.role == "entry"]
    assert (entry.status, len(Acts.closed), len(Acts.entered)) == ("canceled", 1, 1)


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_a_jump_over_two_targets_takes_no_more_than_their_shares(tmp_path: Path, resolution: str) -> None:
    points = [
        (0.0, 60_000.0),
        (12.0, 60_000.0),
        (12.01, 60_450.0),
        (16.0, 60_500.0),
        (20.0, 60_900.0),
        (24.0, 60_900.0),
    ]
    targets = [(60_800.0, 0.25), (60_200.0, 0.5), (60_400.0, 0.25)]
    ledger = acted(tmp_path, points, {8: lambda s: s.enter("long", stop=59_500.0, targets=targets)}, resolution)
    left = [(fill.role, float(fill.quantity)) for fill in ledger.fills[1:]]
    assert left == [("target", 1.0), ("target", 0.5), ("target", 0.5)]
    assert [float(fill.price) for fill in ledger.fills[1:]] == [60_200.0, 60_400.0, 60_800.0]


def test_what_is_left_of_a_waiting_entry_is_taken_back_when_a_target_is_reached(tmp_path: Path) -> None:
    """Price comes back to where it waited, and nothing more is bought."""
    points = [(0.0, 60_000.0), (9.0, 60_000.0), (9.0, 59_800.0), (9.2, 59_800.0), (9.2, 60_300.0), (12.0, 60_300.0)]
    points += [(14.0, 59_790.0), (20.0, 59_790.0)]
    ledger = acted(
        tmp_path, points,
        {8: lambda s: s.enter("long", at=59_800.0, stop=59_300.0, targets=[(60_200.0, 0.5), (61_000.0, 0.5)])},
        "tick", contracts=1.001, touch_share=0.1,
    )  # fmt: skip
    (entry,) = [order for order in ledger.orders if order.role == "entry"]
    assert entry.status == "canceled"
    assert max(fill.time_ns for fill in ledger.fills if fill.role == "entry") < START.timestamp() * 1e9 + 10 * 60e9
    (trip,) = ledger.trips
    assert trip.closed_ns is None


def test_a_trade_that_a_strategy_is_told_of_is_net_as_the_ledger_has_it(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "tick.duckdb")) as connection:
        connection.execute("set TimeZone = 'UTC'")
        create_tables(connection, "funding")
        connection.execute(
            "insert into funding_rate_history by name select ?::timestamp as timestamp, 'BTCUSDT' as symbol, "
            "0.001::decimal(18,8) as funding_rate",
            [(START + timedelta(minutes=13)).replace(tzinfo=None)],
        )
    ledger = acted(
        tmp_path, DIP, {10: lambda s: s.enter("long", stop=59_300.0, targets=[(60_300.0, 0.5)])}, "tick",
        taker_fee=0.0005, maker_fee=0.0002, depth=True, latency_ms=250,
        funding=True,
    )  # fmt: skip
    (trip,), (trade,) = ledger.trips, Acts.closed
    assert trip.fees > 0
    assert trip.funding < 0
    assert trade.pnl == pytest.approx(float(trip.pnl), abs=1e-6)


def test_a_liquidation_ends_a_trade_too_and_the_next_can_be_entered_when_one_ends(tmp_path: Path) -> None:
    points = [(0.0, 60_000.0), (12.0, 60_000.0), (20.0, 50_000.0), (30.0, 50_000.0)]

    acted(tmp_path, points, {8: own_order, 10: lambda s: s.move_stop(59_000.0)}, "tick", leverage=20, liquidation=True)
    (trade,) = Acts.closed
    assert (trade.reason, trade.side) == ("liquidation", "long")
    assert Acts.entered == []

    (tmp_path / "again").mkdir()
    again = [(0.0, 60_000.0), (12.0, 60_000.0), (20.0, 58_000.0), (30.0, 58_000.0)]
    Acts.after = lambda s: s.enter("long", stop=s.price * 0.99, target=s.price * 1.02)
    try:
        ledger = acted(tmp_path / "again", again, {8: Acts.after}, "tick")
    finally:
        Acts.after = None
    assert len(ledger.trips) > 2
    for one, following in itertools.pairwise(ledger.trips):
        assert one.closed_ns is not None
        assert one.exit_role == "stop"
        assert 0 <= following.opened_ns - one.closed_ns < 2_000_000_000


def own_order(s: Acts) -> None:
    quantity = s.cache.instrument(s.instrument_id).make_qty(Decimal(30))
    s.submit_order(s.order_factory.market(s.instrument_id, OrderSide.BUY, quantity))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"side": "buy"}, 'enter: side is \'buy\', expected "long" or "short"'),
        ({"stop": None}, "enter: stop is missing, expected a price"),
        ({"stop": float("nan")}, "enter: stop is nan, expected a price above 0"),
        ({"target": 1.0, "targets": []}, "enter: target and targets are both given"),
        ({"targets": [(61_000.0, 0.5), (62_000.0, 0.6)]}, "enter: targets has shares that add up to 1.1"),
        ({"targets": [(61_000.0, 0.0)]}, "enter: targets has the share 0.0"),
        ({"targets": [61_000.0]}, "enter: targets has 61000.0, expected pairs"),
        ({"expires": "30m"}, "enter: expires is given without at"),
        ({"at": 59_000.0, "expires": "30 m"}, "enter: expires is '30 m', expected a duration such as"),
        ({"at": -1.0}, "enter: at is -1.0, expected a price above 0"),
    ],
)
def test_arguments_that_make_no_sense_are_named(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(LiqstratError) as told:
        make_plan(**{"side": "long", "stop": 58_000.0, **wrong})
    assert str(told.value).startswith(said)


@given(total=st.integers(0, 10_000), weights=st.lists(st.floats(0.001, 1.0), min_size=1, max_size=6))
def test_parts_in_whole_steps_add_up_and_are_as_asked(total: int, weights: list[float]) -> None:
    parts = in_steps(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - total * weight / sum(weights)) < 1 + 1e-6
