"""Recorded candles as minute bars: those of more than a minute too, where nothing finer is recorded."""

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from liqstrat.catalog import columns
from liqstrat.catalog.minutes import MinuteBars, dense
from liqstrat.market.candles import as_recorded, length_of
from liqstrat.market.recorded_candles import lengths
from liqstrat.market.store import KLINES_SCHEMA, Store
from liqstrat.moments import MINUTE_US, column_us

_MINUTE = timedelta(minutes=1)


def candle_kinds(store: Store) -> list[str]:
    """The kinds of candles that bars of the catalog are made of, the shortest first."""
    return [f"klines_{length}" for length in lengths(store) if not length.endswith("s")]


def longer_candles(store: Store, symbol: str, start: datetime, end: datetime) -> pa.Table:
    """Recorded candles of more than a minute that end in `(start, end]`, as klines: `time` opens their last minute.

    `minutes` is how many each reaches over. Of several that end together only the shortest is there. What is inside of
    one is known at its end, so that a bar of its last minute is all that can be said.
    """
    found = KLINES_SCHEMA.empty_table().append_column("minutes", pa.array([], pa.int64()))
    for kind in candle_kinds(store):
        minutes = length_of(kind.removeprefix("klines_")) // _MINUTE
        if minutes == 1:
            continue
        before = (minutes - 1) * _MINUTE
        rows = str(store.rows_sql(kind, symbol, start - before, end - before))
        sql = f"select * replace (time + interval '{minutes - 1} minutes' as time) from ({as_recorded(rows)})"
        table = store.connection.sql(sql).to_arrow_table().cast(KLINES_SCHEMA)
        table = table.append_column("minutes", pa.array(np.full(len(table), minutes)))
        shorter, last = (columns.candles_of_klines(one).minute for one in (found, table))
        rest = table.filter(pa.array(columns.is_alone(last, minutes, np.sort(shorter))))
        found = pa.concat_tables([found, rest])
    return found.drop_columns("taker_buy_volume").sort_by("time").combine_chunks()


def minutes_before(store: Store, symbol: str, start: datetime, end: datetime) -> MinuteBars | None:
    """The minutes of `[start, end)` in the database, where no catalog is built; None where it has none."""
    table = store.klines(symbol, start, end)
    table = table if len(table) else longer_candles(store, symbol, start, end)
    if not len(table):
        return None
    opened = column_us(table["time"]) // MINUTE_US
    return dense(opened, lambda name: pc.cast(table[name], pa.float64()).to_numpy())
