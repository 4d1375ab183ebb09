"""Intervals over whole days, see the package."""

from dataclasses import dataclass
from functools import lru_cache
from math import gamma, pi, sqrt
from statistics import NormalDist

import numpy as np

from liqstrat.liquidation.grid import Floats

#: With fewer days there is no interval.
LEAST_DAYS = 7
#: How often days are drawn anew; of very many days less often, for it takes long and is needed less.
_DRAWS, _FEWEST_DRAWS, _NUMBERS = 9_999, 999, 2_000_000
_SEED = 1
_ROUNDING = 1e-9
#: What the bootstrap asks for at most, over Student's: of a few days it now and then draws nearly the same one only.
_MOST_SKEWED = 1.6


@dataclass(frozen=True)
class Estimate:
    """A figure, its interval and standard error; None where it is not defined or no interval can be given."""

    value: float | None
    low: float | None = None
    high: float | None = None
    error: float | None = None

    @property
    def above_zero(self) -> bool:
        """Whether all of the interval is, by more than rounding."""
        return self.low is not None and self.low > _ROUNDING


def days_left_out(days: int) -> Floats:
    """How often each day counts: a row of ones (the days as they were), then a row without each day."""
    return np.concatenate([np.ones((1, days)), 1 - np.eye(days)])


def estimate(
    figures: Floats, amounts: Floats, level: float = 0.95, within: tuple[float, float] = (-np.inf, np.inf)
) -> Estimate:
    """The figure in `figures[0]`, with an interval from the same without each day, `figures[1:]`.

    amounts: contracts by day, as which the days weigh; those without any say nothing. within: the least and greatest
    value that the figure can have.

    The interval is the wider one, on each side, of two. *Student's* with the jackknife's standard error, which a
    dominant day cannot hide in (it is HC3 of MacKinnon and White 1985 where the figure is a ratio of sums), and with
    Satterthwaite's degrees of freedom for days of these weights (Bell and McCaffrey 2002), near one where a day is
    nearly all. And the *studentized bootstrap* over days (Davison and Hinkley 1997, section 5.2), which follows skew,
    its tails expanded for few days (Hesterberg 2015) and capped. A figure that is no ratio of sums is taken for the one
    that moves like it when days are left out.
    """
    value = float(figures[0]) if np.isfinite(figures[0]) else None
    some = amounts > 0
    days, without = int(some.sum()), figures[1:][some]
    if value is None or days < LEAST_DAYS or not np.isfinite(without).all():
        return Estimate(value)
    share = amounts[some] / amounts[some].sum()
    moves = (1 - share) * (value - without)
    moves -= share * moves.sum()
    error = float(np.sqrt(((moves / (1 - share)) ** 2).sum()))
    if not error > _ROUNDING * abs(value):
        return Estimate(value, value, value, 0.0)
    beyond = (1 - level) / 2
    usual = student(1 - beyond, _freedom(share))
    lowest, highest = _drawn_quantiles(share, moves, beyond)
    most = _MOST_SKEWED * usual
    low = value - float(np.clip(highest, usual, most)) * error
    high = value + float(np.clip(-lowest, usual, most)) * error
    return Estimate(value, max(low, within[0]), min(high, within[1]), error)


def _drawn_quantiles(share: Floats, moves: Floats, beyond: float) -> tuple[float, float]:
    """Of the studentized figure when days are drawn with replacement."""
    days = len(share)
    counts = _draws(days)
    total = counts @ share
    found = counts @ moves / total
    left = moves - found[:, np.newaxis] * share
    alone = np.maximum(1 - share / total[:, np.newaxis], 1e-12)
    error = np.sqrt((counts * (left / alone) ** 2).sum(axis=1)) / total
    some = error > 1e-9 * error.max()
    tail = NormalDist().cdf(-student(1 - beyond, days - 1) * sqrt(days / (days - 1)))
    lowest, highest = np.quantile(found[some] / error[some], [tail, 1 - tail]).tolist()
    return lowest, highest


@lru_cache(maxsize=8)
def _draws(days: int) -> Floats:
    """How often each day is drawn, `[draw, day]`."""
    size = int(np.clip(_NUMBERS // days, _FEWEST_DRAWS, _DRAWS))
    drawn = np.random.default_rng(_SEED).multinomial(days, np.full(days, 1 / days), size=size)
    return drawn.astype(np.float64)


def _freedom(share: Floats) -> float:
    """Satterthwaite's degrees of freedom of the squared standard error, were days alike but for their weights.

    That is `trace(A)**2 / trace(A @ A)` of `A = (I - p 1') D (I - 1 p')`, with shares `p` and leverage `D`.
    """
    leverage = (share / (1 - share)) ** 2
    sides = np.column_stack([share, leverage])
    core = np.array([[leverage.sum(), -1.0], [-1.0, 0.0]])
    crossed = (sides @ core * sides).sum(axis=1)
    inner = sides.T @ sides @ core
    trace = leverage.sum() + crossed.sum()
    square = (leverage**2).sum() + 2 * leverage @ crossed + np.trace(inner @ inner)
    return float(max(trace**2 / square, 1.0))


@lru_cache(maxsize=1024)
def student(probability: float, freedom: float) -> float:
    """Quantile (above a half) of Student's t with one degree of freedom or more, by the integral of its density."""
    if freedom > 300:
        return NormalDist().inv_cdf(probability)
    angle = np.linspace(0, pi / 2, 20_001)
    density = np.cos(angle) ** (freedom - 1)
    whole = sqrt(pi) / 2 * gamma(freedom / 2) / gamma((freedom + 1) / 2)
    along = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)]) * angle[1] / whole
    return float(sqrt(freedom) * np.tan(np.interp(2 * probability - 1, along, angle)))
