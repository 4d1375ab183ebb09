"""The figures of a second look, as pure functions; what is undefined is None, never NaN or infinite.

Money is in USDT, shares are fractions, times are UTC. A trade counts where it was opened: that is when it was decided.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from liqstrat.backtest.account.beside import against_hold, capacity, rolling
from liqstrat.backtest.account.equity import EquityCurve, prices_at
from liqstrat.backtest.account.known import by_level
from liqstrat.backtest.account.ledger import Ledger, RoundTrip
from liqstrat.backtest.account.metrics import max_drawdown, profit_factor, win_rate
from liqstrat.backtest.account.returns import HOURS_A_YEAR, LEAST_DAYS_OF_A_YEAR, LEAST_SAMPLES, hourly_returns, psr
from liqstrat.backtest.account.trades import Course
from liqstrat.catalog.minutes import MinuteBars
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.moments import DAY_NS, HOUR_NS, SECOND_NS

_YEAR_NS = HOURS_A_YEAR * HOUR_NS
#: 1970 began on a Thursday; weeks here begin on Monday.
_FIRST_WEEKDAY = 3


def tearsheet(
    ledger: Ledger, courses: Sequence[Course], curve: EquityCurve, minutes: Mapping[str, MinuteBars]
) -> dict[str, Any]:
    """All figures of what `ledger`, with the courses of its trips, and its `curve` say, to ten decimals.

    Trades are those that were opened and closed. expectancy: USDT a trade; expectancy_r: in multiples of what the first
    stop risked. mae, mfe: means, see `Course`. turnover: what was traded by the mean equity. buy_and_hold: what the
    symbols' prices made, as much of each. psr: see `returns`; rolling_sharpe, against_hold, capacity: see `beside`;
    by_level: see `known`.
    """
    equity = curve.equity
    closed = [(trip, course) for trip, course in zip(ledger.trips, courses, strict=True) if trip.closed_ns is not None]
    trips = [trip for trip, _ in closed]
    profits = [float(trip.pnl) for trip in trips]
    yearly, dry = cagr(curve.times, equity), under_water(curve.times, equity)
    held = [(trip.closed_ns - trip.opened_ns) / SECOND_NS for trip in trips if trip.closed_ns is not None]
    by_end = [float(trip.pnl) for trip in sorted(trips, key=lambda trip: trip.closed_ns or 0)]
    figures = {
        "cagr": yearly,
        "psr": psr(curve.times, equity),
        "sortino": sortino(curve.times, equity),
        "calmar": calmar(yearly, max_drawdown(equity)),
        "expectancy": _mean(profits),
        "expectancy_r": _mean([course.r for _, course in closed if course.r is not None]),
        "mae": _mean([course.mae for _, course in closed]),
        "mfe": _mean([course.mfe for _, course in closed]),
        "held_seconds": _mean(held),
        "longest_held_seconds": max(held, default=None),
        "under_water": dry[0],
        "longest_under_water_seconds": dry[1],
        "wins_in_a_row": streak([profit > 0 for profit in by_end]),
        "losses_in_a_row": streak([profit < 0 for profit in by_end]),
        "turnover": turnover(ledger, equity),
        "buy_and_hold": buy_and_hold(curve.times, minutes),
        "against_hold": against_hold(curve.times, equity, minutes),
        "rolling_sharpe": rolling(curve.times, equity),
        "capacity": capacity(ledger.fills, minutes, float(equity.mean())),
        "long": _of_side(closed, "long"),
        "short": _of_side(closed, "short"),
        "by_hour": split(trips, 24, [trip.opened_ns // HOUR_NS for trip in trips]),
        "by_weekday": split(trips, 7, [trip.opened_ns // DAY_NS + _FIRST_WEEKDAY for trip in trips]),
        "by_month": by_month(curve.times, equity),
        "by_level": by_level(closed),
    }
    return {key: _rounded(value) for key, value in figures.items()}


def cagr(times: Ints, equity: Floats) -> float | None:
    """Growth a year at the rate of the whole time; None under 30 days, or where money ran out."""
    length = int(times[-1] - times[0])
    if length < LEAST_DAYS_OF_A_YEAR * DAY_NS or equity[0] <= 0 or equity[-1] <= 0:
        return None
    try:
        return _number(math.expm1(math.log(equity[-1] / equity[0]) * _YEAR_NS / length))
    except OverflowError:
        return None


def sortino(times: Ints, equity: Floats) -> float | None:
    """Mean hourly return by the root of the mean square of those below zero, annualised (Sortino and Price 1994).

    Hours as in `metrics.sharpe`. None with fewer than 48 of them, without one below zero, or where money ran out.
    """
    returns = hourly_returns(times, equity)
    if returns is None or len(returns) < LEAST_SAMPLES:
        return None
    below = float(np.sqrt(np.mean(np.minimum(returns, 0) ** 2)))
    return _number(float(returns.mean()) / below * math.sqrt(HOURS_A_YEAR)) if below > 0 else None


def calmar(yearly: float | None, drawdown: float | None) -> float | None:
    """Growth a year by the deepest drawdown; None where either is not defined, or nothing was lost."""
    return _number(yearly / drawdown) if yearly is not None and drawdown else None


def under_water(times: Ints, equity: Floats) -> tuple[float | None, float | None]:
    """The share of time in which equity was below its highest so far, and the longest such stretch in seconds, from
    one high to where it is reached again or to the end."""
    if len(times) < 2:
        return None, None
    below = equity < np.maximum.accumulate(equity)
    lasted = np.diff(times)
    share = float(lasted[below[1:]].sum() / lasted.sum())
    edges = np.flatnonzero(np.diff(below.astype(np.int8)))
    ends = edges[1::2] + 1 if len(edges) % 2 == 0 else np.append(edges[1::2] + 1, len(times) - 1)
    return share, float((times[ends] - times[edges[::2]]).max() / SECOND_NS) if len(edges) else 0.0


def streak(held: Sequence[bool]) -> int:
    """How many in a row at most."""
    ends = np.flatnonzero(~np.array([False, *held, False]))
    return int(np.diff(ends).max()) - 1


def turnover(ledger: Ledger, equity: Floats) -> float | None:
    """What was bought and sold, USDT, by the mean equity; None where that is not above zero."""
    traded = float(sum(fill.quantity * fill.price for fill in ledger.fills))
    mean = float(equity.mean())
    return _number(traded / mean) if mean > 0 else None


def buy_and_hold(times: Ints, minutes: Mapping[str, MinuteBars]) -> float | None:
    """What the prices of the symbols made from the first to the last of `times`, on average; None without any."""
    ends = np.array([times[0], times[-1]])
    made = [float(price[1] / price[0] - 1) for price in (prices_at(bars, ends) for bars in minutes.values())]
    return _mean(made)


def split(trips: Sequence[RoundTrip], parts: int, part: Sequence[int]) -> list[dict[str, float]]:
    """How many trades and what profit of each of `parts`, of which `part` says that of each trip, counted around."""
    at = np.array(part, dtype=np.int64) % parts
    profits = np.array([float(trip.pnl) for trip in trips], dtype=np.float64)
    counts, sums = np.bincount(at, minlength=parts), np.bincount(at, weights=profits, minlength=parts)
    return [{"trades": int(count), "pnl": round(float(pnl), 10)} for count, pnl in zip(counts, sums, strict=True)]


def by_month(times: Ints, equity: Floats) -> dict[str, float | None]:
    """The return of each month, or of the part of it in the run, from the end of the one before."""
    month = (times - 1).astype("datetime64[ns]").astype("datetime64[M]")
    month[0] = times[:1].astype("datetime64[ns]").astype("datetime64[M]")[0]
    last = np.append(np.flatnonzero(month[1:] != month[:-1]), len(month) - 1)
    ends = equity[last]
    before = np.append(equity[:1], ends[:-1])
    return {
        str(month[at]): float(end / start - 1) if start > 0 else None
        for at, end, start in zip(last, ends, before, strict=True)
    }


def _of_side(closed: Sequence[tuple[RoundTrip, Course]], side: str) -> dict[str, float | None]:
    own = [(trip, course) for trip, course in closed if trip.side == side]
    profits = [float(trip.pnl) for trip, _ in own]
    return {
        "trades": len(own),
        "pnl": math.fsum(profits),
        "win_rate": win_rate(profits),
        "profit_factor": profit_factor(profits),
        "expectancy": _mean(profits),
        "expectancy_r": _mean([course.r for _, course in own if course.r is not None]),
    }


def _mean(values: Sequence[float]) -> float | None:
    return _number(math.fsum(values) / len(values)) if values else None


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return round(value, 10) if isinstance(value, float) else value
