"""Liquidation levels: where a position would be liquidated, and maps of where all of them would be."""

from datetime import datetime, timedelta
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from liqstrat.errors import LiqstratError
from liqstrat.maps import marks
from liqstrat.market.store import Store
from liqstrat.report.numbers import length
from liqstrat.serve import schema
from liqstrat.serve.answers import Answer
from liqstrat.serve.calculator import LevelsQuery, calculated
from liqstrat.serve.estimates import Estimates, make_estimates, matrix_of, widest_bin
from liqstrat.serve.limits import LONGEST, MOST_CELLS, MOST_MAPS, MOST_ROWS
from liqstrat.serve.params import Every, Moment, OfMap, Timeframe, Window, minutes, timeframe_length, window_length
from liqstrat.serve.refusals import RefusedError, as_rows
from liqstrat.serve.replies import reply
from liqstrat.serve.served import Here, Served, open_interest_span
from liqstrat.serve.sources import Source

router = APIRouter(prefix="/liquidations", tags=["liquidations"])

#: How far from price maps over time reach.
SPAN = 0.25
WARMUP = "14d"
#: The columns of a band.
_BAND = ("low", "high")
_SHOWN_MAPS = 700
_LENGTHS: tuple[Every, ...] = ("5m", "15m", "30m", "1h", "4h", "1d")


class MapQuery(OfMap):
    timeframe: Timeframe = WARMUP
    at: Annotated[Moment | None, Field(description="UTC; what was known then. By default the last open interest.")] = (
        None
    )
    band: Annotated[bool, Field(description="Also the least and the most of each bin, in nine of ten cases.")] = False

    def require_band(self) -> None:
        """Raise `RefusedError` where a band is asked for of what has none."""
        if self.band and self.model != "conserving":
            raise RefusedError(f"band is true, expected false: only the model conserving has one, not {self.model}")
        if self.band and self.leverage is not None:
            raise RefusedError("band is true, expected false with leverage: a band is of all leverages together")


@router.get("/levels", response_model=schema.Calculator | schema.Levels, responses=as_rows())
async def levels(request: Request, here: Here, asked: Annotated[LevelsQuery, Query()]) -> Response:
    """With `entry_price`: where positions opened there are liquidated. With `symbol`: the estimated map."""
    if (wrong := asked.mixed()) is not None:
        raise RefusedError(wrong)
    if asked.entry_price is not None:
        return reply(request, calculated(asked))
    given = {name: getattr(asked, name) for name in asked.model_fields_set}
    wanted = MapQuery(**given)
    wanted.require_band()

    def make(store: Store) -> Answer:
        maps, about = one_map(here, source, store, wanted)
        rows = by_price(rows_of(maps, wanted), wanted.min_notional)
        sides = {side: rows.filter(pc.equal(rows["side"], side)).to_pylist() for side in ("long", "short")}
        return Answer(about, rows, shown={f"{side}_liquidations": part for side, part in sides.items()})

    source = here.sources.get(wanted.data)
    return await here.answer(request, source, ("levels", wanted.model_dump_json()), make)


@router.get("/map", response_model=schema.Map, responses=as_rows())
async def map_at(request: Request, here: Here, asked: Annotated[MapQuery, Query()]) -> Response:
    """The estimated map at a moment, from what was known then: by side, price bin and leverage."""
    asked.require_band()

    def make(store: Store) -> Answer:
        maps, about = one_map(here, source, store, asked)
        rows = rows_of(maps, asked)
        if asked.min_notional:
            kept = by_price(rows, asked.min_notional).select(["side", "price_low"])
            rows = rows.join(kept, ["side", "price_low"], join_type="inner").sort_by(
                [("side", "ascending"), ("price_low", "ascending"), ("leverage", "ascending")]
            )
        clusters = [one for one in maps.clusters if asked.side in ("both", one["side"])]
        about |= {"clusters": clusters, "band": maps.band}
        return Answer(about, rows, "levels")

    source = here.sources.get(asked.data)
    return await here.answer(request, source, ("map", asked.model_dump_json()), make)


class HeatmapQuery(OfMap):
    window: Window = "7d"
    end_time: Annotated[Moment | None, Field(description="UTC; by default the last open interest.")] = None
    interval: Annotated[Every | None, Field(description="Between maps; by default as the window needs.")] = None
    timeframe: Timeframe = WARMUP


@router.get("/heatmap", response_model=schema.Heatmap, responses=as_rows())
async def heatmap(request: Request, here: Here, asked: Annotated[HeatmapQuery, Query()]) -> Response:
    """Maps over a window as a matrix of price and time, to be drawn; as Arrow, its rows."""

    def make(store: Store) -> Answer:
        span = open_interest_span(store, asked.symbol)
        end = min(asked.end_time or span[1], span[1])
        every = asked.interval or _length(window_length(asked.window))
        moments = _moments(asked.symbol, span, end - window_length(asked.window), end, every)
        maps = _estimates(here, store, asked, moments, SPAN)
        matrix = matrix_of(maps, maps.wanted(asked.side, asked.tiers))
        _within(matrix.notional.size)
        notional = np.where(matrix.notional >= max(asked.min_notional, 0.5), np.round(matrix.notional), 0.0)
        about = _facts(here, source, store, asked, span[1]) | _times(moments, every)
        shown = {
            "times": moments,
            "price_edges": np.round(matrix.edges, 8).tolist(),
            "notional": notional.astype(np.int64).tolist(),
            "prices": maps.prices.tolist(),
            "open_interest": maps.open_interest.tolist(),
            "largest": float(notional.max(initial=0.0)),
            "remarks": [*maps.remarks, *_short_of(asked.timeframe, moments[0], span[0])],
        }
        return Answer(about, _long(moments, matrix.edges, notional), shown=shown)

    source = here.sources.get(asked.data)
    return await here.answer(request, source, ("heatmap", asked.model_dump_json()), make)


class SeriesQuery(OfMap):
    time_window: Annotated[Window | None, Field(description="Up to end_time; or give start_time.")] = None
    start_time: Moment | None = None
    end_time: Moment | None = None
    interval: Every = "1h"
    price_bin_size: Annotated[
        float | None,
        Field(gt=0, le=1e9, description="In `quote`; by default the model's bins, which are shares of price."),
    ] = None
    timeframe: Timeframe = WARMUP


@router.get("/heatmap-timeseries", response_model=schema.HeatmapSeries, responses=as_rows())
async def heatmap_timeseries(request: Request, here: Here, asked: Annotated[SeriesQuery, Query()]) -> Response:
    """Maps over time as rows: amounts by moment and price bin."""
    if asked.time_window and asked.start_time:
        raise RefusedError("time_window and start_time both say where to begin, expected one of them")
    if asked.start_time and asked.end_time and asked.end_time < asked.start_time:
        raise RefusedError(f"end_time is before start_time ({asked.start_time:%Y-%m-%d %H:%M})")

    def make(store: Store) -> Answer:
        span = open_interest_span(store, asked.symbol)
        end = min(asked.end_time or span[1], span[1])
        start = asked.start_time or end - window_length(asked.time_window or "48h")
        moments = _moments(asked.symbol, span, start, end, asked.interval)
        maps = _estimates(here, store, asked, moments, SPAN)
        rows = maps.wanted(asked.side, asked.tiers)
        if asked.price_bin_size is not None and asked.price_bin_size < (widest := widest_bin(maps, rows)):
            raise RefusedError(
                f"price_bin_size is {asked.price_bin_size:g}, expected at least {widest:.8g}: bins of the model "
                f"are {maps.width:.2%} of price wide"
            )
        matrix = matrix_of(maps, rows, asked.price_bin_size)
        _within(matrix.notional.size)
        notional = np.where(matrix.notional >= max(asked.min_notional, 1e-9), matrix.notional, 0.0)
        table = _long(moments, matrix.edges, notional)
        if len(table) > MOST_ROWS:
            raise RefusedError(
                f"{len(table):,} rows, expected at most {MOST_ROWS:,}: ask for a shorter time, a longer interval, "
                "larger bins or a higher min_notional"
            )
        about = _facts(here, source, store, asked, span[1]) | _times(moments, asked.interval)
        remarks = [*maps.remarks, *_short_of(asked.timeframe, moments[0], span[0])]
        return Answer(about | {"price_bin_size": asked.price_bin_size, "remarks": remarks}, table, "rows")

    source = here.sources.get(asked.data)
    return await here.answer(request, source, ("timeseries", asked.model_dump_json()), make)


def _estimates(
    here: Served,
    store: Store,
    asked: MapQuery | HeatmapQuery | SeriesQuery,
    moments: list[datetime],
    span: float | None,
) -> Estimates:
    """The maps at `moments` of what is asked for."""
    warmup, told = timeframe_length(asked.timeframe), here.maps_of(asked.symbol, asked.model)
    banded = isinstance(asked, MapQuery) and asked.band
    return make_estimates(store, here.shelf, asked.symbol, moments, asked.settings, warmup, span, told, banded=banded)


def one_map(here: Served, source: Source, store: Store, asked: MapQuery) -> tuple[Estimates, dict[str, Any]]:
    """The map that is asked for, and what it says of itself."""
    begin, last = open_interest_span(store, asked.symbol)
    moment = asked.at or last
    maps = _estimates(here, store, asked, [moment], None)
    age = moment - _known_by(store, asked.symbol, moment)
    about = _facts(here, source, store, asked, last) | {
        "time": moment,
        "data_age_seconds": age.total_seconds(),
        "price": float(maps.prices[0]),
        "open_interest": float(maps.open_interest[0]),
        "seeded_share": float(maps.seeded[0]),
        "unplaced": float(maps.unplaced[0]),
        "bin_width": maps.width,
        "remarks": [*maps.remarks, *_short_of(asked.timeframe, moment, begin)],
    }
    return maps, about


def _short_of(timeframe: str, first: datetime, begin: datetime) -> list[str]:
    """What is to be said where history before the first map is shorter than was asked for."""
    there = max(first - begin, timedelta(0))
    if there >= timeframe_length(timeframe):
        return []
    if not there:
        return ["History begins with the first map: there is none before it to fill the book with."]
    before = length(there.total_seconds())
    return [f"History begins {before} before the first map: there is no more of it to fill the book with."]


def _known_by(store: Store, symbol: str, moment: datetime) -> datetime:
    """The time of the last open interest at or before a moment."""
    known = store.open_interest(symbol, moment - timedelta(days=400), moment + timedelta(microseconds=1))
    last: datetime | None = pc.max(known["time"]).as_py()
    if last is None:
        raise LiqstratError(f"no open interest of {symbol} within 400 days before {moment:%Y-%m-%d %H:%M} UTC")
    return last


def _facts(here: Served, source: Source, store: Store, asked: OfMap, last: datetime) -> dict[str, Any]:
    """What any map says of itself."""
    settings = {"side": asked.side, "leverage": asked.tiers, "min_notional": asked.min_notional}
    return {
        "symbol": asked.symbol,
        "quote": store.contract(asked.symbol).quote,
        "data": source.name,
        "model": asked.model,
        "origin": "SIMULATED" if store.simulated(asked.symbol) else "real",
        "verdict": here.verdict(source, store, asked.symbol, asked.settings),
        "data_until": last,
        "settings": settings | {"leverage_weights": dict(asked.settings.leverage)},
    }


def _times(moments: list[datetime], every: str) -> dict[str, Any]:
    return {"interval": every, "start_time": moments[0], "end_time": moments[-1]}


def _moments(
    symbol: str, span: tuple[datetime, datetime], start: datetime, end: datetime, every: str
) -> list[datetime]:
    """Moments at multiples of an interval, as far as there is open interest."""
    step = minutes(every)
    first, last = _multiple(max(start, span[0]), step, up=True), _multiple(min(end, span[1]), step, up=False)
    if last < first:
        raise LiqstratError(
            f"open interest of {symbol} reaches from {span[0]:%Y-%m-%d %H:%M} to {span[1]:%Y-%m-%d %H:%M} UTC: there "
            f"is no moment to make a map of from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}, every {every}"
        )
    if last - first > LONGEST:
        raise RefusedError(f"the range is of {(last - first).days:,} days, expected at most {LONGEST.days}")
    count = int((last - first) / step) + 1
    if count > MOST_MAPS:
        raise RefusedError(f"{count:,} maps, expected at most {MOST_MAPS:,}: ask for a longer interval")
    return marks(first, last, int(step / timedelta(minutes=1)))


def _multiple(moment: datetime, step: timedelta, *, up: bool) -> datetime:
    seconds, length = moment.timestamp(), step.total_seconds()
    over = seconds % length
    return moment - timedelta(seconds=over) + (step if up and over else timedelta(0))


def _length(window: timedelta) -> Every:
    return next((one for one in _LENGTHS if window / minutes(one) <= _SHOWN_MAPS), "1d")


def _within(cells: int) -> None:
    if cells > MOST_CELLS:
        raise RefusedError(f"{cells:,} cells, expected at most {MOST_CELLS:,}: ask for a longer interval")


def _long(moments: list[datetime], edges: Any, notional: Any) -> pa.Table:
    """The cells of a matrix that hold something, as rows."""
    columns, bins = np.nonzero(notional.T)
    times = pa.array(moments, pa.timestamp("us", "UTC")).take(pa.array(columns))
    return pa.table(
        {"time": times, "price_low": edges[bins], "price_high": edges[bins + 1], "notional": notional.T[columns, bins]}
    )


def rows_of(maps: Estimates, asked: OfMap) -> pa.Table:
    """The rows of one map, with amounts and distance from price."""
    rows = maps.wanted(asked.side, asked.tiers)
    lows, highs = (np.asarray(rows[name], dtype=np.float64) for name in ("price_low", "price_high"))
    middle = np.sqrt(lows * highs)
    return pa.table(
        {
            "side": rows["side"].cast(pa.string()),
            "price_low": lows,
            "price_high": highs,
            "leverage": rows["leverage"],
            "contracts": rows["contracts"],
            "notional": np.asarray(rows["contracts"], dtype=np.float64) * maps.contract.worth(middle),
            "distance": middle / maps.prices[0] - 1,
            **{name: rows[name] for name in _BAND if name in rows.column_names},
        }
    )


def by_price(rows: pa.Table, min_notional: float) -> pa.Table:
    """All leverages of a bin together, less the bins that hold too little."""
    bins, bounds = (
        ["side", "price_low", "price_high", "distance"],
        [name for name in _BAND if name in rows.column_names],
    )
    by = rows.group_by([*bins, *bounds]).aggregate([("contracts", "sum"), ("notional", "sum")])
    by = by.rename_columns([*bins, *bounds, "contracts", "notional"])
    by = by.filter(pc.greater_equal(by["notional"], min_notional)).sort_by(
        [("side", "ascending"), ("price_low", "ascending")]
    )
    return by.select(["side", "price_low", "price_high", "contracts", "notional", "distance", *bounds])
