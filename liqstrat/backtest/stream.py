"""Market data for the engine, in order of time and no more at once than memory should hold.

The engine is fed by hand, slice by slice: a slice ends where every symbol's data of its last moment is complete, so
that what happens at one moment is never torn apart. Trades are handed over without the taker's side: with it the
engine keeps a bid and an ask of its own, and a stop or a limit would be met by one side's prints only. Without it
every order is held against the last price, as on the exchange.
"""

import io
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from nautilus_trader.model import CustomData
from nautilus_trader.persistence import BarDataWrangler, TradeTickDataWrangler

from liqstrat.backtest.levels.feeds import OpenInterestSeries, open_interest_type
from liqstrat.backtest.levels.interval import Trades
from liqstrat.backtest.prints import Print
from liqstrat.catalog import day_files
from liqstrat.catalog.exact import exact, floats_of
from liqstrat.catalog.instruments import instrument_id, minute_bars
from liqstrat.catalog.open_interest import OpenInterest
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.moments import nanoseconds

#: Rows read at a time.
BATCH = 16_384

_NO_SIDE = pa.array(["NO_AGGRESSOR"])
_NOTHING: Any = np.zeros(0)


class Batch(NamedTuple):
    """Rows of market data in order of time, and their times, prices and contracts as numbers (empty for bars)."""

    times: Ints
    prices: Floats
    contracts: Floats
    buys: npt.NDArray[np.bool_]
    rows: Any

    def part(self, first: int, stop: int) -> "Batch":
        rows = slice(first, stop)
        kept = self.rows.slice(first, stop - first)
        return Batch(self.times[rows], self.prices[rows], self.contracts[rows], self.buys[rows], kept)


class MarketStream:
    """The trades or bars of one symbol in `[start, end)`; bars by their close, `[start, end]`.

    With trades it is `Prints` besides: it looks ahead of what the engine has got as far as it is asked.
    """

    def __init__(self, symbol: str, batches: Iterator[Batch], *, bars: bool = False) -> None:
        self.symbol = symbol
        self._batches = batches
        self._ahead: deque[Batch] = deque()
        self._taps: list[deque[Trades]] = []
        self._playing = Batch(_NOTHING, _NOTHING, _NOTHING, _NOTHING, None)
        self._slice = 0
        self._wrangler: Any = BarDataWrangler if bars else TradeTickDataWrangler
        self._name = str(minute_bars(symbol) if bars else instrument_id(symbol))

    def complete_until(self) -> int | None:
        """Data stamped before this moment is here in full; None when there is no more to come."""
        while self._pull():
            if self._ahead[0].times[0] < self._ahead[-1].times[-1]:
                return int(self._ahead[-1].times[-1])
        return None

    def take(self, until_ns: int | None) -> list[Any]:
        """The engine's objects of all that is stamped before `until_ns` (None: of all)."""
        parts = []
        while self._ahead:
            batch = self._ahead[0]
            stop = len(batch.times) if until_ns is None else int(batch.times.searchsorted(until_ns))
            if stop:
                parts.append(batch.part(0, stop))
            if stop < len(batch.times):
                self._ahead[0] = batch.part(stop, len(batch.times))
                break
            self._ahead.popleft()
        if parts:
            columns: Any = zip(*(part[:4] for part in parts), strict=True)
            self._playing = Batch._make([*map(np.concatenate, columns), None])
            self._slice += 1
        return [item for part in parts for item in self._make(part.rows)]

    @property
    def playing(self) -> tuple[int, Ints, npt.NDArray[np.bool_]]:
        """The slice that was taken last: its number, and of its trades the times and whether the taker bought."""
        return self._slice, self._playing.times, self._playing.buys

    def at_or_after(self, time_ns: int) -> Print | None:
        """The first trade from `time_ns` on."""
        number, batch = -1, self._playing
        while True:
            place = int(batch.times.searchsorted(time_ns))
            if place < len(batch.times):
                return Print(int(batch.times[place]), float(batch.prices[place]))
            number += 1
            if number == len(self._ahead) and not self._pull():
                return None
            batch = self._ahead[number]

    def printed(self, time_ns: int, price: float) -> float:
        """Contracts of the trades at that moment and price."""
        times = self._playing.times
        rows = slice(int(times.searchsorted(time_ns)), int(times.searchsorted(time_ns, side="right")))
        return float(self._playing.contracts[rows][self._playing.prices[rows] == price].sum())

    def met_at(self, time_ns: int, trigger: float, *, buy: bool) -> float | None:
        """A stop is met by the print itself."""
        return None

    def range_of(self, time_ns: int) -> tuple[float, float]:
        """Of the trades at that moment."""
        times = self._playing.times
        prices = self._playing.prices[times.searchsorted(time_ns) : times.searchsorted(time_ns, side="right")]
        return float(prices.min()), float(prices.max())

    def tape(self) -> Iterator[Trades]:
        """The same trades as numbers, for who reads along; to be asked for before anything is taken."""
        waiting: deque[Trades] = deque()
        self._taps.append(waiting)

        def read() -> Iterator[Trades]:
            while waiting or self._pull():
                yield waiting.popleft()

        return read()

    def _make(self, rows: pa.RecordBatch) -> list[Any]:
        metadata = rows.schema.metadata
        decimals = (int(metadata[b"price_precision"]), int(metadata[b"size_precision"]))
        made: list[Any] = self._wrangler(self._name, *decimals).process_record_batch_bytes(_serialized(rows))
        return made

    def _pull(self) -> bool:
        batch = next(self._batches, None)
        if batch is None:
            return False
        self._ahead.append(batch)
        for tap in self._taps:
            tap.append(Trades(*batch[:4]))
        return True


class Feed:
    """All that the engine is fed in a run, slice by slice: iterate over it."""

    def __init__(
        self, streams: Sequence[MarketStream], funding: Sequence[Any], interest: Sequence[OpenInterestSeries]
    ) -> None:
        self._streams = streams
        self._funding = deque(sorted(funding, key=lambda rate: rate.ts_init))
        self._interest = deque(
            sorted((item for one in interest for item in open_interest_items(one)), key=lambda item: item.ts_init)
        )

    def __iter__(self) -> Iterator[tuple[list[Any], list[Any], bool]]:
        """Slices of market data and of our own data, and whether it is the last."""
        bounds = [stream.complete_until() for stream in self._streams]
        while True:
            until = min((bound for bound in bounds if bound is not None), default=None)
            market = [item for stream in self._streams for item in stream.take(until)]
            market += _before(self._funding, until)
            yield market, _before(self._interest, until), until is None
            if until is None:
                return
            for number, bound in enumerate(bounds):
                if bound is not None and bound <= until:
                    bounds[number] = self._streams[number].complete_until()


def read_funding(catalog: Path, symbol: str, start: datetime, end: datetime) -> list[Any]:
    """The funding rates of `[start, end)` as the engine's objects."""
    from nautilus_trader.model import NautilusDataType
    from nautilus_trader.persistence import ParquetDataCatalog

    first, last = nanoseconds(start), nanoseconds(end)
    reader = ParquetDataCatalog(str(catalog.resolve()))
    found = reader.query(NautilusDataType.FundingRateUpdate, [str(instrument_id(symbol))], first, last - 1)
    return [rate for rate in found if first <= rate.ts_init < last]


def _before(waiting: deque[Any], until_ns: int | None) -> list[Any]:
    taken = []
    while waiting and (until_ns is None or waiting[0].ts_init < until_ns):
        taken.append(waiting.popleft())
    return taken


def open_interest_items(series: OpenInterestSeries) -> Iterator[CustomData]:
    kind = open_interest_type(series.instrument_id)
    # The decorator of custom data adds times to the fields, which type checkers do not see.
    make: Any = OpenInterest
    for time_ns, contracts, known_ns in series.rows():
        yield CustomData(
            kind, make(instrument_id=series.instrument_id, contracts=contracts, ts_event=time_ns, ts_init=known_ns)
        )


def catalog_stream(
    catalog: Path,
    symbol: str,
    start: datetime,
    end: datetime,
    *,
    bars: bool,
    changed: Callable[[Batch], Batch] | None = None,
) -> MarketStream:
    """The trades or bars of the catalog; `changed`: what is done to them on the way."""
    batches = _batches(catalog, symbol, start, end, bars=bars)
    return MarketStream(symbol, map(changed, batches) if changed else batches, bars=bars)


def _batches(catalog: Path, symbol: str, start: datetime, end: datetime, *, bars: bool) -> Iterator[Batch]:
    first, last = nanoseconds(start), nanoseconds(end)
    folder = day_files.folder(catalog, symbol, "bars" if bars else "trades")
    for first_second, last_second, name in sorted(day_files.spans(folder)):
        if last_second < start or first_second > end:
            continue
        # Days of bars are so small that to read ahead costs more than it spares.
        with pq.ParquetFile(folder / name, pre_buffer=not bars) as file:
            decimals = [int(file.schema_arrow.metadata[name]) for name in (b"price_precision", b"size_precision")]
            for batch in file.iter_batches(BATCH, use_threads=not bars):
                times = batch["ts_init"].cast(pa.int64()).to_numpy()
                begin, stop = int(times.searchsorted(first)), int(times.searchsorted(last, "right" if bars else "left"))
                if begin < stop:
                    yield _numbers(times, batch, *decimals, bars=bars).part(begin, stop)


def _numbers(times: Ints, batch: pa.RecordBatch, price_decimals: int, size_decimals: int, *, bars: bool) -> Batch:
    if bars:
        nothing = np.zeros(len(times))
        return Batch(times, nothing, nothing, nothing.astype(np.bool_), batch)
    prices, contracts = exact(floats_of(batch["price"]), price_decimals), exact(floats_of(batch["size"]), size_decimals)
    side = batch.schema.get_field_index("aggressor_side")
    taken = batch["aggressor_side"]
    buys = taken.indices.to_numpy() == taken.dictionary.to_pylist().index("BUY")
    nobody = pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(batch), np.int8)), _NO_SIDE)
    return Batch(times, prices, contracts, buys, batch.set_column(side, batch.schema.field(side), nobody))


def _serialized(rows: pa.RecordBatch) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_batch(rows)
    return sink.getvalue()
