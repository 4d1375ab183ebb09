"""What is watched as it runs: websockets below /ws have its maps."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from liqstrat.errors import LiqstratError, did_you_mean
from liqstrat.market.store import Store
from liqstrat.serve import schema
from liqstrat.serve.answers import Answer, Given
from liqstrat.serve.params import Nothing, Symbol
from liqstrat.serve.replies import reply
from liqstrat.serve.served import Here

router = APIRouter(prefix="/live", tags=["live"])


@router.get("", response_model=schema.Live)
def live(request: Request, here: Here, _: Annotated[Nothing, Query()]) -> Response:
    """Symbols whose maps are at /ws/map/{symbol} and /ws/heatmap/{symbol}; none where `liqstrat serve` runs alone."""
    symbols = list(here.watched.symbols) if here.watched else []
    return reply(request, Given(Answer({"symbols": symbols})))


@router.get("/{symbol}", response_model=schema.LiveMarket)
async def market(request: Request, here: Here, symbol: Symbol, _: Annotated[Nothing, Query()]) -> Response:
    """The model of a watched market's maps, what it is made from, and how it was judged on history."""
    watched = here.watched
    if watched is None or symbol not in watched.symbols:
        there = watched.symbols if watched else ()
        raise LiqstratError(f"{symbol} is not watched here{did_you_mean(symbol, there)}; see `liqstrat watch`")
    source = next((one for one in here.sources.all() if one.path.resolve() == watched.database.resolve()), None)
    if source is None:
        raise LiqstratError(f"{watched.database}: its history is not among what is served")

    def make(store: Store) -> Answer:
        verdict = here.verdict(source, store, symbol, watched.model)
        return Answer({"symbol": symbol, "data": source.name, "model": watched.model.kind, "verdict": verdict})

    return await here.answer(request, source, ("live", symbol), make)
