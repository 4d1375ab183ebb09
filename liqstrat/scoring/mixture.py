"""Weights of a mixture of models, fitted to where contracts were really liquidated."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from liqstrat.errors import LiqstratError
from liqstrat.liquidation.ensemble import Ensemble
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.liquidation.kinds import new_model
from liqstrat.liquidation.model import LiquidationModel
from liqstrat.liquidation.settings import Kind, ModelSettings
from liqstrat.market.store import Store
from liqstrat.market.width import with_bin_width
from liqstrat.progress import SILENT, Progress
from liqstrat.scoring import figures
from liqstrat.scoring.evidence import gather_models, require_liquidations
from liqstrat.scoring.intervals import Estimate, days_left_out, estimate
from liqstrat.scoring.reached import Bools, Reached

#: The first part of the days, which the weights that are judged are fitted on.
_TRAINING = 2 / 3
_ROUNDS = 500
_LEAST_DAYS = 3
#: A weight below this is none.
_SMALLEST = 0.005


@dataclass(frozen=True)
class Mixture:
    """Fitted weights of the kinds, which sum to one, and what they are worth.

    `over_best` are bits per liquidated contract that a mixture fitted to the first days gains on the later ones over
    `best`, the single model that was the best on the first; `days` are those it was judged on. `settings` are those
    recommended: the mixture where the interval of its gain lies above zero, else the best model alone.
    """

    weights: Mapping[Kind, float]
    best: Kind
    over_best: Estimate
    days: int
    settings: ModelSettings

    @property
    def better(self) -> bool:
        """Whether mixing is better than the best model alone, beyond chance."""
        return self.over_best.low is not None and self.over_best.low > 0


def fit_mixture(
    store: Store,
    symbol: str,
    start: datetime,
    end: datetime,
    settings: ModelSettings,
    warmup: timedelta,
    progress: Progress = SILENT,
) -> Mixture:
    """Fit the weights of the kinds in `settings.ensemble` to the liquidations recorded in `[start, end)`.

    Raises `LiqstratError` where there is too little to fit to.
    """
    found = require_liquidations(store, symbol, start, end)
    settings = with_bin_width(store, symbol, replace(settings, kind="ensemble"), start)
    loaded = store.brackets(symbol)
    # Each alone in a mixture, so that its map is scaled to the open interest as in the one that is fitted.
    alone: dict[str, LiquidationModel] = {
        kind: Ensemble(settings, [(1.0, new_model(replace(settings, kind=kind), symbol, loaded))])
        for kind in settings.ensemble
    }
    reached = gather_models(store, symbol, start, end, alone, settings, warmup, timedelta(hours=1), progress)
    band = reached.band_of(found.liquidations)
    observed = np.bincount(band[band >= 0], found.liquidations.contracts[band >= 0], minlength=len(reached))
    days = np.unique(reached.day[observed > 0])
    if len(days) < _LEAST_DAYS:
        raise LiqstratError(
            f"{store.path}: liquidations of {symbol} were recorded at reached prices on {len(days)} days of the range, "
            f"expected at least {_LEAST_DAYS}"
        )
    return judged_mixture(reached, observed, reached.day < days[round(_TRAINING * len(days))], settings)


def fitted_weights(predicted: Floats, window: Ints, observed: Floats) -> Floats:
    """Weights under which the places of what was observed are most likely, given how much there was in each window.

    predicted: `[band, model]`, contracts times exposure. The fixed point of `weight *= observed / expected(weight)`, a
    minorisation-maximisation (Hunter 2004): the likelihood rises with every round.
    """
    weights = np.full(predicted.shape[1], 1 / predicted.shape[1])
    windows = int(window.max()) + 1
    totals = np.bincount(window, observed, minlength=windows)
    reach = np.stack([np.bincount(window, column, minlength=windows) for column in predicted.T], axis=1)
    hit = (observed > 0) & (predicted.sum(axis=1) > 0)
    for _ in range(_ROUNDS):
        seen = observed[hit] @ (predicted[hit] / (predicted[hit] @ weights)[:, np.newaxis])
        mixed = reach @ weights
        expected = np.divide(totals, mixed, out=np.zeros(windows), where=mixed > 0) @ reach
        weights = weights * np.divide(seen, expected, out=np.zeros_like(seen), where=expected > 0)
        weights /= weights.sum()
    return weights


def judged_mixture(reached: Reached, observed: Floats, training: Bools, settings: ModelSettings) -> Mixture:
    """Weights fitted to the bands of `training` and judged on the others; those given are fitted to all of them.

    reached: with the map of each kind in `settings.ensemble`, scaled to the open interest. observed: contracts
    liquidated in each band.
    """
    kinds: list[Kind] = list(settings.ensemble)
    densities = np.stack([reached.maps[kind].sum(axis=1) for kind in kinds], axis=1)
    predicted = densities * reached.exposure[:, np.newaxis]
    learnt = fitted_weights(predicted[training], reached.window[training], observed[training])
    shares = {kind: _shares(densities[:, i], reached, observed) for i, kind in enumerate(kinds)}
    best = max(kinds, key=lambda kind: float(observed[training] @ np.log(shares[kind][training])))
    names, day = np.unique(reached.day[~training], return_inverse=True)
    gains = figures.bits(
        days_left_out(len(names)),
        _shares(densities @ learnt, reached, observed)[~training],
        shares[best][~training],
        observed[~training],
        day,
    )
    amounts = np.bincount(day, observed[~training])
    with_some = int((amounts > 0).sum())
    over_best = estimate(gains, amounts)
    weights = _rounded(kinds, fitted_weights(predicted, reached.window, observed))
    better = over_best.low is not None and over_best.low > 0
    chosen = replace(settings, ensemble=weights) if better else replace(settings, kind=best)
    return Mixture(weights, best, over_best, with_some, chosen)


def _shares(density: Floats, reached: Reached, observed: Floats) -> Floats:
    """Of each band in its window, with the even part that is fitted to the days before, as scores are."""
    return figures.floored_shares(density, reached.exposure, reached.window, reached.day, observed)


def _rounded(kinds: list[Kind], weights: Floats) -> dict[Kind, float]:
    kept = np.where(weights >= _SMALLEST, weights, 0.0)
    return {kind: round(float(weight), 3) for kind, weight in zip(kinds, kept / kept.sum(), strict=True) if weight > 0}
