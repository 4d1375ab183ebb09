"""How often the truth lies in a map's band: `uv run python -m tests.benchmarks.bands --help`. SIMULATED, by kind.

Ten kinds are of the simulator, three of another mechanism (`tests.calibration.lives`): positions with lives of their
own, the default mix and two others, one with a third on cross margin. A band knows the liquidations of before.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from liqstrat.bench.market import WIDTH, bench_market
from liqstrat.bench.regimes import REGIMES
from liqstrat.bench.truth import SPAN, Moment, moments
from liqstrat.calibration.evidence import History
from liqstrat.liquidation.banded import BandedBook
from liqstrat.liquidation.grid import Floats, bin_of
from liqstrat.liquidation.liquidations import Liquidations
from liqstrat.liquidation.settings import DEFAULT_LEVERAGE, ModelSettings
from tests.calibration.lives import Lives, lives, thinned
from tests.calibration.markets import HIGH, MIDDLE

#: Bins with less than this part of the mean bin's contracts hardly have anything to be wrong about.
_HARDLY = 0.05
_EVERY = 6


@dataclass(frozen=True, eq=False)
class Known:
    """A market whose positions are known: by symbol, what a book is fed with, what was liquidated, and the truth."""

    symbol: str
    history: History
    liquidations: Liquidations
    truth: Sequence[Moment]


_LIVES: dict[str, Callable[[int, int], Lives]] = {
    "lives": lambda seed, days: lives(dict(DEFAULT_LEVERAGE), seed, days),
    "lives, high": lambda seed, days: lives(dict(HIGH), seed, days),
    "lives, cross": lambda seed, days: lives(dict(MIDDLE), seed, days, bigger=True, cross=0.33),
}
KINDS = [*REGIMES, *_LIVES]


def main(
    kinds: Annotated[list[str] | None, typer.Argument(help=f"{'; '.join(KINDS)}. All by default.")] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Of the markets, as often as wanted; 11 by default.")] = None,
    days: Annotated[int, typer.Option(min=2, help="Days of each; the second half is judged.")] = 5,
    record: Annotated[str, typer.Option(help="Which liquidations are known: all, thinned or none.")] = "all",
    cache: Annotated[Path | None, typer.Option(help="Keep markets here.")] = None,
) -> None:
    """Coverage of the 90 % band over bins of 10 bp within 20 % of price, every six hours, and its width.

    Example: python -m tests.benchmarks.bands usual thin
    """
    print("| kind | seed | within | below | above | width | out |\n|---|---|---|---|---|---|---|")
    found, begun = [], time.process_time()
    for kind in kinds or KINDS:
        for one in seed or [11]:
            found.append(coverage(kind, one, days, record, cache))
            print(_row(f"{kind} | {one}", found[-1]), flush=True)
    print(_row("mean | all", np.mean(found, axis=0)))
    print(f"least {min(one[0] for one in found):.2f}; {time.process_time() - begun:.0f} seconds of processor time")


def coverage(kind: str, seed: int, days: int, record: str, cache: Path | None) -> Floats:
    """Shares of bins whose truth is within, below and above the band, the band's width over what is expected, and how
    far out in the law its ends lie, in standard deviations."""
    market = _known(kind, seed, days, cache)
    known = market.liquidations
    if record != "all":
        known = thinned(known) if record == "thinned" else known.only(np.zeros(len(known.time_ns), dtype=np.bool_))
    settings = replace(ModelSettings(), bin_width=WIDTH)
    book = BandedBook(settings, market.symbol, (), known, market.history[-1][0].end_ns)
    waiting = {moment.time_ns: moment for moment in list(market.truth)[::_EVERY]}
    found = []
    for flow, interest in market.history:
        book.step(flow, interest)
        if flow.end_ns in waiting:
            found.append(_held(waiting[flow.end_ns], book))
    return np.mean(found, axis=0)  # type: ignore[no-any-return]


def _known(kind: str, seed: int, days: int, cache: Path | None) -> Known:
    if kind in _LIVES:
        alive = _LIVES[kind](seed, days)
        return Known("BTCUSDT", alive.history, alive.liquidations, list(_moments(alive)))
    if kind not in REGIMES:
        raise typer.BadParameter(f'"{kind}" is no kind, expected one of {"; ".join(KINDS)}')
    market = bench_market(REGIMES[kind], seed, days, cache)
    return Known(REGIMES[kind].symbol, list(market.flows()), market.liquidations(), list(moments(market)))


def _moments(market: Lives) -> Iterator[Moment]:
    """The truth at each full hour of the second half."""
    for number, (flow, _) in enumerate(market.history):
        if number % 12 or number < len(market.history) // 2:
            continue
        first, last = bin_of([flow.close * (1 - SPAN), flow.close * (1 + SPAN)], WIDTH).tolist()
        contracts = np.zeros((2, last - first + 1))
        alive = (market.born <= number) & (market.gone > number) & (market.liquidation > 1)
        for row, sign in zip(contracts, (1, -1), strict=True):
            mine = alive & (market.side == sign)
            place = bin_of(market.liquidation[mine], WIDTH) - first
            inside = (place >= 0) & (place < len(row))
            row += np.bincount(place[inside], market.size[mine][inside], minlength=len(row))
        yield Moment(flow.end_ns, first, last - first + 1, contracts)


def _held(moment: Moment, book: BandedBook) -> Floats:
    levels = book.map()
    assert levels.band is not None
    expected, (low, high) = moment.window(levels), levels.band.bins
    place = np.arange(moment.first, moment.first + moment.bins) - levels.first_bin
    inside = (place >= 0) & (place < low.shape[1])
    chosen = np.zeros_like(expected, dtype=np.bool_)
    chosen[:, inside] = expected[:, inside] > _HARDLY * expected.mean()
    least, most = np.zeros_like(expected), np.zeros_like(expected)
    least[:, inside], most[:, inside] = low[:, place[inside]], high[:, place[inside]]
    truth = moment.contracts
    below, above = (truth < least - 1e-9)[chosen].mean(), (truth > most + 1e-9)[chosen].mean()
    width = (most - least)[chosen].sum() / expected[chosen].sum()
    return np.array([1 - below - above, below, above, width, levels.band.out])


def _row(kind: str, found: Floats) -> str:
    return f"| {kind} | {' | '.join(f'{value:.2f}' for value in found)} |"


if __name__ == "__main__":
    typer.run(main)
