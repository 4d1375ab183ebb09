"""Levels of many maps, as they were known, and placebos for each."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Self

import numpy as np
import numpy.typing as npt

from liqstrat.catalog.minutes import MinuteBars
from liqstrat.liquidation.clusters import find_clusters
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.maps import maps_at
from liqstrat.market.store import Store
from liqstrat.moments import MINUTE_NS
from liqstrat.progress import SILENT, Progress

Bools = npt.NDArray[np.bool_]

#: Levels that are held against each one.
PLACEBOS = 10
#: Fraction of price within which clusters are looked for, and as far as which they may be reached in a day.
SPAN, WITHIN = 0.2, 0.05
#: Maps that placebos are taken from, at most, by chance.
_POOL = 1000
#: A day's standard deviation below which one hour is as calm as another.
_CALM = 0.002
#: Price is not looked for farther back.
_SEEN_MINUTES = 7 * 1440


@dataclass(frozen=True, eq=False)
class Moments:
    """Maps, arrays of one entry each: when (nanoseconds), the price then (USDT), and the standard deviation of returns,
    spun out to a day, in the day (volatility) and in the hour before (unrest); NaN where history begins later."""

    time_ns: Ints
    price: Floats
    volatility: Floats
    unrest: Floats


@dataclass(frozen=True, eq=False)
class Levels:
    """Levels, arrays of one entry each: `moment` is the number of its map, `long` whose positions are liquidated there.

    price is its nearer edge, where price reaches it, low and high its range (USDT); distance from price then, a signed
    fraction; notional USDT; away the hours since price was last there, as far as a week. of: the level that a placebo
    belongs to.
    """

    moment: Ints
    long: Bools
    price: Floats
    low: Floats
    high: Floats
    distance: Floats
    notional: Floats
    away: Floats
    of: Ints

    def __len__(self) -> int:
        return len(self.price)

    def at(self, rows: Bools | Ints) -> Self:
        """Some of them."""
        return type(self)(*(getattr(self, one.name)[rows] for one in fields(self)))


def known_levels(
    store: Store,
    symbol: str,
    moments: Sequence[datetime],
    settings: ModelSettings,
    warmup: timedelta,
    bars: MinuteBars,
    progress: Progress = SILENT,
) -> tuple[Moments, Levels, Levels]:
    """The maps at `moments`, their levels, and all clusters however far, where no placebo may stand."""
    rows: list[tuple[float, ...]] = []
    times, prices = [], []
    for number, known in enumerate(maps_at(store, symbol, list(moments), settings, warmup, progress, SPAN)):
        times.append(known.time_ns)
        prices.append(known.price)
        for one in find_clusters(known, span=SPAN):
            rows.append((number, one.side == "long", one.price_low, one.price_high, one.notional))
    columns = np.array(rows, dtype=np.float64).reshape(-1, 5).T
    number, long, low, high, notional = columns[0].astype(np.int64), columns[1] > 0, *columns[2:]
    time_ns, price = np.array(times, dtype=np.int64), np.array(prices)
    edge, nothing = np.where(long, high, low), np.full(len(number), np.nan)
    distance = edge / price[number] - 1
    found = Levels(number, long, edge, low, high, distance, notional, nothing, np.arange(len(number)))
    # Price may not be there already.
    ahead = np.where(long, distance < 0, distance > 0) & (np.abs(distance) <= WITHIN)
    moments_known, levels = (
        Moments(time_ns, price, _volatility(bars, time_ns, 1440, 5), _volatility(bars, time_ns, 60, 1)),
        found.at(ahead),
    )
    away = _hours_away(bars, moments_known, levels)
    return moments_known, replace(levels, away=away, of=np.arange(len(levels))), found


def placebos(moments: Moments, levels: Levels, clusters: Levels, bars: MinuteBars, seed: int) -> Levels:
    """Up to `PLACEBOS` for each level: at other maps, equally far, clear of clusters, and of these the ones that are
    most alike in how long price has been away (by ratio, an hour added) and how restless the last hour was."""
    random = np.random.default_rng(seed)
    count = len(moments.time_ns)
    pool = np.sort(random.choice(count, min(count, _POOL), replace=False))
    log_unrest = np.log(np.maximum(np.nan_to_num(moments.unrest, nan=_CALM), _CALM))
    log_away, restless = np.log(levels.away + 1), log_unrest[levels.moment]
    # The best so far of each level, the least alike first; as unlike as none.
    unlike = np.full((len(levels), PLACEBOS), np.inf)
    maps, away = np.zeros(unlike.shape, dtype=np.int64), np.zeros(unlike.shape)
    for number in pool.tolist():
        there = clusters.at(clusters.moment == number)
        for long in (True, False):
            rows = np.flatnonzero((levels.long == long) & (levels.moment != number))
            scale, some = moments.price[number] / moments.price[levels.moment[rows]], there.at(there.long == long)
            low, high = levels.low[rows] * scale, levels.high[rows] * scale
            free = ~((some.low < high[:, np.newaxis]) & (some.high > low[:, np.newaxis])).any(axis=1)
            rows, scale = rows[free], scale[free]
            hours = _hours_since(bars, int(moments.time_ns[number]), levels.price[rows] * scale, long=long)
            apart = np.abs(np.log(hours + 1) - log_away[rows]) + np.abs(log_unrest[number] - restless[rows])
            # So little that it only decides between those that are alike.
            apart += 1e-6 * random.random(len(rows))
            worst = unlike[rows].argmax(axis=1)
            better = apart < unlike[rows, worst]
            at = (rows[better], worst[better])
            unlike[at], maps[at], away[at] = apart[better], number, hours[better]
    line, place = np.nonzero(np.isfinite(unlike))
    moment = maps[line, place]
    scale = moments.price[moment] / moments.price[levels.moment[line]]
    return _moved(levels, line, moment, scale, away[line, place])


def _moved(levels: Levels, of: Ints, moment: Ints, scale: Floats, away: Floats) -> Levels:
    """The levels `of`, at other maps, where price was `scale` times theirs."""
    own = levels.at(of)
    prices = (own.price * scale, own.low * scale, own.high * scale)
    return Levels(moment, own.long, *prices, own.distance, own.notional, away, of)


def _hours_away(bars: MinuteBars, moments: Moments, levels: Levels) -> Floats:
    """Hours since price was last at each level, or beyond it, when it was known."""
    found = np.zeros(len(levels))
    for number in np.unique(levels.moment).tolist():
        for long in (True, False):
            rows = np.flatnonzero((levels.moment == number) & (levels.long == long))
            found[rows] = _hours_since(bars, int(moments.time_ns[number]), levels.price[rows], long=long)
    return found


def _hours_since(bars: MinuteBars, time_ns: int, price: Floats, *, long: bool) -> Floats:
    """Hours since price was at `price` or below (above, of shorts) before a time; at most a week."""
    end = min(max((time_ns - bars.start_ns) // MINUTE_NS, 0), len(bars))
    part = slice(max(end - _SEEN_MINUTES, 0), end)
    way, prices = (1.0, bars.low) if long else (-1.0, bars.high)
    # Ever higher, going back: how far price has come towards the level.
    come = -np.minimum.accumulate(way * prices[part][::-1])
    back = np.searchsorted(come, -way * price)
    return np.where(back < len(come), back, _SEEN_MINUTES) / 60


def _volatility(bars: MinuteBars, time_ns: Ints, minutes: int, step: int) -> Floats:
    """Standard deviation of the returns of `step` minutes in the `minutes` before each time, times the root of how many
    there are in a day."""
    found = np.full(len(time_ns), np.nan)
    for number, time in enumerate(time_ns.tolist()):
        end = (time - bars.start_ns) // MINUTE_NS
        if minutes < end <= len(bars):
            closes = np.log(bars.close[end - minutes - 1 : end : step])
            found[number] = float(np.sqrt((np.diff(closes) ** 2).sum() * 1440 / minutes))
    return found
