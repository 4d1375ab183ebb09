"""Conditions mean what they say, and nothing else is executed."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqstrat.errors import LiqstratError
from liqstrat.research.expression import read_condition

ROW = {
    "trades": 40,
    "max_drawdown": 0.2,
    "sharpe": None,
    "name": "fade",
    "tags": ["good"],
    "simulated": True,
    "net_return": -0.01,
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("trades >= 30 and max_drawdown > -0.25", True),
        ("trades >= 30 and max_drawdown > -0.15", False),
        ("-0.25 < max_drawdown", True),
        ("max_drawdown < 0.25", True),
        ("max_drawdown > 0.25", False),
        ("30 <= trades < 40", False),
        ("net_return < 0 or trades > 100", True),
        ("sharpe > 1", False),
        ("not sharpe > 1", False),
        ("sharpe > 1 or trades == 40", True),
        ("sharpe == none", True),
        ("sharpe != none", False),
        ("'good' in tags", True),
        ("'bad' not in tags and name == 'fade'", True),
        ("simulated and not (trades < 40)", True),
        ("trades > net_return", True),
    ],
)
def test_a_condition_holds_or_not(text: str, holds: bool) -> None:
    assert read_condition(text, ROW).holds(ROW) is holds


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("trads > 3", 'no figure "trads" (did you mean "trades"?)'),
        ("trades > > 3", "is not a condition at letter 10"),
        ("", "is not a condition"),
        ("__import__('os').system('true')", "is not taken here"),
        ("trades.real > 3", '"trades.real" is not taken here'),
        ("trades ** 99999999 > 3", '"trades ** 99999999" is not taken here'),
        ("[t for t in tags] == 3", "is not taken here"),
        ("trades > 'many'", "cannot be compared"),
        ("sharpe > none", "none has no order"),
        ("trades is 3", "expected a comparison with <"),
        ("(" * 400 + "1" + ")" * 400, "is not"),
        ("trades > 1 or " * 100 + "trades", "longer than 1,000"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    with pytest.raises(LiqstratError) as error:
        read_condition(text, ROW).holds(ROW)
    assert said in str(error.value)


numbers = st.one_of(st.integers(-5, 5), st.none())
comparisons = st.builds(
    "{} {} {}".format, st.sampled_from("ab"), st.sampled_from(["<", ">=", "==", "!="]), st.integers(-5, 5)
)
conditions = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        inner.map("not ({})".format),
        st.builds("({}) and ({})".format, inner, inner),
        st.builds("({}) or ({})".format, inner, inner),
    ),
    max_leaves=6,
)


@given(text=conditions, a=st.integers(-5, 5), b=st.integers(-5, 5))
def test_where_all_is_defined_it_is_as_python_has_it(text: str, a: int, b: int) -> None:
    found = read_condition(text, "ab").holds({"a": a, "b": b})
    assert found is eval(compile(ast.parse(text, mode="eval"), "", "eval"), {"a": a, "b": b})


@given(text=conditions, a=numbers, b=numbers)
def test_a_condition_and_its_opposite_never_both_hold(text: str, a: int | None, b: int | None) -> None:
    row = {"a": a, "b": b}
    assert not (read_condition(text, row).holds(row) and read_condition(f"not ({text})", row).holds(row))
