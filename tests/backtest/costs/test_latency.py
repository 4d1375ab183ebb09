"""Orders, changes and cancellations take time to reach the exchange, and orders that take wait for a print there."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from nautilus_trader.model import OrderSide

from liqstrat.config import VenueSettings
from tests.backtest.replay import Script, Scripted, after_start, buy, make_catalog, replay, sell, tape
from tests.history import START_US, Trades


@pytest.fixture(scope="module")
def rising(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A price that rises by 1 USDT every 10 ms for five seconds."""
    prices = [60_000.0 + i for i in range(500)]
    return make_catalog(tmp_path_factory.mktemp("rising"), tape(prices, every_ms=10, contracts=100.0))


def at_seconds(folder: Path, seconds: list[float], prices: list[float]) -> Path:
    """A catalog of trades at these moments and prices, 50 contracts each but for the last."""
    contracts = np.full(len(seconds), 50.0)
    contracts[-1] = 50.001
    time_us = START_US + (np.array(seconds) * 1e6).astype(np.int64)
    return make_catalog(folder, Trades(time_us, np.array(prices) + 0.1, contracts, np.ones(len(seconds), dtype=bool)))


def filled_after(catalog: Path, latency_ms: int) -> tuple[timedelta, Decimal]:
    """How long after it was sent a market order is filled, and how much higher than the price at that moment."""
    (fill,) = replay(catalog, [{101: buy("1.000")}], VenueSettings(depth=False, latency_ms=latency_ms)).fills
    return after_start(fill.time_ns) - timedelta(seconds=1), fill.price - 60_100


def test_a_market_order_meets_the_first_print_from_its_arrival_on(rising: Path) -> None:
    assert filled_after(rising, 50) == (timedelta(milliseconds=50), 5)
    assert filled_after(rising, 500) == (timedelta(milliseconds=500), 50)
    assert filled_after(rising, 55) == (timedelta(milliseconds=60), 6), "between two prints it waits for the later one"


def test_without_latency_it_meets_the_next_print_not_the_one_that_it_was_sent_upon(rising: Path) -> None:
    assert filled_after(rising, 0) == (timedelta(milliseconds=10), 1)


def test_another_strategy_that_does_nothing_changes_nothing(rising: Path) -> None:
    settings = VenueSettings(depth=False, latency_ms=55)
    alone, beside = (replay(rising, [{101: buy("1.000")}, *more], settings).fills for more in ([], [{}]))
    assert [(fill.time_ns, fill.price) for fill in alone] == [(fill.time_ns, fill.price) for fill in beside]


def test_a_market_order_waits_for_a_print_where_nobody_trades(tmp_path: Path) -> None:
    """Silence from 22:00 to 02:00 after an order was sent: it is filled by the first trade, not at midnight."""
    evening, night = 22 * 3600.0, 26 * 3600.0
    moments = [evening, evening + 1, evening + 2, night, night + 1]
    catalog = at_seconds(tmp_path, moments, [60_000, 60_000, 60_000, 61_000, 61_000])
    (fill,) = replay(catalog, [{3: buy("4.200")}], VenueSettings(depth=False, latency_ms=50)).fills
    assert after_start(fill.time_ns) == timedelta(seconds=night)
    assert fill.price == Decimal("61000.1")


def test_a_market_order_after_the_last_print_is_never_filled_and_that_is_told(tmp_path: Path) -> None:
    catalog = at_seconds(tmp_path, [0, 1, 2], [60_000, 60_000, 60_000])
    run = replay(catalog, [{3: buy("1.000")}], VenueSettings(depth=False, latency_ms=50))
    (order,) = run.done.ledger.orders
    assert (order.status, order.filled, order.reason) == ("canceled", 0, "nothing traded any more")
    assert not run.fills


def test_a_market_order_that_waits_can_be_taken_back(tmp_path: Path) -> None:
    catalog = at_seconds(tmp_path, [0, 1, 2, 3602, 3603], [60_000, 60_000, 60_000, 61_000, 61_000])

    def buy_and_think_better_of_it(strategy: Scripted) -> None:
        strategy.send_market(OrderSide.BUY, "1.000")
        in_a_minute = strategy.clock.timestamp_ns() + 60_000_000_000
        take_back = lambda event: strategy.cancel_all_orders(strategy.instrument_id)  # noqa: E731
        strategy.clock.set_time_alert_ns("9-late", in_a_minute, take_back)

    run = replay(catalog, [{3: buy_and_think_better_of_it}], VenueSettings(depth=False, latency_ms=50))
    (order,) = run.done.ledger.orders
    assert (order.status, order.reason) == ("canceled", "canceled before a fill")
    assert not run.fills


def test_a_cancellation_that_arrives_too_late_does_not_save_the_order(tmp_path: Path) -> None:
    catalog = make_catalog(tmp_path, tape([60_000.0] * 100 + [59_000.0] * 100, every_ms=10, contracts=5.0))
    late: Script = {
        10: lambda s: s.send_limit(OrderSide.BUY, "1.000", "59500.0"),
        97: lambda s: s.cancel_all_orders(s.instrument_id),
    }
    settings = VenueSettings(depth=False, latency_ms=50)
    assert len(replay(catalog, [late], settings).fills) == 1
    assert not replay(catalog, [{**late, 90: late[97]}], settings).fills


def test_with_bars_an_order_meets_the_open_of_the_minute_in_which_it_arrives(tmp_path: Path) -> None:
    # Minutes that open 1 above where the last one closed, and rise by 59.
    catalog = make_catalog(tmp_path, tape([60_000.0 + i for i in range(600)], contracts=100.0))
    script = {3: buy("1.000"), 6: sell("1.000")}
    entry, leave = replay(catalog, [script], VenueSettings(depth=False, latency_ms=200), on_bars=True).fills
    # The first bar that a strategy sees is the one that closes at the start of its run, or else after a minute.
    assert after_start(entry.time_ns) == timedelta(minutes=3, milliseconds=200)
    assert entry.price == 60_180
    assert after_start(leave.time_ns) == timedelta(minutes=6, milliseconds=200)


def test_with_bars_an_order_waits_for_a_minute_that_trades(tmp_path: Path) -> None:
    seconds = [*range(180), *range(3600, 3720)]
    prices = [60_000.0] * 180 + [61_000.0] * 120
    catalog = at_seconds(tmp_path, [float(s) for s in seconds], prices)
    (fill,) = replay(catalog, [{3: buy("1.000")}], VenueSettings(depth=False, latency_ms=50), on_bars=True).fills
    assert after_start(fill.time_ns) == timedelta(hours=1)
    assert fill.price == Decimal("61000.1")
