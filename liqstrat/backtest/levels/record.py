"""Maps recorded during a run, coarse enough that a month of them stays a few megabytes."""

from collections.abc import Sequence
from itertools import groupby
from math import log1p
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from liqstrat.backtest.account.results import BANDED_MAP, LEVELS, MAP, times, write_table
from liqstrat.backtest.levels.indicator import LiquidationLevels
from liqstrat.liquidation.compiled import compiled
from liqstrat.liquidation.grid import Floats, Ints, low_edge
from liqstrat.liquidation.map import LiquidationMap

#: Relative width of the recorded price ranges, or that of the model's bins where those are wider.
RECORDED_WIDTH = 0.002
#: Amounts below this share of their side and leverage are left out: less than a hundredth of each.
LEAST_SHARE = 2e-4
_ROWS_A_GROUP = 200_000
_SIDES = pa.array(["long", "short"])


class _Coarse(NamedTuple):
    """The rows of one map as they are kept until they are written: leverages by their place among the tiers, prices by
    the number of their range, amounts unrounded."""

    symbol: str
    time_ns: int
    #: Relative width of the bins, and how many of them a range has.
    width: float
    merged: int
    tiers: Ints
    is_short: Ints
    row: Ints
    ranges: Ints
    contracts: Floats


class LevelsRecord:
    """Writes `levels.parquet` while the run goes on; a context manager.

    Call it with the levels after each new map: the first at or after every multiple of `every_ns` is recorded, stamped
    with the moment from which it could be known. `span` keeps what lies within that fraction of price.
    """

    def __init__(self, path: Path | pa.NativeFile, every_ns: int, span: float) -> None:
        self._every_ns = every_ns
        self._span = span
        self._due: dict[str, int] = {}
        self._waiting: list[_Coarse] = []
        self._rows = 0
        self._writer = pq.ParquetWriter(path, LEVELS, compression="zstd")

    def __enter__(self) -> "LevelsRecord":
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._writer.close()

    def __call__(self, levels: LiquidationLevels) -> None:
        known_at = levels.known_at
        if not levels.initialized or known_at < self._due.get(levels.symbol, 0):
            return
        self._due[levels.symbol] = (known_at // self._every_ns + 1) * self._every_ns
        rows = _coarse(levels.map(self._span), self._span)
        self._waiting.append(rows)
        self._rows += len(rows.contracts)
        if self._rows >= _ROWS_A_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(_table(self._waiting))
        self._waiting, self._rows = [], 0


def write_map(path: Path, maps: list[LiquidationMap]) -> None:
    """Write one map of each symbol in full, with the price at that moment; `low` and `high` where all have a band."""
    banded = bool(maps) and all(levels.band is not None for levels in maps)
    written, tables = BANDED_MAP if banded else MAP, []
    for levels in maps:
        columns = levels.columns()
        count = len(columns["side"])
        columns |= {"symbol": np.full(count, levels.symbol), "price": np.full(count, levels.price)}
        tables.append(pa.table({name: columns[name] for name in written.names}, schema=written))
    table = pa.concat_tables(tables) if tables else written.empty_table()
    write_table(path, {name: table[name] for name in written.names}, written)


def coarse_rows(levels: LiquidationMap, span: float) -> pa.Table:
    """Rows of a map by ranges of `RECORDED_WIDTH`, contracts to three digits; ranges lie the same for every map."""
    return _table([_coarse(levels, span)])


def _coarse(levels: LiquidationMap, span: float) -> _Coarse:
    near = levels.within(span)
    merged = max(round(log1p(RECORDED_WIDTH) / log1p(near.width)), 1)
    rows = _ranges(near.longs, near.shorts, near.first_bin, merged, LEAST_SHARE)
    return _Coarse(near.symbol, near.time_ns, near.width, merged, near.tiers, *rows)


@compiled
def _ranges(
    longs: Floats, shorts: Floats, first_bin: int, merged: int, least_share: float
) -> tuple[Ints, Ints, Ints, Floats]:
    """Of all sums of `merged` bins that are more than that share of their row: 0 for longs or 1 for shorts, the row,
    the number of the range, and the sum."""
    tiers, bins = longs.shape
    first = first_bin // merged
    sums = np.zeros((2, tiers, (first_bin + bins - 1) // merged - first + 1 if bins else 0))
    place = (first_bin + np.arange(bins)) // merged - first
    for side, contracts in enumerate((longs, shorts)):
        for tier in range(tiers):
            for column in range(bins):
                sums[side, tier, place[column]] += contracts[tier, column]
    more = (sums > least_share * np.expand_dims(sums.sum(axis=2), 2)).ravel()
    at, places = np.flatnonzero(more), sums.shape[1] * sums.shape[2]
    return at // places, at % places // sums.shape[2], first + at % sums.shape[2], sums.ravel()[at]


def _table(maps: Sequence[_Coarse]) -> pa.Table:
    """The rows of maps, in their order."""
    groups = groupby(maps, key=lambda one: (one.width, one.merged))
    return pa.concat_tables([_table_of_equal_bins(list(group), *bins) for bins, group in groups])


def _table_of_equal_bins(maps: Sequence[_Coarse], width: float, merged: int) -> pa.Table:
    lengths = [len(one.contracts) for one in maps]
    symbols = pa.array([one.symbol for one in maps]).dictionary_encode()
    is_short, ranges, contracts = (
        np.concatenate([getattr(one, name) for one in maps]) for name in ("is_short", "ranges", "contracts")
    )
    columns = {
        "time": times(np.repeat(np.array([one.time_ns for one in maps], dtype=np.int64), lengths)),
        "symbol": symbols.take(pa.array(np.repeat(np.arange(len(maps)), lengths))).cast(pa.string()),
        "side": _SIDES.take(pa.array(is_short)),
        "price_low": low_edge(ranges * merged, width),
        "price_high": low_edge((ranges + 1) * merged, width),
        "leverage": np.concatenate([one.tiers[one.row] for one in maps]).astype(np.int32),
        "contracts": _three_digits(contracts),
    }
    return pa.table(columns, schema=LEVELS)


def _three_digits(values: Floats) -> Floats:
    scale = 10.0 ** (2 - np.floor(np.log10(values)))
    rounded: Floats = np.round(values * scale) / scale
    return rounded
