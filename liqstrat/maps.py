"""Liquidation maps from history: the book stepped through the flow that DuckDB aggregates."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from liqstrat.errors import LiqstratError
from liqstrat.liquidation.banded import FEWEST_LUMPS, BandedBook
from liqstrat.liquidation.kinds import new_model
from liqstrat.liquidation.liquidations import Liquidations
from liqstrat.liquidation.lumps import Band
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.liquidation.model import LiquidationModel, Since
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.market.flow import flows, reached_since
from liqstrat.market.store import Store
from liqstrat.market.width import with_bin_width
from liqstrat.moments import at_ns, column_ns, nanoseconds
from liqstrat.progress import SILENT, Progress

#: Fraction of price around it that a picture shows.
PICTURE_SPAN = 0.2
_CANDLES = (("5m", 24 * 7), ("15m", 24 * 21), ("1h", 24 * 120), ("4h", 24 * 500))

LEVELS_SCHEMA = pa.schema(
    [
        ("time", pa.timestamp("us", "UTC")),
        ("side", pa.string()),
        ("price_low", pa.float64()),
        ("price_high", pa.float64()),
        ("leverage", pa.int32()),
        ("contracts", pa.float64()),
    ]
)

#: The same of maps with a band, see `LiquidationMap.columns`.
BANDED_SCHEMA = pa.schema([*LEVELS_SCHEMA, ("low", pa.float64()), ("high", pa.float64())])


def maps_at(
    store: Store,
    symbol: str,
    moments: list[datetime],
    settings: ModelSettings,
    warmup: timedelta,
    progress: Progress = SILENT,
    span: float | None = None,
    *,
    banded: bool = False,
) -> Iterator[LiquidationMap]:
    """The map at each of `moments` (ascending), stamped with it: nothing that happened at or after is in it.

    The book is filled with up to `warmup` of history before the first moment. `span` leaves out what is farther from
    price than that fraction of it. banded: maps with their band. Raises `LiqstratError` where there is no open interest
    by then, or the model has no band.
    """
    waiting = iter(moments)
    moment = next(waiting, None)
    if moment is None:
        return
    require_history(store, symbol, moment, warmup)
    settings = with_bin_width(store, symbol, settings, moment)
    since, last = moment - warmup, moments[-1]
    book = (
        banded_book(store, symbol, settings, since, last)
        if banded
        else new_model(settings, symbol, store.brackets(symbol))
    )
    for flow, open_interest in flows(store, symbol, since, last, settings, progress):
        while moment is not None and nanoseconds(moment) < flow.end_ns:
            yield map_known_at(store, book, moment, span)
            moment = next(waiting, None)
        book.step(flow, open_interest)
    while moment is not None:
        yield map_known_at(store, book, moment, span)
        moment = next(waiting, None)


def map_of_venues(
    store: Store,
    symbols: Sequence[str],
    moment: datetime,
    settings: ModelSettings,
    warmup: timedelta,
    progress: Progress = SILENT,
) -> list[LiquidationMap]:
    """The map of each market at one moment, in bins of one width: that of the first."""
    for symbol in symbols:
        require_history(store, symbol, moment, warmup)
    settings = with_bin_width(store, symbols[0], settings, moment)
    return [next(maps_at(store, symbol, [moment], settings, warmup, progress)) for symbol in symbols]


def banded_book(store: Store, symbol: str, settings: ModelSettings, start: datetime, end: datetime) -> BandedBook:
    """An empty book whose maps have a band, which learns from the liquidations of `[start, end)` when it is stepped.

    Raises `LiqstratError` for a model that has no band.
    """
    require_band(settings)
    table = store.liquidations(symbol, start, end)
    long = pc.equal(table["side"], "long").to_numpy()
    record = Liquidations(column_ns(table["time"]), table["price"].to_numpy(), table["contracts"].to_numpy(), long)
    return BandedBook(settings, symbol, store.brackets(symbol), record, nanoseconds(end))


def require_band(settings: ModelSettings) -> None:
    """Raise `LiqstratError` for a model that has no band."""
    if settings.kind != "conserving":
        raise LiqstratError(f'a band is of kind "conserving" only, this model\'s is "{settings.kind}"')


def band_words(band: Band) -> str:
    """What a reader must know of a band."""
    enough = band.liquidations >= FEWEST_LUMPS
    known = f"by the {band.liquidations:,} liquidations before"
    by = known if enough else "which is a guess: hardly any liquidations are on record"
    return (
        f"Positions are taken to come in lumps of {band.lump:,.4g} contracts, {by}. "
        "In nine of ten bins what is open lies in the band, on simulated markets."
    )


def marks(start: datetime, end: datetime, minutes: int) -> list[datetime]:
    """Moments from `start` up to and with `end`, `minutes` apart."""
    count = int((end - start) / timedelta(minutes=minutes)) + 1
    return [start + i * timedelta(minutes=minutes) for i in range(count)]


def levels_rows(levels: LiquidationMap) -> pa.Table:
    """Rows of a map as the heatmap's files hold them (`LEVELS_SCHEMA`, where it has a band `BANDED_SCHEMA`)."""
    columns = levels.columns()
    time = np.full(len(columns["side"]), levels.time_ns // 1000, dtype="datetime64[us]")
    return pa.table({"time": time, **columns}).cast(LEVELS_SCHEMA if levels.band is None else BANDED_SCHEMA)


def last_known(store: Store, symbol: str) -> datetime:
    """The time of the last open-interest value; raises `LiqstratError` where there is none."""
    return _open_interest_span(store, symbol)[1]


def period(
    store: Store, symbol: str, start: datetime | None, end: datetime | None, minutes: int
) -> tuple[datetime, datetime]:
    """`start` and `end` with the whole hours that open interest covers in place of None; `end` is no later than that.

    Where history begins within a day after `start`, it is the first of the marks after that, `minutes` apart, by which
    there is any.
    """
    first, last = _open_interest_span(store, symbol)
    whole = first.replace(minute=0, second=0, microsecond=0)
    start = start or (whole if whole == first else whole + timedelta(hours=1))
    if start < first < start + timedelta(days=1):
        start += -(-(first - start) // timedelta(minutes=minutes)) * timedelta(minutes=minutes)
    end = min(end or last, last)
    if end < start:
        raise LiqstratError(f"--to is {end:%Y-%m-%d %H:%M}, expected a time after --from ({start:%Y-%m-%d %H:%M})")
    return start, end


def write_rows(maps: Iterator[LiquidationMap], out: Path, *, banded: bool = False) -> int:
    """Write maps, `banded` or not, to a Parquet file as they come; returns the number of rows."""
    rows = 0
    with pq.ParquetWriter(out, BANDED_SCHEMA if banded else LEVELS_SCHEMA, compression="zstd") as writer:
        for levels in maps:
            table = levels_rows(levels)
            writer.write_table(table)
            rows += len(table)
    return rows


def picture_rows(maps: Iterator[LiquidationMap]) -> pa.Table:
    """What a picture shows of maps: both sides and all leverages together, by time and price bin; of maps with a band
    also `low` and `high`, the least and the most contracts there."""
    times, lows, highs, amounts = [], [], [], []
    least, most = [], []
    for levels in maps:
        contracts = levels.longs.sum(axis=0) + levels.shorts.sum(axis=0)
        there = contracts > 0
        times.append(np.full(int(there.sum()), levels.time_ns // 1000))
        lows.append(levels.low_edges[there])
        highs.append(levels.high_edges[there])
        amounts.append(contracts[there])
        if levels.band is not None:
            low, high = levels.band.together
            least.append(low[there])
            most.append(high[there])
    columns = {"price_low": lows, "price_high": highs, "contracts": amounts}
    if least:
        columns |= {"low": least, "high": most}
    time = pa.array(np.concatenate(times)).cast(pa.timestamp("us", "UTC"))
    return pa.table({"time": time, **{name: np.concatenate(parts) for name, parts in columns.items()}})


def candle_length(moments: list[datetime]) -> str:
    """Length of the candles that are readable over `moments`."""
    hours = (moments[-1] - moments[0]) / timedelta(hours=1)
    return next((name for name, most in _CANDLES if hours <= most), "1d")


def map_known_at(store: Store, book: LiquidationModel, moment: datetime, span: float | None) -> LiquidationMap:
    """The book's map at `moment`, less what was run through between its last step and then."""
    return book.map(_since(store, book, moment), span=span)


def _since(store: Store, book: LiquidationModel, moment: datetime) -> Since:
    if book.time_ns and book.time_ns < nanoseconds(moment):
        return reached_since(store, book.symbol, at_ns(book.time_ns), moment)
    return Since(nanoseconds(moment))


def _open_interest_span(store: Store, symbol: str) -> tuple[datetime, datetime]:
    span = store.span(symbol, "open_interest")
    if span is None:
        raise LiqstratError(f"{store.path}: no open interest of {symbol}: without it levels cannot be estimated")
    return span


def require_history(store: Store, symbol: str, moment: datetime, warmup: timedelta) -> None:
    """Raise `LiqstratError` where there is no open interest by `moment`, or none in the `warmup` before."""
    span = _open_interest_span(store, symbol)
    if moment - warmup > span[1]:
        raise LiqstratError(
            f"{store.path}: open interest of {symbol} ends at {span[1]:%Y-%m-%d %H:%M} UTC, "
            f"asked for {moment:%Y-%m-%d %H:%M} with {warmup.days} days before"
        )
    if moment < span[0]:
        raise LiqstratError(
            f"{store.path}: open interest of {symbol} starts at {span[0]:%Y-%m-%d %H:%M} UTC, "
            f"asked for {moment:%Y-%m-%d %H:%M}"
        )
