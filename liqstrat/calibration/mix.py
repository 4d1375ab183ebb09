"""The leverage mix that recorded liquidations speak for, with what remains uncertain."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from liqstrat.calibration.evidence import Evidence, History, gather
from liqstrat.calibration.maximum import curvature, maximum
from liqstrat.calibration.posterior import Level, Posterior, mix_of
from liqstrat.calibration.sizes import SizeClass
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.liquidation.liquidations import Liquidations
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.progress import SILENT, Progress

#: The book depends on its mix a little, so evidence is gathered with the new mix and fitted again.
_ROUNDS = 3
#: Overdispersion is measured over blocks of so many hours, and never taken to be less than this.
_HOURS, _LEAST = 12, 4.0
#: Directions of the mix of which the data say less than this, in units of the best known one, tell nothing of it.
_TOLD = 0.01
_SMALLEST_SHARE = 1e-3
#: Shares are drawn this often for their intervals.
_DRAWS, _SEED = 4000, 1


@dataclass(frozen=True, eq=False)
class MixFit:
    """Shares by tier at the posterior's mode, and draws from around it.

    `draws[draw, tier]` are of the normal approximation in logarithms of shares, divided by the overdispersion.
    `level` is the share of reached contracts that is recorded as liquidated, `explained` that of liquidations which
    stand where the book has something.
    """

    tiers: Ints
    shares: Floats
    draws: Floats
    level: float
    overdispersion: float
    explained: float


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
) -> tuple[MixFit, Evidence, Evidence]:
    """Fit the mix, starting from and shrunk to the one of `settings`; also the evidence of the first round, with
    the mix of `settings`, and of the last."""
    tiers, centre = starting_mix(settings)
    current, first = settings, None
    with progress.task("leverage mix", total=_ROUNDS, unit="rounds") as done:
        for _ in range(_ROUNDS):
            evidence = gather(history, liquidations, classes, current, since_ns)
            first = first or evidence
            fit = fit_to(evidence, tiers, centre, level)
            current = with_mix(settings, tiers, fit.shares)
            done(1)
    assert first is not None
    return fit, first, evidence


def fit_to(evidence: Evidence, tiers: Ints, centre: Floats, level: Level) -> MixFit:
    """The mix for evidence as it is."""
    posterior = Posterior(evidence, tiers, centre, level, _LEAST)
    point = maximum(posterior.value, posterior.gradient, posterior.start())
    posterior.overdispersion = max(overdispersion(posterior, point), _LEAST)
    point = maximum(posterior.value, posterior.gradient, point)
    every = np.arange(len(point))
    spread = np.linalg.pinv(curvature(posterior.gradient, point, every), hermitian=True)[: len(tiers), : len(tiers)]
    return MixFit(
        tiers=tiers,
        shares=mix_of(point[: len(tiers)]),
        draws=drawn(point[: len(tiers)], spread),
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
    """How many times more the scores of half days vary than they would if hours were independent: the trace of the
    sandwich over that of the information, in directions of the mix that the data tell of."""
    tiers = len(posterior.tiers)
    scores = posterior.scores(point)[..., :tiers].sum(axis=0)
    blocks = np.add.reduceat(scores, np.arange(0, len(scores), _HOURS))
    information = curvature(posterior.slope, point, np.arange(tiers))
    sizes, axes = np.linalg.eigh(information)
    told = sizes > max(_TOLD * sizes[-1], 1e-9)
    varied = ((blocks @ axes) ** 2).sum(axis=0)
    return float(varied[told].sum() / sizes[told].sum()) if told.any() else 1.0
