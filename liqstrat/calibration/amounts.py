"""The leverage mix from liquidated amounts by side and interval, where no prices are recorded.

The outcome of an interval is what its path newly ran through: the contracts that stood in price's way, step by step, by
the book as it was known before each step. As logarithms of shares of open interest,

    amount = level[side] * (reached @ mix) ** power * noise

`power` allows for a thinned record: of many liquidations a second, one is told. It is held near one where the record is
complete. `level` is what part of the reached is recorded as liquidated; where amounts are of several venues and the map
of one, or nobody knows how complete they are, next to nothing is taken to be known of it.

Who liquidates how far away is told by size alone, so intervals are wide, and the likelihood of the fit recommends
nothing: that does what the fitted maps add, in weeks left out of the fit, to the baseline of `scoring.amounts`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from liqstrat.calibration.evidence import History
from liqstrat.calibration.maximum import curvature, maximum
from liqstrat.calibration.mix import MixFit, drawn
from liqstrat.calibration.posterior import Level, mix_of, prior_precision
from liqstrat.liquidation.band import share_error
from liqstrat.liquidation.book import LiquidationBook
from liqstrat.liquidation.brackets import BracketTable
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.scoring.amounts.way import Way

#: How much of what was reached is recorded, and whether more at once is told of in proportion: see the module.
COMPLETE, THINNED, UNKNOWN = Level(0.3, 0.5, 0.03), Level(0.05, 1.0, 0.3), Level(0.1, 2.0, 0.3)
#: Added to what was reached, as a share of open interest in units of 1e-5: something is liquidated everywhere.
_STRAY = 0.1
#: Intervals are correlated over hours: each counts as this part of one.
_LEAST = 4.0


@dataclass(frozen=True, eq=False)
class Seen:
    """Intervals of both sides, one entry each, in order of time: what was liquidated (`strength`), what was reached had
    all been opened at one leverage (`[interval, tier]`, shares of open interest in units of 1e-5), the side (0 long),
    and the week, in which intervals are of one mood."""

    outcome: Floats
    reached: Floats
    side: Ints
    week: Ints

    def without(self, weeks: Ints) -> "Seen":
        """Less some weeks."""
        kept = ~np.isin(self.week, weeks)
        return Seen(self.outcome[kept], self.reached[kept], self.side[kept], self.week[kept])


def way_by_tier(history: History, settings: ModelSettings, symbol: str, loaded: Sequence[BracketTable]) -> Way:
    """What a book would have seen reached step by step, had all been opened at one leverage; by the tier's number."""
    book = LiquidationBook(settings, symbol, loaded)
    shares = np.array([settings.leverage[int(tier)] for tier in book.tiers])
    shares /= shares.sum()
    rows = np.empty((len(history), 2, len(shares)))
    for i, (flow, open_interest) in enumerate(history):
        taken = book.step(flow, open_interest)
        rows[i] = taken.longs.sum(axis=1) / shares, taken.shorts.sum(axis=1) / shares
    ends = np.array([flow.end_ns // 1000 for flow, _ in history], dtype=np.int64)
    interest = np.array([contracts for _, contracts in history])
    return Way(ends, interest, {str(tier): rows[:, :, i] for i, tier in enumerate(book.tiers.tolist())})


class AmountsPosterior:
    """Posterior of the logarithms of shares by tier, of the level of each side, and of `power`."""

    def __init__(self, seen: Seen, tiers: Ints, centre: Floats, level: Level) -> None:
        self.tiers, self.centre, self.level = tiers, centre, level
        self._seen = seen
        self._precision = prior_precision(tiers)
        self.noise = float(seen.outcome.var())
        self.overdispersion = _LEAST

    def start(self) -> Floats:
        """The centre of the prior."""
        return np.concatenate([np.log(self.centre), np.full(2, np.log(self.level.median)), [0.0]])

    def residuals(self, parameters: Floats) -> Floats:
        """Of each interval."""
        left: Floats = self._seen.outcome - np.log1p(self._expected(parameters)[0])
        return left

    def scores(self, parameters: Floats) -> Floats:
        """Gradient of the log-likelihood of each interval, `[interval, parameter]`."""
        expected, total = self._expected(parameters)
        mix, power = mix_of(parameters[:-3]), float(np.exp(parameters[-1]))
        toward = power * mix * (self._seen.reached - (total - _STRAY)[:, np.newaxis]) / total[:, np.newaxis]
        sides = np.stack([self._seen.side == 0, self._seen.side == 1], axis=1)
        slopes = np.column_stack([toward, sides, power * np.log(total)])
        pull = self.residuals(parameters) / self.noise * expected / (1 + expected)
        return np.asarray(pull[:, np.newaxis] * slopes)

    def value(self, parameters: Floats) -> float:
        """The logarithm of the posterior, in nats."""
        squares = float((self.residuals(parameters) ** 2).sum()) / self.noise / self.overdispersion
        away = parameters[:-3] - np.log(self.centre)
        off = (parameters[-3:-1] - np.log(self.level.median)) / self.level.spread
        bent = parameters[-1] / self.level.power
        return float(-(squares + away @ self._precision @ away + off @ off + bent**2) / 2)

    def gradient(self, parameters: Floats) -> Floats:
        """Of `value`."""
        found: Floats = self.scores(parameters).sum(axis=0) / self.overdispersion
        found[:-3] -= self._precision @ (parameters[:-3] - np.log(self.centre))
        found[-3:-1] -= (parameters[-3:-1] - np.log(self.level.median)) / self.level.spread**2
        found[-1] -= parameters[-1] / self.level.power**2
        return found

    def _expected(self, parameters: Floats) -> tuple[Floats, Floats]:
        """What is expected of each interval, and what was reached, with what strays."""
        total = self._seen.reached @ mix_of(parameters[:-3]) + _STRAY
        level = np.exp(parameters[-3:-1])[self._seen.side]
        return level * total ** np.exp(parameters[-1]), total


def fit_seen(seen: Seen, tiers: Ints, centre: Floats, level: Level) -> MixFit:
    """The mix that amounts speak for, with weeks as the unit of what is uncertain."""
    posterior = AmountsPosterior(seen, tiers, centre, level)
    point = maximum(posterior.value, posterior.gradient, posterior.start())
    posterior.noise = float(posterior.residuals(point).var())
    scores = posterior.scores(point)
    weeks = np.unique(seen.week, return_inverse=True)[1]
    by_week = np.stack([np.bincount(weeks, column) for column in scores.T], axis=1)
    single = float((scores**2).sum())
    posterior.overdispersion = max(float((by_week**2).sum()) / single if single > 0 else 1.0, _LEAST)
    point = maximum(posterior.value, posterior.gradient, point)
    spread = np.linalg.pinv(curvature(posterior.gradient, point, np.arange(len(point))), hermitian=True)[:-3, :-3]
    return MixFit(
        tiers=tiers,
        shares=mix_of(point[:-3]),
        draws=drawn(point[:-3], spread),
        allowing=drawn(point[:-3], spread + share_error(tiers)),
        level=float(np.exp(point[-3:-1]).mean()),
        overdispersion=posterior.overdispersion,
        explained=float(1 - posterior.residuals(point).var() / seen.outcome.var()),
    )
