"""How large a position may be, and why none may be."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqstrat.backtest.sizing import USABLE, quantity_for

money = st.decimals(min_value=1, max_value=10_000_000, places=2)


@given(
    equity=money,
    risk=st.decimals(min_value=Decimal("0.001"), max_value=Decimal("0.2"), places=3),
    price=st.decimals(min_value=Decimal("0.01"), max_value=100_000, places=2),
    away=st.decimals(min_value=Decimal("0.0001"), max_value=Decimal("0.5"), places=4),
    leverage=st.integers(1, 125),
    carried=money,
)
def test_a_size_never_risks_or_carries_more_than_allowed_and_nearly_as_much(
    equity: Decimal, risk: Decimal, price: Decimal, away: Decimal, leverage: int, carried: Decimal
) -> None:
    step = Decimal("0.001")
    stop = price * (1 - away)
    size = quantity_for(
        equity=equity, risk=risk, price=price, stop=stop, leverage=Decimal(leverage), carried=carried, step=step
    ).contracts
    room = equity * leverage * USABLE - carried
    assert size >= 0
    assert size % step == 0
    assert size * (price - stop) <= equity * risk
    assert size * price <= max(room, Decimal(0))
    larger = size + step
    assert larger * (price - stop) > equity * risk or larger * price > room


def test_a_size_below_the_exchange_s_least_is_none() -> None:
    usual = {"equity": Decimal(1_000), "risk": Decimal("0.01"), "price": Decimal(100), "stop": Decimal(90)}
    usual |= {"leverage": Decimal(10), "step": Decimal("0.001")}
    assert quantity_for(**usual) == (Decimal(1), "")
    assert quantity_for(**usual, least_quantity=Decimal(2)) == (0, "too small")
    assert quantity_for(**usual, least_notional=Decimal(101)) == (0, "too small")
    assert quantity_for(**{**usual, "stop": Decimal(100)}) == (0, "too small")


def test_what_leaves_no_room_is_told_apart_from_what_is_too_small() -> None:
    usual = {"equity": Decimal(1_000), "risk": Decimal("0.01"), "price": Decimal(100), "stop": Decimal(90)}
    usual |= {"leverage": Decimal(10), "step": Decimal("0.001"), "least_quantity": Decimal("0.1")}
    assert quantity_for(**usual, carried=Decimal(9_495)) == (0, "no room in the account")
    assert quantity_for(**usual, cap=Decimal(5)) == (0, "beyond the exchange's cap for this leverage")
    assert quantity_for(**usual, most=Decimal("0.05")) == (0, "more than the market trades")
    assert quantity_for(**usual, cap=Decimal(50)) == (Decimal("0.5"), ""), "what there is room for is taken"


def test_costs_can_be_part_of_what_a_stop_loses() -> None:
    usual = {"equity": Decimal(1_000), "risk": Decimal("0.01"), "price": Decimal(100), "stop": Decimal(99)}
    usual |= {"leverage": Decimal(10), "step": Decimal("0.001")}
    size = quantity_for(**usual, costs=Decimal("0.0005")).contracts
    assert size * (100 - 99) + size * Decimal("0.0005") * (100 + 99) == pytest.approx(10, abs=0.002)


def test_every_bound_holds_to_the_last_step() -> None:
    """10,000 USDT at 1 % risk and 10x; 100 to the stop at 90, which is 10 USDT a contract: 10 contracts."""
    usual: dict[str, Any] = {"equity": Decimal(10_000), "risk": Decimal("0.01"), "price": Decimal(100)}
    usual |= {"stop": Decimal(90), "leverage": Decimal(10), "step": Decimal("0.5")}
    assert quantity_for(**usual) == (Decimal(10), "")
    assert quantity_for(**{**usual, "stop": Decimal(110)}) == (Decimal(10), ""), "a short's stop lies above"
    assert quantity_for(**{**usual, "step": Decimal(3)}) == (Decimal(9), ""), "whole steps"
    assert quantity_for(**usual, least_quantity=Decimal(10)) == (Decimal(10), ""), "the least is enough"
    assert quantity_for(**usual, least_notional=Decimal(1_000)) == (Decimal(10), "")
    assert quantity_for(**usual, least_notional=Decimal(1_001)) == (0, "too small")
    assert quantity_for(**usual, carried=Decimal(94_500)) == (Decimal(5), ""), "95 % of 100,000, less what is carried"
    assert quantity_for(**usual, cap=Decimal(249)) == (Decimal(2), "")
    assert quantity_for(**usual, most=Decimal("1.9")) == (Decimal("1.5"), "")
    assert quantity_for(**usual, carried=Decimal(200_000)) == (0, "no room in the account"), "never less than nothing"


def test_without_money_price_or_way_there_is_no_size() -> None:
    usual: dict[str, Any] = {"equity": Decimal(10_000), "risk": Decimal("0.01"), "price": Decimal(100)}
    usual |= {"stop": Decimal(90), "leverage": Decimal(10), "step": Decimal("0.001")}
    for equity in (0, -5):
        assert quantity_for(**{**usual, "equity": Decimal(equity)}) == (0, "no room in the account")
    assert quantity_for(**{**usual, "price": Decimal(0), "stop": Decimal(10)}) == (0, "too small")
    assert quantity_for(**{**usual, "stop": Decimal(100)}) == (0, "too small"), "a stop at the price loses nothing"
    assert quantity_for(**{**usual, "stop": Decimal(100), "equity": Decimal(1)}) == (0, "too small")
    cents = {"equity": Decimal("0.5"), "step": Decimal("0.00001")}
    assert quantity_for(**{**usual, **cents}) == (Decimal("0.0005"), ""), "however little there is"
