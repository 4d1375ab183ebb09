"""The leverage mix that recorded liquidations speak for, with what remains uncertain."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from liqstrat.calibration.evidence import Evidence, History, gather
from liqstrat.calibration.maximum import curvature, maximum
from liqstrat.calibration.posterior import Level, Posterior, mix_of
from liqstrat.calibration.sizes import SizeClass
from liqstrat.liquidation.band import share_error
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.liquidation.liquidations import Liquidations
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.progress import SILENT, Progress

#: The book depends on its mix a little, so evidence is gathered with the new mix and fitted again.
_ROUNDS = 2
#: Starts besides the settings: their mix, tilted by this power of leverage, towards lower and towards higher.
_TILTS = (-0.5, 0.5)
#: Overdispersion is never taken to be less than this.
_LEAST = 4.0
#: Directions of the mix of which the data say less than this, in units of the best known one, tell nothing of it.
_TOLD = 0.01
_SMALLEST_SHARE = 1e-3
#: What a book's holders, who close by other laws than real ones, add to the error of logarithms of shares, see
#: `share_error`: as little as has 95 % intervals hold on markets of two mechanisms, thinned records among them
#: (`tests/benchmarks/calibrations.py`, seeds 51 to 66).
_BOOK_TILT, _BOOK_ALONE = 0.4, 0.15
#: Shares are drawn this often for their intervals.
_DRAWS, _SEED = 4000, 1
_WEEK = 7


@dataclass(frozen=True, eq=False)
class MixFit:
    """Effective shares by tier: those with which a book liquidates where the market did.

    `draws[draw, tier]` are of the normal approximation in logarithms of shares, with days as the unit (the sandwich of
    Huber 1967); `allowing` are wider by what the book itself gets wrong. `apart` is the largest distance between fits
    that started elsewhere: half the sum of what their shares differ by. `level` is the share of reached contracts that
    is recorded as liquidated, `explained` that of liquidations which stand where the book has something.
    """

    tiers: Ints
    shares: Floats
    draws: Floats
    allowing: Floats
    level: float
    overdispersion: float
    explained: float
    apart: float = 0.0


def starting_mix(settings: ModelSettings) -> tuple[Ints, Floats]:
    """Tiers and shares (sum one) of the settings."""
    tiers = np.array(sorted(settings.leverage), dtype=np.int64)
    shares = np.array([settings.leverage[int(tier)] for tier in tiers])
    return tiers, shares / shares.sum()


def with_mix(settings: ModelSettings, tiers: Ints, shares: Floats) -> ModelSettings:
    """The settings with another mix, in which no tier is empty."""
    floored = np.maximum(shares, _SMALLEST_SHARE)
    return replace(settings, leverage=dict(zip(tiers.tolist(), (floored / floored.sum()).tolist(), strict=True)))


def fit_mix(
    history: History,
    liquidations: Liquidations,
    classes: Sequence[SizeClass],
    settings: ModelSettings,
    level: Level,
    since_ns: int,
    progress: Progress = SILENT,
) -> tuple[MixFit, Evidence]:
    """Fit the mix, from the one of `settings` and from two beside it, each shrunk to its own; also the evidence of a
    book with the mix that was found, which is the first one's."""
    tiers, centre = starting_mix(settings)
    starts = [centre, *(mix_of(np.log(centre) + tilt * np.log(tiers)) for tilt in _TILTS)]
    fits = []
    with progress.task("leverage mix", total=len(starts) * _ROUNDS + 1, unit="books") as done:
        for start in starts:
            current = with_mix(settings, tiers, start)
            for _ in range(_ROUNDS):
                evidence = gather(history, liquidations, classes, current, since_ns)
                fit = fit_to(evidence, tiers, start, level)
                current = with_mix(settings, tiers, fit.shares)
                done(1)
            fits.append(fit)
        found = _together(fits)
        evidence = gather(history, liquidations, classes, with_mix(settings, tiers, found.shares), since_ns)
        done(1)
    last = _together([fit_to(evidence, tiers, start, level) for start in starts])
    return replace(last, apart=max(found.apart, last.apart)), evidence


def fit_to(evidence: Evidence, tiers: Ints, centre: Floats, level: Level) -> MixFit:
    """The mix for evidence as it is."""
    posterior = Posterior(evidence, tiers, centre, level, _LEAST)
    point = maximum(posterior.value, posterior.gradient, posterior.start())
    posterior.overdispersion = max(overdispersion(posterior, point), _LEAST)
    point = maximum(posterior.value, posterior.gradient, point)
    logs, spread = point[: len(tiers)], _sandwich(posterior, point)[: len(tiers), : len(tiers)]
    return MixFit(
        tiers=tiers,
        shares=mix_of(logs),
        draws=drawn(logs, spread),
        allowing=drawn(logs, spread + share_error(tiers, _BOOK_TILT, _BOOK_ALONE)),
        level=posterior.level_of(point),
        overdispersion=posterior.overdispersion,
        explained=posterior.explained(point),
    )


def drawn(logs: Floats, covariance: Floats) -> Floats:
    """Mixes from a normal law of the logarithms of shares, the same ones each time."""
    sizes, axes = np.linalg.eigh(covariance)
    normal = np.random.default_rng(_SEED).standard_normal((_DRAWS, len(logs)))
    around = logs + (normal * np.sqrt(np.maximum(sizes, 0.0))) @ axes.T
    shares = np.exp(around - around.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def overdispersion(posterior: Posterior, point: Floats) -> float:
    """How many times more the scores of days vary than they would if hours were independent: the trace of the
    sandwich's filling over that of the information, in directions of the mix that the data tell of."""
    tiers = len(posterior.tiers)
    information = curvature(posterior.slope, point, np.arange(tiers))
    sizes, axes = np.linalg.eigh(information)
    told = sizes > max(_TOLD * sizes[-1], 1e-9)
    varied = ((_by_day(posterior, point)[:, :tiers] @ axes) ** 2).sum(axis=0)
    return float(varied[told].sum() / sizes[told].sum()) if told.any() else 1.0


def _by_day(posterior: Posterior, point: Floats) -> Floats:
    """The score of each day; of each half day where there is less than a week."""
    scores: Floats = posterior.scores(point).sum(axis=0)
    starts = np.flatnonzero(np.diff(posterior.days, prepend=posterior.days[0] - 1))
    if len(starts) < _WEEK:
        starts = np.arange(0, len(scores), 12)
    return np.add.reduceat(scores, starts)


def _sandwich(posterior: Posterior, point: Floats) -> Floats:
    """Covariance of the parameters where days, not liquidations, are drawn; the prior is as uncertain as it says."""
    every, scale = np.arange(len(point)), posterior.overdispersion
    bread = np.linalg.pinv(curvature(posterior.gradient, point, every), hermitian=True)
    whole, alone = (curvature(slope, point, every) for slope in (posterior.gradient, posterior.slope))
    days = _by_day(posterior, point)
    few = len(days) / max(len(days) - 1, 1)
    filling = few * (days - days.mean(axis=0)).T @ (days - days.mean(axis=0)) / scale**2 + (whole - alone / scale)
    found: Floats = bread @ filling @ bread
    # One or two say nothing of how they differ.
    return found if len(days) > 2 else bread


def _together(fits: Sequence[MixFit]) -> MixFit:
    """The first of fits from several starts, as uncertain as all of them."""
    first = fits[0]
    apart = max(float(np.abs(fit.shares - first.shares).sum()) / 2 for fit in fits)
    draws, allowing = (np.concatenate([getattr(fit, name) for fit in fits]) for name in ("draws", "allowing"))
    return replace(first, draws=draws, allowing=allowing, apart=apart)
