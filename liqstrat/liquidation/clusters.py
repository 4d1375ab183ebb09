"""Clusters: the price ranges in which a map is dense."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple, overload

import numpy as np
import numpy.typing as npt

from liqstrat.errors import LiqstratError
from liqstrat.liquidation.compiled import compiled
from liqstrat.liquidation.grid import Floats, Ints, log_step, low_edge
from liqstrat.liquidation.lumps import Bounds
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
    span that was searched. band: the least and the most that may stand there, contracts, in nine of ten cases; None
    where the map has no band.
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
    band: tuple[float, float] | None = None

    @property
    def low(self) -> float:
        """The least contracts that may stand there; raises `LiqstratError` where the map has no band."""
        return self._band[0]

    @property
    def high(self) -> float:
        """The most contracts that may stand there; raises `LiqstratError` where the map has no band."""
        return self._band[1]

    @property
    def _band(self) -> tuple[float, float]:
        if self.band is None:
            raise LiqstratError(
                "a level has no low and no high where levels have no band, expected band = true in the run file"
            )
        return self.band


class Numbers(NamedTuple):
    """Clusters of one map as arrays, of one entry a cluster in their order.

    is_long: of longs or of shorts. first, stop: the first price bin, and the one after the last. price: the densest
    bin's middle. by_tier: contracts `[cluster, tier]`. contracts: all of them. hours: contracts times when they opened,
    in hours since 1970. notional: see `Cluster`.
    """

    is_long: npt.NDArray[np.bool_]
    first: Ints
    stop: Ints
    price: Floats
    by_tier: Floats
    contracts: Floats
    hours: Floats
    notional: Floats


@dataclass(frozen=True)
class Around:
    """What the clusters of one map have in common: its tiers, relative bin width, price (USDT) and time, and how many
    contracts it has of each side within the span that was searched."""

    tiers: Sequence[int]
    width: float
    price: float
    time_ns: int
    longs: float
    shorts: float


class Clusters(Sequence[Cluster]):
    """The clusters of a map, nearest to price first; each is described only when it is asked for.

    next_long: the highest price of a cluster of longs, USDT; minus infinity where there is none. next_short: the lowest
    of one of shorts; infinity where there is none. numbers: of those from a place up to another one. bands: their least
    and most contracts, likewise; None where the map has no band.
    """

    def __init__(
        self,
        prices: Floats,
        next_long: float,
        next_short: float,
        around: Callable[[], Around],
        numbers: Callable[[int, int], Numbers],
        bands: Callable[[int, int], Bounds] | None = None,
    ) -> None:
        self.next_long, self.next_short, self.numbers, self.bands = next_long, next_short, numbers, bands
        #: The price of each, USDT.
        self.prices: list[float] = prices.tolist()
        self._count, self._around = len(prices), around
        self._described: dict[int, Cluster] = {}

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Cluster: ...
    @overload
    def __getitem__(self, index: slice) -> list[Cluster]: ...
    def __getitem__(self, index: int | slice) -> Cluster | list[Cluster]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        at = range(len(self))[index]
        if at not in self._described:
            (self._described[at],) = self._describe(at, at + 1)
        return self._described[at]

    def __iter__(self) -> Iterator[Cluster]:
        if len(self._described) < self._count:
            all_of_them = enumerate(self._describe(0, self._count))
            self._described = {at: self._described.get(at, cluster) for at, cluster in all_of_them}
        return iter(self._described.values())

    @cached_property
    def around(self) -> Around:
        """What they have in common."""
        return self._around()

    def _describe(self, first: int, stop: int) -> list[Cluster]:
        found = _clusters(self.numbers(first, stop), self.around)
        if self.bands is None:
            return found
        bands = zip(*(column.tolist() for column in self.bands(first, stop)), strict=True)
        return [replace(one, band=band) for one, band in zip(found, bands, strict=True)]


def find_clusters(
    levels: LiquidationMap, *, span: float = 0.2, most: int = MOST_A_SIDE, least_peak: float = LEAST_PEAK
) -> Clusters:
    """The densest ranges within the fraction `span` of price, at most `most` a side, nearest to price first.

    A cluster is a peak of the lightly smoothed density with all neighbouring bins of at least half its height. Peaks
    lower than `least_peak` times the side's highest are left out.
    """
    near = levels.within(span)
    longs, shorts = over_tiers(near.longs), over_tiers(near.shorts)
    ranges, is_long, prices, next_long, next_short = _dense_ranges_by_distance(
        longs, shorts, near.first_bin, log_step(near.width), near.price, most, least_peak
    )

    def around() -> Around:
        return Around(near.tiers.tolist(), near.width, near.price, near.time_ns, _sum(longs), _sum(shorts))

    def numbers(begin: int, end: int) -> Numbers:
        part, of_longs, worth = ranges[begin:end], is_long[begin:end], near.contract.worth(near.middles)
        held = _held(near.longs, near.long_hours, near.shorts, near.short_hours, worth, part, of_longs)
        bins = near.first_bin + part
        return Numbers(of_longs, bins[:, 0], bins[:, 1], prices[begin:end], *held)

    def bands(begin: int, end: int) -> Bounds:
        assert near.band is not None
        return near.band.ranges(np.where(is_long[begin:end], 0, 1), ranges[begin:end, 0], ranges[begin:end, 1])

    return Clusters(prices, next_long, next_short, around, numbers, None if near.band is None else bands)


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


@compiled
def _held(  # type: ignore[no-untyped-def]
    longs, long_hours, shorts, short_hours, worth, ranges, is_long
):  # fmt: skip
    """What stands in ranges of a map's columns: the last four of `Numbers`."""
    tiers = len(longs)
    by_tier, contracts = np.zeros((len(ranges), tiers)), np.zeros(len(ranges))
    hours, notional = np.zeros(len(ranges)), np.zeros(len(ranges))
    for i in range(len(ranges)):
        amounts, times = (longs, long_hours) if is_long[i] else (shorts, short_hours)
        for tier in range(tiers):
            for column in range(ranges[i, 0], ranges[i, 1]):
                by_tier[i, tier] += amounts[tier, column]
                hours[i] += times[tier, column]
                notional[i] += amounts[tier, column] * worth[column]
            contracts[i] += by_tier[i, tier]
    return by_tier, contracts, hours, notional


@compiled
def _sum(values: Floats) -> float:
    """One after the other."""
    total = 0.0
    for value in values:
        total += value
    return total


def _clusters(numbers: Numbers, around: Around) -> list[Cluster]:
    known = around.time_ns / HOUR_NS
    lows, highs = low_edge(numbers.first, around.width).tolist(), low_edge(numbers.stop, around.width).tolist()
    columns = (column.tolist() for column in (numbers.is_long, *numbers[3:]))
    return [
        Cluster(
            side="long" if is_long else "short",
            price_low=low,
            price_high=high,
            price=price,
            contracts=held,
            notional=notional,
            leverage={tier: part / held for tier, part in zip(around.tiers, by_tier, strict=True) if part > 0},
            age_hours=known - hours / held,
            distance=price / around.price - 1,
            strength=held / (around.longs if is_long else around.shorts),
        )
        for low, high, is_long, price, by_tier, held, hours, notional in zip(lows, highs, *columns, strict=True)
    ]
