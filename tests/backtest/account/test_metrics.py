"""The figures mean what their docstrings say, and money is neither made nor lost in the books."""

import json
import math
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liqstrat.backtest.account.equity import EquityCurve, equity_curve, prices_at
from liqstrat.backtest.account.ledger import Fill, Funding, Ledger, RoundTrip
from liqstrat.backtest.account.metrics import (
    as_json,
    exposure,
    max_drawdown,
    metrics_of,
    profit_factor,
    win_rate,
)
from liqstrat.backtest.account.returns import hourly_returns, sharpe
from liqstrat.catalog.minutes import MinuteBars
from liqstrat.moments import MINUTE_NS
from tests.history import START

HOUR_NS = 60 * MINUTE_NS
START_NS = round(START.timestamp() * 1e9)
START_BALANCE = Decimal(100_000)


def test_drawdown_is_the_deepest_fall_from_a_peak_before_it() -> None:
    assert max_drawdown(np.array([100.0, 120.0, 90.0, 150.0, 130.0])) == pytest.approx(0.25)
    assert max_drawdown(np.array([100.0, 110.0, 120.0])) == 0
    assert max_drawdown(np.array([100.0, -10.0])) == pytest.approx(1.1)


def test_sharpe_is_of_hourly_returns_that_do_not_overlap() -> None:
    rng = np.random.default_rng(1)
    returns = rng.normal(0.0005, 0.004, 200)
    hourly = 1000 * np.cumprod(np.concatenate(([1.0], 1 + returns)))
    expected = returns.mean() / returns.std(ddof=1) * math.sqrt(8760)
    assert sharpe(np.arange(201) * HOUR_NS, hourly) == pytest.approx(expected)
    # What happens between the hours does not count, nor does a last piece of an hour.
    minutes = np.arange(200 * 60 + 31)
    noisy = np.interp(minutes / 60, np.arange(201), hourly) * (1 + 0.01 * (minutes % 60 == 30))
    assert sharpe(minutes * MINUTE_NS, noisy) == pytest.approx(expected)


def test_sharpe_is_undefined_without_enough_hours_or_variance_or_money() -> None:
    rng = np.random.default_rng(1)
    path = 1000 + np.cumsum(rng.normal(0, 1, 48))
    assert sharpe(np.arange(48) * HOUR_NS, path) is None
    assert sharpe(np.arange(49) * HOUR_NS, np.append(path, 1000.0)) is not None
    assert sharpe(np.arange(100) * HOUR_NS, np.full(100, 1000.0)) is None
    assert sharpe(np.arange(100) * HOUR_NS, np.linspace(100.0, -1.0, 100)) is None


def test_rates_of_profit() -> None:
    assert profit_factor([3.0, -1.0, -1.0]) == 1.5
    assert profit_factor([3.0]) is None
    assert win_rate([3.0, -1.0, 0.0, 2.0]) == 0.5
    assert win_rate([]) is None


def trip(opened_hour: float, closed_hour: float | None) -> RoundTrip:
    opened, closed = (None if h is None else round(h * HOUR_NS) for h in (opened_hour, closed_hour))
    assert opened is not None
    nothing = Decimal(0)
    return RoundTrip(
        "1", "S", "BTCUSDT", "long", opened, closed, Decimal(1), 1.0, 1.0, nothing, nothing, nothing, "stop", None
    )


def test_exposure_counts_time_once_however_many_positions_are_open() -> None:
    assert exposure([], 0, 10 * HOUR_NS) == 0
    assert exposure([trip(1, 3), trip(2, 4), trip(2.5, 2.75), trip(9, None)], 0, 10 * HOUR_NS) == pytest.approx(0.4)


def test_an_account_that_did_nothing_has_figures_that_json_can_hold() -> None:
    curve = equity_curve(Ledger([], [], [], []), START_BALANCE, {}, START, START + timedelta(days=3))
    figures = as_json(metrics_of(Ledger([], [], [], []), curve, START_BALANCE))
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    assert (figures["net_pnl"], figures["final_equity"], figures["trades"]) == (0, 100_000, 0)
    assert [figures[name] for name in ("sharpe", "profit_factor", "win_rate")] == [None, None, None]


def fill(minute: int, number: int, contracts: int, price: int, maker: bool) -> Fill:
    quantity, paid = Decimal(abs(contracts)) / 1000, Decimal(price) / 10
    fee = quantity * paid * Decimal("0.0002" if maker else "0.0005")
    side = "buy" if contracts > 0 else "sell"
    time_ns = START_NS + minute * MINUTE_NS
    return Fill(time_ns, number, "1", "S", "BTCUSDT", side, quantity, paid, fee, maker, "entry", Decimal(0))


fills = st.lists(
    st.tuples(
        st.integers(0, 120), st.integers(-3_000, 3_000).filter(bool), st.integers(500_000, 700_000), st.booleans()
    ),
    max_size=20,
)


@given(fills=fills, amounts=st.lists(st.tuples(st.integers(0, 120), st.integers(-500, 500)), max_size=3))
@settings(max_examples=50)
def test_equity_is_what_was_put_in_plus_all_that_flowed(
    fills: list[tuple[int, int, int, bool]], amounts: list[tuple[int, int]]
) -> None:
    """Whatever is bought and sold, also turned around: at every minute, to the cent."""
    rng = np.random.default_rng(3)
    close = np.round(60_000 + np.cumsum(rng.normal(0, 30, 121)), 1)
    bars = MinuteBars(START_NS, close, close, close, close, np.ones(121), np.full(121, True))
    made = [fill(minute, number, *rest) for number, (minute, *rest) in enumerate(sorted(fills))]
    paid = [Funding(START_NS + m * MINUTE_NS, "S", "BTCUSDT", Decimal(a) / 100) for m, a in sorted(amounts)]
    end = START + timedelta(minutes=121)
    curve = equity_curve(Ledger([], made, paid, []), START_BALANCE, {"BTCUSDT": bars}, START, end)

    for i, time_ns in enumerate(curve.times):
        done = [f for f in made if f.time_ns <= time_ns]
        cash = START_BALANCE - sum(f.signed * f.price + f.fee for f in done)
        cash += sum((p.amount for p in paid if p.time_ns <= time_ns), Decimal(0))
        held = sum((f.signed for f in done), Decimal(0))
        price = float(close[max(i - 1, 0)])
        assert curve.equity[i] == pytest.approx(float(cash) + float(held) * price, abs=0.01)
        assert curve.notional[i] == pytest.approx(float(held) * price, abs=0.01)


def test_a_profit_is_unrealized_while_the_position_is_open_and_in_the_balance_after(tmp_path: Path) -> None:
    close = np.array([60_000.0, 61_000.0, 62_000.0, 63_000.0])
    bars = MinuteBars(START_NS, close, close, close, close, np.ones(4), np.full(4, True))
    made = [fill(1, 1, 1_000, 600_000, True), fill(3, 2, -1_000, 620_000, True)]
    end = START + timedelta(minutes=4)
    curve = equity_curve(Ledger([], made, [], []), START_BALANCE, {"BTCUSDT": bars}, START, end)
    assert curve.balance == pytest.approx([100_000, 99_988, 99_988, 101_975.6, 101_975.6])
    assert curve.unrealized == pytest.approx([0, 0, 1_000, 0, 0])


def test_figures_add_up_what_the_ledger_has() -> None:
    """Two trades that are over, one still open; by hand."""

    def ended(closed_hour: float | None, pnl: str) -> RoundTrip:
        return replace(trip(0, 1), opened_ns=_at(0.5), closed_ns=_at(closed_hour), pnl=Decimal(pnl))

    times = START_NS + np.arange(5) * HOUR_NS
    balance = np.array([100.0, 100, 130, 110, 110])
    curve = EquityCurve(times, balance, np.array([0.0, 20, 0, 0, 7]), np.zeros(5))
    made = [replace(fill(60 * n, n, 1_000, 600_000, False), fee=Decimal(n), slippage=Decimal(2 * n)) for n in (1, 2)]
    paid = [Funding(START_NS, "S", "BTCUSDT", Decimal(amount)) for amount in ("0.5", "-2")]
    ledger = Ledger([], made, paid, [ended(1, "30"), ended(2, "-20"), ended(None, "-3")])
    figures = metrics_of(ledger, curve, Decimal(100))
    assert figures.net_pnl == pytest.approx(30 - 20 - 3 + 7)
    assert figures.net_return == pytest.approx(0.14)
    assert figures.final_equity == pytest.approx(114)
    assert (figures.trades, figures.win_rate, figures.profit_factor) == (2, 0.5, 1.5)
    assert (figures.fees, figures.slippage, figures.funding) == (3, 6, -1.5)
    assert figures.exposure == 3.5 / 4
    assert figures.max_drawdown == pytest.approx(1 - 110 / 130)
    assert figures.sharpe is None
    assert metrics_of(ledger, curve, Decimal("1e-320")).net_return is None, "beyond all numbers"
    hours = START_NS + np.arange(60) * HOUR_NS
    equity = np.linspace(100.0, 130.0, 60) + np.arange(60) % 2
    longer = EquityCurve(hours, equity, np.zeros(60), np.zeros(60))
    assert metrics_of(ledger, longer, Decimal(100)).sharpe == sharpe(hours, equity) is not None


def _at(hour: float | None) -> int | None:
    return None if hour is None else START_NS + round(hour * HOUR_NS)


def test_figures_that_mean_nothing_are_not_told() -> None:
    assert max_drawdown(np.array([])) is None
    with np.errstate(all="raise"):
        assert max_drawdown(np.array([0.0, 5.0])) is None
        assert max_drawdown(np.array([-1.0, 5.0])) is None
    assert max_drawdown(np.array([0.5, 0.25])) == 0.5
    assert profit_factor([0.0, 0.0]) is None
    assert profit_factor([0.0, -2.0]) == 0
    assert profit_factor([0.5, 1.0, -0.5]) == 3
    assert win_rate([0.5, -1.0]) == 0.5
    assert profit_factor([1.0, -5e-324]) is None
    assert exposure([trip(1, 3)], 5, 5) == 0
    assert exposure([trip(1, 3), trip(2, 2.5)], 0, 10 * HOUR_NS) == 0.2, "to the nanosecond"
    assert exposure([trip(1, 3)], 0, 1) > 0
    assert hourly_returns(np.arange(3) * HOUR_NS, np.array([2.0, 0.0, 1.0])) is None
    assert hourly_returns(np.arange(3) * HOUR_NS, np.array([2.0, 1.0, 1.5])) == pytest.approx([-0.5, 0.5])
    assert hourly_returns(np.arange(3) * HOUR_NS, np.array([0.5, 0.25, 0.25])) == pytest.approx([-0.5, 0])
    assert sharpe(np.arange(60) * HOUR_NS, np.concatenate(([1.0] * 59, [0.5]))) == pytest.approx(
        -1 / 59 / math.sqrt((1 / 59) * (1 - 1 / 59) * 59 / 58) * math.sqrt(8760)
    )


def test_json_has_ten_decimals_and_says_how_often_equity_was_looked_at() -> None:
    curve = EquityCurve(np.array([0, 1]), np.array([3.0, 3.0]), np.zeros(2), np.zeros(2))
    told = as_json(metrics_of(Ledger([], [], [], [replace(trip(0, 1), pnl=Decimal(1))]), curve, Decimal(3)))
    assert told["net_return"] == 0.3333333333
    assert told["trades"] == 1
    assert told["sharpe_sampling"] == "hourly returns that do not overlap, annualised by sqrt(8760), from 48 hours on"


def test_the_account_is_told_to_its_end_also_within_a_minute() -> None:
    close = np.array([60_000.0, 61_000.0])
    bars = MinuteBars(START_NS, close - 10, close, close, close, np.ones(2), np.full(2, True))
    made = [fill(0, 1, 1_000, 600_000, True)]
    end = START + timedelta(seconds=90)
    until = equity_curve(Ledger([], made, [], []), START_BALANCE, {"BTCUSDT": bars}, START, end, {"BTCUSDT": 60_500.0})
    assert (until.times - START_NS).tolist() == [0, MINUTE_NS, 90_000_000_000]
    assert until.unrealized == pytest.approx([-10, 0, 500])
    assert until.notional == pytest.approx([59_990, 60_000, 60_500])
    assert until.equity == pytest.approx(until.balance + until.unrealized)
    without = equity_curve(Ledger([], made, [], []), START_BALANCE, {"BTCUSDT": bars}, START, end)
    assert without.unrealized[-1] == 0
    # Prices of before history, and after it.
    assert prices_at(bars, START_NS + np.array([-1, 0, 1, 2, 9]) * MINUTE_NS) == pytest.approx(
        [59_990, 59_990, 60_000, 61_000, 61_000]
    )


def test_two_strategies_and_two_symbols_are_one_account() -> None:
    price = np.array([100.0, 110.0, 120.0])
    bars = {
        name: MinuteBars(START_NS, price * by, price * by, price * by, price * by, np.ones(3), np.full(3, True))
        for name, by in (("BTCUSDT", 1.0), ("ETHUSDT", 2.0))
    }
    free = {"fee": Decimal(0)}
    made = [
        replace(fill(1, 1, 1_000, 1_000, True), **free),
        replace(fill(1, 2, -2_000, 1_000, True), strategy="T", **free),
        replace(fill(2, 3, 1_000, 2_200, True), symbol="ETHUSDT", **free),
    ]
    paid = [Funding(START_NS + MINUTE_NS, "S", "BTCUSDT", Decimal(4))]
    curve = equity_curve(Ledger([], made, paid, []), Decimal(1_000), bars, START, START + timedelta(minutes=3))
    # A long of 1 from 100 and a short of 2 from 100 in one symbol, a long of 1 from 220 in the other.
    assert curve.unrealized == pytest.approx([0, 0, 10 - 20, 20 - 40 + 20])
    assert curve.notional == pytest.approx([0, 100 - 200, 110 - 220 + 220, 120 - 240 + 240])
    assert curve.balance == pytest.approx([1_000, 1_004, 1_004, 1_004])
