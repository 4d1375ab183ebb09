"""Open interest as Nautilus custom data, and the way it lies in the catalog."""

import json
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from nautilus_trader.model import InstrumentId, register_custom_data_class
from nautilus_trader.model.custom import customdataclass

from liqstrat.catalog.instruments import instrument_id
from liqstrat.errors import LiqstratError

_COLUMNS = pa.schema([("time", pa.timestamp("us", "UTC")), ("contracts", pa.float64())])


@customdataclass
class OpenInterest:
    """Open contracts (base asset) of one instrument; `ts_event` and `ts_init` are when the value became known."""

    instrument_id: InstrumentId
    contracts: float


register_custom_data_class(OpenInterest)

#: As Nautilus's own writer has it, so that `catalog.query(NautilusDataType.Custom("OpenInterest"))` reads our files.
STORED_SCHEMA = pa.schema(
    [
        pa.field("instrument_id", pa.string()),
        pa.field("contracts", pa.float64()),
        pa.field("type", pa.string(), nullable=False),
        pa.field("ts_event", pa.timestamp("ns", "UTC"), nullable=False),
        pa.field("ts_init", pa.timestamp("ns", "UTC"), nullable=False),
        pa.field("data_type", pa.string(), nullable=False),
    ],
    metadata={"type_name": OpenInterest.__name__},
)


def folder(catalog_path: Path, symbol: str) -> Path:
    """Where the catalog keeps the open interest of `symbol`."""
    return catalog_path / "data" / "custom" / OpenInterest.__name__ / str(instrument_id(symbol))


def stored(symbol: str, table: pa.Table) -> pa.RecordBatch:
    """Rows for the catalog from a table with `time` and `contracts`."""
    identifier = str(instrument_id(symbol))
    data_type = {"type_name": OpenInterest.__name__, "metadata": None, "identifier": identifier}
    time = table["time"].cast(pa.timestamp("ns", "UTC")).combine_chunks()
    columns = [
        _repeat(identifier, len(table)),
        table["contracts"].combine_chunks(),
        _repeat(OpenInterest.__name__, len(table)),
        time,
        time,
        _repeat(json.dumps(data_type, separators=(",", ":")), len(table)),
    ]
    return pa.record_batch(columns, schema=STORED_SCHEMA)


def read_open_interest(catalog_path: Path, symbol: str, start: datetime, end: datetime) -> pa.Table:
    """Open interest known in `[start, end)`: `time` (timestamp[us, UTC]) and `contracts` (base asset), in order.

    Empty where there is none in the range; raises `LiqstratError` where the catalog has none of the symbol at all.
    """
    path = folder(catalog_path, symbol)
    if not path.is_dir():
        raise LiqstratError(f"{catalog_path}: no open interest of {symbol} in the catalog, expected it in {path}")
    bounds = [("ts_event", ">=", pa.scalar(start)), ("ts_event", "<", pa.scalar(end))]
    table = pq.read_table(path, columns=["ts_event", "contracts"], filters=bounds, page_checksum_verification=True)
    table = table.rename_columns(_COLUMNS.names)
    return table.take(pc.sort_indices(table, [("time", "ascending")])).cast(_COLUMNS)


def _repeat(value: str, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(value), count)
