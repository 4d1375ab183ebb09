"""Clusters: the price ranges in which a map is dense."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from liqstrat.liquidation.grid import Floats
from liqstrat.liquidation.map import LiquidationMap

_NS_PER_HOUR = 3_600_000_000_000
_KERNEL = np.array([0.25, 0.5, 0.25])


@dataclass(frozen=True)
class Cluster:
    """A dense price range of one side's liquidation prices.

    price: the densest bin's middle, USDT. contracts: base asset. notional: USDT, at the liquidation prices.
    leverage: share of the contracts by leverage. age_hours: mean time since the contracts opened.
    distance: signed fraction of the current price, negative below. strength: share of this side's contracts within the
    span that was searched.
    """

    side: Literal["long", "short"]
    price_low: float
    price_high: float
    price: float
    contracts: float
    notional: float
    leverage: dict[int, float]
    age_hours: float
    distance: float
    strength: float


def find_clusters(
    levels: LiquidationMap, *, span: float = 0.2, most: int = 8, least_peak: float = 0.15
) -> list[Cluster]:
    """The densest ranges within the fraction `span` of price, at most `most` a side, nearest to price first.

    A cluster is a peak of the lightly smoothed density with all neighbouring bins of at least half its height. Peaks
    lower than `least_peak` times the side's highest are left out.
    """
    near = np.flatnonzero(np.abs(levels.middles / levels.price - 1) <= span)
    if not near.size:
        return []
    window = slice(int(near[0]), int(near[-1]) + 1)
    found: list[Cluster] = []
    for side in ("long", "short"):
        contracts = (levels.longs if side == "long" else levels.shorts)[:, window]
        total = contracts.sum(axis=0)
        whole = float(total.sum())
        if whole > 0:
            ranges = _dense_ranges(np.convolve(total, _KERNEL, mode="same"), most, least_peak)
            found += [
                _cluster(levels, side, window.start + first, window.start + stop, whole) for first, stop in ranges
            ]
    return sorted((c for c in found if c.contracts > 0), key=lambda c: abs(c.distance))


def _dense_ranges(density: Floats, most: int, least_peak: float) -> list[tuple[int, int]]:
    """Half-height ranges around the highest peaks, highest first, that do not overlap."""
    free = density.copy()
    highest = float(density.max())
    ranges: list[tuple[int, int]] = []
    while len(ranges) < most:
        peak = int(free.argmax())
        height = float(free[peak])
        if height <= 0 or height < least_peak * highest:
            break
        below = np.flatnonzero(free[: peak + 1] < height / 2)
        above = np.flatnonzero(free[peak:] < height / 2)
        first = int(below[-1]) + 1 if below.size else 0
        stop = peak + int(above[0]) if above.size else len(free)
        if _is_peak(density, peak, first, stop):
            ranges.append((first, stop))
        free[first:stop] = 0.0
    return ranges


def _is_peak(density: Floats, peak: int, first: int, stop: int) -> bool:
    """A slope that was cut off at half a taken cluster's height is that cluster's tail, not a peak of its own."""
    left = density[peak - 1] if peak > 0 else 0.0
    right = density[peak + 1] if peak + 1 < len(density) else 0.0
    return bool(density[peak] >= left and density[peak] >= right) and stop > first


def _cluster(levels: LiquidationMap, side: Literal["long", "short"], first: int, stop: int, whole: float) -> Cluster:
    """The cluster of the map's bins from `first` up to `stop`, of a side that holds `whole` contracts."""
    contracts, opened = (levels.longs, levels.long_opened) if side == "long" else (levels.shorts, levels.short_opened)
    part, hours = contracts[:, first:stop], opened[:, first:stop]
    by_bin, by_tier = part.sum(axis=0), part.sum(axis=1)
    held = float(by_bin.sum())
    middles = levels.middles[first:stop]
    price = float(middles[by_bin.argmax()])
    return Cluster(
        side=side,
        price_low=float(levels.low_edges[first]),
        price_high=float(levels.high_edges[stop - 1]),
        price=price,
        contracts=held,
        notional=float(by_bin @ middles),
        leverage={int(t): float(c / held) for t, c in zip(levels.tiers, by_tier, strict=True) if c > 0},
        age_hours=levels.time_ns / _NS_PER_HOUR - float(np.nansum(hours * part) / held) if held else 0.0,
        distance=price / levels.price - 1,
        strength=held / whole,
    )
