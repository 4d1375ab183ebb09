"""Clusters: the price ranges in which a map is dense."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, overload

import numpy as np
import numpy.typing as npt

from liqstrat.liquidation.compiled import compiled
from liqstrat.liquidation.grid import Floats, Ints, log_step
from liqstrat.liquidation.map import LiquidationMap, Profile, over_tiers
from liqstrat.moments import HOUR_NS

SideName = Literal["long", "short"]

#: Clusters of a side, and how high their peaks must be as a share of its highest, where nobody says otherwise.
MOST_A_SIDE, LEAST_PEAK = 8, 0.15


@dataclass(frozen=True)
class Cluster:
    """A dense price range of one side's liquidation prices.

    price: the densest bin's middle. contracts: as the market counts them. notional: what they are worth at the
    liquidation prices, in the currency of prices (USDT).
    leverage: share of the contracts by leverage. age_hours: mean time since the contracts opened.
    distance: signed fraction of the current price, negative below. strength: share of this side's contracts within the
    span that was searched.
    """

    side: SideName
    price_low: float
    price_high: float
    price: float
    contracts: float
    notional: float
    leverage: dict[int, float]
    age_hours: float
    distance: float
    strength: float


class Clusters(Sequence[Cluster]):
    """The clusters of a map, nearest to price first; each is described only when it is asked for.

    next_long: the highest price of a cluster of longs, USDT; minus infinity where there is none. next_short: the lowest
    of one of shorts; infinity where there is none.
    """

    def __init__(self, levels: LiquidationMap, most: int, least_peak: float) -> None:
        """`levels` is the part of the map that is searched; see `find_clusters`."""
        self._levels = levels
        self._ranges, self._is_long, self._prices, self.next_long, self.next_short = _dense_ranges_by_distance(
            over_tiers(levels.longs), over_tiers(levels.shorts), levels.first_bin, log_step(levels.width),
            levels.price, most, least_peak,
        )  # fmt: skip
        self._described: dict[int, Cluster] = {}

    def __len__(self) -> int:
        return len(self._prices)

    @overload
    def __getitem__(self, index: int) -> Cluster: ...
    @overload
    def __getitem__(self, index: slice) -> list[Cluster]: ...
    def __getitem__(self, index: int | slice) -> Cluster | list[Cluster]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        at = range(len(self))[index]
        if at not in self._described:
            first, stop, _ = self._ranges[at].tolist()
            side: SideName = "long" if self._is_long[at] else "short"
            self._described[at] = _cluster(self._levels, side, first, stop, float(self._prices[at]))
        return self._described[at]


def find_clusters(
    levels: LiquidationMap, *, span: float = 0.2, most: int = MOST_A_SIDE, least_peak: float = LEAST_PEAK
) -> Clusters:
    """The densest ranges within the fraction `span` of price, at most `most` a side, nearest to price first.

    A cluster is a peak of the lightly smoothed density with all neighbouring bins of at least half its height. Peaks
    lower than `least_peak` times the side's highest are left out.
    """
    return Clusters(levels.within(span), most, least_peak)


def next_hearts(profile: Profile, *, most: int = MOST_A_SIDE, least_peak: float = LEAST_PEAK) -> tuple[float, float]:
    """`next_long` and `next_short` of the clusters that `find_clusters` finds in the map that has this profile."""
    # In which order they come does not matter here, so neither does the price.
    _, _, _, next_long, next_short = _dense_ranges_by_distance(
        profile.longs, profile.shorts, profile.first_bin, log_step(profile.width), 1.0, most, least_peak
    )
    return next_long, next_short


@compiled
def _dense_ranges(total: Floats, most: int, least_peak: float) -> Ints:
    """Rows of first bin, bin after the last, and densest bin: ranges around the highest peaks that do not overlap.

    A slope that was cut off at half a taken cluster's height is that cluster's tail, not a peak of its own.
    """
    bins = len(total)
    density, highest = np.empty(bins), 0.0
    for column in range(bins):
        before = total[column - 1] if column > 0 else 0.0
        after = total[column + 1] if column + 1 < bins else 0.0
        density[column] = total[column] / 2 + before / 4 + after / 4
        highest = max(highest, density[column])
    free = density.copy()
    ranges, count = np.zeros((most, 3), dtype=np.int64), 0
    while count < most and bins:
        peak = free.argmax()
        height = free[peak]
        if height <= 0 or height < least_peak * highest:
            break
        first, stop = peak, peak + 1
        while first > 0 and free[first - 1] >= height / 2:
            first -= 1
        while stop < bins and free[stop] >= height / 2:
            stop += 1
        rises = peak == 0 or density[peak] >= density[peak - 1]
        falls = peak == bins - 1 or density[peak] >= density[peak + 1]
        if rises and falls:
            ranges[count] = first, stop, first + total[first:stop].argmax()
            count += 1
        free[first:stop] = 0.0
    return ranges[:count]


@compiled
def _dense_ranges_by_distance(
    longs: Floats, shorts: Floats, first_bin: int, step: float, price: float, most: int, least_peak: float
) -> tuple[Ints, npt.NDArray[np.bool_], Floats, float, float]:
    """Ranges of both sides, whether they are of longs, and the prices of their densest bins, nearest to `price` first;
    then the highest of these prices of longs, and the lowest of shorts."""
    ranges, is_long = np.empty((2 * most, 3), dtype=np.int64), np.empty(2 * most, dtype=np.bool_)
    prices, count = np.empty(2 * most), 0
    next_long, next_short = -np.inf, np.inf
    for side in range(2):
        found = _dense_ranges(longs if side == 0 else shorts, most, least_peak)
        for i in range(len(found)):
            at = np.exp((first_bin + found[i, 2] + 0.5) * step)
            if side == 0:
                next_long = max(next_long, at)
            else:
                next_short = min(next_short, at)
            # Behind all that are as near.
            place = count
            while place > 0 and abs(at / price - 1) < abs(prices[place - 1] / price - 1):
                ranges[place], is_long[place], prices[place] = ranges[place - 1], is_long[place - 1], prices[place - 1]
                place -= 1
            ranges[place], is_long[place], prices[place] = found[i], side == 0, at
            count += 1
    return ranges[:count], is_long[:count], prices[:count], next_long, next_short


def _cluster(levels: LiquidationMap, side: SideName, first: int, stop: int, price: float) -> Cluster:
    """What stands in the map's bins from `first` up to `stop`."""
    contracts, hours = (levels.longs, levels.long_hours) if side == "long" else (levels.shorts, levels.short_hours)
    part = contracts[:, first:stop]
    by_tier, held = part.sum(axis=1), float(part.sum())
    return Cluster(
        side=side,
        price_low=float(levels.low_edges[first]),
        price_high=float(levels.high_edges[stop - 1]),
        price=price,
        contracts=held,
        notional=float(part.sum(axis=0) @ levels.contract.worth(levels.middles[first:stop])),
        leverage={int(t): float(c / held) for t, c in zip(levels.tiers, by_tier, strict=True) if c > 0},
        age_hours=levels.time_ns / HOUR_NS - float(hours[:, first:stop].sum()) / held,
        distance=price / levels.price - 1,
        strength=held / float(contracts.sum()),
    )
