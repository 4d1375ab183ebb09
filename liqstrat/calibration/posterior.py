"""How likely recorded liquidations are under a leverage mix, and what the mix may be besides.

Within an hour and side, liquidations are a Poisson process whose intensity at a price bin is

    chance * scale[class] * (at @ mix + guessed_at @ guess + stray) * total ** (power - 1)

`total` is the sum of the same over the hour, without `chance` and that factor: a record is thinned (one liquidation a
second), so what is expected of it grows with what happens by a `power`, below one where it is. `chance` is drawn anew
each hour and side from a gamma law of mean one: stops, haste and moods come in waves, and the liquidations of an hour
are not independent. Integrated over it, the count of an hour is negative binomial, so an hour with a thousand
liquidations does not count a thousand times. What is left of dependence (over hours, by where positions really were
opened) divides the log-likelihood by `overdispersion`. `guess` weighs what was open before history, and
what opened in the interval itself; `stray` is for liquidations where the book has nothing, and `scale` is free for each
size class.

That the chance of being liquidated once reached does not depend on leverage is an assumption. It holds in the
simulated markets used to choose the settings here (within 20 %), once size classes are kept apart.

`level` is that chance, all classes together, in contracts: what was liquidated over what was reached. If nearly all
liquidations are recorded, a level far below the usual one says that more is open at leverages that price did not
reach. The prior of the mix lets shares grow or fall smoothly with leverage, so what is said by the tiers that were
reached carries over to their neighbours.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from liqstrat.calibration.evidence import GUESSES, Evidence
from liqstrat.liquidation.grid import Floats, Ints

#: Shape of the gamma law: chances of an hour vary by half.
_SHAPE = 4.0
#: Standard deviations of the logarithm, in the prior: of `guess` around 1 and `stray` around its usual share.
_GUESS_SPREAD, _STRAY_SPREAD, _USUAL_STRAY = 0.7, 1.0, 0.05
#: The prior of the mix: standard deviations of the logarithm of shares, for a tilt over a factor of ten of leverage,
#: a smooth deviation and each tier by itself; neighbours are those within this distance in logarithm of leverage.
_TILT, _SMOOTH, _ALONE, _NEAR = 1.0, 0.4, 0.1, 0.6
#: Added to all tiers alike: only differences of logarithms mean anything.
_ANY = 100.0


@dataclass(frozen=True)
class Level:
    """What is known beforehand of the share of reached contracts that is recorded as liquidated: its median, and the
    standard deviation of its logarithm; and that of the logarithm of `power`, by which the record may be thinned."""

    median: float
    spread: float
    power: float


#: All liquidations are recorded (from 0.17 to 0.33 on the simulator, where alone that can be; elsewhere up to 0.58).
ALL_RECORDED = Level(0.23, 0.2, 0.03)
#: Nobody knows how many are recorded: at most one a second is published.
SOME_RECORDED = Level(0.15, 0.8, 0.3)


def mix_of(logs: Floats) -> Floats:
    """Shares that sum to one from logarithms of anything proportional to them."""
    shares: Floats = np.exp(logs - logs.max())
    return shares / shares.sum()


def prior_precision(tiers: Ints) -> Floats:
    """Inverse covariance of the logarithms of shares, around those of the centre."""
    logs = np.log(tiers / 10.0)
    tilt = logs / np.log(10.0)
    gaps = logs[:, np.newaxis] - logs
    covariance = (
        _TILT**2 * np.outer(tilt, tilt)
        + _SMOOTH**2 * np.exp(-((gaps / _NEAR) ** 2) / 2)
        + _ALONE**2 * np.eye(len(tiers))
        + _ANY
    )
    precision: Floats = np.linalg.inv(covariance)
    return precision


class Posterior:
    """Value and gradient of the logarithm of the posterior, of parameters in one array: logarithms of the shares by
    tier, of each `guess`, of `stray`, of `power` and of the scale of each class.

    `used[block]` chooses hours; the rest is not looked at.
    """

    def __init__(
        self,
        evidence: Evidence,
        tiers: Ints,
        centre: Floats,
        level: Level,
        overdispersion: float = 1.0,
        used: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        self.tiers, self.centre, self.level, self.overdispersion = tiers, centre, level, overdispersion
        self._precision = prior_precision(tiers)
        self.used = np.ones(evidence.bins.shape[1], dtype=np.bool_) if used is None else used
        self.days = evidence.days[self.used]
        rows = self.used[evidence.block]
        self._place = (evidence.side[rows], (np.cumsum(self.used) - 1)[evidence.block[rows]])
        self._class, self._at, self._guessed_at = (
            evidence.size_class[rows],
            evidence.at[rows],
            evidence.guessed_at[rows],
        )
        self._reached, self._guessed = evidence.reached[:, self.used], evidence.guessed[:, self.used]
        self._bins = evidence.bins[:, self.used, np.newaxis]
        self._classes = self._reached.shape[2]
        self._counts = np.zeros(self._bins.shape[:2])
        np.add.at(self._counts, self._place, 1.0)
        self._by_class = np.bincount(self._class, minlength=self._classes).astype(np.float64)
        amounts = np.bincount(self._class, evidence.contracts[rows], minlength=self._classes)
        self._mean_size = amounts / np.maximum(self._by_class, 1.0)
        seen = float((self._reached @ centre).sum()) / self._classes
        self._usual_stray = float(np.log(_USUAL_STRAY * max(seen, 1e-9) / max(self._bins.sum(), 1.0)))

    @property
    def liquidations(self) -> int:
        """How many are looked at."""
        return len(self._class)

    def start(self) -> Floats:
        """Parameters to begin with: the centre, and scales that give as many liquidations as there were."""
        total = (self._reached @ self.centre + self._guessed.sum(axis=3)).sum(axis=(0, 1))
        scales = np.log((self._by_class + 0.5) / np.maximum(total, 1e-9))
        return np.concatenate([np.log(self.centre), np.zeros(GUESSES), [self._usual_stray, 0.0], scales])

    def _split(self, parameters: Floats) -> tuple[Floats, Floats, float, float, Floats]:
        tiers = len(self.tiers)
        after = tiers + GUESSES
        guess, (stray, power) = np.exp(parameters[tiers:after]), np.exp(parameters[after : after + 2]).tolist()
        return mix_of(parameters[:tiers]), guess, stray, power, np.exp(parameters[after + 2 :])

    def level_of(self, parameters: Floats) -> float:
        """Share of reached contracts that is recorded as liquidated."""
        return float(self._split(parameters)[-1] @ self._mean_size)

    def explained(self, parameters: Floats) -> float:
        """Share of the liquidations that the book accounts for, the rest being strays."""
        mix, guess, stray, *_ = self._split(parameters)
        foreseen = self._at @ mix + self._guessed_at @ guess
        return float((foreseen / (foreseen + stray)).mean())

    def log_likelihood(self, parameters: Floats) -> Floats:
        """Of each side and hour, in nats, not divided by overdispersion; up to a constant of the data."""
        mix, guess, stray, power, scale = self._split(parameters)
        intensity = (self._at @ mix + self._guessed_at @ guess + stray) * scale[self._class]
        expected = (self._reached @ mix + self._guessed @ guess + stray * self._bins) @ scale
        logs = self._logs(expected)
        found = (power - 1) * self._counts * logs - (self._counts + _SHAPE) * np.log1p(np.exp(power * logs) / _SHAPE)
        np.add.at(found, self._place, np.log(intensity))
        return found

    def _logs(self, total: Floats) -> Floats:
        """Of what an hour is expected to have before it is thinned; where that is nothing, nothing is counted."""
        return np.log(np.maximum(total, 1e-12))

    def _pull(self, total: Floats, power: float) -> Floats:
        """Minus the slope of the log-likelihood in `total`, where `at` is taken for itself."""
        thinned = np.exp(power * self._logs(total))
        seen = (self._counts + _SHAPE) * thinned / (thinned + _SHAPE)
        return (power * seen + (1 - power) * self._counts) / np.maximum(total, 1e-12)

    def _power_slope(self, total: Floats, power: float) -> Floats:
        """Slope of the log-likelihood in the logarithm of `power`."""
        thinned = np.exp(power * self._logs(total))
        return power * self._logs(total) * (self._counts - (self._counts + _SHAPE) * thinned / (thinned + _SHAPE))

    def scores(self, parameters: Floats) -> Floats:
        """Gradient of `log_likelihood` in the parameters, `[side, hour, parameter]`."""
        mix, guess, stray, power, scale = self._split(parameters)
        tiers, free = len(mix), len(mix) + GUESSES + 1
        at = np.column_stack([self._at, guess * self._guessed_at, np.full(len(self._at), stray)])
        everywhere = np.repeat(self._bins, self._classes, axis=2)[..., np.newaxis]
        base = np.concatenate([self._reached, guess * self._guessed, stray * everywhere], axis=3)
        weights = np.concatenate([mix, np.ones(GUESSES + 1)])
        expected = base @ weights
        pull = self._pull(expected @ scale, power)[:, :, np.newaxis] * scale
        slopes = np.zeros((*self._counts.shape, free + 1 + self._classes))
        np.add.at(slopes[..., :free], self._place, at / (at @ weights)[:, np.newaxis])
        slopes[..., :free] -= np.einsum("sbc,sbct->sbt", pull, base)
        toward = slopes[..., :tiers]
        slopes[..., :tiers] = mix * (toward - (toward @ mix)[..., np.newaxis])
        slopes[..., free] = self._power_slope(expected @ scale, power)
        np.add.at(slopes, (*self._place, free + 1 + self._class), 1.0)
        slopes[..., free + 1 :] -= pull * expected
        return slopes

    def slope(self, parameters: Floats) -> Floats:
        """The sum of `scores`, in less time."""
        mix, guess, stray, power, scale = self._split(parameters)
        tiers, free = len(mix), len(mix) + GUESSES + 1
        weight = 1 / (self._at @ mix + self._guessed_at @ guess + stray)
        expected = self._reached @ mix + self._guessed @ guess + stray * self._bins
        pull = self._pull(expected @ scale, power)[:, :, np.newaxis] * scale
        toward = weight @ self._at - pull.ravel() @ self._reached.reshape(-1, tiers)
        found = np.empty(free + 1 + self._classes)
        found[:tiers] = mix * (toward - toward @ mix)
        guessed = self._guessed.reshape(-1, GUESSES)
        found[tiers : free - 1] = guess * (weight @ self._guessed_at - pull.ravel() @ guessed)
        found[free - 1] = stray * (weight.sum() - (pull * self._bins).sum())
        found[free] = self._power_slope(expected @ scale, power).sum()
        found[free + 1 :] = self._by_class - (pull * expected).sum(axis=(0, 1))
        return found

    def value(self, parameters: Floats) -> float:
        """The logarithm of the posterior, in nats."""
        tiers = len(self.tiers)
        away = parameters[:tiers] - np.log(self.centre)
        guess, (stray, power) = parameters[tiers : tiers + GUESSES], parameters[tiers + GUESSES : tiers + GUESSES + 2]
        level = np.log(self.level_of(parameters) / self.level.median) / self.level.spread
        penalty = (
            away @ self._precision @ away
            + ((guess / _GUESS_SPREAD) ** 2).sum()
            + ((stray - self._usual_stray) / _STRAY_SPREAD) ** 2
            + (power / self.level.power) ** 2
            + level**2
        )
        return float(self.log_likelihood(parameters).sum() / self.overdispersion - penalty / 2)

    def gradient(self, parameters: Floats) -> Floats:
        """Of `value`."""
        tiers = len(self.tiers)
        found = self.slope(parameters) / self.overdispersion
        found[:tiers] -= self._precision @ (parameters[:tiers] - np.log(self.centre))
        after = tiers + GUESSES
        found[tiers:after] -= parameters[tiers:after] / _GUESS_SPREAD**2
        found[after] -= (parameters[after] - self._usual_stray) / _STRAY_SPREAD**2
        found[after + 1] -= parameters[after + 1] / self.level.power**2
        amounts = np.exp(parameters[after + 2 :]) * self._mean_size
        off = np.log(amounts.sum() / self.level.median) / self.level.spread**2
        found[after + 2 :] -= off * amounts / amounts.sum()
        return found
