import math
from datetime import UTC, datetime

import pytest

from liqstrat.errors import LiqstratError
from liqstrat.liquidation.brackets import brackets_for
from liqstrat.liquidation.calculator import position_risks, require_perpetual

BTC = brackets_for("BTCUSDT", datetime(2024, 3, 1, tzinfo=UTC))


def test_both_sides_of_every_leverage() -> None:
    risks = position_risks(60_000, [5, 100], BTC)
    assert [(r.leverage, r.side) for r in risks] == [(5, "long"), (5, "short"), (100, "long"), (100, "short")]
    long_100 = risks[2]
    assert long_100.liquidation_price == pytest.approx(60_000 * 0.99 / 0.996)
    assert long_100.distance_usdt == pytest.approx(60_000 - 60_000 * 0.99 / 0.996)
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


@pytest.mark.parametrize("symbol", ["BTCUSD_PERP", "BTCUSD", "FOO", "BTCUSDT_240329", "USDT", ""])
def test_other_markets_than_the_formula_is_of_are_refused(symbol: str) -> None:
    with pytest.raises(LiqstratError, match=f'symbol "{symbol}" is no perpetual quoted in USDT'):
        require_perpetual(symbol)


@pytest.mark.parametrize("entry", [0.0, -1.0, math.nan, math.inf])
def test_an_entry_that_is_no_price_is_refused(entry: float) -> None:
    with pytest.raises(ValueError, match="expected both above zero"):
        position_risks(entry, [10], BTC)
