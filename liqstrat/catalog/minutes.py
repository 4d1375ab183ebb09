"""The catalog's minute bars as arrays, for what must know recent volume or coming extremes without a call per trade."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from liqstrat.catalog.exact import exact, floats_of
from liqstrat.catalog.instruments import minute_bars
from liqstrat.errors import LiqstratError
from liqstrat.moments import MINUTE_NS

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MinuteBars:
    """Consecutive minutes of one symbol without holes; entry `i` covers `start_ns + [i, i + 1)` minutes.

    Prices in USDT, volume in contracts. A minute without a bar in the catalog, where `recorded` is False, repeats the
    last close, with volume 0. Where history has longer candles only, each is the bar of its last minute.
    """

    start_ns: int
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    recorded: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.close)

    @property
    def minutes_a_bar(self) -> int:
        """How many minutes each bar stands for: more than one where all come from longer candles."""
        there = np.flatnonzero(self.recorded)
        return int(np.gcd.reduce(np.diff(there))) if len(there) > 1 else 1

    def ended(self, now_ns: int) -> int:
        """How many of the minutes have ended at `now_ns`: the number that may be known then."""
        return min(max((now_ns - self.start_ns) // MINUTE_NS, 0), len(self))


def read_minutes(catalog_path: Path, symbol: str, start: datetime, end: datetime) -> MinuteBars:
    """The minutes of `[start, end)` in the catalog, from the first that traded to the last.

    Raises `LiqstratError` where the catalog has none.
    """
    folder = catalog_path / "data" / "bars" / str(minute_bars(symbol))
    bounds = [("ts_event", ">", pa.scalar(start)), ("ts_event", "<=", pa.scalar(end))]
    table = pq.read_table(folder, filters=bounds, page_checksum_verification=True) if folder.is_dir() else None
    if table is None or not len(table):
        raise LiqstratError(
            f"{catalog_path}: no bars of {symbol} from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} in the catalog; "
            f"build it with `liqstrat catalog {symbol}`"
        )
    return dense_minutes(table)


def dense_minutes(table: pa.Table) -> MinuteBars:
    """Arrays from bars as the catalog stores them (`ts_event` is the close of the minute), in any order."""

    def column(name: str) -> Floats:
        decimals = int(table.schema.metadata[b"size_precision" if name == "volume" else b"price_precision"])
        return exact(np.concatenate([floats_of(chunk) for chunk in table[name].chunks]), decimals)

    return dense(pc.cast(table["ts_event"], pa.int64()).to_numpy() // MINUTE_NS - 1, column)


def dense(opened: npt.NDArray[np.int64], column: Callable[[str], Floats]) -> MinuteBars:
    """Arrays from bars by the minute (since 1970) in which each opened, in any order, and their columns by name."""
    opened, first = np.unique(opened, return_index=True)
    start, count = int(opened[0]), int(opened[-1] - opened[0]) + 1
    traded = np.zeros(count, dtype=np.int64)
    traded[opened - start] = np.arange(len(opened))
    source = np.maximum.accumulate(traded)
    there = np.zeros(count, dtype=bool)
    there[opened - start] = True
    close = column("close")[first][source]
    open_, high, low = (np.where(there, column(name)[first][source], close) for name in ("open", "high", "low"))
    volume = np.where(there, column("volume")[first][source], 0.0)
    return MinuteBars(start * MINUTE_NS, open_, high, low, close, volume, there)
