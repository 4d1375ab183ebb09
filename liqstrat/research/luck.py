"""How much of a result luck explains, by libraries: Sharpe ratios that know how many were tried, the probability that
choosing was overfitting, and whether anything beats doing nothing.

All are of returns by day, so that what lasts for hours is counted once. What cannot be told is None.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from arch.bootstrap import SPA, StationaryBootstrap, optimal_block_length
from purgedcv import (
    deflated_sharpe_ratio_full,
    min_track_record_length,
    probability_of_backtest_overfitting,
)

from liqstrat.liquidation.grid import Floats
from liqstrat.research.days import LEAST_DAYS as LEAST_DAYS_OF_INTERVAL

DAYS_A_YEAR = 365
DRAWS = 2000
SURE = 0.95
#: With which a study should find what is there.
POWER = 0.8
#: Parts that history is cut into to see whether the best of one half is good in the other; fewer where days are few.
_PARTS = 10
_DAYS_A_PART = 4
_LEAST_PARTS = 4
LEAST_DAYS_OF_SUPERIORITY = _LEAST_PARTS * _DAYS_A_PART
_SEED = 1


@dataclass(frozen=True)
class Deflated:
    """A Sharpe ratio held against the best that so many trials without any edge would have.

    sharpe, low, high: annualised, with 95 % of the stationary bootstrap in stretches of `block_days` on average; None
    with fewer days than `LEAST_DAYS_OF_INTERVAL`.
    benchmark: that best one, annualised. probability: that the true ratio is above it (Bailey and López de Prado 2014).
    track_days: how many days would show it, were the ratio what it was here; None where none would. needed_days: after
    how many a study like this one finds such a ratio with a probability of `POWER`.
    """

    sharpe: float
    low: float | None
    high: float | None
    block_days: float
    trials: int
    benchmark: float
    probability: float
    skew: float
    kurtosis: float
    track_days: int | None
    needed_days: int | None


@dataclass(frozen=True)
class Overfitting:
    """How often the best of one half of history is below the middle in the other (Bailey and others 2017), and how
    often it loses there: of trials that are all good, or all alike, the middle says little.

    ways: in how many ways history, cut in `parts`, was halved.
    """

    probability: float
    loses: float
    parts: int
    ways: int


def deflated(returns: Floats, trials: int, sharpes: Floats) -> Deflated | None:
    """The Sharpe ratio of daily `returns`, best of `trials`, whose own (by day, not annualised) are `sharpes`.

    Of a single one the spread is that of pure chance. None with fewer than three days, or without any change.
    """
    if len(returns) < 3 or not np.isfinite(returns).all() or np.ptp(returns) == 0:
        return None
    spread = float(np.var(sharpes, ddof=1)) if len(sharpes) > 1 else 1 / len(returns)
    try:
        found = deflated_sharpe_ratio_full(returns, trials, spread)
    except ValueError:
        return None
    low, high, block = _interval(returns)
    year = np.sqrt(DAYS_A_YEAR)
    track = min_track_record_length(found.observed_sr, found.sr_star, 1 - SURE, found.skew, found.kurt)
    return Deflated(
        sharpe=found.observed_sr * year,
        low=None if low is None else low * year,
        high=None if high is None else high * year,
        block_days=block,
        trials=trials,
        benchmark=found.sr_star * year,
        probability=found.dsr,
        skew=found.skew,
        kurtosis=found.kurt,
        track_days=int(track) if np.isfinite(track) else None,
        needed_days=days_needed(
            found.observed_sr, found.expected_max_z * np.sqrt(spread * len(returns)), found.skew, found.kurt
        ),
    )


def days_needed(sharpe: float, luck: float, skew: float = 0.0, kurtosis: float = 3.0) -> int | None:
    """After how many days a true Sharpe ratio by day is told from luck with a probability of `POWER`, at `SURE`.

    luck: how many standard errors the best of all trials without an edge lies above zero. None where there is no edge.
    """
    if sharpe <= 0:
        return None
    normal = NormalDist()
    spread = np.sqrt(max(1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2, 1e-9))
    return int(np.ceil(1 + (((normal.inv_cdf(SURE) + normal.inv_cdf(POWER)) * spread + luck) / sharpe) ** 2))


def overfitting(returns: Floats) -> Overfitting | None:
    """By the daily returns of all trials, `[day, trial]`; None with fewer than two, or too few days to halve."""
    parts = parts_of(len(returns))
    if returns.shape[1] < 2 or parts is None:
        return None
    found = probability_of_backtest_overfitting(returns.T, n_splits=parts)
    loses = float((found.is_oos_performance[:, 1] <= 0).mean())
    return Overfitting(found.pbo, loses, parts, found.n_combos)


def parts_of(days: int) -> int | None:
    """Into how many parts so many days are cut to be halved; None where they are too few."""
    parts = min(_PARTS, 2 * (days // (2 * _DAYS_A_PART)))
    return parts if parts >= _LEAST_PARTS else None


def superiority(returns: Floats) -> float | None:
    """The probability to see a best trial like this one were none of them any better than doing nothing (Hansen's test
    of superior predictive ability, 2005); by returns `[day, trial]`."""
    moving = returns[:, np.ptp(returns, axis=0) > 0]
    if len(returns) < LEAST_DAYS_OF_SUPERIORITY or not moving.shape[1]:
        return None
    test = SPA(np.zeros(len(moving)), -moving, block_size=block_of(moving[:, 0]), reps=DRAWS, seed=_SEED)
    test.compute()
    return float(test.pvalues["consistent"])


def sharpes_of(returns: Floats) -> Floats:
    """By day, of each trial `[day, trial]` that traded."""
    moving = returns[:, np.ptp(returns, axis=0) > 0] if len(returns) else returns[:, :0]
    found: Floats = moving.mean(axis=0) / moving.std(axis=0)
    return found


def _interval(returns: Floats) -> tuple[float | None, float | None, float]:
    block = block_of(returns)
    if len(returns) < LEAST_DAYS_OF_INTERVAL:
        return None, None, block
    draws = StationaryBootstrap(block, returns, seed=_SEED)
    low, high = draws.conf_int(_sharpe, DRAWS, method="percentile").ravel().tolist()
    return low, high, block


def _sharpe(returns: Floats) -> Floats:
    spread = float(returns.std())
    return np.array([float(returns.mean()) / spread if spread > 0 else 0.0])


def block_of(returns: Floats) -> int:
    """Length of stretches in days, as the data ask for (Politis and White 2004)."""
    found = float(optimal_block_length(returns)["stationary"].iloc[0]) if len(returns) > 10 else 1.0
    return int(np.clip(np.ceil(found), 1, max(1, len(returns) // 4))) if np.isfinite(found) else 1
