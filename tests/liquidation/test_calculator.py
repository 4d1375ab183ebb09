import math
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from liqstrat.errors import LiqstratError
from liqstrat.liquidation.brackets import bracket_table, brackets_for
from liqstrat.liquidation.calculator import HIGH_RISK_BELOW, LOW_RISK_FROM, _risk, position_risks, require_contract

BTC = brackets_for("BTCUSDT", datetime(2024, 3, 1, tzinfo=UTC))
LATER = (Decimal(10_000), Decimal("Infinity"), Decimal("0.02"), 5)


def test_both_sides_of_every_leverage() -> None:
    risks = position_risks(60_000, [5, 100], BTC)
    assert [(r.leverage, r.side) for r in risks] == [(5, "long"), (5, "short"), (100, "long"), (100, "short")]
    long_100 = risks[2]
    assert long_100.liquidation_price == pytest.approx(60_000 * 0.99 / 0.996)
    assert long_100.distance_quote == pytest.approx(60_000 - 60_000 * 0.99 / 0.996)
    assert long_100.risk == "high"
    assert risks[0].risk == "low"


def test_the_bracket_used_is_the_one_at_the_liquidation_price() -> None:
    """60,000 USDT at 3x: the long shrinks under 50,000 on the way and is kept at 0.4 %, the short is not."""
    long, short = position_risks(60_000, [3], BTC, notional=60_000)
    assert (long.maintenance_rate, long.maintenance_amount) == (0.004, 0)
    assert (short.maintenance_rate, short.maintenance_amount) == (0.005, 50)


def test_leverage_above_what_the_notional_allows_can_be_told() -> None:
    assert position_risks(60_000, [125], BTC, notional=5_000_000)[0].allowed_leverage == 50


def test_a_long_at_1x_has_no_liquidation_price() -> None:
    assert position_risks(60_000, [1], BTC)[0].liquidation_price is None


@pytest.mark.parametrize(("entry", "leverage", "notional"), [(0, 5, 100), (100, 0, 100), (100, 5, -1)])
def test_impossible_arguments_are_refused(entry: float, leverage: int, notional: float) -> None:
    with pytest.raises(ValueError, match="expected"):
        position_risks(entry, [leverage], BTC, notional)


@pytest.mark.parametrize("symbol", ["BTCUSD", "FOO", "BTCUSDT_240329", "USDT", "USDC", ""])
def test_other_markets_than_the_formula_is_of_are_refused(symbol: str) -> None:
    with pytest.raises(LiqstratError, match=f'symbol "{symbol}" is no contract that is known'):
        require_contract(symbol)


@pytest.mark.parametrize("entry", [0.0, -1.0, math.nan, math.inf])
def test_an_entry_that_is_no_price_is_refused(entry: float) -> None:
    with pytest.raises(ValueError, match="expected both above zero"):
        position_risks(entry, [10], BTC)


def test_distances_are_those_of_the_liquidation_price() -> None:
    for risk in position_risks(60_000, [3, 20], BTC, notional=10_000):
        assert risk.liquidation_price is not None
        assert risk.distance == pytest.approx(abs(risk.liquidation_price / 60_000 - 1))
        assert risk.distance_quote == pytest.approx(abs(risk.liquidation_price - 60_000))


def test_what_no_price_liquidates_has_no_distance_and_the_lowest_risk() -> None:
    long, short = position_risks(60_000, [1], BTC)
    assert (long.liquidation_price, long.distance, long.distance_quote, long.risk) == (None, None, None, "low")
    assert short.liquidation_price == pytest.approx(60_000 * 2 / 1.004)


def test_a_price_below_one_is_liquidated_too() -> None:
    """Market of 0.00001234 USDT, 20x: 0.00001234 · 0.95 / 0.996, and a notional of 0.5 USDT."""
    long = position_risks(0.00001234, [20], BTC, notional=0.5)[0]
    assert long.liquidation_price == pytest.approx(0.00001234 * 0.95 / 0.996)
    assert long.distance_quote == pytest.approx(0.00001234 - 0.00001234 * 0.95 / 0.996)


def test_without_a_size_it_is_ten_thousand_usdt_by_the_exact_formula() -> None:
    assert position_risks(60_000, [10], BTC) == position_risks(60_000, [10], BTC, 10_000, "exact")
    edge = bracket_table("X", date(2024, 1, 1), [(Decimal(0), Decimal(10_000), Decimal("0.01"), 50), LATER])
    assert position_risks(60_000, [10], edge)[0].allowed_leverage == 50
    assert position_risks(60_000, [10], edge, 10_000.5)[0].allowed_leverage == 5


def test_the_formula_chosen_is_the_one_used() -> None:
    linear = position_risks(60_000, [100], BTC, formula="linear")[0]
    assert linear.liquidation_price == pytest.approx(60_000 * (1 - 0.01 + 0.004 / 100))


@pytest.mark.parametrize(("leverage", "risk"), [(40, "medium"), (51, "high"), (12, "medium"), (5, "low")])
def test_risk_goes_by_distance(leverage: int, risk: str) -> None:
    """Distances of longs: 2.1 %, 1.6 %, 8.0 %, 19.7 %; a table without maintenance has them at 1/leverage."""
    assert position_risks(60_000, [leverage], BTC)[0].risk == risk


def test_risk_at_its_bounds_is_the_lower_one() -> None:
    free = bracket_table("X", date(2024, 1, 1), [(Decimal(0), Decimal("Infinity"), Decimal(0), 125)])
    at_ten, at_fifty = (position_risks(100, [leverage], free)[1] for leverage in (10, 50))
    assert (at_ten.distance, at_fifty.distance) == pytest.approx((0.1, 0.02))
    assert (at_ten.risk, at_fifty.risk) == ("low", "medium")


def test_an_endless_notional_is_refused() -> None:
    for notional in (0.0, math.inf):
        with pytest.raises(ValueError, match="expected both above zero"):
            position_risks(60_000, [10], BTC, notional)


def test_contracts_whose_formula_is_known_are_taken() -> None:
    for symbol in ("BTCUSDT", "1000PEPEUSDT", "BTCUSDC", "BTCUSD_PERP", "ETHUSD_240329"):
        require_contract(symbol)
    for symbol in ("USDT", "BTCUSD", "btcusdt", "ETHBTC"):
        with pytest.raises(LiqstratError, match=f'symbol "{symbol}" is no contract'):
            require_contract(symbol)


def test_a_cheap_coin_has_distances_too() -> None:
    long, short = position_risks(0.5, [5], BTC)
    assert long.liquidation_price == pytest.approx(0.5 * 0.8 / 0.996)
    assert long.distance == pytest.approx(1 - 0.8 / 0.996)
    assert short.distance_quote == pytest.approx(0.5 * (1.2 / 1.004 - 1))


def test_risk_changes_at_its_borders() -> None:
    assert _risk(None) == "low"
    assert [_risk(LOW_RISK_FROM), _risk(LOW_RISK_FROM - 1e-9)] == ["low", "medium"]
    assert [_risk(HIGH_RISK_BELOW), _risk(HIGH_RISK_BELOW - 1e-9)] == ["medium", "high"]
