"""The account is liquidated when its equity reaches the maintenance margin, once and for good."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from nautilus_trader.model import OrderSide

from liqstrat.backtest.costs.fees import LIQUIDATION_TAG
from liqstrat.config import VenueSettings
from liqstrat.liquidation.brackets import brackets_for
from tests.backtest.replay import Replay, Scripted, after_start, buy, make_catalog, replay, sell, tape
from tests.history import START, Trades

TWENTY = VenueSettings(balance=Decimal(100_000), leverage=20)
#: Nearly all that the account can carry at 20x.
ALL_IN = "33.000"


def falling(share: float, minutes: int = 30, direction: int = -1) -> Trades:
    """Ten quiet minutes at 60,000, then `share` down (or up) in a straight line, two trades a second."""
    quiet, steps = 10 * 120, (minutes - 10) * 120
    path = np.concatenate([np.zeros(quiet), np.linspace(0, share, steps)])
    return tape(list(np.round(60_000.0 * (1 + direction * path), 1)), every_ms=500, contracts=20.0)


@pytest.fixture(scope="module")
def crash(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_catalog(tmp_path_factory.mktemp("crash"), falling(0.10))


@pytest.fixture(scope="module")
def rally(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_catalog(tmp_path_factory.mktemp("rally"), falling(0.10, direction=1))


def liquidation_orders(run: Replay) -> list[object]:
    return [order for order in run.orders.values() if LIQUIDATION_TAG in (order.tags or [])]


def limit_price(contracts: float, balance_after_entry: float, entry: float, sign: int) -> float:
    """Where equity equals the maintenance margin of the brackets of the day, by bisection."""
    brackets = brackets_for("BTCUSDT", START)
    low, high = (entry * 0.8, entry) if sign > 0 else (entry, entry * 1.2)
    for _ in range(60):
        price = (low + high) / 2
        equity = balance_after_entry + sign * contracts * (price - entry)
        dead = equity <= brackets.maintenance_margin(contracts * price)
        low, high = (price, high) if dead == (sign > 0) else (low, price)
    return price


@pytest.mark.parametrize("on_bars", [False, True], ids=["trades", "bars"])
def test_a_long_at_20x_in_a_falling_market_ends_near_zero(crash: Path, on_bars: bool) -> None:
    strategy = Scripted({5: buy(ALL_IN)}, bars=on_bars)
    run = replay(crash, [strategy], TWENTY, on_bars=on_bars)
    assert run.venue.liquidator is not None
    (event,) = run.venue.liquidator.events
    assert event.positions == {"BTCUSDT": 33.0}
    assert run.positions_open == 0
    assert -1_000 < run.balance < 1_000
    assert event.equity <= event.maintenance_margin


@pytest.mark.parametrize("on_bars", [False, True], ids=["trades", "bars"])
def test_a_short_at_20x_in_a_rising_market_ends_near_zero(rally: Path, on_bars: bool) -> None:
    run = replay(rally, [Scripted({5: sell(ALL_IN)}, bars=on_bars)], TWENTY, on_bars=on_bars)
    assert run.venue.liquidator is not None
    assert len(run.venue.liquidator.events) == 1
    assert -1_000 < run.balance < 1_000


def test_without_it_the_account_goes_far_below_zero(crash: Path) -> None:
    settings = TWENTY.model_copy(update={"liquidation": False})
    strategy = Scripted({5: buy(ALL_IN), 3500: sell(ALL_IN)})
    assert replay(crash, [strategy], settings).balance < -50_000


def test_it_happens_at_the_price_that_the_brackets_of_the_day_give(crash: Path) -> None:
    settings = TWENTY.model_copy(update={"depth": False})
    strategy = Scripted({5: buy(ALL_IN)})
    run = replay(crash, [strategy], settings)
    assert run.venue.liquidator is not None
    (event,) = run.venue.liquidator.events
    opened = [fill for fill in strategy.fills if fill.order_side == OrderSide.BUY]
    entry = sum(float(f.last_px) * float(f.last_qty) for f in opened) / 33
    balance = 100_000 - sum(float(f.commission) for f in opened)
    expected = limit_price(33, balance, entry, 1)
    reached = entry + (event.equity - balance) / 33
    # One trade of the fall is 2.5 USDT.
    assert expected - 2.6 <= reached <= expected


def test_an_account_that_can_bear_the_fall_is_left_alone(crash: Path) -> None:
    run = replay(crash, [Scripted({5: buy("10.000")})], TWENTY)
    assert run.venue.liquidator is not None
    assert not run.venue.liquidator.liquidated
    assert not liquidation_orders(run)
    assert run.positions_open == 1


def test_a_dip_between_two_looks_at_the_account_is_not_missed(tmp_path: Path) -> None:
    # Half a second 6 % lower inside one of many quiet minutes.
    prices = [60_000.0] * 3000
    prices[2222] = 56_400.0
    catalog = make_catalog(tmp_path, tape(prices, every_ms=500, contracts=20.0))
    run = replay(catalog, [Scripted({5: buy(ALL_IN)})], TWENTY)
    assert run.venue.liquidator is not None
    (event,) = run.venue.liquidator.events
    assert after_start(event.time_ns) == timedelta(milliseconds=500) * 2222


def test_a_position_opened_in_the_minute_of_the_fall_is_watched_at_once(tmp_path: Path) -> None:
    prices = [60_000.0] * 300 + [60_000.0 - 60 * i for i in range(100)]
    catalog = make_catalog(tmp_path, tape(prices, every_ms=100, contracts=50.0))
    run = replay(catalog, [Scripted({301: buy(ALL_IN)})], TWENTY)
    assert run.venue.liquidator is not None
    assert len(run.venue.liquidator.events) == 1
    assert run.positions_open == 0


def test_open_orders_are_cancelled_and_nobody_trades_afterwards(crash: Path) -> None:
    strategy = Scripted(
        {
            5: buy(ALL_IN),
            10: lambda s: s.send_limit(OrderSide.SELL, ALL_IN, "70000.0"),
            **{n: buy("0.100") for n in range(3000, 3600, 50)},
        }
    )
    idle = Scripted({3000: buy("0.100")}, number=2)
    run = replay(crash, [strategy, idle], TWENTY)
    assert run.venue.liquidator is not None
    when = run.venue.liquidator.events[0].time_ns
    assert all(order.is_closed for order in run.orders.values())
    assert run.positions_open == 0
    assert all(fill.ts_event <= when + 1_000_000_000 for fill in strategy.fills + idle.fills)
    assert strategy.seen < 3600


def test_positions_of_several_strategies_are_closed_each_by_its_own_order(crash: Path) -> None:
    first, second = Scripted({5: buy("20.000")}), Scripted({6: buy("13.000")}, number=2)
    run = replay(crash, [first, second], TWENTY)
    assert run.venue.liquidator is not None
    (event,) = run.venue.liquidator.events
    assert event.positions == {"BTCUSDT": 33.0}
    assert len(liquidation_orders(run)) == 2
    for strategy, contracts in ((first, 20), (second, 13)):
        sold = sum(f.last_qty.as_decimal() for f in strategy.fills if f.order_side == OrderSide.SELL)
        assert sold == contracts


def test_opposite_positions_count_net(crash: Path) -> None:
    run = replay(crash, [Scripted({5: buy("16.000")}), Scripted({6: sell("16.000")}, number=2)], TWENTY)
    assert run.venue.liquidator is not None
    assert not run.venue.liquidator.liquidated


def test_losses_in_two_symbols_add_up(tmp_path: Path) -> None:
    """Half of the account in each: a fall of 4.6 % in both is too much, in one alone it is not."""
    for name, other, survives in (("both", falling(0.046), False), ("one", falling(0.0), True)):
        folder = tmp_path / name
        folder.mkdir()
        catalog = make_catalog(folder, falling(0.046))
        make_catalog(folder, other, symbol="ETHUSDT")
        halves = [Scripted({5: buy("16.000")}), Scripted({5: buy("16.000")}, number=2, symbol="ETHUSDT")]
        run = replay(catalog, halves, TWENTY, symbols=("BTCUSDT", "ETHUSDT"))
        assert run.venue.liquidator is not None
        assert len(run.venue.liquidator.events) == (0 if survives else 1)
        assert run.positions_open == (2 if survives else 0)


def test_with_bars_the_liquidation_is_paid_at_the_limit_not_at_the_bar_s_end(tmp_path: Path) -> None:
    # The third minute dips 20 % and comes back.
    dip = [60_000.0 - 400 * i for i in range(30)] + [48_400.0 + 400 * i for i in range(30)]
    catalog = make_catalog(tmp_path, tape([60_000.0] * 120 + dip + [60_000.0] * 120, contracts=50.0))
    settings = TWENTY.model_copy(update={"depth": False})
    run = replay(catalog, [Scripted({1: buy(ALL_IN)}, bars=True)], settings, on_bars=True)
    assert run.venue.liquidator is not None
    assert len(run.venue.liquidator.events) == 1
    assert -1_000 < run.balance < 1_000
