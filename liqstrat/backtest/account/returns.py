"""Hourly returns of an account, and the ratios made of them; what is undefined is None or NaN, never infinite."""

import math
from statistics import NormalDist

import numpy as np

from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.moments import DAY_NS, HOUR_NS

HOURS_A_YEAR = 8760
LEAST_SAMPLES = 48
#: A shorter time is not spun out to a year.
LEAST_DAYS_OF_A_YEAR = 30
_FEWEST_DAYS, _MOST_DAYS, _PARTS = 2, 30, 5


def sharpe(times: Ints, equity: Floats) -> float | None:
    """Mean by standard deviation of hourly returns, annualised by the root of the hours in a year.

    Returns are from hour to hour since the first of `times` (nanoseconds) and do not overlap; a last, shorter piece is
    left out. None with fewer than 48 of them, without variance, or where equity fell to zero.
    """
    returns = hourly_returns(times, equity)
    if returns is None or len(returns) < LEAST_SAMPLES:
        return None
    deviation = float(returns.std(ddof=1))
    return _finite(float(returns.mean()) / deviation * math.sqrt(HOURS_A_YEAR)) if deviation > 0 else None


def hourly_returns(times: Ints, equity: Floats) -> Floats | None:
    """From hour to hour since the first of `times`; None where equity fell to zero in between."""
    hours = int((times[-1] - times[0]) // HOUR_NS)
    at = np.searchsorted(times, times[0] + np.arange(hours + 1) * HOUR_NS, side="right") - 1
    sampled = equity[at]
    if (sampled <= 0).any():
        return None
    returns: Floats = np.diff(sampled) / sampled[:-1]
    return returns


def psr(times: Ints, equity: Floats, benchmark: float = 0.0) -> float | None:
    """The probability that the true Sharpe ratio is above `benchmark` (annualised), given how many hours there are and
    how skewed and heavy-tailed their returns: the probabilistic Sharpe ratio of Bailey and López de Prado (2012).

    Hours as in `metrics.sharpe`; None where that is.
    """
    returns = hourly_returns(times, equity)
    if returns is None or len(returns) < LEAST_SAMPLES or not returns.std(ddof=1) > 0:
        return None
    ratio = float(returns.mean() / returns.std(ddof=1))
    scaled = (returns - returns.mean()) / returns.std()
    skew, kurtosis = float((scaled**3).mean()), float((scaled**4).mean())
    variance = 1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2
    if not variance > 0:
        return None
    above = ratio - benchmark / math.sqrt(HOURS_A_YEAR)
    return NormalDist().cdf(above * math.sqrt((len(returns) - 1) / variance))


def window_days(times: Ints) -> int:
    """Days of the window of a rolling Sharpe: a fifth of the run, from two to thirty."""
    return int(np.clip((times[-1] - times[0]) // DAY_NS // _PARTS, _FEWEST_DAYS, _MOST_DAYS))


def rolling_sharpe(times: Ints, equity: Floats, days: int) -> tuple[Ints, Floats]:
    """The Sharpe ratio of the `days` before, at each full hour since the first of `times` that has as many: when
    (nanoseconds), and the ratio, NaN where it has none. Both are empty where equity fell to zero."""
    returns, width = hourly_returns(times, equity), 24 * days
    if returns is None or len(returns) < width:
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    part = np.lib.stride_tricks.sliding_window_view(returns, width)
    spread = part.std(axis=1, ddof=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(spread > 1e-12, part.mean(axis=1) / spread * math.sqrt(HOURS_A_YEAR), np.nan)
    return times[0] + np.arange(width, len(returns) + 1) * HOUR_NS, ratio


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
