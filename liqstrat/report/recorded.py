"""The maps that a run recorded, as many as a picture shows.

A year has millions of rows, of which a picture shows every few: batch by batch, only those are kept.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from liqstrat.report.raster import shown_of

_COLUMNS = ("time", "price_low", "price_high", "contracts")


def read_maps(path: Path, symbol: str, most_cells: int, *, alone: bool) -> pa.Table:
    """`time`, `price_low`, `price_high` and `contracts` of a symbol's maps; alone: no other symbol has any there."""
    with pq.ParquetFile(path, read_dictionary=["symbol"]) as file:
        whose = None if alone else symbol
        moments, price_low = _distinct(file, whose, ("time", "price_low"))
        shown = shown_of(moments, price_low, most_cells).combine_chunks()
        batches = (batch.filter(pc.is_in(batch["time"], value_set=shown)) for batch in _batches(file, whose, _COLUMNS))
        return pa.Table.from_batches(batches, pa.schema([file.schema_arrow.field(name) for name in _COLUMNS]))


def _distinct(file: pq.ParquetFile, symbol: str | None, names: Sequence[str]) -> Iterator[pa.ChunkedArray]:
    """The different values of columns, ascending."""
    found: list[list[pa.Array]] = [[] for _ in names]
    for batch in _batches(file, symbol, names):
        for values, name in zip(found, names, strict=True):
            values.append(pc.unique(batch[name]))
    for values, name in zip(found, names, strict=True):
        different = pc.unique(pa.chunked_array(values, file.schema_arrow.field(name).type))
        yield pa.chunked_array([different.sort()])


def _batches(file: pq.ParquetFile, symbol: str | None, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Rows of a symbol; of every one where it is None."""
    if symbol is None:
        yield from file.iter_batches(columns=list(names))
        return
    for batch in file.iter_batches(columns=["symbol", *names]):
        yield batch.select(list(names)).filter(pc.equal(batch["symbol"], symbol))
