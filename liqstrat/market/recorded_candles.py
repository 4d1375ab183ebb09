"""Recorded candles of any length up to four hours, for stretches without single trades.

A candle is known when it ends, and belongs to the interval in which it does: an interval that is shorter than the
candles is told nothing of what is inside one until its end.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.market.candles import as_recorded, length_of
from liqstrat.market.store import Store
from liqstrat.moments import TICK, at_us

#: Longer ones say next to nothing of where something traded.
LONGEST = timedelta(hours=4)


@dataclass(frozen=True, eq=False)
class RecordedCandles:
    """Candles of one length in which something traded, in order, one entry each.

    closes: when each ended and became known (microseconds since 1970). Prices in USDT, volumes in contracts;
    `taker_buy` (of which takers bought) is NaN where it was not recorded.
    """

    closes: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    taker_buy: Floats

    def __len__(self) -> int:
        return len(self.closes)

    def part(self, rows: slice | npt.NDArray[np.bool_]) -> "RecordedCandles":
        """Some of the candles."""
        return RecordedCandles(*(getattr(self, each.name)[rows] for each in fields(self)))


def lengths(store: Store) -> list[str]:
    """The lengths of candles that the file has tables for, a second to four hours, the shortest first."""
    names = [kind.removeprefix("klines_") for kind in store.kinds() if kind.startswith("klines_")]
    known = {name: length_of(name) for name in names if name[:-1].isdecimal() and name[-1] in "smh"}
    return sorted((name for name, length in known.items() if length <= LONGEST), key=lambda name: known[name])


def recorded_candles(store: Store, symbol: str, length: str, start_us: int, end_us: int) -> RecordedCandles:
    """Candles of a length that ended in `(start_us, end_us]`."""
    before = length_of(length)
    rows = store.rows_sql(f"klines_{length}", symbol, at_us(start_us) - before + TICK, at_us(end_us) - before + TICK)
    sql = f"""
        select epoch_us(time) + {before // TICK} as closes, open::double as open, high::double as high,
               low::double as low, close::double as close, volume::double as volume,
               coalesce(taker_buy_volume::double, 'nan'::double) as taker_buy
        from ({as_recorded(str(rows))}) where volume > 0 order by closes
    """
    table = store.connection.sql(sql).to_arrow_table()
    return RecordedCandles(*(table[each.name].to_numpy() for each in fields(RecordedCandles)))


def finest(store: Store, symbol: str, start_us: int, end_us: int) -> tuple[str, RecordedCandles] | None:
    """The shortest candles of which any ended in `(start_us, end_us]`, with their length; None without any."""
    for length in lengths(store):
        found = recorded_candles(store, symbol, length, start_us, end_us)
        if len(found):
            return length, found
    return None


def closes_sql(store: Store, symbol: str, start: datetime, end: datetime) -> str:
    """SQL for the last prices of `[start, end)`, of trades or candles: `traded` (microseconds since 1970), `price`."""
    if "trades" in store.kinds():
        trades = store.trades_sql(symbol, start, end)
        return f"select epoch_us(timestamp) as traded, arg_max(price, agg_trade_id) as price from ({trades}) group by 1"
    for length in lengths(store):
        kind, before = f"klines_{length}", length_of(length) // TICK
        if store.has(kind, symbol, start, end):
            rows = str(store.rows_sql(kind, symbol, start, end))
            return f"select epoch_us(time) + {before} as traded, close as price from ({as_recorded(rows)})"
    return "select null::bigint as traded, null::double as price where false"


def said_of(symbol: str, length: str, candles: Sequence[RecordedCandles]) -> str:
    """What a reader of levels must know of those that rest on such candles."""
    known = all(np.isfinite(one.taker_buy).all() for one in candles)
    sides = "as recorded" if known else "half each, as candles do not tell them"
    return (
        f"{symbol}: where there are no single trades, levels rest on {length} candles: volume is spread evenly over "
        f"the range of each, known at its end; taker sides are {sides}; sizes of trades are not known"
    )
