"""The levels of a run, worked once in one pass and kept in a file: who replays the run need not step the model again.

Maps depend on history and on the model, not on what strategies do. So each step's clusters can be known beforehand, and
shared by all runs that ask the same, between processes, too: the file is mapped into memory. What is asked for besides,
maps above all, comes from the model itself, which is stepped to there from the nearest of the books kept with it.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from liqstrat.backtest.levels.feeds import OpenInterestSeries
from liqstrat.backtest.levels.indicator import LiquidationLevels
from liqstrat.backtest.levels.interval import Interval, Tape, Trades
from liqstrat.backtest.levels.record import LevelsRecord
from liqstrat.backtest.levels.steps import Hearts, LiveSteps
from liqstrat.liquidation.banded import BandedBook
from liqstrat.liquidation.clusters import Around, Clusters, Numbers
from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.flow_arrays import flow_arrays, flows_of
from liqstrat.liquidation.lumps import Bounds
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.liquidation.model import NOTHING, LiquidationModel, Since

#: Steps in a block: a month of five minutes. Behind each lies the book as it was then, some two megabytes.
BLOCK = 8192

_OF_STEP = ("contracts", "price", "open_interest", "seeded_share", "next_long", "next_short", "longs", "shorts")
_OF_CLUSTER = {"is_long": pa.int8(), "first": pa.int32(), "stop": pa.int32(), "price": pa.float64()}
_OF_HELD = {"contracts": pa.float64(), "hours": pa.float64(), "notional": pa.float64()}
#: Of maps with a band.
_OF_BAND = {"low": pa.float64(), "high": pa.float64()}
_FLOW, _BOOK, _SEEN = "flow_", "book_", "span and time between records"


def write_steps(
    path: Path,
    model: LiquidationModel,
    since: Trades | None,
    tape: Tape,
    interest: OpenInterestSeries,
    *,
    span: float,
    every_ns: int,
    step: Callable[[], None] = lambda: None,
) -> None:
    """Step `model` through all values of open interest, and write what its levels are after each.

    since, tape: what has traded, see `LiquidationLevels.warm_up`. span: of price, within which clusters are looked for.
    every_ns: how often the map is recorded for the report. step: called after each.
    """
    steps, sink, moment = _Noted(model, span), pa.BufferOutputStream(), 0
    levels = LiquidationLevels(model.settings, model.symbol, span=span, interval=tape)
    levels.go_on(steps, since)
    tape.now = lambda: moment
    block = _Block(model, {_SEEN: repr((span, every_ns))})
    with pa.ipc.new_file(str(path), block.schema) as file:
        with LevelsRecord(sink, every_ns, span) as record:
            for time_ns, contracts, known_ns in interest.rows():
                moment = known_ns
                levels.settle(known_ns)
                if time_ns > levels.known_at:
                    if block.count == BLOCK:
                        file.write_batch(block.ended())
                    levels.handle_open_interest(contracts, time_ns)
                    block.add(steps, contracts)
                record(levels)
                step()
        file.write_batch(block.ended(sink.getvalue().to_pybytes()))


class KeptSteps:
    """The steps of a file, see `Steps`; they must be asked for one after the other, as the file has them.

    model: as it was before the first, which this may step.
    """

    def __init__(self, file: pa.ipc.RecordBatchFileReader, model: LiquidationModel, span: float) -> None:
        self._file, self._model = file, model
        self._live, self._live_at = LiveSteps(model, span), -1
        self._tiers = model.tiers.tolist()
        self._at = self._row = -1
        self._flows: tuple[int, list[Flow]] = -1, []
        self.time_ns, self.price, self.open_interest = model.time_ns, model.price, model.open_interest

    def advance(self, interval: Interval, contracts: float, time_ns: int, count: int = 1) -> None:
        """Go on to the next step, or the one that is `count` away, which must be this one."""
        interval.pass_over(time_ns)  # type: ignore[attr-defined]
        before, self._at = self._at // BLOCK, self._at + count
        self._row = row = self._at % BLOCK
        if self._at // BLOCK != before:
            self._open(self._at // BLOCK)
        self.time_ns = self._times[row]
        if self.time_ns != time_ns:
            raise RuntimeError(f"levels are kept of {self.time_ns}, asked for are those of {time_ns}")
        self.price, self.open_interest = self._columns["price"][row], self._columns["open_interest"][row]

    def hearts(self) -> Hearts:
        """As they were found when the file was made."""
        if self._at < 0:
            return self._live.hearts()
        return self._columns["next_long"][self._row], self._columns["next_short"][self._row]

    def clusters(self) -> Clusters:
        """As they were found when the file was made."""
        if self._at < 0:
            return self._live.clusters()
        row, columns, found = self._row, self._columns, self._clusters
        begin, end = self._offsets[row], self._offsets[row + 1]
        tiers, width, price, time_ns = self._tiers, self._model.settings.width, self.price, self.time_ns

        def numbers(first: int, stop: int) -> Numbers:
            return Numbers._make(column[begin + first : begin + stop] for column in found)

        def around() -> Around:
            return Around(tiers, width, price, time_ns, columns["longs"][row], columns["shorts"][row])

        def bands(first: int, stop: int) -> Bounds:
            low, high = (column[begin + first : begin + stop] for column in self._bands)
            return low, high

        hearts = columns["next_long"][row], columns["next_short"][row]
        return Clusters(found.price[begin:end], *hearts, around, numbers, bands if self._bands else None)

    def map(self, since: Since = NOTHING, span: float | None = None) -> LiquidationMap:
        """The model's, once it has been stepped to here."""
        self._catch_up()
        return self._live.map(since, span)

    @property
    def seeded_share(self) -> float:
        """As it was when the file was made."""
        return self._live.seeded_share if self._at < 0 else self._columns["seeded_share"][self._row]

    def _open(self, block: int) -> None:
        batch = self._file.get_batch(block)
        self._times: list[int] = batch["time_ns"].to_numpy().tolist()
        self._columns: dict[str, list[float]] = {name: batch[name].to_numpy().tolist() for name in _OF_STEP}
        self._offsets: list[int] = batch["clusters"].offsets.to_numpy().tolist()
        values = batch["clusters"].values
        columns = {name: values.field(name) for name in (*_OF_CLUSTER, *_OF_HELD)}
        arrays = {name: column.to_numpy() for name, column in columns.items()}
        arrays["is_long"] = arrays["is_long"].view(np.bool_)
        by_tier = values.field("by_tier").values.to_numpy().reshape(-1, len(self._tiers))
        self._clusters = Numbers(by_tier=by_tier, **arrays)
        there = [name for name in _OF_BAND if values.type.get_field_index(name) >= 0]
        self._bands = [values.field(name).to_numpy() for name in there]

    def _catch_up(self) -> None:
        """Step the model to where we are: from where it is, or from the end of a block that is nearer."""
        if self._live_at == self._at:
            return
        block, at_its_end = self._at // BLOCK, self._row + 1 == len(self._times)
        nearest, kept_with = (self._at, block) if at_its_end else (block * BLOCK - 1, block - 1)
        if nearest > self._live_at:
            self._model.restore(_part(self._aside(kept_with), _BOOK))
            self._live_at = nearest
        if self._live_at < self._at and self._flows[0] != block:
            self._flows = block, flows_of(_part(self._aside(block), _FLOW))
        for at in range(self._live_at + 1, self._at + 1):
            self._live.step(self._flows[1][at % BLOCK], self._columns["contracts"][at % BLOCK])
        self._live_at = self._at

    def _aside(self, block: int) -> dict[str, npt.NDArray[Any]]:
        """Flows of a block, and the book after it."""
        kept = self._file.get_batch(block)["aside"]
        with np.load(io.BytesIO(kept[len(kept) - 1].as_buffer()), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}


def open_steps(path: Path, *, span: float, every_ns: int) -> pa.ipc.RecordBatchFileReader | None:
    """The file, mapped into memory; None where there is none that is whole, and was made for the same of these."""
    try:
        file = pa.ipc.open_file(pa.memory_map(str(path)))
        seen = file.schema.metadata[_SEEN.encode()].decode()
    except (OSError, pa.ArrowInvalid, KeyError, TypeError):
        return None
    return file if seen == repr((span, every_ns)) else None


def write_recorded(path: Path, files: Sequence[pa.ipc.RecordBatchFileReader]) -> None:
    """Write the maps that were recorded when the files of a run's symbols were made, as `LevelsRecord` does."""
    records = []
    for file in files:
        kept = file.get_batch(file.num_record_batches - 1)["record"]
        records.append(kept[len(kept) - 1].as_buffer())
    if len(records) == 1:
        path.write_bytes(records[0])
        return
    table = pa.concat_tables([pq.read_table(pa.BufferReader(record)) for record in records])
    pq.write_table(table.take(pc.sort_indices(table["time"])), path, compression="zstd")


class _Noted(LiveSteps):
    """Steps of which the last flow is known, and of which nobody asks what price has reached."""

    def advance(self, interval: Interval, contracts: float, time_ns: int) -> None:
        """Step the model."""
        self.flow = self.flow_of(interval, time_ns)
        self.step(self.flow, contracts)

    def hearts(self) -> Hearts:
        """None that could be reached."""
        return -np.inf, np.inf


class _Block:
    """Steps that are gathered until they are written."""

    def __init__(self, model: LiquidationModel, about: dict[str, str]) -> None:
        self._model, self._tiers = model, len(model.tiers)
        self._kinds = _OF_CLUSTER | _OF_HELD | (_OF_BAND if isinstance(model, BandedBook) else {})
        clusters = pa.list_(pa.struct([*_fields(self._kinds), self._by_tier]))
        of_step = dict.fromkeys(_OF_STEP, pa.float64())
        self.schema = pa.schema(
            [("time_ns", pa.int64()), *_fields(of_step), ("clusters", clusters), *_fields(_ASIDE)], about
        )
        self._begin()

    @property
    def count(self) -> int:
        """Steps in it."""
        return len(self._times)

    def add(self, steps: _Noted, contracts: float) -> None:
        """The step that was made last, when `contracts` were open."""
        found = steps.clusters()
        around = found.around
        self._times.append(steps.time_ns)
        known = contracts, steps.price, steps.open_interest, steps.seeded_share
        self._rows.append((*known, found.next_long, found.next_short, around.longs, around.shorts))
        self._numbers.append(found.numbers(0, len(found)))
        if found.bands is not None:
            self._bands.append(found.bands(0, len(found)))
        self._flows.append(steps.flow)

    def ended(self, record: bytes | None = None) -> pa.RecordBatch:
        """All that was added, as it is kept; the next block begins."""
        aside = {f"{_FLOW}{name}": values for name, values in flow_arrays(self._flows).items()}
        aside |= {f"{_BOOK}{name}": values for name, values in self._model.saved().items()}
        kept = io.BytesIO()
        np.savez(kept, allow_pickle=False, **aside)
        columns = np.array(self._rows, dtype=np.float64).reshape(-1, len(_OF_STEP)).T
        parts = [
            pa.array(np.array(self._times, dtype=np.int64)),
            *(pa.array(np.ascontiguousarray(column)) for column in columns),
            self._joined(),
            self._last(kept.getvalue()),
            self._last(record),
        ]
        self._begin()
        return pa.record_batch(parts, schema=self.schema)

    def _begin(self) -> None:
        self._times: list[int] = []
        self._rows: list[tuple[float, ...]] = []
        self._numbers: list[Numbers] = []
        self._bands: list[Bounds] = []
        self._flows: list[Flow] = []

    def _joined(self) -> pa.ListArray:
        """The clusters of all steps."""
        offsets = np.cumsum([0, *(len(numbers.price) for numbers in self._numbers)]).astype(np.int32)
        joined = Numbers(*map(np.concatenate, zip(*self._numbers, strict=True)))._asdict()
        joined["is_long"] = joined["is_long"].view(np.int8)
        by_tier = pa.FixedSizeListArray.from_arrays(pa.array(joined["by_tier"].ravel()), self._tiers)
        if self._bands:
            joined |= zip(_OF_BAND, map(np.concatenate, zip(*self._bands, strict=True)), strict=True)
        kinds = self._kinds.items()
        arrays = [pa.array(joined[name].astype(kind.to_pandas_dtype(), copy=False)) for name, kind in kinds]
        struct = pa.StructArray.from_arrays([*arrays, by_tier], fields=[*_fields(self._kinds), self._by_tier])
        return pa.ListArray.from_arrays(pa.array(offsets), struct)

    def _last(self, value: bytes | None) -> pa.Array:
        """A column that has something in its last row only."""
        return pa.array([None] * (self.count - 1) + [value], pa.large_binary())

    @property
    def _by_tier(self) -> pa.Field:
        return pa.field("by_tier", pa.list_(pa.float64(), self._tiers))


_ASIDE = {"aside": pa.large_binary(), "record": pa.large_binary()}


def _fields(kinds: dict[str, pa.DataType]) -> Iterator[pa.Field]:
    return (pa.field(name, kind) for name, kind in kinds.items())


def _part(arrays: dict[str, npt.NDArray[Any]], prefix: str) -> dict[str, npt.NDArray[Any]]:
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}
