"""Run models over simulated markets and compare their maps with the truth."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from liqstrat.bench.market import START, WIDTH, BenchMarket, bench_market
from liqstrat.bench.regimes import REGIMES, Regime
from liqstrat.bench.truth import Moment, bounds, moments
from liqstrat.calibration.calibrate import FEWEST, calibrate
from liqstrat.liquidation.agreement import Agreement, agreement
from liqstrat.liquidation.brackets import brackets_for
from liqstrat.liquidation.grid import Floats
from liqstrat.liquidation.kinds import new_model
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.progress import SILENT, Progress

#: Chooses the settings of a model for a market, from what the first half of it shows.
Setup = Callable[[Regime, BenchMarket], ModelSettings]


@dataclass(frozen=True)
class Verdict:
    """How well a model did in one market: mean over hours and sides. `share` is of the bound in the same market,
    `strict_share` of the strict bound, which also knows what price ran through (see `truth.Bound`)."""

    model: str
    regime: str
    seed: int
    agreement: Agreement
    share: Agreement
    strict_share: Agreement


def fixed(settings: ModelSettings) -> Setup:
    """The same settings in all markets."""
    return lambda regime, market: settings


def mix_known(settings: ModelSettings) -> Setup:
    """`settings` with the leverage mix that the market was made with (where it drifts: in the middle)."""
    return lambda regime, market: replace(settings, leverage=true_mix(regime))


def true_mix(regime: Regime) -> dict[int, float]:
    """Shares of openings by leverage in the half that is judged."""
    first, last = dict(regime.settings.leverage), dict(regime.ends_with or regime.settings.leverage)
    tiers = sorted(first.keys() | last.keys())
    return {tier: share for tier in tiers if (share := 0.5 * first.get(tier, 0.0) + 0.5 * last.get(tier, 0.0)) > 0}


def calibrated(settings: ModelSettings) -> Setup:
    """`settings`, fitted to what was liquidated before the hours that are judged; unfitted where that is too little,
    or where fits from several starts end apart. The fit itself is judged, not the recommendation: before a fit is
    recommended its maps must score better on days left out, for which half a week is too short."""

    def setup(regime: Regime, market: BenchMarket) -> ModelSettings:
        until = int(market.hours[0])
        history, known = list(market.flows(until)), market.liquidations(until)
        if len(known.price) < FEWEST:
            return settings
        chosen = replace(settings, bin_width=WIDTH)
        found = calibrate(history, known, regime.symbol, chosen, recorded="all")
        return found.fitted if found.agree and not found.stray else settings

    return setup


#: The models of the table, each by what it starts from.
MODELS: Mapping[str, Setup] = {
    "large trades": fixed(ModelSettings(kind="large_trades")),
    "oi candle": fixed(ModelSettings(kind="oi_candle", formula="linear")),
    "conserving": fixed(ModelSettings()),
    "conserving, calibrated": calibrated(ModelSettings()),
    "conserving, mix known": mix_known(ModelSettings()),
}


def judge(
    models: Mapping[str, Setup],
    regimes: Iterable[str] = tuple(REGIMES),
    seeds: Sequence[int] = (11, 12),
    *,
    days: int = 7,
    cache_folder: Path | None = None,
    progress: Progress = SILENT,
) -> list[Verdict]:
    """Every model in every regime and seed, beside the bounds that shares are of: "bound" and "strict bound"."""
    verdicts: list[Verdict] = []
    chosen = [REGIMES[name] for name in regimes]
    with progress.task("bench", total=len(chosen) * len(seeds), unit="markets") as step:
        for regime in chosen:
            for seed in seeds:
                verdicts += _in_market(models, regime, seed, bench_market(regime, seed, days, cache_folder))
                step(1)
    return verdicts


def _in_market(models: Mapping[str, Setup], regime: Regime, seed: int, market: BenchMarket) -> list[Verdict]:
    truth = list(moments(market))
    table = brackets_for(regime.symbol, START)
    known = list(bounds(market, table, true_mix(regime)))
    limit = mean_agreement(truth, [bound.plain for bound in known])
    strict = mean_agreement(truth, [bound.alive for bound in known])
    reached = {
        "bound": limit,
        "strict bound": strict,
        **{
            name: mean_agreement(truth, maps_of(setup(regime, market), regime.symbol, market, truth))
            for name, setup in models.items()
        },
    }
    return [
        Verdict(name, regime.name, seed, found, _share(found, limit), _share(found, strict))
        for name, found in reached.items()
    ]


def maps_of(settings: ModelSettings, symbol: str, market: BenchMarket, truth: Sequence[Moment]) -> list[Floats]:
    """A model's map at each moment, made of what was known by then."""
    model = new_model(replace(settings, bin_width=WIDTH), symbol)
    waiting = {moment.time_ns: moment for moment in truth}
    maps = []
    large_from = int(np.searchsorted(brackets_for(symbol, START).floors, settings.large * (1 - 1e-9)))
    for flow, open_interest in market.flows(large_from=large_from):
        model.step(flow, open_interest)
        if flow.end_ns in waiting:
            maps.append(waiting[flow.end_ns].window(model.map()))
    return maps


def mean_agreement(truth: Sequence[Moment], maps: Sequence[Floats]) -> Agreement:
    """Mean over moments and sides."""
    found = [
        agreement(estimate, true)
        for moment, both in zip(truth, maps, strict=True)
        for estimate, true in zip(both, moment.contracts, strict=True)
    ]
    means = np.nanmean([(one.rank, one.linear, one.overlap) for one in found], axis=0)
    return Agreement(*means.tolist())


def _share(found: Agreement, limit: Agreement) -> Agreement:
    return Agreement(found.rank / limit.rank, found.linear / limit.linear, found.overlap / limit.overlap)
