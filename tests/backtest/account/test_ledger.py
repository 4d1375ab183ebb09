"""Positions follow from fills: averages move with what enlarges them, profit comes of what reduces them."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqstrat.backtest.account.ledger import Fill, Funding, Held, Ledger, OrderRecord, RoundTrip, follow
from liqstrat.backtest.ticket import Refusal


def fill(contracts: str, price: str, fee: str = "0", strategy: str = "S") -> Fill:
    quantity = Decimal(contracts)
    side = "buy" if quantity > 0 else "sell"
    return Fill(
        1, 1, "1", strategy, "BTCUSDT", side, abs(quantity), Decimal(price), Decimal(fee), False, "entry", Decimal(0)
    )


def held(contracts: str, average: str, realized: str) -> Held:
    return Held(Decimal(contracts), Decimal(average), Decimal(realized))


@pytest.mark.parametrize("sign", [1, -1])
def test_a_position_is_enlarged_reduced_closed_and_turned_around(sign: int) -> None:
    """By hand: 1 at 100 and 3 at 120 are 4 at 115; 2 out at 125 realize 20, and so on; a short mirrors a long."""
    fills = [fill(str(sign * n), price, "0.5") for n, price in ((1, "100"), (3, "120"), (-2, "125"), (-2, "110"))]
    states = follow(fills)
    assert [state.contracts * sign for state in states] == [0, 1, 4, 2, 0]
    assert [state.average for state in states[1:4]] == [100, 115, 115]
    assert [state.realized for state in states] == [0, Decimal("-0.5"), -1, sign * 20 - Decimal("1.5"), sign * 10 - 2]
    around = follow([fill(str(sign * 2), "100"), fill(str(sign * -5), "90"), fill(str(sign * 3), "80")])
    assert around[2] == held(str(sign * -3), "90", str(sign * -20))
    assert around[3].realized == sign * -20 + sign * 30
    assert around[3].contracts == 0


@given(
    fills=st.lists(
        st.tuples(st.integers(-9, 9).filter(bool), st.integers(1, 500), st.integers(0, 9)), min_size=1, max_size=12
    ),
    last=st.integers(1, 500),
)
def test_what_is_realized_and_what_is_open_is_what_flowed(fills: list[tuple[int, int, int]], last: int) -> None:
    made = [fill(str(contracts), str(price), str(fee)) for contracts, price, fee in fills]
    state = follow(made)[-1]
    open_ = Fraction(state.contracts) * (last - Fraction(state.average))
    cash = sum(-contracts * price - fee for contracts, price, fee in fills)
    assert float(Fraction(state.realized) + open_) == pytest.approx(cash + int(state.contracts) * last, abs=1e-9)


def test_a_buy_counts_up_and_a_sale_down() -> None:
    assert fill("2", "100").signed == 2
    assert fill("-2", "100").signed == -2


def trip(strategy: str) -> RoundTrip:
    return RoundTrip(
        "1",
        strategy,
        "BTCUSDT",
        "long",
        1,
        2,
        Decimal(4),
        50.0,
        60.0,
        Decimal(10),
        Decimal(1),
        Decimal(0),
        "exit",
        None,
    )


def test_a_result_is_a_share_of_the_notional_at_entry() -> None:
    assert trip("S").result == pytest.approx(10 / 200)
    assert replace(trip("S"), pnl=Decimal(-20)).result == pytest.approx(-0.1)


def order(strategy: str) -> OrderRecord:
    one = Decimal(1)
    return OrderRecord(
        "1", strategy, "BTCUSDT", "buy", "market", one, None, None, "filled", one, 1.0, False, "entry", 1, 2, None
    )


def test_a_strategy_has_its_own_part_of_the_ledger() -> None:
    parts = {
        name: Ledger(
            [order(name)],
            [fill("1", "100", strategy=name)],
            [Funding(1, name, "BTCUSDT", Decimal(1))],
            [trip(name)],
            [Refusal(1, name, "BTCUSDT", "buy", Decimal(1), "too small", "")],
        )
        for name in ("A", "B")
    }
    names = ("orders", "fills", "funding", "trips", "refusals")
    both = Ledger(*([*getattr(parts["A"], name), *getattr(parts["B"], name)] for name in names))
    for name, part in parts.items():
        assert both.of(name) == part
    assert both.of("C") == Ledger([], [], [], [])
