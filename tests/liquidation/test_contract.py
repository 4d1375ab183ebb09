"""Inverse contracts: worth, profit and liquidation prices, by the exchange's own figures and by laws."""

from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqstrat.liquidation.book import LiquidationBook
from liqstrat.liquidation.brackets import DEFAULT_SYMBOL, BracketTable, bracket_table, brackets_for, known_brackets
from liqstrat.liquidation.calculator import position_risks
from liqstrat.liquidation.contract import Contract, contract_of
from liqstrat.liquidation.flow import flow_from_trades
from liqstrat.liquidation.price import bracket_at_liquidation, bracket_liquidation_price, liquidation_price
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.moments import HOUR_NS

BEFORE, AFTER = datetime(2021, 3, 1, tzinfo=UTC), datetime(2023, 7, 1, tzinfo=UTC)
BTC = brackets_for("BTCUSD_PERP", AFTER)
TABLES = known_brackets()["BTCUSD_PERP"]

entries = st.floats(500, 200_000)
leverages = st.floats(1.01, 125)
contracts_held = st.floats(1, 1e6)
tables = st.sampled_from(TABLES)


@pytest.mark.parametrize(
    ("symbol", "contract"),
    [
        ("BTCUSDT", Contract("USDT", "USDT", None)),
        ("BTCUSDT_250627", Contract("USDT", "USDT", None)),
        ("ETH_250627USDT", Contract("USDT", "USDT", None)),
        ("BTCUSDC", Contract("USDC", "USDC", None)),
        ("ETHBTC", Contract("BTC", "BTC", None)),
        ("BTCUSD_PERP", Contract("USD", "BTC", 100.0)),
        ("BTCUSD_240329", Contract("USD", "BTC", 100.0)),
        ("ETHUSD_PERP", Contract("USD", "ETH", 10.0)),
    ],
)
def test_a_name_says_what_a_contract_is(symbol: str, contract: Contract) -> None:
    assert contract_of(symbol) == contract


@pytest.mark.parametrize(("at", "amount"), [(BEFORE, 11.81), (AFTER, 11.605)])
def test_the_exchanges_own_maintenance_amount(at: datetime, amount: float) -> None:
    """300 BTC of BTCUSD: 12.5 %, and this amount, in two editions of Binance's "How to Calculate Liquidation Price of
    COIN-M Futures Contracts" (of 2021, and after the brackets changed)."""
    table = brackets_for("BTCUSD_PERP", at)
    bracket = int(table.index_of(300))
    assert table.rates[bracket] == 0.125
    assert table.amounts[bracket] == pytest.approx(amount, abs=1e-9)


def test_the_exchanges_own_liquidation_price() -> None:
    """A long of 100,000 contracts at 45,000 with a wallet of 101 BTC: 33,599.40 by Binance's calculator, as told at
    dev.binance.vision/t/6292. The wallet stands for entry value over leverage."""
    value = 100_000 * 100 / 45_000
    price = float(liquidation_price(45_000, value / 101, 100_000, "long", BTC))
    assert price == pytest.approx(33_599.40, abs=0.05)
    assert BTC.rates[int(bracket_at_liquidation(value, value / 101, "long", BTC))] == 0.125


def test_a_small_position_by_hand() -> None:
    """10 contracts (1,000 USD) at 50,000 and 10x in the first bracket (0.4 %): 50,000·1.004/1.1, 50,000·0.996/0.9."""
    prices = liquidation_price(50_000, 10, 10, [1, -1], BTC)
    np.testing.assert_allclose(prices, [45_636.364, 55_333.333], atol=0.001)


def test_profit_is_in_coin() -> None:
    """100 contracts from 50,000 to 60,000: 10,000 USD bought 0.2 BTC and are paid back with 0.1667."""
    contract = contract_of("BTCUSD_PERP")
    assert contract.profit(100, 50_000, 60_000) == pytest.approx(0.2 - 10_000 / 60_000)
    assert contract.profit(-100, 50_000, 60_000) == pytest.approx(10_000 / 60_000 - 0.2)
    assert contract_of("BTCUSDT").profit(2, 50_000, 60_000) == 20_000


@given(entries, leverages, contracts_held, tables)
def test_margin_left_at_the_liquidation_price_is_the_maintenance_margin(
    entry: float, leverage: float, contracts: float, table: BracketTable
) -> None:
    """In coin: what was paid in, and the profit, are then what the bracket of the size then asks for."""
    paid = contracts * table.contract.held(entry) / leverage
    for sign in (1, -1):
        price = float(liquidation_price(entry, leverage, contracts, sign, table))
        if price == 0:
            assert sign < 0, "a long is worth ever more coins as price falls: some price liquidates it"
            continue
        left = paid + table.contract.profit(sign * contracts, entry, price)
        needed = float(table.maintenance_margin(contracts * table.contract.held(price)))
        assert left == pytest.approx(needed, rel=1e-6, abs=1e-9 * paid)


@given(entries, leverages, contracts_held)
def test_it_is_a_linear_contract_of_dollars_priced_in_coin(entry: float, leverage: float, contracts: float) -> None:
    """A long of BTCUSD is short of dollars, whose price in coin is the reciprocal: the linear formula must agree."""
    size = BTC.contract.size
    assert size is not None
    rate, amount = 0.05, 1.605
    for sign in (1, -1):
        mirrored = float(bracket_liquidation_price(1 / entry, leverage, contracts * size, -sign, rate, amount))
        price = float(bracket_liquidation_price(entry, leverage, contracts, sign, rate, amount, BTC.contract))
        assert price == pytest.approx(1 / mirrored if mirrored > 0 else 0.0, rel=1e-9)


def test_a_short_at_1x_is_never_liquidated() -> None:
    long, short = liquidation_price(50_000, 1, 100, [1, -1], BTC)
    assert short == 0.0
    assert long == pytest.approx(50_000 * 1.004 / 2)


def test_risks_are_told_in_dollars_and_in_coin() -> None:
    long, short = position_risks(50_000, [10], BTC, notional=1_000)
    assert long.liquidation_price == pytest.approx(45_636.364, abs=0.001)
    assert long.loss == pytest.approx(1_000 / 45_636.3636 - 1_000 / 50_000)
    assert short.loss == pytest.approx(1_000 / 50_000 - 1_000 / 55_333.3333)
    assert long.allowed_leverage == 125
    assert position_risks(50_000, [10], BTC, notional=300_000)[0].allowed_leverage == 100, "6 BTC"


def test_without_brackets_one_is_assumed_for_all_sizes() -> None:
    table = brackets_for("XYZUSD_PERP", AFTER)
    assert (table.symbol, len(table), table.contract) == (DEFAULT_SYMBOL, 1, Contract("USD", "XYZ", 10.0))
    assert len(brackets_for("XYZUSDC", AFTER)) == len(brackets_for("XYZUSDT", AFTER)) > 1
    assert brackets_for("XYZUSDC", AFTER).contract.quote == "USDC"


def test_the_book_puts_levels_where_the_formula_says() -> None:
    """All opened at 20x and 50,000, in a size of the second bracket, where 20x is allowed: both sides by hand."""
    rows = [(0, 1, "0.01", 50), (1, 1000, "0.02", 20)]
    table = bracket_table("BTCUSD_PERP", date(2023, 1, 1), [tuple(map(Decimal, row)) for row in rows])  # type: ignore[misc]
    settings = ModelSettings(leverage={20: 1.0}, bin_width=0.0005, bin_parts=1, seed_spread=0.0)
    price, contracts, buy = np.array([50_000.0]), np.array([20_000.0]), np.array([True])
    flows = [
        flow_from_trades(
            n * HOUR_NS, (n + 1) * HOUR_NS, price, contracts, buy, width=settings.fine_width, brackets=table
        )
        for n in range(24 * 365 * 54, 24 * 365 * 54 + 2)
    ]
    assert flows[0].brackets.tolist() == [1], "20,000 contracts of 100 USD are 40 BTC"
    book = LiquidationBook(settings, "BTCUSD_PERP", [table])
    for flow in flows:
        book.step(flow, 5_000.0)
    levels = book.map()
    middle_of_bracket = np.sqrt(1 * 1000.0)
    for side, contracts_of in (("long", levels.longs), ("short", levels.shorts)):
        (expected,) = liquidation_price(
            50_000.0,
            [20],
            middle_of_bracket * 50_000 / 100,
            side,
            table,  # type: ignore[arg-type]
        )
        held = contracts_of.sum(axis=0)
        assert held.sum() == pytest.approx(5_000)
        assert float(held @ levels.middles / held.sum()) == pytest.approx(float(expected), rel=0.001)
    assert levels.contract.worth(levels.price) == 100
