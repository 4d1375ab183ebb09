"""Trades come in order, each once, whatever a stream does to them."""

from hypothesis import given
from hypothesis import strategies as st

from liqstrat.live.trades import Missing, TradeOrder


def trades(*numbers: int) -> list[dict[str, int]]:
    return [{"a": number} for number in numbers]


@given(st.permutations(range(1, 30)), st.lists(st.integers(1, 29), max_size=20), st.integers(1, 6))
def test_any_order_and_any_repetition_give_every_trade_once(sent: list[int], again: list[int], part: int) -> None:
    order = TradeOrder(last=0)
    coming = [*sent, *again]
    given_out = []
    for at in range(0, len(coming), part):
        given_out += order.offer(trades(*coming[at : at + part]))
    assert [trade["a"] for trade in given_out] == list(range(1, 30))
    assert order.duplicates == len(again)
    assert order.missing is None


def test_a_gap_holds_back_what_comes_after_it_until_it_is_filled() -> None:
    order = TradeOrder(last=None)
    assert order.offer(trades(7, 8)) == trades(7, 8)
    assert order.offer(trades(12, 13, 15)) == []
    assert order.missing == Missing(9, 11)
    assert order.offer(trades(9, 10, 11)) == trades(9, 10, 11, 12, 13)
    assert order.missing == Missing(14, 14)


def test_what_nobody_has_is_given_up_and_told() -> None:
    order = TradeOrder(last=4)
    order.offer(trades(8, 9))
    assert order.give_up() == (Missing(5, 7), trades(8, 9))
    assert order.give_up() == (None, [])
    assert order.last == 9
