"""What is wrong with the trades, found in one scan of billions of rows.

Trades are summed by block of ids and hour. A block whose count and sum are those of unbroken ids has no gap and no id
twice; only the others are read row by row. An hour without a trade lies between two sums.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import numpy.typing as npt

from liqstrat.liquidation.contract import venue_of
from liqstrat.market.quality.ranges import SHOWN, Gap, Range
from liqstrat.market.schema import EXCHANGE
from liqstrat.market.store import Store
from liqstrat.moments import DAY_US, HOUR_US, at_us, microseconds_in

_BLOCK = 4096
# In a history of few blocks, most would have none beside them to be compared with.
_FEW_ROWS = 5 * _BLOCK
_SMALL_BLOCK = 256
_BLOCKS_AT_ONCE = 1000
#: A price is an outlier when it is this far beyond the prices of the two blocks before and the two after.
OUTLIER = 0.1
#: So long a silence, and so many times what usually lies between two trades, is told of.
QUIET = timedelta(hours=1)
_QUIET_TIMES = 100


_Ints = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Outlier:
    """A price far beyond `low` to `high`, between which the trades before and after lie."""

    time: datetime
    price: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class TradeQuality:
    """gaps: where ids are missing, in order of id. quiet: long silences in which none is missing, in order of time.

    twice: rows too many. outliers: the first of `outlier_count`. rows are those with a value, of which the others count
    as `without_value`.
    """

    rows: int
    first: datetime
    last: datetime
    days: tuple[date, ...]
    gaps: tuple[Gap, ...]
    quiet: tuple[Range, ...]
    twice: int
    outliers: tuple[Outlier, ...]
    outlier_count: int
    without_value: int


@dataclass(frozen=True, slots=True)
class _Blocks:
    """Arrays of one entry a block of `size` ids, in order: what its trades add up to. Ids in `total` count from its
    start."""

    size: int
    block: _Ints
    count: _Ints
    total: _Ints
    first_id: _Ints
    last_id: _Ints
    first_us: _Ints
    last_us: _Ints
    low: _Floats
    high: _Floats

    def broken(self) -> npt.NDArray[np.bool_]:
        """Blocks with gaps or ids twice inside."""
        first, last = self.first_id - self.block * self.size, self.last_id - self.block * self.size
        whole: npt.NDArray[np.bool_] = (self.count == last - first + 1) & (
            2 * self.total == (first + last) * self.count
        )
        return ~whole


@dataclass(frozen=True, slots=True)
class _Times:
    """When trades happened: arrays of one entry for each block and hour, and the ids at the ends of each."""

    hour: _Ints
    first_id: _Ints
    last_id: _Ints
    first_us: _Ints
    last_us: _Ints

    def days(self) -> tuple[date, ...]:
        return tuple(at_us(day * DAY_US).date() for day in np.unique(self.hour // 24).tolist())

    def quiet(self, rows: int) -> tuple[Range, ...]:
        """Silences of an hour and more always reach over a full hour, so that they lie between two entries."""
        order = np.argsort(self.first_us, kind="stable")
        until = np.maximum.accumulate(self.last_us[order])
        length = self.first_us[order][1:] - until[:-1]
        usual = len(np.unique(self.hour)) * HOUR_US / max(rows, 1)
        unbroken = self.first_id[order][1:] == self.last_id[order][:-1] + 1
        long = (length >= max(microseconds_in(QUIET), _QUIET_TIMES * usual)) & unbroken
        return tuple(Range(at_us(until[i]), at_us(self.first_us[order[i + 1]])) for i in np.flatnonzero(long))


def examine_trades(store: Store, symbol: str, start: datetime | None, end: datetime | None) -> TradeQuality | None:
    """What is wrong with the symbol's trades in `[start, end)`; None where there are none."""
    rows = store.rows_sql("trades", symbol, start, end)
    if rows is None:
        return None
    blocks, times = _summed(store, rows)
    if not len(blocks.block):
        return None
    gaps, twice = _gaps(store, rows, blocks)
    if venue_of(symbol) != EXCHANGE:
        gaps = []  # Numbers are ours there, by day: none can be missing, and between days most are.
    outliers, outlier_count = _outliers(store, rows, blocks)
    count = int(blocks.count.sum())
    return TradeQuality(
        rows=count,
        first=at_us(blocks.first_us.min()),
        last=at_us(blocks.last_us.max()),
        days=times.days(),
        gaps=tuple(gaps),
        quiet=times.quiet(count),
        twice=twice,
        outliers=outliers,
        outlier_count=outlier_count,
        without_value=store.silent_rows("trades", symbol, start, end),
    )


def missing_trades(store: Store, symbol: str, start: datetime | None, end: datetime | None) -> list[Gap]:
    """Where ids are missing among the symbol's trades in `[start, end)`, in order of id."""
    rows = store.rows_sql("trades", symbol, start, end)
    return _gaps(store, rows, _summed(store, rows)[0])[0] if rows else []


def _summed(store: Store, rows: str) -> tuple[_Blocks, _Times]:
    few = len(store.connection.execute(f"select 1 from ({rows}) limit {_FEW_ROWS}").fetchall()) < _FEW_ROWS
    size = _SMALL_BLOCK if few else _BLOCK
    sql = f"""
        select agg_trade_id // {size} as block, epoch_us(timestamp) // {HOUR_US} as hour, count(*) as count,
               sum(agg_trade_id % {size})::bigint as total,
               min(agg_trade_id) as first_id, max(agg_trade_id) as last_id,
               epoch_us(min(timestamp)) as first_us, epoch_us(max(timestamp)) as last_us,
               min(price)::double as low, max(price)::double as high
        from ({rows}) group by all order by block, hour
    """
    parts = {name: np.asarray(values) for name, values in store.connection.sql(sql).fetchnumpy().items()}
    times = _Times(**{name: parts[name] for name in ("hour", "first_id", "last_id", "first_us", "last_us")})
    block, starts = np.unique(parts["block"], return_index=True)
    joined = {"count": np.add, "total": np.add, "first_id": np.minimum, "last_id": np.maximum}
    joined |= {"first_us": np.minimum, "last_us": np.maximum, "low": np.minimum, "high": np.maximum}
    values = {name: how.reduceat(parts[name], starts) if len(starts) else parts[name] for name, how in joined.items()}
    return _Blocks(size=size, block=block, **values), times


def _gaps(store: Store, rows: str, blocks: _Blocks) -> tuple[list[Gap], int]:
    """Gaps between blocks and, row by row, inside those that are broken; and how many rows are there twice."""
    between = np.flatnonzero(blocks.first_id[1:] > blocks.last_id[:-1] + 1)
    found = {
        int(blocks.last_id[i]): _gap(
            blocks.last_id[i], blocks.first_id[i + 1], blocks.last_us[i], blocks.first_us[i + 1]
        )
        for i in between.tolist()
    }
    twice = 0
    for ids, times in _rows_of(store, rows, blocks.block[blocks.broken()], blocks.size):
        twice += int((np.diff(ids) == 0).sum())
        for i in np.flatnonzero(np.diff(ids) > 1).tolist():
            if ids[i] // blocks.size == ids[i + 1] // blocks.size:
                found[int(ids[i])] = _gap(ids[i], ids[i + 1], times[i], times[i + 1])
    return [found[last_id] for last_id in sorted(found)], twice


def _gap(before: np.int64, after: np.int64, start_us: np.int64, end_us: np.int64) -> Gap:
    return Gap(at_us(start_us), at_us(end_us), int(after - before - 1))


def _rows_of(store: Store, rows: str, blocks: _Ints, size: int) -> Iterator[tuple[_Ints, _Ints]]:
    """Ids and times (microseconds) of the trades in `blocks`, in order of id, some blocks at a time.

    Consecutive blocks are asked for as one range: DuckDB skips what lies outside of it.
    """
    for begin in range(0, len(blocks), _BLOCKS_AT_ONCE):
        some = blocks[begin : begin + _BLOCKS_AT_ONCE]
        runs = np.split(some, np.flatnonzero(np.diff(some) > 1) + 1)
        within = " or ".join(
            f"agg_trade_id between {int(run[0]) * size} and {int(run[-1]) * size + size - 1}" for run in runs
        )
        sql = f"select agg_trade_id as id, epoch_us(timestamp) as us from ({rows}) where {within} order by id, us"
        found = store.connection.sql(sql).fetchnumpy()
        yield np.asarray(found["id"]), np.asarray(found["us"])


def _outliers(store: Store, rows: str, blocks: _Blocks) -> tuple[tuple[Outlier, ...], int]:
    low, high = _beside(blocks, blocks.low, highest=False), _beside(blocks, blocks.high, highest=True)
    lowest, highest = low * (1 - OUTLIER), high * (1 + OUTLIER)
    found: list[Outlier] = []
    count = 0
    for i in np.flatnonzero((blocks.low < lowest) | (blocks.high > highest)).tolist():
        begin = int(blocks.block[i]) * blocks.size
        sql = f"""
            select epoch_us(timestamp), price::double from ({rows})
            where agg_trade_id between {begin} and {begin + blocks.size - 1}
              and (price < {float(lowest[i])!r} or price > {float(highest[i])!r})
            order by agg_trade_id
        """
        far = store.connection.execute(sql).fetchall()
        count += len(far)
        shown = far[: SHOWN - len(found)]
        found += [Outlier(at_us(us), price, float(low[i]), float(high[i])) for us, price in shown]
    return tuple(found), count


def _beside(blocks: _Blocks, values: _Floats, *, highest: bool) -> _Floats:
    """The lowest or highest of the two blocks before and the two after, NaN where none is there.

    Where all four are, the second lowest or highest: one of them may have an outlier itself.
    """
    sign = -1.0 if highest else 1.0
    beside = np.full((4, len(values)), np.nan)
    for row, shift in enumerate((-2, -1, 1, 2)):
        here = slice(max(-shift, 0), len(values) - max(shift, 0))
        there = slice(max(shift, 0), len(values) - max(-shift, 0))
        near = blocks.block[there] - blocks.block[here] == shift
        beside[row, here] = np.where(near, sign * values[there], np.nan)
    beside.sort(axis=0)
    found: _Floats = sign * np.where(np.isnan(beside[3]), beside[0], beside[1])
    return found
