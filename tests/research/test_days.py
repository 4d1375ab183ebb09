"""Days add up to the run, and intervals of a difference are as sure as they say."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqstrat.report.tables import read_results
from liqstrat.research.days import FIGURES, LEAST_DAYS, Days, by_day, differences, draw
from tests.research.conftest import folder_of

MIDNIGHT = datetime(2024, 3, 1, tzinfo=UTC)


def of_returns(returns: np.ndarray, pnl: np.ndarray | None = None) -> Days:
    nothing = np.zeros(len(returns))
    pnl = nothing if pnl is None else pnl
    gains, losses = np.maximum(pnl, 0), np.maximum(-pnl, 0)
    return Days(np.arange(len(returns)), returns, pnl, np.ones(len(pnl)), pnl > 0, gains, losses, nothing)


def test_days_add_up_to_the_run(three_runs: Path) -> None:
    folder = folder_of(three_runs, "base")
    results, figures = read_results(folder), json.loads((folder / "metrics.json").read_text())
    days = by_day(results.equity, results.positions)
    assert len(days.day) == 1, "midnight at the end belongs to the day before"
    for name in ("net_return", "trades", "win_rate", "profit_factor"):
        assert FIGURES[name](days) == pytest.approx(
            float("nan") if figures[name] is None else figures[name], nan_ok=True
        )


def test_a_day_begins_where_the_one_before_ended() -> None:
    times = [MIDNIGHT + timedelta(hours=12 * i) for i in range(7)]
    equity = pa.table({"time": times, "equity": [100.0, 120, 110, 90, 99, 99, 198]})
    closed = [MIDNIGHT + timedelta(days=1), MIDNIGHT + timedelta(days=1, seconds=1), None]
    trades = pa.table(
        {
            "closed": pa.array(closed, pa.timestamp("us", "UTC")),
            "pnl": [10.0, -5.0, 7.0],
            "fees": [1.0, 2.0, 3.0],
        }
    )
    days = by_day(equity, trades)
    assert days.returns == pytest.approx([0.1, -0.1, 1.0])
    assert days.pnl.tolist() == [10, -5, 0]
    assert days.fees.tolist() == [1, 2, 0]


def test_draws_are_stretches_of_days() -> None:
    drawn = draw(27, 2000)
    follows = np.mean((drawn[:, 1:] - drawn[:, :-1]) % 27 == 1)
    # Two of three days follow the one before, and of those drawn anew one in 27.
    assert follows == pytest.approx(2 / 3 + 1 / 3 / 27, abs=0.01)
    assert np.bincount(drawn.ravel()) / drawn.size == pytest.approx(np.full(27, 1 / 27), abs=0.002)


@given(seed=st.integers(0, 1000), days=st.integers(LEAST_DAYS, 40))
def test_a_difference_turns_round_with_its_sides(seed: int, days: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = (of_returns(rng.normal(0, 0.01, days), rng.normal(0, 100, days)) for _ in range(2))
    one, other = differences(a, b)[0], differences(b, a)[0]
    for name in FIGURES:
        if one[name].low is None:
            assert other[name].high is None
            continue
        assert one[name].value == pytest.approx(-other[name].value)
        assert one[name].low == pytest.approx(-other[name].high)
        assert one[name].low <= one[name].high
    for name, found in differences(a, a)[0].items():
        assert {found.value, found.low, found.high} <= {0, None}, name


def test_pairing_leaves_out_what_both_went_through() -> None:
    rng = np.random.default_rng(1)
    market = rng.normal(0, 0.05, 60)
    base = of_returns(market)
    found = differences(of_returns(market + 0.001), base)[0]["net_return"]
    alone = differences(of_returns(rng.permutation(market) + 0.001), base)[0]["net_return"]
    assert 0 < found.low < found.high
    assert alone.low < 0 < alone.high


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(150):
        base, gain = rng.normal(0, 100, 60), rng.normal(10, 60, 60)
        found = differences(of_returns(np.zeros(60), base + gain), of_returns(np.zeros(60), base))[0]["pnl"]
        held += found.low <= 600 <= found.high
    assert 0.9 * 150 <= held <= 0.99 * 150


def test_few_days_and_undefined_figures_have_no_interval() -> None:
    few = of_returns(np.full(LEAST_DAYS - 1, 0.01), np.ones(LEAST_DAYS - 1))
    assert differences(few, few)[0]["pnl"].low is None
    many = of_returns(np.full(20, 0.01), np.ones(20))
    assert differences(many, many)[0]["profit_factor"].value is None, "nobody lost"
    ruined = of_returns(np.full(20, -1.5))
    assert differences(ruined, many)[0]["net_return"].value is None
    apart = Days(many.day + 100, *(getattr(many, name) for name in list(vars(many))[1:]))
    assert differences(apart, many)[1] == 0
