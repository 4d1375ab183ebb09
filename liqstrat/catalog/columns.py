"""Market history in the exact columns in which Nautilus stores it, converted whole arrays at a time.

Prices and quantities travel as integers of 1e-8 until the end, so nothing is rounded.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from nautilus_trader.model import Bar, FundingRateUpdate, TradeTick
from nautilus_trader.serialization import get_arrow_schema_bytes

from liqstrat.catalog.instruments import instrument_id, minute_bars
from liqstrat.catalog.perpetual import Precision
from liqstrat.catalog.trade_ids import as_text
from liqstrat.errors import LiqstratError
from liqstrat.moments import HOUR_US, MINUTE_NS, MINUTE_US, at_us, column_us

_DECIMALS = 8
_ONE = 10**_DECIMALS
_LARGEST_UNITS = 2**63 - 1
#: The most that Nautilus takes for a quantity.
_MOST_CONTRACTS = 34_028_236_692_093
_PRICES = ("open", "high", "low", "close")
_STORED = pa.decimal128(38, 16)
_NS = pa.timestamp("ns", "UTC")
#: Funding is recorded some milliseconds off the hour at which it is settled; farther off it is another time.
_JITTER_US = MINUTE_US
_USUAL_FUNDING_MINUTES = 480

Integers = npt.NDArray[np.int64]

#: A number of each trade, of which the sum modulo 2^64 tells whether any has changed.
TRADE_HASH = "hash(agg_trade_id, timestamp, price, quantity, side)"
#: Selects, from the history's trades, what trades and bars of the catalog are made of. DuckDB widens decimals faster
#: than Arrow.
TRADES_SQL = f"""
    select agg_trade_id as id, timestamp as time, price, quantity, cast(side = 'buy' as tinyint) as buy,
           cast(price as decimal(38, 16)) as stored_price, cast(quantity as decimal(38, 16)) as stored_size,
           {TRADE_HASH} as hash
"""
#: Makes DuckDB hand over decimals as the 64 bits that it has them in, which halves the time of reading.
NARROW_DECIMALS = "set session arrow_output_version = '1.5'"


def trades_schema(precision: Precision) -> pa.Schema:
    """Of the files of trades."""
    return _priced_schema(TradeTick, precision)


def bars_schema(precision: Precision) -> pa.Schema:
    """Of the files of minute bars."""
    return _priced_schema(Bar, precision, bar_type=str(minute_bars(precision.symbol)))


def funding_schema(symbol: str) -> pa.Schema:
    """Of the files of funding rates."""
    return _nautilus_schema(FundingRateUpdate, symbol, {})


def in_order(batch: pa.RecordBatch, before: pa.RecordBatch | None) -> bool:
    """Whether all trades of a batch are in order of time and id; `before` is the one before its first."""
    times, ids = column_us(batch["time"]), batch["id"].to_numpy()
    if before is not None:
        last = (column_us(before["time"])[0], before["id"].to_numpy()[0])
        if last >= (times[0], ids[0]):
            return False
    if (times[1:] < times[:-1]).any():
        return False
    unordered = np.flatnonzero(ids[1:] <= ids[:-1])
    return bool((times[1:][unordered] > times[:-1][unordered]).all())


def hash_of(batch: pa.RecordBatch) -> int:
    """The sum of the hashes of a batch's trades, modulo 2^64."""
    return int(np.add.reduce(batch["hash"].to_numpy()))


def stored_trades(batch: pa.RecordBatch, precision: Precision) -> pa.RecordBatch:
    """Trades of the history, in the columns of `TRADES_SQL`, as Nautilus stores them.

    Raises `LiqstratError` for a price or quantity that is not positive or has more decimals than `precision`.
    """
    _require_fit(batch, "price", precision.symbol, precision.price)
    _require_fit(batch, "quantity", precision.symbol, precision.size)
    time = batch["time"].cast(_NS)
    columns = [
        batch["stored_price"],
        batch["stored_size"],
        pa.DictionaryArray.from_arrays(batch["buy"], pa.array(["SELL", "BUY"])),
        as_text(batch["id"].to_numpy()),
        time,
        time,
    ]
    return pa.record_batch(columns, schema=trades_schema(precision))


@dataclass(frozen=True, eq=False)
class Candles:
    """Minute candles, one entry a minute that there is: number of the minute since 1970, prices in units of 1e-8.

    contracts, fraction: the volume's whole contracts, and the rest in units of 1e-8. A minute of a coin that costs next
    to nothing has more than 64 bits hold of these.
    """

    minute: Integers
    open: Integers
    high: Integers
    low: Integers
    close: Integers
    contracts: Integers
    fraction: Integers

    def __len__(self) -> int:
        return len(self.minute)


def candles_of_trades(batch: pa.RecordBatch) -> Candles:
    """The minutes in which the trades of a batch, in order of time, happened."""
    price, time = _units(batch["price"]), column_us(batch["time"])
    minutes = np.arange(time[0] // MINUTE_US, time[-1] // MINUTE_US + 1)
    first = np.unique(np.searchsorted(time, minutes * MINUTE_US))
    contracts, fraction = np.divmod(_units(batch["quantity"]), _ONE)
    return _grouped(Candles(time[first] // MINUTE_US, price, price, price, price, contracts, fraction), first)


def candles_of_klines(table: pa.Table) -> Candles:
    """The candles of the history's klines (`time` is the open time)."""
    minute = column_us(table["time"]) // MINUTE_US
    contracts = table["volume"].cast(pa.int64(), safe=False).to_numpy()
    # Of the volume itself these are the lower 64 bits; the difference has no more.
    fraction = _units(table["volume"]) - contracts * _ONE
    begin, high, low, close = (_units(table[name]) for name in _PRICES)
    return Candles(minute, begin, high, low, close, contracts, fraction)


def joined(parts: Iterable[Candles], recorded: Candles, longer: Candles, minutes: Integers) -> Candles:
    """The day's candles from those of its trades, in order; where no trade is, as they were recorded.

    `longer` are candles that reach over so many `minutes`, of which `minute` is the last: they stand for minutes of
    which nothing else is known.
    """
    parts = list(parts)
    traded = _by_minute(_stacked(parts)) if parts else recorded
    missing = ~np.isin(recorded.minute, traded.minute)
    known = _stacked([traded, _each(lambda values: values[missing], recorded)])
    alone = is_alone(longer.minute, minutes, np.sort(known.minute))
    both = _stacked([known, _each(lambda values: values[alone], longer)])
    order = np.argsort(both.minute, kind="stable")
    return _each(lambda values: values[order], both)


def is_alone(last: Integers, minutes: Integers | int, others: Integers) -> npt.NDArray[np.bool_]:
    """Whether none of `others` (minutes, rising) is among the `minutes` up to each of `last`."""
    alone: npt.NDArray[np.bool_] = np.searchsorted(others, last, side="right") == np.searchsorted(
        others, last - minutes + 1
    )
    return alone


def stored_bars(candles: Candles, precision: Precision) -> pa.RecordBatch:
    """Bars as Nautilus stores them, stamped with the close of their minute: before that they are not known.

    Raises `LiqstratError` for a price or volume with more decimals than `precision`.
    """
    closes = (candles.minute + 1) * MINUTE_NS
    for name in _PRICES:
        _require_exact(getattr(candles, name), closes // 1000, name, precision.symbol, precision.price)
    _require_exact(candles.fraction, closes // 1000, "volume behind the point", precision.symbol, precision.size)
    if (too_much := candles.contracts > _MOST_CONTRACTS).any():
        at = int(np.argmax(too_much))
        when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=int(candles.minute[at]) + 1)
        raise LiqstratError(
            f"{precision.symbol}: volume is {candles.contracts[at]} at {when:%Y-%m-%d %H:%M} UTC, expected at most "
            f"{_MOST_CONTRACTS:,}"
        )
    time = pa.array(closes).cast(_NS)
    prices = (_decimals(getattr(candles, name)) for name in _PRICES)
    return pa.record_batch([*prices, _volumes(candles), time, time], schema=bars_schema(precision))


def settlements(recorded: pa.Table) -> pa.Table:
    """Funding rates (`time`, `rate`) as `time` of the settlement, `rate`, and `minutes` between settlements.

    What was recorded within a minute of a full hour was settled at that hour.
    """
    time = _settled(column_us(recorded["time"]))
    time, last = np.unique(time[::-1], return_index=True)
    steps = np.diff(time) // MINUTE_US
    minutes = np.concatenate((steps[:1], steps)) if len(steps) else np.full(len(time), _USUAL_FUNDING_MINUTES)
    return pa.table(
        {
            "time": pa.array(time).cast(pa.timestamp("us", "UTC")),
            "rate": recorded["rate"].take(pa.array(len(recorded) - 1 - last)),
            "minutes": pa.array(minutes).cast(pa.uint64()),
        }
    )


def stored_funding(symbol: str, settled: pa.Table) -> pa.RecordBatch:
    """Settlements as Nautilus stores them.

    A row says, at the time of the settlement, that this rate is settled now: the engine then pays it on the positions
    held at that moment.
    """
    time = settled["time"].cast(_NS)
    columns = [settled["rate"].cast(pa.string()), settled["minutes"], time, time, time]
    return pa.record_batch([column.combine_chunks() for column in columns], schema=funding_schema(symbol))


def _priced_schema(type_: type, precision: Precision, **metadata: str) -> pa.Schema:
    decimals = {"price_precision": str(precision.price), "size_precision": str(precision.size)}
    return _nautilus_schema(type_, precision.symbol, {**decimals, **metadata})


def _nautilus_schema(type_: type, symbol: str, metadata: dict[str, str]) -> pa.Schema:
    """Nautilus's own schema, without the identifier that its files say in their metadata instead."""
    schema = pa.ipc.open_stream(get_arrow_schema_bytes(type_)).schema
    schema = schema.remove(schema.get_field_index("identifier"))
    return schema.with_metadata({"type_name": type_.__name__, "instrument_id": str(instrument_id(symbol)), **metadata})


def _settled(recorded: Integers) -> Integers:
    hour = (recorded + HOUR_US // 2) // HOUR_US * HOUR_US
    return np.where(np.abs(recorded - hour) <= _JITTER_US, hour, recorded)


def _by_minute(rows: Candles) -> Candles:
    """Rows in order of time, of which several can be of one minute, put together."""
    if not len(rows):
        return rows
    first = np.flatnonzero(np.diff(rows.minute, prepend=rows.minute[0] - 1))
    return _grouped(replace(rows, minute=rows.minute[first]), first)


def _grouped(rows: Candles, first: Integers) -> Candles:
    """Rows put together to those of `rows.minute`, each from its `first` one on."""
    last = np.append(first[1:], len(rows.close)) - 1
    carried, fraction = np.divmod(np.add.reduceat(rows.fraction, first), _ONE)
    return Candles(
        rows.minute,
        rows.open[first],
        np.maximum.reduceat(rows.high, first),
        np.minimum.reduceat(rows.low, first),
        rows.close[last],
        np.add.reduceat(rows.contracts, first) + carried,
        fraction,
    )


def _stacked(parts: list[Candles]) -> Candles:
    return Candles(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(Candles)))


def _each(change: Callable[[Integers], Integers], candles: Candles) -> Candles:
    return Candles(*(change(getattr(candles, each.name)) for each in fields(Candles)))


def _units(values: pa.ChunkedArray | pa.Array) -> Integers:
    """Decimals with eight digits after the point as integers of 1e-8."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    words = np.frombuffer(values.buffers()[1], dtype=np.int64)
    each = values.type.byte_width // words.itemsize
    return words[each * values.offset : each * (values.offset + len(values)) : each]


def _decimals(units: Integers) -> pa.Array:
    words = np.column_stack((units, units >> 63))
    return pa.Array.from_buffers(pa.decimal128(18, _DECIMALS), len(units), [None, pa.py_buffer(words)]).cast(_STORED)


def _volumes(candles: Candles) -> pa.Array:
    if len(candles) == 0 or candles.contracts.max() < _LARGEST_UNITS // _ONE:
        return _decimals(candles.contracts * _ONE + candles.fraction)
    pairs = zip(candles.contracts.tolist(), candles.fraction.tolist(), strict=True)
    return pa.array([Decimal(whole) + Decimal(rest).scaleb(-_DECIMALS) for whole, rest in pairs], _STORED)


def _require_fit(batch: pa.RecordBatch, name: str, symbol: str, decimals: int) -> None:
    units, times = _units(batch[name]), column_us(batch["time"])
    _require_exact(units, times, name, symbol, decimals)
    if len(units) and units.min() <= 0:
        _refuse(units, times, int(np.argmax(units <= 0)), name, symbol, "more than 0")


def _require_exact(units: Integers, times: Integers, name: str, symbol: str, decimals: int) -> None:
    step = 10 ** (_DECIMALS - decimals)
    # NumPy divides by a constant several times faster than it takes the remainder.
    fitting = units // step
    fitting *= step
    if not np.array_equal(fitting, units):
        _refuse(units, times, int(np.argmax(fitting != units)), name, symbol, f"at most {decimals} decimals")


def _refuse(units: Integers, times: Integers, at: int, name: str, symbol: str, expected: str) -> None:
    when = at_us(times[at])
    value = f"{Decimal(int(units[at])).scaleb(-_DECIMALS).normalize():f}"
    raise LiqstratError(f"{symbol}: {name} is {value} at {when:%Y-%m-%d %H:%M:%S.%f} UTC, expected {expected}")
