"""Runs day by day, and how sure a difference between two of them is.

The days of two runs are drawn together, in stretches: what both went through on a day stays paired, and what lasts for
some days stays whole (the stationary bootstrap of Politis and Romano 1994, stretches of `block_days` on average). Of
few stretches, draws differ too little: intervals are wider than theirs as Student's is for so many.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from statistics import NormalDist

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.moments import DAY_US, column_us
from liqstrat.scoring.intervals import student

#: With fewer days there is no interval: a handful can be drawn in too few ways.
LEAST_DAYS = 7
DRAWS = 2000
_SEED = 1
_DAYS_A_YEAR = 365
#: Draws in which a figure is not defined, as a win rate without trades, above which it has no interval.
_MOST_UNDEFINED = 0.05


@dataclass(frozen=True, eq=False)
class Days:
    """A run by UTC day, or drawn days of it along the last axis.

    day: days since 1970. returns: of equity, from the end of the day before. pnl (net), trades, wins, gains, losses
    (positive) and fees: of the trades that were closed on the day, USDT.
    """

    day: Ints
    returns: Floats
    pnl: Floats
    trades: Floats
    wins: Floats
    gains: Floats
    losses: Floats
    fees: Floats

    def at(self, index: Ints) -> "Days":
        """These days, in that order; more than one order at once along the first axis."""
        return Days(*(getattr(self, one.name)[index] for one in fields(self)))


@dataclass(frozen=True)
class Difference:
    """By how much a figure of a run is above that of another on the days of both; None where it is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None


def _net_return(days: Days) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.expm1(np.log1p(days.returns).sum(axis=-1))
    return found


def _sharpe(days: Days) -> Floats:
    spread = days.returns.std(axis=-1, ddof=1) if days.returns.shape[-1] > 1 else np.zeros(days.returns.shape[:-1])
    return _divided(days.returns.mean(axis=-1) * np.sqrt(_DAYS_A_YEAR), spread)


#: What is compared, by name.
FIGURES: dict[str, Callable[[Days], Floats]] = {
    "net_return": _net_return,
    "sharpe_by_day": _sharpe,
    "pnl": lambda days: days.pnl.sum(axis=-1),
    "trades": lambda days: days.trades.sum(axis=-1),
    "win_rate": lambda days: _divided(days.wins.sum(axis=-1), days.trades.sum(axis=-1)),
    "profit_factor": lambda days: _divided(days.gains.sum(axis=-1), days.losses.sum(axis=-1)),
    "pnl_a_trade": lambda days: _divided(days.pnl.sum(axis=-1), days.trades.sum(axis=-1)),
    "fees": lambda days: days.fees.sum(axis=-1),
}


def by_day(equity: pa.Table, positions: pa.Table) -> Days:
    """A run by day from its `equity` (`time`, `equity`, by time) and `positions` (`closed`, `pnl`, `fees`)."""
    days, returns = daily_returns(column_us(equity["time"]), np.asarray(equity["equity"].cast(pa.float64())))
    closed = positions.filter(pc.is_valid(positions["closed"]))
    closed_us = column_us(closed["closed"])
    pnl, fees = (np.asarray(closed[name].cast(pa.float64())) for name in ("pnl", "fees"))
    at = np.clip(np.searchsorted(days, (closed_us - 1) // DAY_US), 0, max(len(days) - 1, 0))

    def summed(values: Floats) -> Floats:
        found: Floats = np.bincount(at, weights=values, minlength=len(days))[: len(days)]
        return found

    parts = (pnl, np.ones(len(pnl)), pnl > 0, np.maximum(pnl, 0), np.maximum(-pnl, 0), fees)
    return Days(days, returns, *(summed(np.asarray(part, dtype=np.float64)) for part in parts))


def daily_returns(times_us: Ints, equity: Floats) -> tuple[Ints, Floats]:
    """The days (since 1970) of an equity by its times (microseconds), and what was made on each from the end of the
    one before; NaN where there was nothing left."""
    # What is known at midnight is the end of the day before.
    day = (times_us - 1) // DAY_US
    last = np.append(np.flatnonzero(np.diff(day)), len(day) - 1) if len(day) else day
    last = last[last > 0]
    ends = equity[last]
    before = np.append(equity[:1], ends[:-1]) if len(ends) else ends
    with np.errstate(divide="ignore", invalid="ignore"):
        return day[last], np.where(before > 0, ends / before - 1, np.nan)


def differences(other: Days, base: Days) -> tuple[dict[str, Difference], int]:
    """By how much each of `FIGURES` of `other` is above that of `base`, with 95 % intervals from `LEAST_DAYS` days on,
    over the days that both have; and how many those are."""
    both = np.intersect1d(base.day, other.day)
    a, b = base.at(np.searchsorted(base.day, both)), other.at(np.searchsorted(other.day, both))
    if not len(both):
        return {name: Difference(None) for name in FIGURES}, 0
    values = {name: _single(figure(b) - figure(a)) for name, figure in FIGURES.items()}
    if len(both) < LEAST_DAYS:
        return {name: Difference(value) for name, value in values.items()}, len(both)
    drawn = draw(len(both), DRAWS)
    drawn_a, drawn_b = a.at(drawn), b.at(drawn)
    found = {}
    for name, figure in FIGURES.items():
        moved = figure(drawn_b) - figure(drawn_a)
        defined = moved[np.isfinite(moved)]
        value = values[name]
        if value is None or len(defined) < (1 - _MOST_UNDEFINED) * len(moved):
            found[name] = Difference(value)
        else:
            found[name] = _interval(value, defined, len(both))
    return found, len(both)


def _interval(value: float, drawn: Floats, days: int) -> Difference:
    """The middle 95 % of the draws, each end as much further from the value as few stretches ask for."""
    stretches = days / block_days(days)
    wider = student(0.975, stretches - 1) / NormalDist().inv_cdf(0.975) * np.sqrt(stretches / (stretches - 1))
    low, high = value + (np.quantile(drawn, [0.025, 0.975]) - value) * wider
    return Difference(value, float(low), float(high))


def block_days(days: int) -> int:
    """How long a stretch is on average: the cube root of the days, at the least one."""
    return max(1, int(np.rint(np.cbrt(days))))


def draw(days: int, draws: int) -> Ints:
    """Orders of `days` days, a row a draw: stretches of consecutive days, the first follows the last."""
    generator = np.random.default_rng(_SEED)
    begins = generator.random((draws, days)) < 1 / block_days(days)
    begins[:, 0] = True
    place = np.arange(days)
    since = np.maximum.accumulate(np.where(begins, place, 0), axis=1)
    starts = np.take_along_axis(generator.integers(0, days, (draws, days)), since, axis=1)
    found: Ints = (starts + place - since) % days
    return found


def _divided(above: Floats, below: Floats) -> Floats:
    """The quotient, NaN where it is not defined."""
    below = np.asarray(below, dtype=np.float64)
    found: Floats = np.divide(above, below, out=np.full(below.shape, np.nan), where=below > 1e-15)
    return found


def _single(value: Floats) -> float | None:
    return float(value) if np.isfinite(value) else None
