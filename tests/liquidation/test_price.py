from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqstrat.liquidation.brackets import BracketTable, bracket_table, brackets_for, known_brackets
from liqstrat.liquidation.price import bracket_at_liquidation, bracket_liquidation_price, liquidation_price

BTC = brackets_for("BTCUSDT", datetime(2024, 3, 1, tzinfo=UTC))
TABLES = [table for tables in known_brackets().values() for table in tables if not table.contract.inverse]

entries = st.floats(0.001, 200_000)
leverages = st.floats(1.01, 150)
notionals = st.floats(1, 4e8)
tables = st.sampled_from(TABLES)


@pytest.mark.parametrize(
    ("contracts", "entry", "rate", "amount", "expected"),
    [
        (3683.979, 1456.84, 0.10, 135365.00, 1114.78),
        (109.488, 32481.980, 0.025, 16300.00, 18778.73),
    ],
)
def test_the_exchanges_own_figures(contracts: float, entry: float, rate: float, amount: float, expected: float) -> None:
    """Positions, margin (wallet 1,535,443.01 USDT), rates and amounts of the worked example in Binance's "How to
    Calculate Liquidation Price of USDⓈ-M Futures Contracts", each position on its own as isolated margin."""
    leverage = entry * contracts / 1_535_443.01
    price = bracket_liquidation_price(entry, leverage, contracts, "long", rate, amount)
    assert float(price) == pytest.approx(expected, abs=0.005)


def test_a_small_position_by_hand() -> None:
    """60,000 at 10x in the first bracket (0.4 %): 60,000·0.9/0.996 and 60,000·1.1/1.004."""
    prices = liquidation_price(60_000, 10, 0.1, [1, -1], BTC)
    np.testing.assert_allclose(prices, [54_216.867, 65_737.052], atol=0.001)


@given(entries, leverages, notionals, tables)
def test_margin_left_at_the_liquidation_price_is_the_maintenance_margin(
    entry: float, leverage: float, notional: float, table: BracketTable
) -> None:
    contracts = notional / entry
    for sign in (1, -1):
        price = float(liquidation_price(entry, leverage, contracts, sign, table))
        left = notional / leverage + sign * (price - entry) * contracts
        needed = float(table.maintenance_margin(price * contracts))
        assert left == pytest.approx(needed, rel=1e-6, abs=1e-6 * notional)


def _allowed(notional: float, leverage: float, table: BracketTable) -> bool:
    return leverage <= table.max_leverage[int(table.index_of(notional))]


@given(entries, leverages, notionals, tables)
def test_a_long_is_liquidated_below_its_entry_and_a_short_above(
    entry: float, leverage: float, notional: float, table: BracketTable
) -> None:
    if _allowed(notional, leverage, table):
        long, short = liquidation_price(entry, leverage, notional / entry, [1, -1], table)
        assert long < entry < short


@given(leverages, tables)
def test_price_is_continuous_in_size_across_every_bracket_bound(leverage: float, table: BracketTable) -> None:
    """Looked at where the notional passes a bound at entry, and where it does at the liquidation price."""
    floors, rates, amounts = table.floors[1:], table.rates[1:], table.amounts[1:]
    for sign in (1, -1):
        at_liquidation = (floors * (1 - sign * rates) + sign * amounts) / (1 - sign / leverage)
        for bounds in (floors, at_liquidation):
            below, above = (
                liquidation_price(1.0, leverage, bounds * shift, sign, table) for shift in (1 - 1e-9, 1 + 1e-9)
            )
            np.testing.assert_allclose(below, above, atol=1e-8)


def test_what_no_price_can_liquidate_is_zero() -> None:
    assert float(liquidation_price(100.0, 1, 5.0, "long", BTC)) == 0.0


def test_the_linear_formula_misses_by_two_thirds_at_100x() -> None:
    exact, linear = (float(liquidation_price(100.0, 100, 5.0, "long", BTC, f)) for f in ("exact", "linear"))
    assert (100 - linear) / (100 - exact) == pytest.approx(1.65, abs=0.01)


def test_coins_below_a_dollar_have_prices_below_a_dollar() -> None:
    assert float(liquidation_price(0.5, 10, 100, "long", BTC, "linear")) == pytest.approx(0.5 * (1 - 0.1 + 0.0004))
    assert float(liquidation_price(0.5, 10, 100, "long", BTC)) == pytest.approx(0.5 * 0.9 / 0.996)


def test_the_bracket_is_told_apart_to_the_dollar() -> None:
    """At 10x a long of 11,000 USDT is liquidated with 10,000 left, where the second bracket begins; one that is half a
    dollar smaller below that."""
    rows = [(0, 10_000, "0.01", 50), (10_000, 100_000, "0.02", 20)]
    table = bracket_table("XUSDT", date(2024, 3, 1), [tuple(map(Decimal, row)) for row in rows])  # type: ignore[misc]
    sizes = [10_999.4, 11_000.6]
    assert bracket_at_liquidation(sizes, 10, "long", table).tolist() == [0, 1]
    # A short grows on its way: 9,183.67 * 1.1 = 10,102, of which 102 are margin above the 10,000.
    assert bracket_at_liquidation([9_000, 9_300], 10, "short", table).tolist() == [0, 1]
