"""The account is liquidated when its equity reaches the maintenance margin, once and for good."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from nautilus_trader.model import OrderSide

from liqstrat.backtest.costs.liquidator import Liquidation
from liqstrat.config import VenueSettings
from liqstrat.liquidation.brackets import brackets_for
from tests.backtest.replay import Replay, after_start, buy, make_catalog, replay, sell, tape
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


def liquidation(run: Replay) -> Liquidation:
    """The only one of a run, after which the account holds nothing and has lost all, but no more."""
    (event,) = run.done.liquidations
    assert run.still_open == 0
    assert 0 <= run.balance < 1_000
    assert {fill.role for fill in run.fills} >= {"liquidation"}
    assert run.fills[-1].role == "liquidation"
    return event


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
    event = liquidation(replay(crash, [{5: buy(ALL_IN)}], TWENTY, on_bars=on_bars))
    assert event.positions == {"BTCUSDT": 33.0}
    assert event.equity <= event.maintenance_margin


@pytest.mark.parametrize("on_bars", [False, True], ids=["trades", "bars"])
def test_a_short_at_20x_in_a_rising_market_ends_near_zero(rally: Path, on_bars: bool) -> None:
    assert liquidation(replay(rally, [{5: sell(ALL_IN)}], TWENTY, on_bars=on_bars)).positions == {"BTCUSDT": -33.0}


def test_without_it_the_account_goes_far_below_zero(crash: Path) -> None:
    settings = TWENTY.model_copy(update={"liquidation": False})
    assert replay(crash, [{5: buy(ALL_IN), 3500: sell(ALL_IN)}], settings).balance < -50_000


def test_it_happens_at_the_price_that_the_brackets_of_the_day_give(crash: Path) -> None:
    run = replay(crash, [{5: buy(ALL_IN)}], TWENTY.model_copy(update={"depth": False}))
    event = liquidation(run)
    opened = [fill for fill in run.fills if fill.side == "buy"]
    entry = float(sum(fill.price * fill.quantity for fill in opened)) / 33
    balance = 100_000 - float(sum(fill.fee for fill in opened))
    expected = limit_price(33, balance, entry, 1)
    reached = entry + (event.equity - balance) / 33
    # One trade of the fall is 2.5 USDT.
    assert expected - 2.6 <= reached <= expected
    assert event.prices == {"BTCUSDT": pytest.approx(reached)}
    assert event.insurance == 0
    # The exchange keeps what is left, here less than its rate.
    assert run.balance == pytest.approx(0, abs=1e-5)


def test_an_account_that_can_bear_the_fall_is_left_alone(crash: Path) -> None:
    run = replay(crash, [{5: buy("10.000")}], TWENTY)
    assert not run.done.liquidations
    assert {fill.role for fill in run.fills} == {"entry"}
    assert run.still_open == 1


def test_a_dip_between_two_looks_at_the_account_is_not_missed(tmp_path: Path) -> None:
    # Half a second 6 % lower inside one of many quiet minutes.
    prices = [60_000.0] * 3000
    prices[2222] = 56_400.0
    catalog = make_catalog(tmp_path, tape(prices, every_ms=500, contracts=20.0))
    event = liquidation(replay(catalog, [{5: buy(ALL_IN)}], TWENTY))
    assert after_start(event.time_ns) == timedelta(milliseconds=500) * 2222


def test_a_position_opened_in_the_minute_of_the_fall_is_watched_at_once(tmp_path: Path) -> None:
    prices = [60_000.0] * 300 + [60_000.0 - 60 * i for i in range(100)]
    catalog = make_catalog(tmp_path, tape(prices, every_ms=100, contracts=50.0))
    liquidation(replay(catalog, [{301: buy(ALL_IN)}], TWENTY))


@pytest.mark.parametrize("direction", [-1, 1])
def test_where_price_jumps_beyond_bankruptcy_the_insurance_fund_pays_and_the_account_ends_at_zero(
    tmp_path: Path, direction: int
) -> None:
    prices = [60_000.0] * 600 + [60_000.0 * (1 + 0.3 * direction)] * 600
    catalog = make_catalog(tmp_path, tape(prices, every_ms=500, contracts=20.0))
    run = replay(catalog, [{5: buy(ALL_IN) if direction < 0 else sell(ALL_IN)}], TWENTY)
    event = liquidation(run)
    assert run.balance < Decimal("0.1") * 33, "what is left of rounding the price to a tick"
    # 33 contracts lost 18,000 USDT each, of which the account had some 100,000 in all, and depth came on top.
    assert event.insurance == pytest.approx(33 * 18_000 - 100_000, rel=0.05)


@pytest.mark.parametrize("on_bars", [False, True], ids=["trades", "bars"])
def test_a_stop_that_price_jumps_over_does_not_leave_the_account_below_zero(tmp_path: Path, on_bars: bool) -> None:
    prices = [60_000.0] * 600 + [40_000.0] * 600
    catalog = make_catalog(tmp_path, tape(prices, every_ms=500, contracts=20.0))
    script = {1: buy(ALL_IN), 2: lambda s: s.send_stop(OrderSide.SELL, ALL_IN, "59000.0")}
    run = replay(catalog, [script], TWENTY, on_bars=on_bars)
    (event,) = run.done.liquidations
    assert [fill.role for fill in run.fills][-1] == "exit"
    assert 0 <= run.balance < 10
    assert event.insurance > 400_000
    assert run.still_open == 0


def test_open_orders_are_cancelled_and_nobody_trades_afterwards(crash: Path) -> None:
    script = {
        5: buy(ALL_IN),
        6: lambda s: s.send_limit(OrderSide.SELL, ALL_IN, "70000.0"),
        3500: buy("0.100"),
    }
    run = replay(crash, [script], TWENTY)
    event = liquidation(run)
    assert all(fill.time_ns <= event.time_ns + 10 for fill in run.fills)
    limit, late = (order for order in run.done.ledger.orders if not order.filled)
    assert (limit.type, limit.status) == ("limit", "canceled")
    assert (late.status, late.reason) == ("canceled", "the account was liquidated")


def test_an_order_on_its_way_to_the_exchange_is_dropped(tmp_path: Path) -> None:
    prices = [60_000.0] * 600 + [54_000.0] * 600
    catalog = make_catalog(tmp_path, tape(prices, every_ms=500, contracts=50.0))
    script = {5: buy(ALL_IN), 600: buy("1.000")}
    run = replay(catalog, [script], TWENTY.model_copy(update={"latency_ms": 800}))
    liquidation(run)
    assert sum(fill.quantity for fill in run.fills if fill.side == "buy") == 33


def test_positions_of_several_strategies_go_at_one_price(crash: Path) -> None:
    run = replay(crash, [{5: buy("20.000")}, {6: buy("13.000")}], TWENTY)
    event = liquidation(run)
    assert event.positions == {"BTCUSDT": 33.0}
    assert {fill.price for fill in run.fills if fill.role == "liquidation"} == {
        Decimal(str(round(event.prices["BTCUSDT"], 1)))
    }


def test_opposite_positions_count_net(crash: Path) -> None:
    run = replay(crash, [{5: buy("16.000")}, {6: sell("16.000")}], TWENTY)
    assert not run.done.liquidations


def test_losses_in_two_symbols_add_up(tmp_path: Path) -> None:
    """Half of the account in each: a fall of 4.6 % in both is too much, in one alone it is not."""
    for name, other, survives in (("both", falling(0.046), False), ("one", falling(0.0), True)):
        folder = tmp_path / name
        folder.mkdir()
        catalog = make_catalog(folder, falling(0.046))
        make_catalog(folder, other, symbol="ETHUSDT")
        run = replay(catalog, [("BTCUSDT", {5: buy("16.000")}), ("ETHUSDT", {5: buy("16.000")})], TWENTY)
        assert len(run.done.liquidations) == (0 if survives else 1)
        assert run.still_open == (2 if survives else 0)


def test_with_bars_the_liquidation_is_paid_at_the_limit_not_at_the_bar_s_end(tmp_path: Path) -> None:
    # The third minute dips 20 % and comes back.
    dip = [60_000.0 - 400 * i for i in range(30)] + [48_400.0 + 400 * i for i in range(30)]
    catalog = make_catalog(tmp_path, tape([60_000.0] * 120 + dip + [60_000.0] * 120, contracts=50.0))
    settings = TWENTY.model_copy(update={"depth": False})
    event = liquidation(replay(catalog, [{1: buy(ALL_IN)}], settings, on_bars=True))
    assert event.insurance == 0


@pytest.mark.parametrize("leverage", [10, 50, 125])
@pytest.mark.parametrize("on_bars", [False, True], ids=["trades", "bars"])
def test_equity_never_ends_below_zero_whatever_the_leverage(tmp_path: Path, leverage: int, on_bars: bool) -> None:
    """A market of steps of 2 %, up and down, in which all of the account is staked on one side."""
    ways = np.random.default_rng(leverage).choice([-1, 1], 60)
    ways[6:9] = -2
    steps = 60_000 * np.exp(0.02 * np.cumsum(ways))
    catalog = make_catalog(tmp_path, tape(list(np.round(np.repeat(steps, 60), 1)), every_ms=500, contracts=80.0))
    settings = VenueSettings(balance=Decimal(100_000), leverage=leverage)
    stake = f"{0.9 * 100_000 * leverage / 60_000:.3f}"
    run = replay(catalog, [{1: buy(stake)}], settings, on_bars=on_bars)
    assert run.done.equity >= 0
    if leverage > 10:
        assert len(run.done.liquidations) == 1
