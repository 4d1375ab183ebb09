"""What is served, handed to every route: databases, answers, maps, results."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.responses import Response

from liqstrat.errors import LiqstratError
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.market.store import Store
from liqstrat.progress import Progress
from liqstrat.scoring.run_verdict import verdict_on_run
from liqstrat.serve.answers import Answer, Answers
from liqstrat.serve.jobs import Jobs
from liqstrat.serve.limits import VERDICT_DAYS
from liqstrat.serve.replies import refusal, sent, wanted
from liqstrat.serve.shelf import Shelf
from liqstrat.serve.sources import Source, Sources
from liqstrat.serve.under_way import UnderWay
from liqstrat.serve.watched import Watched

_SHELF = ".maps"


@dataclass(frozen=True)
class Served:
    """catalog: folder with databases. results: folder with runs. configs: folder with run files. watched: markets as
    they run, where this is a watch."""

    catalog: Path
    results: Path
    configs: Path
    sources: Sources
    shelf: Shelf
    jobs: Jobs
    watched: Watched | None = None
    under_way: UnderWay = field(default_factory=UnderWay)
    answers: Answers = field(default_factory=Answers)

    @classmethod
    def of(cls, catalog: Path, results: Path, configs: Path, watched: Watched | None = None) -> "Served":
        """What lies in these folders; they need not be there yet."""
        return cls(catalog, results, configs, Sources(catalog), Shelf(catalog / _SHELF), Jobs(results), watched)

    async def answer(
        self, request: Request, source: Source, question: tuple[Hashable, ...], make: Callable[[Store], Answer]
    ) -> Response:
        """The reply to a question about a database; see `Answers.ask`."""
        given = await self.answers.ask(source, question, make)
        media = wanted(request, given.answer)
        if media is None:
            return refusal(request, given.answer)
        return sent(request, given, await self.answers.body(given.answer, media))

    def close(self) -> None:
        """End what runs."""
        self.jobs.close()
        self.answers.close()

    def maps_of(self, symbol: str, model: str) -> Progress:
        """Who is told how far maps are, for pages that wait for them."""
        return self.under_way.named(f"maps of {symbol}, {model}")

    def verdict(self, source: Source, store: Store, symbol: str, settings: ModelSettings) -> dict[str, Any]:
        """Whether the model's maps are any good, by the last days of what is on record; kept while the data are."""
        key = ("verdict", symbol, repr(settings))
        known = self.answers.known(source, key)
        if known is None:
            first, last = _scored(store, symbol)
            progress = self.under_way.named(f"judging maps of {symbol}")
            found = verdict_on_run(store, symbol, settings, first, last, timedelta(0), progress)
            known = Answer(found)
            self.answers.keep(source, key, known)
        return known.about


def served(request: Request) -> Served:
    """What the app serves."""
    found: Served = request.app.state.served
    return found


Here = Annotated[Served, Depends(served)]


def open_interest_span(store: Store, symbol: str) -> tuple[datetime, datetime]:
    """When open interest of a symbol is known; raises `LiqstratError` where never."""
    span = store.span(symbol, "open_interest")
    if span is None:
        raise LiqstratError(f"no open interest of {symbol} on record: without it levels cannot be estimated")
    return span


def _scored(store: Store, symbol: str) -> tuple[datetime, datetime]:
    first, last = open_interest_span(store, symbol)
    return max(first, last - timedelta(days=VERDICT_DAYS)), last
