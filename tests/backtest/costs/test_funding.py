"""Funding is settled at the full hour, on what is held then, at the rate recorded for it."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from liqstrat.config import VenueSettings
from tests.backtest.replay import Script, buy, make_catalog, replay, sell, tape
from tests.history import START

FREE = VenueSettings(depth=False, maker_fee=Decimal(0), taker_fee=Decimal(0), liquidation=False)
EIGHT = START + timedelta(hours=8)
NOON = START + timedelta(hours=12)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """From 07:50 to 16:10, a trade every ten seconds: at 49,000 until 07:58, then at 50,000. Rates are recorded a few
    milliseconds off the hour, as by the exchange."""
    prices = [49_000.0] * 48 + [50_000.0] * (6 * 60 * 8 + 72)
    rates = {
        START + timedelta(milliseconds=2): "0.00500000",
        EIGHT + timedelta(milliseconds=9): "0.00010000",
        EIGHT + timedelta(hours=8) - timedelta(milliseconds=1): "-0.00030000",
    }
    trades = tape(prices, every_ms=10_000, contracts=100.0, start=EIGHT - timedelta(minutes=10))
    return make_catalog(tmp_path_factory.mktemp("funding"), trades, funding=rates)


def paid(market: Path, script: Script, settings: VenueSettings = FREE) -> Decimal:
    """What the account has lost in a run in which nothing but funding costs, apart from the change of price."""
    run = replay(market, [script], settings)
    traded = sum((fill.signed * fill.price for fill in run.fills), Decimal(0))
    return settings.balance - run.balance - traded


def nth(minutes: float) -> int:
    """The trade at so many minutes after 08:00."""
    return round((minutes + 10) * 6) + 1


def test_a_long_pays_a_positive_rate_on_its_notional_at_that_moment(market: Path) -> None:
    assert paid(market, {nth(-5): buy("2.000"), nth(5): sell("2.000")}) == 2 * 50_000 * Decimal("0.0001")


def test_a_short_receives_what_a_long_pays(market: Path) -> None:
    assert paid(market, {nth(-5): sell("2.000"), nth(5): buy("2.000")}) == -2 * 50_000 * Decimal("0.0001")


def test_each_settlement_uses_its_own_rate_and_a_negative_one_pays_the_long(market: Path) -> None:
    held_over_both = {nth(-5): buy("1.000"), nth(8 * 60 + 5): sell("1.000")}
    assert paid(market, held_over_both) == 50_000 * (Decimal("0.0001") - Decimal("0.0003"))


@pytest.mark.parametrize(
    "script",
    [
        {nth(-9): buy("2.000"), nth(-1): sell("2.000")},
        {nth(1): buy("2.000"), nth(100): sell("2.000")},
    ],
    ids=["closed before", "opened after"],
)
def test_nothing_is_paid_by_who_is_flat_at_the_settlement(market: Path, script: Script) -> None:
    assert paid(market, script) == 0


def test_what_counts_is_held_at_the_settlement_to_the_second(market: Path) -> None:
    # Orders meet the next trade, ten seconds later.
    held = {nth(-1 / 3): buy("2.000"), nth(1 / 6): sell("2.000")}
    assert paid(market, held) == 2 * 50_000 * Decimal("0.0001")


def test_no_funding_without_it(market: Path) -> None:
    settings = FREE.model_copy(update={"funding": False})
    assert paid(market, {nth(-5): buy("2.000"), nth(5): sell("2.000")}, settings) == 0


def test_bars_settle_as_trades_do(market: Path) -> None:
    run = replay(market, [{9: buy("2.000"), 15: sell("2.000")}], FREE, on_bars=True)
    assert FREE.balance - run.balance == 2 * 50_000 * Decimal("0.0001")
