"""What calibration makes of markets whose mix is known: `uv run python -m tests.benchmarks.calibrations --help`.

SIMULATED, by two mechanisms: the simulator (`wide`), and positions with lives of their own (`lives`), which disagree
with the book. Intervals should hold the mix, a true default should stay, and no map should become worse.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import mean
from typing import Annotated

import numpy as np
import typer

from liqstrat.bench.judge import maps_of
from liqstrat.bench.market import BenchMarket
from liqstrat.bench.truth import Moment, moments
from liqstrat.calibration.calibrate import Recorded, calibrate
from liqstrat.calibration.days import half_way
from liqstrat.calibration.evidence import History
from liqstrat.liquidation.agreement import agreement
from liqstrat.liquidation.grid import Floats, Ints, bin_of
from liqstrat.liquidation.kinds import new_model
from liqstrat.liquidation.liquidations import Liquidations
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.moments import DAY_NS
from tests.calibration.lives import SINCE_NS, Lives, lives, thinned
from tests.calibration.markets import EVEN, HIGH, LOW, MIDDLE, history_of, wide_market

SYMBOL, _DAYS = "BTCUSDT", 10
DEFAULT = ModelSettings(bin_width=0.001)
_EVEN = replace(EVEN, bin_width=0.001)
_MIXES = {"low": dict(LOW), "high": dict(HIGH), "middle": dict(MIDDLE)}


@dataclass(frozen=True)
class Row:
    """One calibration: how far the shares ended from the mix (half of the sum), the part of them within their
    intervals, whether leaving the default was recommended, and what maps half way to the fit gain over the default's in
    agreement with the true one: rank correlation, linear correlation and overlap. `worse`: the linear one is lower by
    more than two standard errors over days."""

    kind: str
    off: float
    held: float
    recommended: bool
    gain: Floats
    worse: bool


def main(
    seeds: Annotated[int, typer.Option(min=1, help="Markets of each kind and mix.")] = 4,
    first: Annotated[int, typer.Option(min=1, help="The first seed.")] = 1,
    simulator: Annotated[bool, typer.Option(help="Also markets of the simulator, which take longer.")] = True,
) -> None:
    """Coverage, false recommendations and maps that became worse.

    Example: python -m tests.benchmarks.calibrations --seeds 2 --first 21 --no-simulator
    """
    rows: list[Row] = []
    for seed in range(first, first + seeds):
        for row in _rows(seed, simulator):
            print(f"{row.kind}: {row}", flush=True)
            rows.append(row)
    print(
        "\n| market | calibrations | shares off | within intervals | recommended | of these worse "
        "| gain of rank, linear, overlap: least | mean | of those not recommended: mean |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for kind in dict.fromkeys(row.kind for row in rows):
        own = [row for row in rows if row.kind == kind]
        taken, left = ([row for row in own if row.recommended == which] for which in (True, False))
        print(
            f"| {kind} | {len(own)} | {mean(row.off for row in own):.2f} | {mean(row.held for row in own):.0%} | "
            f"{len(taken)} | {sum(row.worse for row in taken)} | {_told(taken, np.min)} | {_told(taken, np.mean)} | "
            f"{_told(left, np.mean)} |"
        )


def _told(rows: Sequence[Row], of: Callable[..., Floats]) -> str:
    return ", ".join(f"{one:+.4f}" for one in of([row.gain for row in rows], axis=0)) if rows else "–"


def _rows(seed: int, simulator: bool) -> Iterator[Row]:
    for name, mix in _MIXES.items():
        record: Recorded = "all" if (seed + len(name)) % 2 else "some"
        yield _of_lives(f"lives, {'thinned' if record == 'some' else 'all on record'}", mix, seed, _EVEN, record)
    yield _of_lives("lives, true default", dict(DEFAULT.leverage), seed, DEFAULT, "some")
    yield _of_lives("lives, fitted from the default", tuple(_MIXES.values())[seed % 3], seed, DEFAULT, "some")
    for record, told in (("some", "thinned"), ("all", "all on record")):
        kind = f"lives, large ones careful, a third cross, {told}"
        yield _of_lives(kind, _MIXES["middle"], seed, _EVEN, record, other=True)
    if simulator:
        for kind, mix, settings in (
            ("simulator", (LOW, MIDDLE, HIGH)[seed % 3], _EVEN),
            ("simulator, true default", tuple(DEFAULT.leverage.items()), DEFAULT),
        ):
            market = wide_market(mix, seed, days=_DAYS)
            agrees = partial(_agreement_of_simulated, market, list(moments(market)))
            yield _row(kind, history_of(market), market.liquidations(), dict(mix), settings, 0, "all", agrees)


def _of_lives(
    kind: str, mix: dict[int, float], seed: int, settings: ModelSettings, record: Recorded, *, other: bool = False
) -> Row:
    market = lives(mix, seed, _DAYS, bigger=other, cross=0.33 if other else 0.0)
    known = thinned(market.liquidations) if record == "some" else market.liquidations
    return _row(kind, market.history, known, mix, settings, SINCE_NS, record, partial(_agreement, market))


def _row(
    kind: str,
    history: History,
    known: Liquidations,
    mix: dict[int, float],
    settings: ModelSettings,
    since_ns: int,
    record: Recorded,
    agrees: Callable[[ModelSettings], tuple[Ints, Floats]],
) -> Row:
    found = calibrate(history, known, SYMBOL, settings, since_ns=since_ns, recorded=record, flow_settings=False)
    true = np.array([mix.get(one.leverage, 0.0) for one in found.shares])
    true = true / true.sum()
    shares = np.array([one.share for one in found.shares])
    held = np.mean([one.low <= share <= one.high for one, share in zip(found.shares, true, strict=True)])
    (day, mine), (_, other) = agrees(half_way(settings, found.fitted)), agrees(settings)
    gain = np.nanmean(mine - other, axis=0)
    off = float(np.abs(shares - true).sum() / 2)
    return Row(kind, off, float(held), found.better, gain, bool(gain[1] < -2 * _error(day, (mine - other)[:, 1])))


def _error(day: Ints, gains: Floats) -> float:
    """Standard error of the mean of `gains`, with days as the unit."""
    some = np.isfinite(gains)
    day, away = day[some], gains[some] - gains[some].mean()
    sums = np.array([away[day == one].sum() for one in np.unique(day)])
    return float(np.sqrt((sums**2).sum() * len(sums) / (len(sums) - 1)) / len(away))


def _agreement(market: Lives, settings: ModelSettings) -> tuple[Ints, Floats]:
    """Agreement (rank, linear, overlap) of maps of every six hours, from the second half on, with the truth, by side;
    and the day of each."""
    model, found, days = new_model(settings, SYMBOL), [], []
    for i, (flow, interest) in enumerate(market.history):
        model.step(flow, interest)
        if i % 72 or i < len(market.history) // 2:
            continue
        alive = (market.born <= i) & (market.gone > i)
        first, bins = (int(each) for each in (bin_of(flow.close * 0.8, settings.width), 405))
        truth = np.zeros((2, bins))
        for row, side in zip(truth, (1, -1), strict=True):
            mine = alive & (market.side == side) & (market.liquidation > 1)
            place = bin_of(market.liquidation[mine], settings.width) - first
            inside = (place >= 0) & (place < bins)
            row += np.bincount(place[inside], market.size[mine][inside], minlength=bins)
        moment = Moment(flow.end_ns, first, bins, truth)
        found += _by_side(moment.window(model.map()), truth)
        days += [i // 288] * 2
    return np.array(days), np.array(found)


def _agreement_of_simulated(
    market: BenchMarket, truth: Sequence[Moment], settings: ModelSettings
) -> tuple[Ints, Floats]:
    """The same by the hour of the second half."""
    maps = maps_of(settings, SYMBOL, market, truth)
    found = [one for estimate, moment in zip(maps, truth, strict=True) for one in _by_side(estimate, moment.contracts)]
    return np.repeat([moment.time_ns // DAY_NS for moment in truth], 2), np.array(found)


def _by_side(estimate: Floats, truth: Floats) -> list[tuple[float, float, float]]:
    both = (agreement(*each) for each in zip(estimate, truth, strict=True))
    return [(one.rank, one.linear, one.overlap) for one in both]


if __name__ == "__main__":
    typer.run(main)
