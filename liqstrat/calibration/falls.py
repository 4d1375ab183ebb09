"""The leverage mix from how open interest falls when price runs through levels, where no liquidations are recorded.

    -ΔOI = opening + closing * volume + hit * (reached @ mix) + noise

by intervals, all as shares of open interest, noise in proportion to volume. Weaker than recorded liquidations: a
liquidated contract lowers open interest only where somebody closes against it, stops fire before liquidations at the
same moves, and volatile minutes open positions as well. The prior of the mix is the same, and the intervals are wide.
"""

from collections.abc import Sequence

import numpy as np

from liqstrat.calibration.evidence import History
from liqstrat.calibration.maximum import curvature, maximum
from liqstrat.calibration.mix import MixFit, drawn
from liqstrat.calibration.posterior import mix_of, prior_precision
from liqstrat.liquidation.band import share_error
from liqstrat.liquidation.book import LiquidationBook
from liqstrat.liquidation.brackets import BracketTable
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.liquidation.settings import ModelSettings

#: Prior of `hit`, the fall of open interest per contract reached: median, and standard deviation of its logarithm.
_HIT, _HIT_SPREAD = 0.1, 1.0
#: Intervals are correlated over hours: each counts as this part of one.
_LEAST = 4.0
_HALF_DAY = 144


class FallPosterior:
    """Posterior of the logarithms of shares by tier and of `hit`; the linear part is solved for exactly."""

    def __init__(self, falls: Floats, volume: Floats, reached: Floats, tiers: Ints, centre: Floats) -> None:
        self.tiers, self.centre = tiers, centre
        self._precision = prior_precision(tiers)
        weight = 1 / np.maximum(volume, np.median(volume) / 10)
        basis, _ = np.linalg.qr(np.column_stack([weight, volume * weight]))
        self._falls = _without(basis, falls * weight)
        self._reached = _without(basis, reached * weight[:, np.newaxis])
        self.noise = self.total = float(self._falls.var())
        self.overdispersion = _LEAST

    def start(self) -> Floats:
        """The centre of the prior."""
        return np.append(np.log(self.centre), np.log(_HIT))

    def residuals(self, parameters: Floats) -> Floats:
        """Of each interval, in units of its volume."""
        left: Floats = self._falls - np.exp(parameters[-1]) * (self._reached @ mix_of(parameters[:-1]))
        return left

    def scores(self, parameters: Floats) -> Floats:
        """Gradient of the log-likelihood of each interval, `[interval, parameter]`."""
        mix, hit = mix_of(parameters[:-1]), float(np.exp(parameters[-1]))
        pull = self.residuals(parameters) / self.noise
        fitted = self._reached @ mix
        toward = mix * (self._reached - fitted[:, np.newaxis])
        return pull[:, np.newaxis] * hit * np.column_stack([toward, fitted])

    def value(self, parameters: Floats) -> float:
        """The logarithm of the posterior, in nats."""
        away = parameters[:-1] - np.log(self.centre)
        squares = float((self.residuals(parameters) ** 2).sum()) / self.noise / self.overdispersion
        off = (parameters[-1] - np.log(_HIT)) / _HIT_SPREAD
        return float(-(squares + away @ self._precision @ away + off**2) / 2)

    def gradient(self, parameters: Floats) -> Floats:
        """Of `value`."""
        found = self.scores(parameters).sum(axis=0) / self.overdispersion
        found[:-1] -= self._precision @ (parameters[:-1] - np.log(self.centre))
        found[-1] -= (parameters[-1] - np.log(_HIT)) / _HIT_SPREAD**2
        return found


def fit_falls(
    history: History, symbol: str, brackets: Sequence[BracketTable], settings: ModelSettings, since_ns: int
) -> MixFit:
    """Fit the mix to falls of open interest in the intervals that end after `since_ns`."""
    falls, volume, reached = _intervals(history, symbol, brackets, settings, since_ns)
    tiers = np.array(sorted(settings.leverage))
    centre = np.array([settings.leverage[int(tier)] for tier in tiers])
    centre = centre / centre.sum()
    posterior = FallPosterior(falls, volume, reached, tiers, centre)
    point = maximum(posterior.value, posterior.gradient, posterior.start())
    posterior.noise = float(posterior.residuals(point).var())
    scores = posterior.scores(point)
    blocks = np.add.reduceat(scores, np.arange(0, len(scores), _HALF_DAY))
    single = float((scores**2).sum())
    posterior.overdispersion = max(float((blocks**2).sum()) / single if single > 0 else 1.0, _LEAST)
    point = maximum(posterior.value, posterior.gradient, point)
    spread = np.linalg.pinv(curvature(posterior.gradient, point, np.arange(len(point))), hermitian=True)[:-1, :-1]
    return MixFit(
        tiers=tiers,
        shares=mix_of(point[:-1]),
        draws=drawn(point[:-1], spread),
        allowing=drawn(point[:-1], spread + share_error(tiers)),
        level=float(np.exp(point[-1])),
        overdispersion=posterior.overdispersion,
        explained=float(1 - posterior.residuals(point).var() / posterior.total),
    )


def _intervals(
    history: History, symbol: str, brackets: Sequence[BracketTable], settings: ModelSettings, since_ns: int
) -> tuple[Floats, Floats, Floats]:
    """Fall, volume and `reached[interval, tier]` per unit of share, as shares of open interest."""
    book = LiquidationBook(settings, symbol, brackets)
    shares = np.array([settings.leverage[int(tier)] for tier in book.tiers])
    shares = shares / shares.sum()
    falls, volumes, rows = [], [], []
    before = None
    for flow, open_interest in history:
        consumed = book.step(flow, open_interest)
        if before is not None and flow.end_ns > since_ns and flow.volume > 0:
            falls.append((before - open_interest) / before)
            volumes.append(flow.volume / before)
            rows.append((consumed.longs.sum(axis=1) + consumed.shorts.sum(axis=1)) / shares / before)
        before = open_interest
    return np.array(falls), np.array(volumes), np.array(rows)


def _without(basis: Floats, values: Floats) -> Floats:
    left: Floats = values - basis @ (basis.T @ values)
    return left
