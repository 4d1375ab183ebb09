"""Maps held against the bound, by kind of market: `uv run python -m tests.benchmarks.kinds --help`. SIMULATED.

Kinds by which settings were chosen, kinds by which none were, and markets of a second mechanism (`lives`), which
disagree with the book. Calibrated maps are of the fit, whether or not it would be recommended.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer

from liqstrat.bench.judge import calibrated, fixed, judge, mean_agreement, mix_known
from liqstrat.bench.market import START, WIDTH
from liqstrat.bench.regimes import REGIMES
from liqstrat.bench.truth import SPAN, Moment
from liqstrat.calibration.calibrate import FEWEST, calibrate
from liqstrat.liquidation.agreement import Agreement
from liqstrat.liquidation.brackets import brackets_for
from liqstrat.liquidation.grid import Floats, bin_of
from liqstrat.liquidation.kinds import new_model
from liqstrat.liquidation.price import liquidation_price
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.market.simulator.settings import DEFAULT_LEVERAGE
from tests.calibration.lives import SINCE_NS, STEP_NS, SYMBOL, Lives, lives

CHOSEN_BY = ("usual", "calm", "churn", "thin", "careful", "daring")
JUDGED = tuple(name for name in REGIMES if name not in CHOSEN_BY)
_DEFAULT = ModelSettings(bin_width=WIDTH)
_MODELS = {
    "default": fixed(ModelSettings()),
    "calibrated": calibrated(ModelSettings()),
    "mix known": mix_known(ModelSettings()),
}
_HOUR = 3_600 * 10**9 // STEP_NS


@dataclass(frozen=True)
class _Kind:
    """A kind of market of the second mechanism: its mix, and whether large ones are careful and a third cross."""

    mix: Mapping[int, float]
    other: bool = False


LIVES = {
    "lives, usual mix": _Kind(dict(DEFAULT_LEVERAGE)),
    "lives, careful": _Kind(dict(REGIMES["careful"].settings.leverage)),
    "lives, daring": _Kind(dict(REGIMES["daring"].settings.leverage)),
    "lives, large ones careful, a third cross": _Kind(dict(DEFAULT_LEVERAGE), other=True),
}
_GROUPS = {"settings chosen by": CHOSEN_BY, "judged": JUDGED, "second mechanism": tuple(LIVES)}
#: Of a market by model: shares of the bound and of the strict one, each rank, linear correlation and overlap.
Shares = Mapping[str, Floats]
Bools = npt.NDArray[np.bool_]


def main(
    kinds: Annotated[list[str] | None, typer.Argument(help="Kinds; all by default.")] = None,
    first: Annotated[
        int, typer.Option(min=1, help="The first seed; 1, 2, 11, 12, 21 and 22 have been looked at.")
    ] = 31,
    seeds: Annotated[int, typer.Option(min=1, help="Markets of each kind.")] = 2,
    days: Annotated[int, typer.Option(min=2, help="Days of each; the second half is judged.")] = 5,
    cache: Annotated[Path | None, typer.Option(help="Keep the simulator's markets here.")] = None,
) -> None:
    """Shares of the bound that the default's maps reach, calibrated ones, and those of a known mix.

    Example: python -m tests.benchmarks.kinds usual crash --first 41 --seeds 1
    """
    found: dict[str, list[Shares]] = {}
    for kind in kinds or [*REGIMES, *LIVES]:
        for seed in range(first, first + seeds):
            shares = of_lives(LIVES[kind], seed, days) if kind in LIVES else of_regime(kind, seed, days, cache)
            found.setdefault(kind, []).append(shares)
            print(f"{kind} {seed}: " + "; ".join(f"{name} {_three(one)}" for name, one in shares.items()), flush=True)
    print("\n| kinds | model | share of the bound | of the strict bound | least of the bound | least of the strict |")
    print("|---|---|---|---|---|---|")
    for group, names in {**_GROUPS, "all": tuple(found)}.items():
        markets = [one for name in names for one in found.get(name, ())]
        for model in _MODELS if markets else ():
            own = np.array([one[model] for one in markets])
            least = [f"{own[:, half].min():.2f}" for half in (slice(3), slice(3, 6))]
            print(f"| {group} | {model} | {_three(own.mean(axis=0), ' | ')} | {' | '.join(least)} |")


def of_regime(kind: str, seed: int, days: int, cache: Path | None) -> Shares:
    """Of a market of the simulator."""
    verdicts = judge(_MODELS, [kind], [seed], days=days, cache_folder=cache)
    return {
        one.model: np.array([*_figures(one.share), *_figures(one.strict_share)])
        for one in verdicts
        if one.model in _MODELS
    }


def of_lives(kind: _Kind, seed: int, days: int) -> Shares:
    """Of a market of the second mechanism: what is fitted to is on record in the half before the hours judged."""
    market = lives(dict(kind.mix), seed, days, bigger=kind.other, cross=0.33 if kind.other else 0.0)
    first = len(market.history) - days * 288 // 2
    steps = range(first - 1, len(market.history), _HOUR)
    truth = [_moment(market, step) for step in steps]
    known = [_bounds(market, step, moment, kind.mix) for step, moment in zip(steps, truth, strict=True)]
    limits = [mean_agreement(truth, list(maps)) for maps in zip(*known, strict=True)]
    found = {}
    for name, settings in _settings(market, kind, first).items():
        reached = mean_agreement(truth, list(_maps(market, settings, steps, truth)))
        found[name] = np.concatenate([np.array(_figures(reached)) / _figures(limit) for limit in limits])
    return found


def _settings(market: Lives, kind: _Kind, first: int) -> dict[str, ModelSettings]:
    history, until = market.history[:first], market.history[first - 1][0].end_ns
    record = market.liquidations.only(market.liquidations.time_ns < until)
    fitted = _DEFAULT
    if (record.time_ns >= SINCE_NS).sum() >= FEWEST:
        found = calibrate(history, record, SYMBOL, _DEFAULT, since_ns=SINCE_NS, recorded="all")
        fitted = found.fitted if found.agree and not found.stray else _DEFAULT
    return {"default": _DEFAULT, "calibrated": fitted, "mix known": replace(_DEFAULT, leverage=dict(kind.mix))}


def _maps(market: Lives, settings: ModelSettings, steps: range, truth: list[Moment]) -> Iterator[Floats]:
    model, waiting = new_model(settings, SYMBOL), dict(zip(steps, truth, strict=True))
    for i, (flow, interest) in enumerate(market.history):
        model.step(flow, interest)
        if i in waiting:
            yield waiting[i].window(model.map())


def _moment(market: Lives, step: int) -> Moment:
    flow = market.history[step][0]
    low, high = bin_of([flow.close * (1 - SPAN), flow.close * (1 + SPAN)], WIDTH).tolist()
    open_now = (market.born <= step) & (market.gone > step)
    sides = [_on_bins(market.liquidation, market.size, open_now & (market.side == sign), low, high) for sign in (1, -1)]
    return Moment(flow.end_ns, low, high - low + 1, np.stack(sides))


def _bounds(market: Lives, step: int, moment: Moment, mix: Mapping[int, float]) -> tuple[Floats, Floats]:
    """As `liqstrat.bench.truth.bounds`."""
    mine = np.flatnonzero((market.born <= step) & (market.gone > step))
    side, entry, column = market.side[mine], market.entry[mine], (slice(None), np.newaxis)
    tiers, shares = np.array(sorted(mix)), np.array([mix[tier] for tier in sorted(mix)])
    size = (market.notional[mine] / entry)[column]
    at = liquidation_price(entry[column], tiers, size, side[column], brackets_for(SYMBOL, START))
    lows, highs = _prices(market)
    low = np.minimum.accumulate(lows[step::-1])[::-1][np.minimum(market.born[mine] + 1, step)]
    high = np.maximum.accumulate(highs[step::-1])[::-1][np.minimum(market.born[mine] + 1, step)]
    dead = (at > 0) & np.where(side[column] > 0, at >= low[column], at <= high[column])
    living = np.where(dead, 0.0, shares)
    left = living.sum(axis=1, keepdims=True)
    living = np.where(left > 0, living / np.where(left > 0, left, 1.0), shares)
    maps = []
    for parts in (np.broadcast_to(shares / shares.sum(), at.shape), living):
        contracts = (market.size[mine][column] * parts).ravel()
        sides = np.broadcast_to(side[column], at.shape).ravel()
        last = moment.first + moment.bins - 1
        maps.append(np.stack([_on_bins(at.ravel(), contracts, sides == sign, moment.first, last) for sign in (1, -1)]))
    return maps[0], maps[1]


@cache
def _prices(market: Lives) -> tuple[Floats, Floats]:
    return np.array([flow.low for flow, _ in market.history]), np.array([flow.high for flow, _ in market.history])


def _on_bins(price: Floats, contracts: Floats, chosen: Bools, first: int, last: int) -> Floats:
    chosen = chosen & (price > 0)
    place = bin_of(price[chosen], WIDTH) - first
    inside = (place >= 0) & (place <= last - first)
    return np.bincount(place[inside], contracts[chosen][inside], minlength=last - first + 1)


def _figures(agreement: Agreement) -> tuple[float, float, float]:
    return agreement.rank, agreement.linear, agreement.overlap


def _three(shares: Floats, between: str = ", strict ") -> str:
    return between.join("  ".join(f"{one:.2f}" for one in half) for half in (shares[:3], shares[3:]))


if __name__ == "__main__":
    typer.run(main)
