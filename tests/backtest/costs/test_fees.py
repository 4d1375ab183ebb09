"""Maker and taker fees, and what the account's leverage allows."""

from decimal import Decimal
from pathlib import Path

import pytest
from nautilus_trader.model import OrderSide

from liqstrat.backtest.costs.venue import check_leverage
from liqstrat.config import VenueSettings
from liqstrat.errors import LiqstratError
from tests.backtest.replay import buy, make_catalog, replay, sell, tape
from tests.history import START

WITHOUT_DEPTH = VenueSettings(depth=False)


@pytest.fixture(scope="module")
def flat_market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two minutes at 60,000 with a dip to 59,990 after the first."""
    prices = [60_000.0] * 60 + [59_990.0] + [60_000.0] * 59
    return make_catalog(tmp_path_factory.mktemp("flat"), tape(prices, contracts=5.0))


def test_taker_pays_the_taker_rate_of_the_notional_to_the_last_digit(flat_market: Path) -> None:
    run = replay(flat_market, [{5: buy("1.25"), 10: sell("1.25")}], WITHOUT_DEPTH)
    assert [fill.fee for fill in run.fills] == [Decimal("37.50")] * 2
    assert run.balance == Decimal("99925")


def test_resting_limit_pays_the_maker_rate_and_fills_at_its_price(flat_market: Path) -> None:
    script = {5: lambda s: s.send_limit(OrderSide.BUY, "1.000", "59995.0"), 70: sell("1.000")}
    bought, _ = replay(flat_market, [script], WITHOUT_DEPTH).fills
    assert bought.maker
    assert bought.price == Decimal("59995.0")
    assert bought.fee == Decimal("59995") * Decimal("0.0002")


def test_rates_are_those_of_the_run_file(flat_market: Path) -> None:
    script = {5: buy("1.000"), 10: sell("1.000")}
    settings = VenueSettings(depth=False, taker_fee=Decimal("0.0004"), balance=Decimal("50000"))
    assert replay(flat_market, [script], settings).balance == Decimal("50000") - 2 * Decimal("24")


def test_an_order_beyond_balance_times_leverage_is_refused_and_told(flat_market: Path) -> None:
    script = {5: buy("16.600"), 10: buy("16.700"), 20: buy("1.000")}
    run = replay(flat_market, [script], VenueSettings(depth=False, leverage=10, liquidation=False))
    assert [fill.quantity for fill in run.fills] == [Decimal("16.6")]
    denied = [order for order in run.done.ledger.orders if order.status == "denied"]
    assert [order.quantity for order in denied] == [Decimal("16.7"), Decimal("1")]
    assert all(order.reason.startswith("denied by the engine: ") for order in denied)
    assert len(run.strategies[0].denied) == 2
    assert run.still_open == 1


def test_a_leverage_that_the_exchange_did_not_allow_is_refused() -> None:
    settings = VenueSettings(leverage=125)
    check_leverage(settings, "BTCUSDT", START)
    with pytest.raises(LiqstratError, match=r"venue\.leverage is 125, OTHERUSDT allowed at most \d+ on 2024-03-01"):
        check_leverage(settings, "OTHERUSDT", START)
