"""True maps of a simulated market, and the best that could be known without knowing leverage."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from liqstrat.bench.market import WIDTH, BenchMarket
from liqstrat.liquidation.brackets import BracketTable
from liqstrat.liquidation.grid import Floats, Ints, bin_of
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.liquidation.price import liquidation_price

#: Fraction of price, on either side, within which maps are compared.
SPAN = 0.2


@dataclass(frozen=True, eq=False)
class Moment:
    """Maps are compared on `bins` bins from `first` on; `contracts[side, bin]` (longs first) is the truth there."""

    time_ns: int
    first: int
    bins: int
    contracts: Floats

    def window(self, levels: LiquidationMap) -> Floats:
        """A model's map on the same bins, all leverages together."""
        result = np.zeros((2, self.bins))
        for row, contracts in zip(result, (levels.longs, levels.shorts), strict=True):
            low = max(self.first, levels.first_bin)
            high = min(self.first + self.bins, levels.first_bin + contracts.shape[1])
            if high > low:
                part = contracts[:, low - levels.first_bin : high - levels.first_bin]
                row[low - self.first : high - self.first] = part.sum(axis=0)
        return result


@dataclass(frozen=True, eq=False)
class Bound:
    """The map of somebody who knows side, entry, size and opening time of every position, but leverage only by the true
    mix. `plain` leaves it at that and is the bound; `alive` also leaves out, for each position, the leverages at which
    price would already have liquidated it: the strict bound. A book that follows price can beat the first."""

    plain: Floats
    alive: Floats


def moments(market: BenchMarket) -> Iterator[Moment]:
    """The truth at each full hour of the second half."""
    for i, time_ns in enumerate(market.hours.tolist()):
        rows = slice(int(market.held[i]), int(market.held[i + 1]))
        price = float(market.close[np.searchsorted(market.times, time_ns)])
        first, last = bin_of([price * (1 - SPAN), price * (1 + SPAN)], WIDTH).tolist()
        side, size, at = market.side[rows], market.size[rows], market.liquidation[rows]
        yield Moment(time_ns, first, last - first + 1, _by_bin(at, size, side, first, last - first + 1))


def bounds(market: BenchMarket, brackets: BracketTable, mix: Mapping[int, float]) -> Iterator[Bound]:
    """The bound at each of `moments`, for the leverage mix that the market was made with."""
    tiers, shares = np.array(sorted(mix)), np.array([mix[tier] for tier in sorted(mix)])
    for i, moment in enumerate(moments(market)):
        rows = slice(int(market.held[i]), int(market.held[i + 1]))
        side, size, entry = market.side[rows], market.size[rows], market.entry[rows]
        most = brackets.max_leverage[brackets.index_of(entry * size)]
        leverage = np.minimum(tiers, most[:, np.newaxis])
        column = (slice(None), np.newaxis)
        at = liquidation_price(entry[column], leverage, size[column], side[column], brackets)
        spread = size[column] * shares
        dead = _run_through(market, market.opened[rows], moment.time_ns, at, side)
        living = np.where(dead, 0.0, shares)
        left = living.sum(axis=1, keepdims=True)
        living = np.where(left > 0, living / np.where(left > 0, left, 1.0), shares)
        sides = np.broadcast_to(side[column], at.shape)
        yield Bound(
            *(
                _by_bin(at.ravel(), part.ravel(), sides.ravel(), moment.first, moment.bins)
                for part in (spread, size[column] * living)
            )
        )


def _by_bin(price: Floats, size: Floats, side: Ints, first: int, bins: int) -> Floats:
    placed = price > 0
    place = bin_of(np.where(placed, price, 1.0), WIDTH) - first
    inside = placed & (place >= 0) & (place < bins)
    return np.stack(
        [np.bincount(place[mine], size[mine], minlength=bins) for mine in (inside & (side > 0), inside & (side < 0))]
    )


def _run_through(market: BenchMarket, opened: Ints, now_ns: int, at: Floats, side: Ints) -> npt.NDArray[np.bool_]:
    """Whether price has reached `at[position, tier]` since the interval after the one in which each opened."""
    last = int(np.searchsorted(market.times, now_ns))
    since = np.minimum(np.searchsorted(market.times, opened, side="right") + 1, last)
    lows = np.fmin.accumulate(market.low[last::-1])[::-1]
    highs = np.fmax.accumulate(market.high[last::-1])[::-1]
    low, high, long = lows[since][:, np.newaxis], highs[since][:, np.newaxis], side[:, np.newaxis] > 0
    return (at > 0) & np.where(long, at >= low, at <= high)
