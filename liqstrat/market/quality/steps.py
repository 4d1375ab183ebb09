"""What is wrong with the kinds that come in steps: open interest, funding, candles."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from liqstrat.market.candles import length_of
from liqstrat.market.quality.ranges import Gap, Times, missing_steps, usual_step
from liqstrat.market.store import Store
from liqstrat.moments import HOUR_US, TICK, at_us, column_us, microseconds_in

_DEFAULT_INTERVAL = 8 * HOUR_US
#: So long may open interest stand still, at least, and in so many values, before somebody must have filled it in.
STILL_FOR = timedelta(hours=1)
_STILL_VALUES = 4
#: A value so many times the two beside it, which differ by no more than that share, is a spike.
_SPIKE, _BACK = 2.0, 0.1


@dataclass(frozen=True, slots=True)
class Still:
    """Open interest (contracts) that stood still from `start` to `end` (UTC), `values` times the same."""

    start: datetime
    end: datetime
    values: int
    contracts: float


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Open interest (contracts) that has different values at one moment (UTC), the least and the largest of them."""

    time: datetime
    least: float
    largest: float


@dataclass(frozen=True, slots=True)
class Spike:
    """A value of open interest (contracts, UTC) far from that `before`, to which the one after it comes back."""

    time: datetime
    contracts: float
    before: float


@dataclass(frozen=True, slots=True)
class StepQuality:
    """rows: in the table. times: microseconds, rising. step: what they should be apart, None where it is not known.

    without_value: rows that say nothing, as open interest of zero. still: values that stood still for long.
    contradictions, spikes: values that cannot be right.
    """

    rows: int
    times: Times
    step: timedelta | None
    gaps: tuple[Gap, ...]
    without_value: int = 0
    still: tuple[Still, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()
    spikes: tuple[Spike, ...] = ()


def examine_open_interest(
    store: Store, symbol: str, start: datetime | None, end: datetime | None
) -> StepQuality | None:
    """Missing, blank and repeated values of open interest, and those that cannot be right."""
    count, blank = _counts(store, "open_interest", symbol, start, end, "open_interest_contracts > 0")
    if not count:
        return None
    values = store.open_interest(symbol, start, end)
    times = column_us(values["time"])
    step = usual_step(times)
    return StepQuality(
        rows=count,
        times=times,
        step=_length(step),
        gaps=tuple(missing_steps(times, step)) if step else (),
        without_value=blank,
        still=tuple(_still(times, values["contracts"].to_numpy())),
        contradictions=tuple(Contradiction(*found) for found in store.contradictions(symbol, start, end)),
        spikes=tuple(_spikes(times, values["contracts"].to_numpy())),
    )


def examine_funding(store: Store, symbol: str, start: datetime | None, end: datetime | None) -> StepQuality | None:
    """Missing settlements. The interval between them has changed for many symbols, so that each row's own counts."""
    rows = store.rows_sql("funding", symbol, start, end)
    count, blank = _counts(store, "funding", symbol, start, end)
    if not count:
        return None
    sql = f"""
        select epoch_us(timestamp) as us, coalesce(max(funding_interval_hours), 0)::bigint as hours
        from ({rows}) group by us order by us
    """
    found = store.connection.sql(sql).to_arrow_table()
    times = settled_at(found["us"].to_numpy())
    hours = found["hours"].to_numpy()
    usual = usual_step(times) or _DEFAULT_INTERVAL
    intervals = np.where(hours > 0, hours * HOUR_US, usual)
    gaps: list[Gap] = []
    for i in np.flatnonzero(np.diff(times) > 1.1 * intervals[1:]).tolist():
        gaps += missing_steps(times[i : i + 2], int(intervals[i + 1]))
    return StepQuality(count, times, _length(usual), tuple(gaps), blank)


def examine_klines(
    store: Store, kind: str, symbol: str, start: datetime | None, end: datetime | None
) -> StepQuality | None:
    """Missing candles."""
    rows = store.rows_sql(kind, symbol, start, end)
    count, blank = _counts(store, kind, symbol, start, end)
    if not count:
        return None
    interval = kind.removeprefix("klines_")
    sql = f"select distinct epoch_us(timestamp) as us from ({rows}) order by us"
    times = store.connection.sql(sql).to_arrow_table()["us"].to_numpy()
    if interval.endswith("mo"):
        return StepQuality(count, times, None, (), blank)
    step = length_of(interval)
    return StepQuality(count, times, step, tuple(missing_steps(times, microseconds_in(step))), blank)


def examine_events(
    store: Store, kind: str, symbol: str, start: datetime | None, end: datetime | None
) -> StepQuality | None:
    """What comes when it comes, as liquidations: none of it can be known to be missing."""
    rows = store.rows_sql(kind, symbol, start, end)
    count, blank = _counts(store, kind, symbol, start, end)
    if not count:
        return None
    sql = f"select epoch_us(timestamp) as us from (select distinct * from ({rows})) order by us"
    return StepQuality(count, store.connection.sql(sql).to_arrow_table()["us"].to_numpy(), None, (), blank)


def settled_at(times: Times) -> Times:
    """The settlements (microseconds) that recorded funding times are of: the hour which they jitter around.

    A time that is more than a minute from a full hour is left as it is.
    """
    hours = (times + HOUR_US // 2) // HOUR_US * HOUR_US
    return np.where(np.abs(times - hours) <= HOUR_US // 60, hours, times)


def _still(times: Times, contracts: npt.NDArray[np.float64]) -> list[Still]:
    """Values that are the same for long, as a collector writes that fills its gaps with the last one."""
    starts = np.flatnonzero(np.concatenate(([True], np.diff(contracts) != 0)))
    ends = np.concatenate((starts[1:], [len(contracts)])) - 1
    long = (times[ends] - times[starts] >= microseconds_in(STILL_FOR)) & (ends - starts + 1 >= _STILL_VALUES)
    return [
        Still(at_us(times[first]), at_us(times[last]), last - first + 1, float(contracts[first]))
        for first, last in zip(starts[long].tolist(), ends[long].tolist(), strict=True)
    ]


def _spikes(times: Times, contracts: npt.NDArray[np.float64]) -> list[Spike]:
    """Values that are twice or half of those before and after, which are much the same."""
    before, value, after = contracts[:-2], contracts[1:-1], contracts[2:]
    back = np.abs(after / before - 1) < _BACK
    far = (value > _SPIKE * np.maximum(before, after)) | (value < np.minimum(before, after) / _SPIKE)
    return [Spike(at_us(times[i + 1]), float(value[i]), float(before[i])) for i in np.flatnonzero(back & far).tolist()]


def _counts(
    store: Store, kind: str, symbol: str, start: datetime | None, end: datetime | None, has_value: str = "true"
) -> tuple[int, int]:
    """Rows, and those without a value; none where there is no row with a value."""
    rows = store.rows_sql(kind, symbol, start, end)
    if rows is None:
        return 0, 0
    sql = f"select count(*), count(*) filter (not coalesce({has_value}, false)) from ({rows})"
    ((count, blank),) = store.connection.execute(sql).fetchall()
    if count == blank:
        return 0, 0
    silent = store.silent_rows(kind, symbol, start, end)
    return int(count) + silent, int(blank) + silent


def _length(step: int | None) -> timedelta | None:
    return None if step is None else step * TICK
