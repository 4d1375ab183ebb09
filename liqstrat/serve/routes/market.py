"""History as it is: symbols, ranges, candles, open interest, funding."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from liqstrat import __version__
from liqstrat.market.inspect import inspect
from liqstrat.market.store import Store
from liqstrat.serve import schema
from liqstrat.serve.answers import Answer, Given
from liqstrat.serve.limits import LONGEST, MOST_CANDLES
from liqstrat.serve.params import Between, Interval, Nothing, OfSymbol, minutes
from liqstrat.serve.refusals import RefusedError, as_rows
from liqstrat.serve.replies import reply
from liqstrat.serve.served import Here

router = APIRouter(tags=["market"])


@router.get("/health", response_model=schema.Health)
def health(request: Request, here: Here, _: Annotated[Nothing, Query()]) -> Response:
    """Whether the server answers, and what it has found."""
    about = {
        "status": "ok",
        "version": __version__,
        "databases": [one.name for one in here.sources.all()],
        "catalog": str(here.catalog),
        "results": str(here.results),
    }
    return reply(request, Given(Answer(about)))


@router.get("/under-way", response_model=schema.UnderWay)
def under_way(request: Request, here: Here, _: Annotated[Nothing, Query()]) -> Response:
    """What the server works on for all who ask, and how far that is; for what takes seconds."""
    return reply(request, Given(Answer({"tasks": here.under_way.all()})))


@router.get("/symbols", response_model=schema.Symbols)
async def symbols(request: Request, here: Here, _: Annotated[Nothing, Query()]) -> Response:
    """The databases that were found, and the symbols in each."""
    found = []
    for source in here.sources.all():
        given = await here.answers.ask(source, ("symbols",), lambda store: Answer(_symbols(store)))
        found.append({"data": source.name, **given.answer.about})
    return reply(request, Given(Answer({"databases": found})))


def _symbols(store: Store) -> dict[str, Any]:
    found = []
    for name in store.symbols():
        contract = store.contract(name)
        told = {"symbol": name, "simulated": store.simulated(name), "quote": contract.quote}
        found.append({**told, "contract_size": contract.size})
    return {"symbols": found}


@router.get("/data/date-range", response_model=schema.DateRange)
async def date_range(request: Request, here: Here, asked: Annotated[OfSymbol, Query()]) -> Response:
    """What there is of a symbol, by kind: first and last moment, rows, days without any."""

    def make(store: Store) -> Answer:
        kinds = [{**asdict(one), "days_missing": len(one.days_missing)} for one in inspect(store, asked.symbol)]
        for one in kinds:
            del one["symbol"]
        return Answer({"symbol": asked.symbol, "simulated": store.simulated(asked.symbol), "kinds": kinds})

    source = here.sources.get(asked.data)
    return await here.answer(request, source, ("date-range", asked.symbol), make)


class KlinesQuery(Between):
    interval: Interval = "1h"
    limit: Annotated[int, Field(ge=1, le=MOST_CANDLES, description="The latest of the range are given.")] = 1000


@router.get("/prices/klines", response_model=schema.Klines, responses=as_rows())
async def klines(request: Request, here: Here, asked: Annotated[KlinesQuery, Query()]) -> Response:
    """Candles by the time they open; recorded ones, or built from shorter ones or from trades."""

    def make(store: Store) -> Answer:
        start, end = bounded(asked.start_time, asked.end_time, minutes(asked.interval) * (asked.limit + 1))
        if end is None:
            end = latest(store, asked.symbol)
            start = start or end - minutes(asked.interval) * (asked.limit + 1)
        table = store.klines(asked.symbol, start, end, interval=asked.interval)
        table = as_floats(table.slice(max(len(table) - asked.limit, 0)))
        about = {"symbol": asked.symbol, "simulated": store.simulated(asked.symbol), "interval": asked.interval}
        return Answer(about, table, "klines")

    source = here.sources.get(asked.data)
    return await here.answer(request, source, ("klines", asked.model_dump_json()), make)


@router.get("/data/open-interest", response_model=schema.OpenInterest, responses=as_rows())
async def open_interest(request: Request, here: Here, asked: Annotated[Between, Query()]) -> Response:
    """Open interest as recorded, contracts and what they were worth; the time is when it was known."""

    def make(store: Store) -> Answer:
        start, end = bounded(asked.start_time, asked.end_time, LONGEST)
        table = store.open_interest(asked.symbol, start, end)
        return Answer({"symbol": asked.symbol, "simulated": store.simulated(asked.symbol)}, table, "open_interest")

    source = here.sources.get(asked.data)
    return await here.answer(request, source, ("open-interest", asked.model_dump_json()), make)


@router.get("/data/funding", response_model=schema.Funding, responses=as_rows())
async def funding(request: Request, here: Here, asked: Annotated[Between, Query()]) -> Response:
    """Funding rates as settled."""

    def make(store: Store) -> Answer:
        start, end = bounded(asked.start_time, asked.end_time, LONGEST)
        table = as_floats(store.funding(asked.symbol, start, end))
        return Answer({"symbol": asked.symbol, "simulated": store.simulated(asked.symbol)}, table, "funding")

    source = here.sources.get(asked.data)
    return await here.answer(request, source, ("funding", asked.model_dump_json()), make)


def bounded(start: datetime | None, end: datetime | None, most: timedelta) -> tuple[datetime | None, datetime | None]:
    """A range that is not the wrong way round; one without a start is the last `most` before its end."""
    if start is not None and end is not None and end <= start:
        raise RefusedError(
            f"end_time is {end:%Y-%m-%d %H:%M}, expected a time after start_time ({start:%Y-%m-%d %H:%M})"
        )
    if start is not None and end is not None and end - start > LONGEST:
        raise RefusedError(f"the range is of {(end - start).days:,} days, expected at most {LONGEST.days}")
    return (end - most if start is None and end is not None else start), end


def latest(store: Store, symbol: str) -> datetime:
    """A moment after all that is on record of a symbol; raises `LiqstratError` for an unknown one."""
    spans = [span for kind in store.kinds() if (span := store.span(symbol, kind))]
    return max(last for _, last in spans) + timedelta(microseconds=1)


def as_floats(table: pa.Table) -> pa.Table:
    """Decimals as the floating numbers nearest to them, which all programs read."""
    for at, name in enumerate(table.column_names):
        if pa.types.is_decimal(table[name].type):
            # By way of text: a direct cast is off by a last digit.
            table = table.set_column(at, name, pc.cast(pc.cast(table[name], pa.string()), pa.float64()))
    return table
