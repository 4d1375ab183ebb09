"""A run beside what else one could have done: another stretch of time, holding, a larger account."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from liqstrat.backtest.account.equity import prices_at
from liqstrat.backtest.account.ledger import Fill
from liqstrat.backtest.account.metrics import max_drawdown
from liqstrat.backtest.account.returns import (
    HOURS_A_YEAR,
    LEAST_DAYS_OF_A_YEAR,
    LEAST_SAMPLES,
    hourly_returns,
    rolling_sharpe,
    sharpe,
    window_days,
)
from liqstrat.catalog.minutes import MinuteBars
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.moments import MINUTE_NS

#: Shares of what the market trades that an order may be.
PARTICIPATION = (0.01, 0.05, 0.1)
#: An order's volume is that of the minutes from its first fill to its last, and of so many before.
_MINUTES_BEFORE = 4


def rolling(times: Ints, equity: Floats) -> dict[str, Any]:
    """`rolling_sharpe` in short: the window's days, the lowest, middle and highest, and the share below zero."""
    days = window_days(times)
    ratio = rolling_sharpe(times, equity, days)[1]
    ratio = ratio[np.isfinite(ratio)]
    if not len(ratio):
        return {"days": days, "low": None, "median": None, "high": None, "below_zero": None}
    low, median, high = (float(one) for one in np.quantile(ratio, [0, 0.5, 1]))
    return {"days": days, "low": low, "median": median, "high": high, "below_zero": float((ratio < 0).mean())}


def against_hold(times: Ints, equity: Floats, minutes: Mapping[str, MinuteBars]) -> dict[str, float | None]:
    """The run beside holding the symbols, as much of each: what holding made, its Sharpe ratio and drawdown; by how
    much the run's return is above; its hourly returns' correlation with those of holding, the slope (beta), and what
    is left of its return without it (alpha), a year, from 30 days on."""
    names = ("return", "sharpe", "max_drawdown", "excess_return", "correlation", "beta", "alpha")
    found: dict[str, float | None] = dict.fromkeys(names)
    if not minutes or not equity[0] > 0:
        return found
    prices = [prices_at(bars, times) for bars in minutes.values()]
    held = np.mean([price / price[0] for price in prices], axis=0)
    made = float(held[-1] - 1)
    found |= {"return": made, "sharpe": sharpe(times, held), "max_drawdown": max_drawdown(held)}
    found["excess_return"] = float(equity[-1] / equity[0] - 1) - made
    own, its = hourly_returns(times, equity), hourly_returns(times, held)
    if own is None or its is None or len(own) < LEAST_SAMPLES or not its.std() > 0:
        return found
    beta = float(np.cov(own, its)[0, 1] / its.var(ddof=1))
    found["beta"] = beta
    if len(own) >= LEAST_DAYS_OF_A_YEAR * 24:
        found["alpha"] = float((own - beta * its).mean()) * HOURS_A_YEAR
    if own.std() > 0:
        found["correlation"] = float(np.corrcoef(own, its)[0, 1])
    return found


def capacity(fills: Sequence[Fill], minutes: Mapping[str, MinuteBars], equity: float) -> dict[str, float | None]:
    """What share of the market's volume the run's orders were, and how large an account could be for it to stay small.

    An order's volume is what was traded from four minutes before its first fill to its last. median and high (the
    95th percentile of all orders) are shares of it; at_0.01 and so on are the USDT of an account whose high share is
    that, if orders grow with it, from `equity` now. All None without fills at times with volume.
    """
    shares = _shares(fills, minutes)
    found: dict[str, float | None] = {"median": None, "high": None, **{f"at_{one:g}": None for one in PARTICIPATION}}
    if not len(shares) or not equity > 0:
        return found
    median, high = (float(one) for one in np.quantile(shares, [0.5, 0.95]))
    return {"median": median, "high": high, **{f"at_{one:g}": equity * one / high for one in PARTICIPATION}}


def _shares(fills: Sequence[Fill], minutes: Mapping[str, MinuteBars]) -> Floats:
    """Each order's part of its volume; without those in whose minutes nothing was traded."""
    orders: dict[tuple[str, str], list[Fill]] = {}
    for fill in fills:
        orders.setdefault((fill.symbol, fill.order_id), []).append(fill)
    found = []
    for (symbol, _), own in orders.items():
        bars = minutes[symbol]
        first, last = ((one.time_ns - bars.start_ns) // MINUTE_NS for one in (own[0], own[-1]))
        volume = float(bars.volume[max(first - _MINUTES_BEFORE, 0) : last + 1].sum())
        if volume > 0:
            found.append(float(sum(one.quantity for one in own)) / volume)
    return np.array(found)
