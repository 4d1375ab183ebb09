"""Fit the conserving book to a market: leverage mix, turnover and taker weight, and how much to believe of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from liqstrat.calibration.apart import Together, together
from liqstrat.calibration.days import HeldOut, fitted_without, folds, half_way, held_out
from liqstrat.calibration.evidence import History
from liqstrat.calibration.falls import fit_falls
from liqstrat.calibration.flow_settings import Setting, changed, fit_flow_settings
from liqstrat.calibration.mix import MixFit, fit_mix, starting_mix, with_mix
from liqstrat.calibration.posterior import ALL_RECORDED, SOME_RECORDED
from liqstrat.calibration.sizes import size_classes
from liqstrat.errors import LiqstratError
from liqstrat.liquidation.brackets import BracketTable, dated_brackets, in_force
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.liquidation.liquidations import Liquidations
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.moments import at_ns
from liqstrat.progress import SILENT, Progress

Source = Literal["liquidations", "open interest"]
#: How many liquidations were recorded: all that happened, or some, nobody knows how many.
Recorded = Literal["all", "some"]

#: Fewer liquidations than this say nothing.
FEWEST = 100
_FEWEST_INTERVALS = 288
#: With less of the liquidations where the book has something, no mix is any good.
_LEAST_EXPLAINED = 0.5
#: Fits that started elsewhere agree when their shares differ by no more than this, as half of the sum.
AGREE = 0.1
_INTERVAL = (0.025, 0.975)


@dataclass(frozen=True)
class Share:
    """A tier's effective share of opened contracts, with its 95 % interval, and the default's. Effective: with these
    shares a book liquidates where the market did, whatever traders chose."""

    leverage: int
    share: float
    low: float
    high: float
    default: float


@dataclass(frozen=True)
class Calibration:
    """What was fitted, and how much of it to believe.

    `source` says what it was fitted to; `observed` counts the liquidations, or the intervals of open interest. `level`
    is the share of reached contracts that is recorded as liquidated (by which open interest falls), `explained` the
    part of liquidations that stand where the book has something (of the variance of the falls). `apart` is how far fits
    that started elsewhere ended from each other. `held_out` is None where the fit could not be judged on days it had
    not seen, as without liquidations. `settings` are those recommended: half way from the default to the fitted ones,
    where such maps score better on days left out and change enough, else the default.
    """

    source: Source
    recorded: Recorded | None
    observed: int
    shares: list[Share]
    together: list[Together]
    flow: list[Setting]
    level: float
    overdispersion: float
    explained: float
    apart: float
    held_out: HeldOut | None
    fitted: ModelSettings
    settings: ModelSettings

    @property
    def better(self) -> bool:
        """Whether to leave the default, half way to the fit."""
        return self.held_out is not None and self.held_out.better and self.agree and not self.stray

    @property
    def agree(self) -> bool:
        """Whether fits from several starts ended together."""
        return self.apart <= AGREE

    @property
    def stray(self) -> bool:
        """Whether most liquidations stand where the book has nothing: then a better fit says nothing of leverage."""
        return self.source == "liquidations" and self.explained < _LEAST_EXPLAINED


def calibrate(
    history: History,
    liquidations: Liquidations,
    symbol: str,
    settings: ModelSettings,
    *,
    loaded: Sequence[BracketTable] = (),
    since_ns: int = 0,
    recorded: Recorded = "some",
    flow_settings: bool = True,
    progress: Progress = SILENT,
) -> Calibration:
    """Fit to the liquidations in the part of `history` that begins at `since_ns`; what is before fills the book.

    Without any liquidations, fit to the falls of open interest. Nothing after the end of `history` is looked at.
    Raises `LiqstratError` where there is too little to fit to.
    """
    if not history:
        raise LiqstratError(f"no open interest of {symbol} in the range, expected at least a day of it")
    fine = replace(settings, kind="conserving").on_fine_bins()
    found, mixes = _calibrate(history, liquidations, symbol, fine, loaded, since_ns, recorded, flow_settings, progress)
    fitted, default = (
        replace(one, bin_width=settings.bin_width, bin_parts=settings.bin_parts)
        for one in (found.fitted, found.settings)
    )
    held = None
    if mixes:
        held = held_out(history, liquidations, symbol, loaded, default, fitted, mixes, since_ns)
    found = replace(found, fitted=fitted, held_out=held)
    return replace(found, settings=half_way(default, fitted) if found.better else default)


def _calibrate(
    history: History,
    liquidations: Liquidations,
    symbol: str,
    settings: ModelSettings,
    loaded: Sequence[BracketTable],
    since_ns: int,
    recorded: Recorded,
    flow_settings: bool,
    progress: Progress,
) -> tuple[Calibration, list[tuple[Ints, Floats]]]:
    """On the bins of the flow: a liquidation is looked for in those, and the map is of no concern. Nothing is
    recommended yet: the `settings` found are those given. Also the mixes fitted without groups of days."""
    end_ns = history[-1][0].end_ns
    known = liquidations.only((liquidations.time_ns >= since_ns) & (liquidations.time_ns < end_ns))
    inside = len(known.price)
    if not inside:
        return _by_falls(history, symbol, settings, loaded, since_ns), []
    if inside < FEWEST:
        raise LiqstratError(
            f"{inside} liquidations of {symbol} in the range, expected at least {FEWEST}: take a longer range"
        )
    level = ALL_RECORDED if recorded == "all" else SOME_RECORDED
    brackets = in_force(dated_brackets(symbol, loaded), at_ns(end_ns))
    tiers, centre = starting_mix(settings)
    classes = size_classes(known, tiers, brackets)
    fit, evidence = fit_mix(history, known, classes, settings, level, since_ns, progress)
    fitted, flow = with_mix(settings, tiers, fit.shares), []
    if flow_settings:
        flow = fit_flow_settings(
            history, known, classes, fitted, tiers, fit.shares, level, fit.overdispersion, since_ns, progress
        )
        for one in flow:
            fitted = changed(fitted, one.name, one.value)
    mixes = [
        (days, fitted_without(days, evidence, tiers, centre, level, fit.overdispersion))
        for days in folds(evidence.days[evidence.block])
    ]
    found = Calibration(
        source="liquidations",
        recorded=recorded,
        observed=inside,
        shares=shares_of(fit, settings),
        together=together(tiers, fit.shares, fit.draws),
        flow=flow,
        level=fit.level,
        overdispersion=fit.overdispersion,
        explained=fit.explained,
        apart=fit.apart,
        held_out=None,
        fitted=fitted,
        settings=settings,
    )
    return found, mixes


def _by_falls(
    history: History, symbol: str, settings: ModelSettings, loaded: Sequence[BracketTable], since_ns: int
) -> Calibration:
    intervals = sum(flow.end_ns > since_ns for flow, _ in history)
    if intervals < _FEWEST_INTERVALS:
        raise LiqstratError(
            f"no liquidations of {symbol} in the range, and {intervals} values of open interest, "
            f"expected at least {_FEWEST_INTERVALS}: take a longer range"
        )
    fit = fit_falls(history, symbol, loaded, settings, since_ns)
    fitted = with_mix(settings, fit.tiers, fit.shares)
    return Calibration(
        source="open interest",
        recorded=None,
        observed=intervals,
        shares=shares_of(fit, settings),
        together=together(fit.tiers, fit.shares, fit.draws),
        flow=[],
        level=fit.level,
        overdispersion=fit.overdispersion,
        explained=fit.explained,
        apart=fit.apart,
        held_out=None,
        fitted=fitted,
        settings=settings,
    )


def shares_of(fit: MixFit, settings: ModelSettings) -> list[Share]:
    """The fitted shares beside those of `settings`, lowest leverage first."""
    _, default = starting_mix(settings)
    low, high = np.quantile(fit.allowing, _INTERVAL, axis=0)
    columns = (fit.tiers.tolist(), fit.shares.tolist(), low.tolist(), high.tolist(), default.tolist())
    return [Share(*row) for row in zip(*columns, strict=True)]
