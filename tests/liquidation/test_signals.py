"""The rules of signals, each against its opposite."""

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqstrat.errors import LiqstratError
from liqstrat.liquidation.clusters import Cluster
from liqstrat.liquidation.signals import SignalRules, Swept, gap_to, signals

MINUTE_NS = 60_000_000_000
NOW = 1_000 * MINUTE_NS
RULES = SignalRules()


def cluster(side: Any, low: float, high: float, strength: float = 0.15) -> Cluster:
    middle = (low + high) / 2
    return Cluster(side, low, high, middle, 10.0, 10 * middle, {50: 1.0}, 5.0, 0.0, strength)


def swept(side: Any, price: float, minutes_ago: float, extreme: float, strength: float = 0.15) -> Swept:
    return Swept(cluster(side, price - 1, price + 1, strength), NOW - round(minutes_ago * MINUTE_NS), extreme)


def said(price: float, standing: list[Cluster], consumed: list[Swept], **rules: Any) -> list[tuple[str, str]]:
    found = signals(SignalRules.of(rules), price, standing, consumed, NOW)
    return [(one.kind, one.way) for one in found]


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        (10_000, []),
        (9_999.0, [("WAIT", "short")]),
        (9_930.0, [("WAIT", "short")]),
        (9_915.0, [("AVOID", "short")]),
        (9_890.0, [("AVOID", "short")]),
        (9_870.0, [("AVOID", "short")]),
    ],
)
def test_a_standing_level_is_waited_for_and_avoided_when_near(price: float, expected: list[tuple[str, str]]) -> None:
    assert said(price, [cluster("long", 9_880, 9_900)], []) == expected


def test_strength_is_one_within_a_full_level_and_nothing_at_the_edge_of_what_is_watched() -> None:
    level = cluster("short", 10_000, 10_020)
    (inside,) = signals(RULES, 10_010, [level], [], NOW)
    (half,) = signals(RULES, 10_000 / 1.005, [level], [], NOW)
    (weak,) = signals(RULES, 10_010, [cluster("short", 10_000, 10_020, strength=0.075)], [], NOW)
    assert (inside.kind, inside.way, inside.strength, inside.distance) == ("AVOID", "long", 1.0, 0.0)
    assert half.strength == pytest.approx(0.5)
    assert weak.strength == pytest.approx(0.5)
    assert said(10_010, [cluster("short", 10_000, 10_020, strength=0.029)], []) == []


def test_a_level_reverses_once_price_is_back_by_the_turn_and_while_there_is_patience() -> None:
    run = [swept("long", 9_900, 10, extreme=9_800)]
    assert said(9_824, [], run) == []
    assert said(9_824.6, [], run) == [("REVERSAL", "long")]
    assert said(9_824.6, [], run, patience_minutes=9) == []
    assert said(9_824.6, [], run, min_strength=0.2) == []
    assert said(10_175, [], [swept("short", 10_100, 10, extreme=10_201)]) == [("REVERSAL", "short")]
    (one,) = signals(RULES, 9_830, [], run, NOW)
    assert one.strength == pytest.approx(1 - 10 / 45)
    assert one.swept is run[0]
    assert one.reason == "longs swept to 9800, back by 0.31%"


RUN = [swept("long", 9_900, 6, extreme=9_845), swept("long", 9_850, 2, extreme=9_845)]
NEXT = cluster("long", 9_800, 9_810)


def test_a_run_goes_with_its_next_level() -> None:
    assert said(9_846, [NEXT], RUN) == [("WITH", "short")]
    up = [swept("short", 10_100, 6, extreme=10_155), swept("short", 10_150, 2, extreme=10_155)]
    assert said(10_154, [cluster("short", 10_190, 10_200)], up) == [("WITH", "long")]


@pytest.mark.parametrize(
    ("price", "standing", "consumed", "rules"),
    [
        # One level is no run; two of two sides are none.
        (9_846, [NEXT], RUN[1:], {}),
        (9_846, [NEXT], [swept("short", 9_850, 6, 9_851), RUN[1]], {}),
        # It is burnt: nothing stands ahead, or too far.
        (9_846, [], RUN, {}),
        (9_846, [cluster("long", 9_700, 9_710)], RUN, {}),
        # Too slow, too old, turned.
        (9_846, [NEXT], RUN, {"pace": 0.001}),
        (9_846, [NEXT], RUN, {"run_minutes": 5}),
        (9_871, [NEXT], RUN, {}),
    ],
)
def test_there_is_no_run(price: float, standing: list[Cluster], consumed: list[Swept], rules: dict[str, Any]) -> None:
    assert "WITH" not in [kind for kind, _ in said(price, standing, consumed, **rules)]


def test_a_run_that_slows_down_is_over() -> None:
    fast, slow = [9_950, 9_900, 9_850], [(20, 18), (18, 10)]
    assert slow
    quick = [swept("long", fast[0], 12, 9_845), swept("long", fast[1], 6, 9_845), swept("long", fast[2], 1, 9_845)]
    late = [swept("long", fast[0], 8, 9_845), swept("long", fast[1], 6, 9_845), swept("long", fast[2], 1, 9_845)]
    assert ("WITH", "short") in said(9_846, [NEXT], quick)
    assert ("WITH", "short") not in said(9_846, [NEXT], late)


def test_rules_that_are_none_are_named() -> None:
    with pytest.raises(LiqstratError, match=r'unknown parameter "turns" \(did you mean "turn"\?\)'):
        SignalRules.of({"turns": 1})
    for one in fields(SignalRules):
        for wrong in (-1, float("nan"), "x", True, 1e9):
            with pytest.raises(LiqstratError, match=f"signals: {one.name} is .*expected a number from"):
                SignalRules.of({one.name: wrong})


prices = st.floats(9_000, 11_000)
levels = st.builds(
    lambda side, low, width, strength: cluster(side, low, low + width, strength),
    st.sampled_from(["long", "short"]),
    prices,
    st.floats(0.1, 50),
    st.floats(0, 1),
)
sweeps = st.builds(
    lambda side, price, ago, extreme: swept(side, price, ago, extreme),
    st.sampled_from(["long", "short"]),
    prices,
    st.floats(0, 130),
    prices,
)


@given(price=prices, standing=st.lists(levels, max_size=8), consumed=st.lists(sweeps, max_size=6))
def test_every_level_says_one_thing_at_most_and_strengths_are_in_order(
    price: float, standing: list[Cluster], consumed: list[Swept]
) -> None:
    consumed = sorted(consumed, key=lambda one: one.time_ns)
    found = signals(RULES, price, standing, consumed, NOW)
    strengths = [one.strength for one in found]
    assert strengths == sorted(strengths, reverse=True)
    assert all(0 <= one <= 1 for one in strengths)
    assert len({id(one.level) for one in found}) == len(found)
    for one in found:
        if one.kind in ("AVOID", "WAIT"):
            assert (gap_to(one.level, price) <= RULES.near) == (one.kind == "AVOID")
