"""Maps recorded during a run, coarse enough that a month of them stays a few megabytes."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from liqstrat.backtest.indicator import LiquidationLevels
from liqstrat.backtest.results import LEVELS, MAP, times, write_table
from liqstrat.liquidation.grid import Floats, low_edge
from liqstrat.liquidation.map import LiquidationMap

#: Relative width of the recorded price ranges, or that of the model's bins where those are wider.
RECORDED_WIDTH = 0.002
#: Amounts below this share of their side are left out.
LEAST_SHARE = 2e-5
_ROWS_A_GROUP = 200_000


class LevelsRecord:
    """Writes `levels.parquet` while the run goes on; a context manager.

    Call it with the levels after each new map: the first at or after every multiple of `every_ns` is recorded, stamped
    with the moment from which it could be known. `span` keeps what lies within that fraction of price.
    """

    def __init__(self, path: Path, every_ns: int, span: float) -> None:
        self._every_ns = every_ns
        self._span = span
        self._due: dict[str, int] = {}
        self._waiting: list[pa.Table] = []
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
        table = coarse_rows(levels.map(), self._span)
        self._waiting.append(table)
        self._rows += len(table)
        if self._rows >= _ROWS_A_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.concat_tables(self._waiting))
        self._waiting, self._rows = [], 0


def write_map(path: Path, maps: list[LiquidationMap]) -> None:
    """Write one map of each symbol in full, with the price at that moment."""
    tables = []
    for levels in maps:
        columns = levels.columns()
        count = len(columns["side"])
        columns |= {"symbol": np.full(count, levels.symbol), "price": np.full(count, levels.price)}
        tables.append(pa.table({name: columns[name] for name in MAP.names}, schema=MAP))
    table = pa.concat_tables(tables) if tables else MAP.empty_table()
    write_table(path, {name: table[name] for name in MAP.names}, MAP)


def coarse_rows(levels: LiquidationMap, span: float) -> pa.Table:
    """Rows of a map by ranges of `RECORDED_WIDTH`, contracts to three digits; ranges lie the same for every map."""
    merged = max(round(np.log1p(RECORDED_WIDTH) / np.log1p(levels.width)), 1)
    near = np.abs(levels.middles / levels.price - 1) <= span
    ranges = (levels.first_bin + np.flatnonzero(near)) // merged
    starts = np.flatnonzero(np.diff(ranges, prepend=ranges[:1] - 1))
    parts = []
    for side, contracts in (("long", levels.longs), ("short", levels.shorts)):
        sums = np.add.reduceat(contracts[:, near], starts, axis=1) if len(starts) else contracts[:, :0]
        tier, column = np.nonzero(sums > LEAST_SHARE * sums.sum())
        parts.append((np.full(len(tier), side), tier, ranges[starts][column], _three_digits(sums[tier, column])))
    sides, tier, number, amount = (np.concatenate(values) for values in zip(*parts, strict=True))
    columns = {
        "time": times(np.full(len(sides), levels.time_ns)),
        "symbol": np.full(len(sides), levels.symbol),
        "side": sides,
        "price_low": low_edge(number * merged, levels.width),
        "price_high": low_edge((number + 1) * merged, levels.width),
        "leverage": levels.tiers[tier].astype(np.int32),
        "contracts": amount,
    }
    return pa.table(columns, schema=LEVELS)


def _three_digits(values: Floats) -> Floats:
    scale = 10.0 ** (2 - np.floor(np.log10(values)))
    rounded: Floats = np.round(values * scale) / scale
    return rounded
