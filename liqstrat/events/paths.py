"""What price does: when each level is reached, and the way it goes from there."""

from dataclasses import dataclass

import numpy as np

from liqstrat.catalog.minutes import MinuteBars
from liqstrat.events.levels import Bools, Levels, Moments
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.liquidation.liquidations import Liquidations
from liqstrat.moments import MINUTE_NS

#: A day: after it, nobody waits for a touch any more, and no path is followed.
DAY_MINUTES = 1440
#: Minutes after the touch at which the path is looked at.
HORIZONS = (5, 15, 30, 60, 120, 240, 480, 720, 1440)
#: Minutes from the touch within which liquidations are its own.
LIQUIDATED_WITHIN = 30
_CHUNK = 2000


@dataclass(frozen=True, eq=False)
class Paths:
    """Ways from touches, `[touch, horizon]`, as fractions of the price at the close of the minute of the touch:
    returns, and the best (mfe) and worst (mae, at most zero) so far; positive is back from the level. NaN beyond
    history."""

    returns: Floats
    mfe: Floats
    mae: Floats


def touched(bars: MinuteBars, moments: Moments, levels: Levels) -> Ints:
    """After how many minutes each level was reached, counted from its map; -1 where not within a day, or not within
    what there is of history."""
    found = np.full(len(levels), -1, dtype=np.int64)
    for number in np.unique(levels.moment).tolist():
        first = int((moments.time_ns[number] - bars.start_ns) // MINUTE_NS)
        part = slice(max(first, 0), max(first, 0) + DAY_MINUTES)
        for long in (True, False):
            way, prices = (1.0, bars.low) if long else (-1.0, bars.high)
            rows = np.flatnonzero((levels.moment == number) & (levels.long == long))
            come = -np.minimum.accumulate(way * prices[part])
            after = np.searchsorted(come, -way * levels.price[rows])
            found[rows] = np.where(after < len(come), after, -1)
    return found


def followed(bars: MinuteBars, moments: Moments, levels: Levels) -> Bools:
    """Whether history reaches a day beyond each level's map."""
    ends = moments.time_ns[levels.moment] + DAY_MINUTES * MINUTE_NS
    return np.asarray(ends <= bars.start_ns + len(bars) * MINUTE_NS)


def paths(bars: MinuteBars, minute: Ints, long: Bools) -> Paths:
    """Ways from touches in the minutes with these numbers, of longs below or shorts above price."""
    shape = (len(minute), len(HORIZONS))
    returns, mfe, mae = (np.full(shape, np.nan) for _ in range(3))
    for begin in range(0, len(minute), _CHUNK):
        rows = slice(begin, begin + _CHUNK)
        way = np.where(long[rows], 1.0, -1.0)[:, np.newaxis]
        entry = bars.close[minute[rows]][:, np.newaxis]
        at = minute[rows][:, np.newaxis] + 1 + np.arange(DAY_MINUTES)
        there = at < len(bars)
        at = np.minimum(at, len(bars) - 1)
        up, down = bars.high[at] / entry - 1, bars.low[at] / entry - 1
        best = np.maximum.accumulate(np.where(way > 0, up, -down), axis=1)
        worst = np.minimum.accumulate(np.where(way > 0, down, -up), axis=1)
        last = np.array(HORIZONS) - 1
        known = there[:, last]
        returns[rows] = np.where(known, (way * (bars.close[at] / entry - 1))[:, last], np.nan)
        mfe[rows] = np.where(known, np.maximum(best[:, last], 0.0), np.nan)
        mae[rows] = np.where(known, np.minimum(worst[:, last], 0.0), np.nan)
    return Paths(returns, mfe, mae)


def liquidated(liquidations: Liquidations, touch_ns: Ints, levels: Levels) -> Floats:
    """Contracts of each level's side that were liquidated within its range, from the minute of the touch on."""
    found = np.zeros(len(levels))
    first = np.searchsorted(liquidations.time_ns, touch_ns)
    stop = np.searchsorted(liquidations.time_ns, touch_ns + LIQUIDATED_WITHIN * MINUTE_NS)
    for row in np.flatnonzero(stop > first).tolist():
        part = slice(first[row], stop[row])
        inside = (liquidations.price[part] >= levels.low[row]) & (liquidations.price[part] <= levels.high[row])
        own = inside & (liquidations.long[part] == levels.long[row])
        found[row] = liquidations.contracts[part][own].sum()
    return found
