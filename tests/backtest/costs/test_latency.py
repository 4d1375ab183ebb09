"""Orders, changes and cancellations take time to reach the exchange."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from nautilus_trader.model import OrderSide

from liqstrat.config import VenueSettings
from tests.backtest.replay import Scripted, after_start, buy, make_catalog, replay, sell, tape


@pytest.fixture(scope="module")
def rising(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A price that rises by 1 USDT every 10 ms for five seconds."""
    prices = [60_000.0 + i for i in range(500)]
    return make_catalog(tmp_path_factory.mktemp("rising"), tape(prices, every_ms=10, contracts=100.0))


def filled_after(catalog: Path, latency_ms: int) -> tuple[timedelta, Decimal]:
    """How long after it was sent a market order is filled, and how much higher than the price at that moment."""
    strategy = Scripted({101: buy("1.000")})
    replay(catalog, [strategy], VenueSettings(depth=False, latency_ms=latency_ms))
    (fill,) = strategy.fills
    return after_start(fill.ts_event) - timedelta(seconds=1), fill.last_px.as_decimal() - 60_100


def test_a_market_order_fills_on_events_after_its_latency_only(rising: Path) -> None:
    assert filled_after(rising, 50) == (timedelta(milliseconds=50), 5)
    assert filled_after(rising, 500) == (timedelta(milliseconds=500), 50)
    assert filled_after(rising, 0) == (timedelta(0), 0)


def test_between_two_trades_the_later_one_fills(rising: Path) -> None:
    assert filled_after(rising, 55) == (timedelta(milliseconds=60), 6)


def test_a_cancellation_that_arrives_too_late_does_not_save_the_order(tmp_path: Path) -> None:
    catalog = make_catalog(tmp_path, tape([60_000.0] * 100 + [59_000.0] * 100, every_ms=10, contracts=5.0))
    strategy = Scripted(
        {
            10: lambda s: s.send_limit(OrderSide.BUY, "1.000", "59500.0"),
            97: lambda s: s.cancel_all_orders(s.cache.instruments()[0].id),
        }
    )
    replay(catalog, [strategy], VenueSettings(depth=False, latency_ms=50))
    assert len(strategy.fills) == 1
    in_time = Scripted({**strategy.script, 90: strategy.script[97]})
    replay(catalog, [in_time], VenueSettings(depth=False, latency_ms=50))
    assert not in_time.fills


def test_with_bars_an_order_does_not_wait_for_the_next_bar(tmp_path: Path) -> None:
    # Minutes that open where the last one closed, and rise by 60.
    catalog = make_catalog(tmp_path, tape([60_000.0 + i for i in range(600)], contracts=100.0))
    strategy = Scripted({3: buy("1.000"), 6: sell("1.000")}, bars=True)
    replay(catalog, [strategy], VenueSettings(depth=False, latency_ms=200), on_bars=True)
    entry, leave = strategy.fills
    assert after_start(entry.ts_event) == timedelta(minutes=3, milliseconds=200)
    assert entry.last_px.as_decimal() == 60_179
    assert after_start(leave.ts_event) == timedelta(minutes=6, milliseconds=200)
