"""How often the truth lies in a map's band: `uv run python -m tests.benchmarks.bands --help`. SIMULATED, by kind."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from liqstrat.bench.market import WIDTH, bench_market
from liqstrat.bench.regimes import REGIMES
from liqstrat.bench.truth import Moment, moments
from liqstrat.liquidation.band import band_of, lump_of, others
from liqstrat.liquidation.grid import Floats
from liqstrat.liquidation.kinds import new_model
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.liquidation.settings import ModelSettings

#: Bins with less than this part of the mean bin's contracts hardly have anything to be wrong about.
_HARDLY = 0.05
_EVERY = 6


def main(
    kinds: Annotated[list[str] | None, typer.Argument(help=f"{', '.join(REGIMES)}; all by default.")] = None,
    seed: Annotated[int, typer.Option(help="Of the markets.")] = 11,
    days: Annotated[int, typer.Option(min=2, help="Days of each; the second half is judged.")] = 5,
    cache: Annotated[Path | None, typer.Option(help="Keep markets here.")] = None,
) -> None:
    """Coverage of the 90 % band over bins of 10 bp within 20 % of price, every six hours, and its width.

    Example: python -m tests.benchmarks.bands usual thin
    """
    print("| kind | within | below | above | width |\n|---|---|---|---|---|")
    found = []
    for kind in kinds or REGIMES:
        found.append(coverage(kind, seed, days, cache))
        print(_row(kind, found[-1]), flush=True)
    print(_row("mean", np.mean(found, axis=0)))


def coverage(kind: str, seed: int, days: int, cache: Path | None) -> Floats:
    """Shares of bins whose truth is within, below and above the band, and the band's width over what is expected."""
    regime = REGIMES[kind]
    market = bench_market(regime, seed, days, cache)
    settings = replace(ModelSettings(), bin_width=WIDTH)
    books = [new_model(one, regime.symbol) for one in [settings, *others(settings)]]
    waiting = {moment.time_ns: moment for moment in list(moments(market))[::_EVERY]}
    found = []
    for flow, interest in market.flows():
        for book in books:
            book.step(flow, interest)
        if flow.end_ns in waiting:
            levels, *beside = (book.map() for book in books)
            lump = lump_of(market.liquidations(flow.end_ns).contracts, interest)
            found.append(_held(waiting[flow.end_ns], levels, beside, lump))
    return np.mean(found, axis=0)  # type: ignore[no-any-return]


def _held(moment: Moment, levels: LiquidationMap, beside: list[LiquidationMap], lump: float) -> Floats:
    band = band_of(levels, beside, lump)
    expected, (low, high) = moment.window(levels), band.bins()
    place = np.arange(moment.first, moment.first + moment.bins) - levels.first_bin
    inside = (place >= 0) & (place < low.shape[1])
    chosen = np.zeros_like(expected, dtype=np.bool_)
    chosen[:, inside] = expected[:, inside] > _HARDLY * expected.mean()
    least, most = np.zeros_like(expected), np.zeros_like(expected)
    least[:, inside], most[:, inside] = low[:, place[inside]], high[:, place[inside]]
    truth = moment.contracts
    below, above = (truth < least - 1e-9)[chosen].mean(), (truth > most + 1e-9)[chosen].mean()
    return np.array([1 - below - above, below, above, (most - least)[chosen].sum() / expected[chosen].sum()])


def _row(kind: str, found: Floats) -> str:
    return f"| {kind} | {found[0]:.2f} | {found[1]:.2f} | {found[2]:.2f} | {found[3]:.2f} |"


if __name__ == "__main__":
    typer.run(main)
