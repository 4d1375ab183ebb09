"""The figures of a second look mean what their docstrings say, add up, and can be held by JSON."""

import json
import math
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liqstrat.backtest.account.equity import EquityCurve
from liqstrat.backtest.account.ledger import Ledger, OrderRecord, RoundTrip
from liqstrat.backtest.account.metrics import profit_factor
from liqstrat.backtest.account.tearsheet import by_month, cagr, sortino, streak, tearsheet, under_water
from liqstrat.backtest.account.trades import courses
from liqstrat.catalog.minutes import MinuteBars
from liqstrat.moments import MINUTE_NS
from tests.history import START

START_NS = round(START.timestamp() * 1e9)
HOUR_NS, DAY_NS = 60 * MINUTE_NS, 1440 * MINUTE_NS


def trip(opened: float, closed: float | None, pnl: float = 0, side: Any = "long", entry: float = 100.0) -> RoundTrip:
    """Minutes since the start."""
    nothing = Decimal(0)
    ends = None if closed is None else START_NS + round(closed * MINUTE_NS)
    begins = START_NS + round(opened * MINUTE_NS)
    paid, left = Decimal(str(pnl)), None if closed is None else entry
    return RoundTrip("1", "S", "B", side, begins, ends, Decimal(2), entry, left, paid, nothing, nothing, "stop", None)


def stop(sent: float, closed: float | None, trigger: str, side: Any = "sell", reason: str = "") -> OrderRecord:
    at, ended = (None if m is None else START_NS + round(m * MINUTE_NS) for m in (sent, closed))
    two, moved = Decimal(2), Decimal(1000)
    return OrderRecord(
        "1",
        "S",
        "B",
        side,
        "stop_market",
        two,
        None,
        moved,
        "",
        two,
        None,
        True,
        "stop",
        at,
        ended,
        None,
        reason,
        Decimal(trigger),
    )


def bars(low: list[float], high: list[float]) -> MinuteBars:
    lows, highs = np.array(low, dtype=np.float64), np.array(high, dtype=np.float64)
    return MinuteBars(START_NS, highs, highs, lows, highs, np.ones(len(lows)), np.full(len(lows), True))


def curve(equity: list[float], step_ns: int = DAY_NS) -> EquityCurve:
    values = np.array(equity, dtype=np.float64)
    return EquityCurve(
        START_NS + np.arange(len(values)) * step_ns, values, np.zeros(len(values)), np.zeros(len(values))
    )


def test_only_what_happened_while_a_trade_was_open_counts_in_its_course() -> None:
    minutes = {"B": bars([50, 98, 95, 99, 10], [900, 101, 103, 102, 900])}
    trips = [trip(0.5, 4.5), trip(1, 4, side="short"), trip(1.2, 1.7), trip(3, None)]
    found = courses(Ledger([], [], [], trips), minutes, START_NS + 5 * MINUTE_NS)
    assert [(one.mae, one.mfe) for one in found] == [
        pytest.approx(pair) for pair in [(0.05, 0.03), (0.03, 0.05), (0, 0), (0.9, 8.0)]
    ]


def test_risk_is_to_the_first_stop_where_it_stood_when_it_was_sent() -> None:
    minutes = {"B": bars([99] * 60, [101] * 60)}
    trips = [trip(1, 10, pnl=8), trip(20, 30, pnl=-6, side="short"), trip(40, 50, pnl=5)]
    stops = [
        stop(0, 0.5, "90"),
        stop(0.5, None, "91", reason="canceled: before"),
        stop(1, 5, "98"),
        stop(5, 10, "99"),
        stop(20, None, "103", side="buy"),
    ]
    found = courses(Ledger(stops, [], [], trips), minutes, START_NS + 60 * MINUTE_NS)
    assert [one.risk for one in found] == [4, 6, None]
    assert [one.r for one in found] == [2, -1, None]


def test_a_year_is_not_made_of_a_week() -> None:
    week = curve([100.0, 101, 102, 103, 104, 105, 106, 107])
    assert cagr(week.times, week.equity) is None
    year = curve(list(np.linspace(100, 121, 366)))
    assert cagr(year.times, year.equity) == pytest.approx(0.21)
    ruined = curve([100.0] * 40 + [-1.0])
    assert cagr(ruined.times, ruined.equity) is None


def test_sortino_looks_at_losses_alone() -> None:
    returns = np.tile([0.02, -0.01], 30)
    equity = curve(list(100 * np.cumprod(np.append(1.0, 1 + returns))), HOUR_NS)
    expected = 0.005 / math.sqrt(0.5 * 0.01**2) * math.sqrt(8760)
    assert sortino(equity.times, equity.equity) == pytest.approx(expected)
    rising = curve(list(np.linspace(100, 200, 61)), HOUR_NS)
    assert sortino(rising.times, rising.equity) is None


def test_under_water_is_from_a_high_until_it_is_reached_again() -> None:
    made = curve([100.0, 110, 105, 110, 111, 90, 95])
    assert under_water(made.times, made.equity) == (pytest.approx(3 / 6), 2 * 86_400)
    rising = curve([1.0, 2, 3])
    assert under_water(rising.times, rising.equity) == (0, 0)


@given(st.lists(st.booleans()))
def test_a_streak_is_the_longest_word_of_its_letter(held: list[bool]) -> None:
    text = "".join("x" if one else " " for one in held)
    assert streak(held) == max(map(len, text.split()), default=0)


def test_midnight_belongs_to_the_month_before() -> None:
    # 1 March is the first of 32 midnights.
    made = curve([100.0] * 31 + [110.0, 121.0])
    assert by_month(made.times, made.equity) == {"2024-03": pytest.approx(0.1), "2024-04": pytest.approx(0.1)}


made_trips = st.lists(
    st.tuples(st.integers(0, 8000), st.one_of(st.none(), st.integers(0, 3000)), st.integers(-500, 500), st.booleans()),
    max_size=15,
)


@given(
    made=made_trips,
    equity=st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=2, max_size=80).map(
        lambda one: [1000.0, *one]
    ),
    step=st.sampled_from([MINUTE_NS, HOUR_NS, DAY_NS]),
)
@settings(max_examples=80)
def test_parts_add_up_and_nothing_is_not_a_number(
    made: list[tuple[int, int | None, int, bool]], equity: list[float], step: int
) -> None:
    trips = [
        trip(opened, None if held is None else opened + held, pnl, "long" if long else "short")
        for opened, held, pnl, long in sorted(made, key=lambda one: one[0])
    ]
    ledger = Ledger([], [], [], trips)
    minutes = {"B": bars([99.0] * 9000, [101.0] * 9000)}
    account = curve(equity, step)
    figures = tearsheet(ledger, courses(ledger, minutes, START_NS + 9000 * MINUTE_NS), account, minutes)
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    closed = [float(one.pnl) for one in trips if one.closed_ns is not None]
    for parts in (figures["by_hour"], figures["by_weekday"], [figures["long"], figures["short"]]):
        assert sum(one["trades"] for one in parts) == len(closed)
        assert sum(one["pnl"] for one in parts) == pytest.approx(sum(closed))
    assert figures["expectancy"] == (pytest.approx(sum(closed) / len(closed)) if closed else None)
    for side in ("long", "short"):
        own = [float(one.pnl) for one in trips if one.closed_ns is not None and one.side == side]
        assert figures[side]["profit_factor"] == pytest.approx(profit_factor(own))
    if min(equity) > 0:
        whole = math.prod(1 + part for part in figures["by_month"].values())
        assert whole == pytest.approx(equity[-1] / equity[0], rel=1e-6, abs=1e-6)


def test_trades_count_in_the_hour_and_on_the_day_of_their_entry() -> None:
    minutes, account = {"B": bars([99.0] * 9000, [101.0] * 9000)}, curve([1.0, 2.0])
    opened = timedelta(days=1, hours=5, minutes=59) / timedelta(minutes=1)
    ledger = Ledger([], [], [], [trip(opened, opened + 90, pnl=7)])
    figures = tearsheet(ledger, courses(ledger, minutes, START_NS + 9000 * MINUTE_NS), account, minutes)
    assert START.strftime("%a %H") == "Fri 00"
    assert [hour for hour, one in enumerate(figures["by_hour"]) if one["trades"]] == [5]
    assert [day for day, one in enumerate(figures["by_weekday"]) if one["pnl"] == 7] == [5], "a Saturday"
