"""What calibration makes of markets whose mix is known: `uv run python -m tests.benchmarks.calibrations --help`.

SIMULATED, by two mechanisms: the simulator (`wide`), and positions with lives of their own (`lives`), which disagree
with the book. Intervals should hold the mix, a true default should stay, and no map should become worse.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from statistics import mean
from typing import Annotated

import numpy as np
import typer

from liqstrat.calibration.calibrate import Recorded, calibrate
from liqstrat.calibration.evidence import History
from liqstrat.liquidation.agreement import agreement
from liqstrat.liquidation.grid import Floats, bin_of
from liqstrat.liquidation.kinds import new_model
from liqstrat.liquidation.liquidations import Liquidations
from liqstrat.liquidation.settings import ModelSettings
from tests.calibration.lives import SINCE_NS, Lives, lives, thinned
from tests.calibration.markets import EVEN, HIGH, LOW, MIDDLE, history_of, wide_market

SYMBOL, _DAYS = "BTCUSDT", 10
DEFAULT = ModelSettings(bin_width=0.001)
_EVEN = replace(EVEN, bin_width=0.001)
_MIXES = {"low": dict(LOW), "high": dict(HIGH), "middle": dict(MIDDLE)}


@dataclass(frozen=True)
class Row:
    """One calibration: how far the shares ended from the mix (half of the sum), the part of them within their
    intervals, whether the fit was recommended, and what the recommended map gains over the default's in agreement with
    the true one: rank correlation, linear correlation and overlap (None where positions are not kept)."""

    kind: str
    off: float
    held: float
    recommended: bool
    gain: Floats | None


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
        "\n| market | calibrations | shares off | within intervals | recommended "
        "| gain of rank, linear, overlap: least | mean | least mean of the three |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for kind in dict.fromkeys(row.kind for row in rows):
        own = [row for row in rows if row.kind == kind]
        gains = [row.gain for row in own if row.gain is not None]
        told = _told(np.array(gains)) if gains else "– | – | –"
        print(
            f"| {kind} | {len(own)} | {mean(row.off for row in own):.2f} | {mean(row.held for row in own):.0%} | "
            f"{mean(row.recommended for row in own):.0%} | {told} |"
        )


def _told(gains: Floats) -> str:
    least, usual = (", ".join(f"{one:+.3f}" for one in row) for row in (gains.min(axis=0), gains.mean(axis=0)))
    return f"{least} | {usual} | {gains.mean(axis=1).min():+.3f}"


def _rows(seed: int, simulator: bool) -> Iterator[Row]:
    for name, mix in _MIXES.items():
        record: Recorded = "all" if (seed + len(name)) % 2 else "some"
        yield _of_lives(f"lives, {'thinned' if record == 'some' else 'all on record'}", mix, seed, _EVEN, record)
    yield _of_lives("lives, true default", dict(DEFAULT.leverage), seed, DEFAULT, "some")
    yield _of_lives("lives, large ones careful, a third cross", _MIXES["middle"], seed, _EVEN, "some", other=True)
    if simulator:
        for kind, mix, settings in (
            ("simulator", (LOW, MIDDLE, HIGH)[seed % 3], _EVEN),
            ("simulator, true default", tuple(DEFAULT.leverage.items()), DEFAULT),
        ):
            market = wide_market(mix, seed, days=_DAYS)
            yield _row(kind, history_of(market), market.liquidations(), dict(mix), settings, 0, "all", None)


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
    agrees: Callable[[ModelSettings], Floats] | None,
) -> Row:
    found = calibrate(history, known, SYMBOL, settings, since_ns=since_ns, recorded=record, flow_settings=False)
    true = np.array([mix.get(one.leverage, 0.0) for one in found.shares])
    true = true / true.sum()
    shares = np.array([one.share for one in found.shares])
    held = np.mean([one.low <= share <= one.high for one, share in zip(found.shares, true, strict=True)])
    gain = None
    if agrees is not None:
        gain = agrees(found.settings) - agrees(settings) if found.better else np.zeros(3)
    return Row(kind, float(np.abs(shares - true).sum() / 2), float(held), found.better, gain)


def _agreement(market: Lives, settings: ModelSettings) -> Floats:
    """Mean agreement (rank, linear, overlap) of maps of every six hours, from the second half on, with the truth."""
    model, found = new_model(settings, SYMBOL), []
    for i, (flow, interest) in enumerate(market.history):
        model.step(flow, interest)
        if i % 72 or i < len(market.history) // 2:
            continue
        levels, alive = model.map(), (market.born <= i) & (market.gone > i)
        first, bins = (int(each) for each in (bin_of(flow.close * 0.8, settings.width), 405))
        for side, contracts in ((1, levels.longs), (-1, levels.shorts)):
            mine = alive & (market.side == side) & (market.liquidation > 1)
            place = bin_of(market.liquidation[mine], settings.width) - first
            inside = (place >= 0) & (place < bins)
            truth = np.bincount(place[inside], market.size[mine][inside], minlength=bins)
            estimate = np.zeros(bins)
            low, high = max(first, levels.first_bin), min(first + bins, levels.first_bin + contracts.shape[1])
            estimate[low - first : high - first] = contracts[:, low - levels.first_bin : high - levels.first_bin].sum(
                axis=0
            )
            one = agreement(estimate, truth)
            found.append((one.rank, one.linear, one.overlap))
    return np.nanmean(found, axis=0)  # type: ignore[no-any-return]


if __name__ == "__main__":
    typer.run(main)
