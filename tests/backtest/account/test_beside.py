"""A run beside luck, holding, other stretches and a larger account, each reckoned again by another library."""

import json
import math
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from purgedcv import probabilistic_sharpe_ratio

import liqstrat as lq
from liqstrat.backtest.account.beside import against_hold, capacity, rolling
from liqstrat.backtest.account.ledger import Fill
from liqstrat.backtest.account.returns import psr, rolling_sharpe, window_days
from liqstrat.catalog.minutes import MinuteBars
from liqstrat.moments import DAY_NS, HOUR_NS, MINUTE_NS
from tests.backtest.account.test_tearsheet import START_NS


def account(hours: int, seed: int = 1, drift: float = 0.0003) -> tuple[np.ndarray, np.ndarray]:
    """Minutes of an account whose hourly returns are skewed."""
    random = np.random.default_rng(seed)
    made = np.repeat(drift / 60, hours * 60) + 0.0004 * (random.exponential(1.0, hours * 60) - 1.0)
    return START_NS + np.arange(hours * 60 + 1) * MINUTE_NS, 1e5 * np.cumprod(np.append(1.0, 1 + made))


def by_hour(times: np.ndarray, equity: np.ndarray) -> "pd.Series[float]":
    series = pd.Series(equity, index=pd.to_datetime(times, utc=True))
    return series.resample("1h").first().pct_change().dropna()


def bars(close: np.ndarray, volume: float = 10.0) -> MinuteBars:
    count = len(close)
    return MinuteBars(START_NS, close, close, close, close, np.full(count, volume), np.full(count, True))


@pytest.mark.parametrize("benchmark", [0.0, 1.5])
def test_psr_is_that_of_another_library(benchmark: float) -> None:
    times, equity = account(400)
    expected = probabilistic_sharpe_ratio(by_hour(times, equity).to_numpy(), benchmark / math.sqrt(8760))
    # It takes the deviation of a whole population, and moments that are corrected for its size.
    assert psr(times, equity, benchmark) == pytest.approx(expected, rel=2e-3)
    assert 0.01 < expected < 0.999


def test_psr_is_that_of_its_authors() -> None:
    """Bailey and López de Prado 2014: 1,250 daily returns with a ratio of 2.5 a year of 250 days, skew of -3 and
    kurtosis of 10, held against 0.1132 a day, have 0.9004. Hours here stand for days there."""
    ratio, benchmark, count, skew, kurtosis = 2.5 / math.sqrt(250), 0.1132, 1250, -3.0, 10.0
    wanted = np.array([0.0, 1.0, skew, kurtosis])
    # Two heavy points on either side and a light one have such moments.
    random = np.random.default_rng(1)
    returns = _with_moments(random, count, ratio, wanted)
    equity = np.cumprod(np.append(1.0, 1 + 0.001 * returns))
    times = START_NS + np.arange(count + 1) * HOUR_NS
    assert psr(times, equity, benchmark * math.sqrt(8760)) == pytest.approx(0.9004, abs=0.0002)


def _with_moments(random: np.random.Generator, count: int, ratio: float, wanted: np.ndarray) -> np.ndarray:
    """Returns with a ratio of mean to deviation, a skew and a kurtosis, by weights of three points."""
    skew, kurtosis = wanted[2:]
    # A point at each of a, 0 and b, standardised: the two outer ones solve the moments, the middle one holds the rest.
    apart = math.sqrt(4 * kurtosis - 3 * skew**2)
    a, b = (skew - apart) / 2, (skew + apart) / 2
    weights = np.array([1 / (a * (a - b)), 0.0, 1 / (b * (b - a))])
    weights[1] = 1 - weights.sum()
    counts = np.rint(weights * count).astype(int)
    counts[1] = count - counts[0] - counts[2]
    values = np.repeat([a, 0.0, b], counts)
    random.shuffle(values)
    values = (values - values.mean()) / values.std(ddof=1)
    return values + ratio


def test_a_rolling_sharpe_is_pandas_own() -> None:
    times, equity = account(24 * 9)
    at, ratio = rolling_sharpe(times, equity, 3)
    returns = by_hour(times, equity)
    window = returns.rolling(72)
    expected = (window.mean() / window.std() * math.sqrt(8760)).dropna()
    assert len(at) == 24 * 6 + 1
    assert ratio == pytest.approx(expected.to_numpy())
    assert (pd.to_datetime(at, utc=True) == expected.index).all()
    short = rolling(times, equity)
    assert (short["days"], window_days(times)) == (2, 2)
    assert short["low"] <= short["median"] <= short["high"]
    assert rolling_sharpe(times[: 24 * 60], equity[: 24 * 60], 3)[1].size == 0
    assert rolling(times[:100], equity[:100])["below_zero"] is None
    flat = np.full(len(times), 1e5)
    assert np.isnan(rolling_sharpe(times, flat, 3)[1]).all()


def test_the_window_is_a_fifth_of_the_run_within_bounds() -> None:
    for days, expected in ((1, 2), (6, 2), (25, 5), (400, 30)):
        assert window_days(np.array([0, days * DAY_NS])) == expected


def test_beside_holding_it_is_as_pandas_says() -> None:
    times, equity = account(800, seed=2)
    _, price = account(800, seed=3, drift=-0.0001)
    found = against_hold(times, equity, {"B": bars(price[1:])})
    held = pd.Series(price[np.clip(np.arange(len(times)), 0, None)], index=pd.to_datetime(times, utc=True))
    held.iloc[0] = price[1]
    own, its = by_hour(times, equity), held.resample("1h").first().pct_change().dropna()
    assert found["return"] == pytest.approx(price[-1] / price[1] - 1)
    assert found["excess_return"] == pytest.approx(equity[-1] / equity[0] - price[-1] / price[1])
    assert found["correlation"] == pytest.approx(own.corr(its))
    assert found["beta"] == pytest.approx(own.cov(its) / its.var())
    assert found["alpha"] == pytest.approx((own.mean() - own.cov(its) / its.var() * its.mean()) * 8760)
    assert found["max_drawdown"] == pytest.approx((1 - held / held.cummax()).max())
    shorter = against_hold(times[: 700 * 60], equity[: 700 * 60], {"B": bars(price[1:])})
    assert shorter["alpha"] is None, "a month is no year"
    assert shorter["beta"] is not None
    assert against_hold(times[:60], equity[:60], {"B": bars(price[1:])})["beta"] is None
    assert against_hold(times, equity, {"B": bars(np.full(len(times), 5.0))})["beta"] is None


def fill(minute: float, contracts: float, order: str) -> Fill:
    at, nothing = START_NS + round(minute * MINUTE_NS), Decimal(0)
    return Fill(at, 1, order, "S", "B", "buy", Decimal(str(contracts)), Decimal(100), nothing, False, "entry", nothing)


def test_capacity_is_by_what_was_traded_about_each_order() -> None:
    minutes = {"B": bars(np.full(100, 100.0))}
    # 1 of 5 minutes' 50; 3 in two fills, three minutes apart, of 8 minutes' 80; 1 of the first minute's 10.
    fills = [fill(0.5, 1, "c"), fill(20, 1, "a"), fill(40.5, 1, "b"), fill(43.5, 2, "b")]
    shares = [0.1, 0.02, 3 / 80]
    found = capacity(fills, minutes, 1e5)
    assert found["median"] == pytest.approx(np.median(shares))
    assert found["high"] == pytest.approx(np.quantile(shares, 0.95))
    assert found["at_0.05"] == pytest.approx(1e5 * 0.05 / found["high"])
    assert set(capacity([], minutes, 1e5).values()) == {None}
    silent = {"B": bars(np.full(100, 100.0), volume=0.0)}
    assert capacity(fills, silent, 1e5)["high"] is None


@pytest.mark.slow
def test_a_run_s_figures_are_those_of_its_tables(demo_results: Path) -> None:
    run = lq.load(demo_results)
    figures = json.loads((demo_results / "metrics.json").read_text())
    assert figures["psr"] is None, "a day has no 48 hours"
    assert run.metrics["capacity"]["high"] > 0
    candles = run.candles
    assert figures["against_hold"]["return"] == pytest.approx(
        candles["close"].iloc[-1] / candles["open"].iloc[0] - 1, abs=1e-3
    )
    assert figures["against_hold"]["return"] == pytest.approx(figures["buy_and_hold"])
    assert figures["against_hold"]["excess_return"] == pytest.approx(
        figures["net_return"] - figures["buy_and_hold"], abs=1e-9
    )
    assert run.rolling_sharpe().empty
    assert len(run.rolling_sharpe(1)) == 1
