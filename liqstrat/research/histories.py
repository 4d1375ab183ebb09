"""Histories drawn from the days of one, many at once, and what tests of luck say of each.

Days are drawn in stretches of a block on average (the stationary bootstrap of Politis and Romano 1994).
The tests are those of `luck`, which take one history at a time; here they take a second for all.
"""

import warnings
from itertools import combinations

import numpy as np
from arch.bootstrap import StationaryBootstrap
from purgedcv import deflated_sharpe_ratio_full
from scipy import stats

from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.research.luck import DAYS_A_YEAR, LEAST_DAYS_OF_SUPERIORITY, Deflated, Overfitting, parts_of

DRAWS = 400
SEED = 1


def orders_of(days: int, length: int, block: int) -> Ints:
    """Of drawn histories, the days in their order, `[draw, place]`."""
    times = -(-length // days)
    drawn = StationaryBootstrap(block, np.arange(days), seed=SEED).bootstrap(DRAWS * times)
    found: Ints = np.array([one[0][0] for one in drawn]).reshape(DRAWS, times * days)[:, :length]
    return found


def counts_of(orders: Ints, days: int) -> Floats:
    """How often each day is in each of them, along the axis before the last."""
    rows = np.arange(len(orders))[:, np.newaxis] * days
    found = np.bincount((rows + orders).ravel(), minlength=len(orders) * days)
    return found.reshape(len(orders), days).astype(np.float64)


def sharpes_of(counts: Floats, returns: Floats) -> Floats:
    """By day, of days that are counted so often, `[draw, trial]`; NaN where returns do not change."""
    total = counts.sum(axis=1, keepdims=True)
    return _ratio(counts @ returns / total, counts @ returns**2 / total)


def _ratio(mean: Floats, square: Floats) -> Floats:
    """The mean by the standard deviation, from the mean and the mean square."""
    variance = square - mean**2
    found: Floats = np.divide(
        mean, np.sqrt(np.maximum(variance, 0)), out=np.full_like(mean, np.nan), where=variance > 1e-12 * square
    )
    return found


def deflated_of(own: Floats, sharpes: Floats, configurations: int, block: int) -> list[Deflated | None]:
    """As `deflated`, without its interval and what would be needed: `own` are the days of the best trial in each
    history, `[draw, day]`, and `sharpes` those of all trials, `[draw, trial]`."""
    year = np.sqrt(DAYS_A_YEAR)
    # Whatever the returns are.
    luck = deflated_sharpe_ratio_full(np.arange(8.0), configurations, 1.0).expected_max_z
    moving = np.isfinite(sharpes).sum(axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        spread = np.where(moving > 1, np.nanvar(sharpes, axis=1, ddof=1), 1 / own.shape[1])
        ratio = _ratio(own.mean(axis=1), (own**2).mean(axis=1))
        skew = stats.skew(own, axis=1, bias=False)
        kurtosis = stats.kurtosis(own, axis=1, bias=False, fisher=False)
        wide = np.sqrt(1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2)
        benchmark = np.sqrt(spread) * luck
        probability = stats.norm.cdf((ratio - benchmark) * np.sqrt(own.shape[1] - 1) / wide)
    told = np.array([ratio * year, benchmark * year, probability, skew, kurtosis]).T
    return [
        Deflated(one[0], None, None, block, configurations, one[1], one[2], one[3], one[4], None, None)
        if np.isfinite(one).all()
        else None
        for one in told.tolist()
    ]


def overfitting_of(orders: Ints, returns: Floats) -> list[Overfitting | None]:
    """As `overfitting`, of many histories at once, without how often the best is below the middle."""
    parts = parts_of(orders.shape[1])
    if parts is None or returns.shape[1] < 2:
        return [None] * len(orders)
    cuts = np.array_split(orders, parts, axis=1)
    counts = np.stack([counts_of(cut, len(returns)) for cut in cuts], axis=1).reshape(-1, len(returns))
    sums, squares = ((counts @ power).reshape(len(orders), parts, -1) for power in (returns, returns**2))
    ways = np.array([np.isin(range(parts), one) for one in combinations(range(parts), parts // 2)], dtype=np.float64)
    days = (ways @ np.array([cut.shape[1] for cut in cuts]))[:, np.newaxis]
    found = []
    # One after the other: what one takes stays near the processor.
    for total, square in zip(sums, squares, strict=True):
        inside = ways @ total
        best = np.nan_to_num(_ratio(inside / days, ways @ square / days)).argmax(axis=1)[:, np.newaxis]
        outside = np.take_along_axis(total.sum(axis=0) - inside, best, axis=1)
        found.append(float((outside <= 0).mean()))
    return [Overfitting(0.0, share, parts, len(ways)) for share in found]


def superiority_of(counts: Floats, returns: Floats) -> list[float | None]:
    """As `superiority`, of many histories at once, which are each other's draws: what luck adds to the best trial of
    one is what it adds in them, as much more as returns vary more in that one."""
    length = counts[0].sum()
    if length < LEAST_DAYS_OF_SUPERIORITY:
        return [None] * len(counts)
    moving = returns[:, np.ptp(returns, axis=0) > 0]
    means, spread = moving.mean(axis=0), moving.std(axis=0)
    drawn = counts @ moving / length
    vary = np.sqrt(np.maximum(counts @ moving**2 / length - drawn**2, 0))
    more = np.maximum((vary / spread).mean(axis=1), 1e-12)
    # Those that are far below nothing are not taken for better than they are.
    least = -spread * np.sqrt(2 * np.log(np.log(length)) / length)
    luck = np.sort((drawn - np.where(means >= least, means, 0.0)).max(axis=1))
    found: list[float | None] = (1 - np.searchsorted(luck, drawn.max(axis=1) / more, side="right") / len(luck)).tolist()
    return found
