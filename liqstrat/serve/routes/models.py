"""Models held against each other, and what levels say."""

from dataclasses import asdict
from typing import Annotated, Any, cast, get_args

import numpy as np
import pyarrow as pa
from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, Field, WithJsonSchema
from starlette.responses import Response

from liqstrat.errors import did_you_mean
from liqstrat.liquidation.agreement import agreement
from liqstrat.liquidation.grid import Floats
from liqstrat.liquidation.settings import Kind, ModelSettings
from liqstrat.liquidation.signals import SignalRules
from liqstrat.market.store import Store
from liqstrat.serve import schema
from liqstrat.serve.answers import Answer
from liqstrat.serve.estimates import Estimates
from liqstrat.serve.params import Model, Moment, OfSymbol, Timeframe, timeframe_length
from liqstrat.serve.refusals import as_rows
from liqstrat.serve.routes.liquidations import WARMUP, MapQuery, by_price, one_map, rows_of
from liqstrat.serve.served import Here, open_interest_span
from liqstrat.sweeps import standing_at

router = APIRouter(tags=["liquidations"])

_KINDS = get_args(Kind)
#: How far from price models are held against each other.
_SPAN = 0.2


def _models(text: str) -> str:
    names = text.split(",")
    for name in names:
        if name not in _KINDS:
            raise ValueError(
                f'there is no model "{name[:40]}"{did_you_mean(name, _KINDS)}; expected of {", ".join(_KINDS)}'
            )
    return ",".join(dict.fromkeys(names))


_one = "|".join(_KINDS)
Models = Annotated[
    str,
    AfterValidator(_models),
    WithJsonSchema({"type": "string", "pattern": f"^({_one})(,({_one})){{0,3}}$", "default": ",".join(_KINDS)}),
    Field(description="With commas; others are held against the first."),
]


class CompareQuery(OfSymbol):
    models: Models = ",".join(_KINDS)
    timeframe: Timeframe = WARMUP
    at: Annotated[Moment | None, Field(description="UTC; by default the last open interest.")] = None


@router.get(
    "/liquidations/compare-models", response_model=schema.Comparison, responses=as_rows(), tags=["liquidations"]
)
async def compare_models(request: Request, here: Here, asked: Annotated[CompareQuery, Query()]) -> Response:
    """The maps of several models at one moment, with the verdict on each, and how far they agree with the first."""

    def make(store: Store) -> Answer:
        found, tables, first = [], [], None
        for kind in asked.models.split(","):
            query = MapQuery(symbol=asked.symbol, model=cast(Kind, kind), timeframe=asked.timeframe, at=asked.at)
            maps, about = one_map(here, source, store, query)
            rows = by_price(rows_of(maps, query), 0.0)
            first = first or maps
            found.append(
                {
                    "model": kind,
                    "verdict": about["verdict"],
                    "agreement": _agreement(maps, first),
                    "largest": sorted(maps.clusters, key=lambda one: -one["notional"])[:5],
                    "levels": rows.to_pylist(),
                }
            )
            tables.append(rows.add_column(0, "model", pa.array([kind] * len(rows), pa.string())))
        shared = {key: about[key] for key in ("symbol", "quote", "data", "origin", "time", "data_until", "price")}
        return Answer(shared, pa.concat_tables(tables), shown={"models": found})

    source = here.sources.get(asked.data)
    return await here.answer(request, source, ("compare", asked.model_dump_json()), make)


class SignalsQuery(OfSymbol):
    model: Model = "conserving"
    timeframe: Timeframe = WARMUP
    at: Annotated[Moment | None, Field(description="UTC; by default the last open interest.")] = None
    watch: Annotated[
        float | None, Field(gt=0, le=0.5, description="How far from price levels count, a share of it.")
    ] = None


@router.get("/signals", response_model=schema.Signals)
async def signals(request: Request, here: Here, asked: Annotated[SignalsQuery, Query()]) -> Response:
    """What levels said at a moment, from what was known then: AVOID, WAIT, REVERSAL or WITH, and why."""

    def make(store: Store) -> Answer:
        last = open_interest_span(store, asked.symbol)[1]
        settings, warmup = ModelSettings(kind=asked.model), timeframe_length(asked.timeframe)
        standing = standing_at(store, asked.symbol, asked.at or last, settings, warmup)
        rules = SignalRules.of({} if asked.watch is None else {"watch": asked.watch})
        about = {
            "symbol": asked.symbol,
            "quote": store.contract(asked.symbol).quote,
            "data": source.name,
            "model": asked.model,
            "origin": "SIMULATED" if store.simulated(asked.symbol) else "real",
            "verdict": here.verdict(source, store, asked.symbol, settings),
            "data_until": last,
            "time": asked.at or last,
            "price": standing.map.price,
            "rules": asdict(rules),
        }
        found = [_plain(asdict(one)) for one in standing.signals(rules)]
        return Answer(about | {"signals": found})

    source = here.sources.get(asked.data)
    return await here.answer(request, source, ("signals", asked.model_dump_json()), make)


def _plain(signal: dict[str, Any]) -> dict[str, Any]:
    """Leverages as JSON has keys: as text."""
    for holder in (signal, signal["swept"] or {}):
        for name in ("level", "cluster"):
            if name in holder:
                holder[name]["leverage"] = {str(tier): share for tier, share in holder[name]["leverage"].items()}
    return signal


def _agreement(maps: Estimates, first: Estimates) -> dict[str, float | None]:
    """Of contracts by price bin and side, near price."""
    one, other = _by_bin(maps), _by_bin(first)
    keys = sorted(one.keys() | other.keys())
    told = asdict(
        agreement(*(np.array([part.get(key, 0.0) for key in keys], dtype=np.float64) for part in (one, other)))
    )
    return {name: None if np.isnan(value) else value for name, value in told.items()}


def _by_bin(maps: Estimates) -> dict[tuple[str, float], float]:
    rows, price = maps.rows, maps.prices[0]
    lows: Floats = np.asarray(rows["price_low"], dtype=np.float64)
    near = np.abs(lows / price - 1) <= _SPAN
    found: dict[tuple[str, float], float] = {}
    sides, contracts = rows["side"].to_pylist(), rows["contracts"].to_pylist()
    for at in np.flatnonzero(near).tolist():
        key = (sides[at], round(float(lows[at]), 6))
        found[key] = found.get(key, 0.0) + contracts[at]
    return found
