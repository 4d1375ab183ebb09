"""The app: routes, refusals and what guards them."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.middleware import Middleware

from liqstrat import __version__
from liqstrat.serve import refusals
from liqstrat.serve.guard import Guard
from liqstrat.serve.refusals import PROBLEMS
from liqstrat.serve.routes import jobs, liquidations, live, market, models, pages, recorded, runs, studies
from liqstrat.serve.served import Served
from liqstrat.serve.watched import Watched

_ABOUT = """
Liquidation levels, history and results of what is in `catalog/` and `results/`. Maps are estimates: who holds which
position, and at which leverage, is not published. Each says which model it is of, how that was judged, how old its data
are, and whether they are SIMULATED. Answers are JSON, or Arrow where `Accept: application/vnd.apache.arrow.stream` asks
for it. Times are UTC.
"""


def create_app(
    catalog: Path,
    results: Path,
    configs: Path = Path("configs"),
    *,
    token: str | None = None,
    origins: tuple[str, ...] = (),
    watched: Watched | None = None,
) -> FastAPI:
    """The app over a folder of databases, one of results and one of run files.

    token: see `guard.Guard`. origins: sites whose pages may read the API, as https://example.org. watched: markets
    as they run, whose maps are sent to websockets below /ws.
    """
    middleware = [Middleware(Guard, token=token)]
    if origins:
        middleware.insert(0, Middleware(CORSMiddleware, allow_origins=list(origins), allow_methods=["GET"]))
    app = FastAPI(
        title="liqstrat",
        version=__version__,
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        middleware=middleware,
        responses=PROBLEMS,
    )
    app.state.served = Served.of(catalog, results, configs, watched)
    refusals.listen(app)
    for part in (market, liquidations, live, models, recorded, runs, studies, jobs):
        app.include_router(part.router)
    pages.add(app)
    if watched is not None:
        app.mount("/ws", watched.app)
    return app
