"""What is wrong with the kinds that come in steps: open interest, funding, candles."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from liqstrat.market.candles import length_of
from liqstrat.market.quality.ranges import Gap, Times, missing_steps, moment, usual_step
from liqstrat.market.store import Store

_HOUR_US = 3_600_000_000
_DEFAULT_INTERVAL = 8 * _HOUR_US
#: So long may open interest stand still, at least, and in so many values, before somebody must have filled it in.
STILL_FOR = timedelta(hours=1)
_STILL_VALUES = 4


@dataclass(frozen=True, slots=True)
class Still:
    """Open interest (contracts) that stood still from `start` to `end` (UTC), `values` times the same."""

    start: datetime
    end: datetime
    values: int
    contracts: float


@dataclass(frozen=True, slots=True)
class StepQuality:
    """rows: in the table. times: microseconds, rising. step: what they should be apart, None where it is not known.

    without_value: rows that say nothing, as open interest of zero. still: values that stood still for long.
    """

    rows: int
    times: Times
    step: timedelta | None
    gaps: tuple[Gap, ...]
    without_value: int = 0
    still: tuple[Still, ...] = ()


def examine_open_interest(
    store: Store, symbol: str, start: datetime | None, end: datetime | None
) -> StepQuality | None:
    """Missing, blank and repeated values of open interest."""
    rows = store.rows_sql("open_interest", symbol, start, end)
    count, blank = _counts(store, rows, "open_interest_contracts > 0")
    if not count:
        return None
    values = store.open_interest(symbol, start, end)
    times = _times(values)
    step = usual_step(times)
    return StepQuality(
        rows=count,
        times=times,
        step=_length(step),
        gaps=tuple(missing_steps(times, step)) if step else (),
        without_value=blank,
        still=tuple(_still(times, values["contracts"].to_numpy())),
    )


def examine_funding(store: Store, symbol: str, start: datetime | None, end: datetime | None) -> StepQuality | None:
    """Missing settlements. The interval between them has changed for many symbols, so that each row's own counts."""
    rows = store.rows_sql("funding", symbol, start, end)
    count, _ = _counts(store, rows, "true")
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
    intervals = np.where(hours > 0, hours * _HOUR_US, usual)
    gaps: list[Gap] = []
    for i in np.flatnonzero(np.diff(times) > 1.1 * intervals[1:]).tolist():
        gaps += missing_steps(times[i : i + 2], int(intervals[i + 1]))
    return StepQuality(count, times, _length(usual), tuple(gaps))


def examine_klines(
    store: Store, kind: str, symbol: str, start: datetime | None, end: datetime | None
) -> StepQuality | None:
    """Missing candles."""
    rows = store.rows_sql(kind, symbol, start, end)
    count, _ = _counts(store, rows, "true")
    if not count:
        return None
    interval = kind.removeprefix("klines_")
    sql = f"select distinct epoch_us(timestamp) as us from ({rows}) order by us"
    times = store.connection.sql(sql).to_arrow_table()["us"].to_numpy()
    if interval.endswith("mo"):
        return StepQuality(count, times, None, ())
    step = length_of(interval)
    return StepQuality(count, times, step, tuple(missing_steps(times, step // timedelta(microseconds=1))))


def examine_events(
    store: Store, kind: str, symbol: str, start: datetime | None, end: datetime | None
) -> StepQuality | None:
    """What comes when it comes, as liquidations: none of it can be known to be missing."""
    rows = store.rows_sql(kind, symbol, start, end)
    count, _ = _counts(store, rows, "true")
    if not count:
        return None
    sql = f"select epoch_us(timestamp) as us from (select distinct * from ({rows})) order by us"
    return StepQuality(count, store.connection.sql(sql).to_arrow_table()["us"].to_numpy(), None, ())


def settled_at(times: Times) -> Times:
    """The settlements (microseconds) that recorded funding times are of: the hour which they jitter around.

    A time that is more than a minute from a full hour is left as it is.
    """
    hours = (times + _HOUR_US // 2) // _HOUR_US * _HOUR_US
    return np.where(np.abs(times - hours) <= _HOUR_US // 60, hours, times)


def _still(times: Times, contracts: npt.NDArray[np.float64]) -> list[Still]:
    """Values that are the same for long, as a collector writes that fills its gaps with the last one."""
    starts = np.flatnonzero(np.concatenate(([True], np.diff(contracts) != 0)))
    ends = np.concatenate((starts[1:], [len(contracts)])) - 1
    long = (times[ends] - times[starts] >= STILL_FOR // timedelta(microseconds=1)) & (
        ends - starts + 1 >= _STILL_VALUES
    )
    return [
        Still(moment(times[first]), moment(times[last]), last - first + 1, float(contracts[first]))
        for first, last in zip(starts[long].tolist(), ends[long].tolist(), strict=True)
    ]


def _counts(store: Store, rows: str | None, has_value: str) -> tuple[int, int]:
    """Rows, and those without a value."""
    if rows is None:
        return 0, 0
    sql = f"select count(*), count(*) filter (not coalesce({has_value}, false)) from ({rows})"
    ((count, blank),) = store.connection.execute(sql).fetchall()
    return int(count), int(blank)


def _times(table: pa.Table) -> Times:
    times: Times = table["time"].cast(pa.int64()).to_numpy()
    return times


def _length(step: int | None) -> timedelta | None:
    return None if step is None else timedelta(microseconds=step)
