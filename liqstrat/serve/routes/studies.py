"""Studies of the results folder: many runs of one run file, or what happens at levels, and the page that tells it."""

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import HTMLResponse, Response

from liqstrat.errors import LiqstratError, did_you_mean
from liqstrat.inputs import read_json
from liqstrat.serve import schema
from liqstrat.serve.answers import Answer, Given
from liqstrat.serve.params import Nothing
from liqstrat.serve.refusals import as_page
from liqstrat.serve.replies import reply
from liqstrat.serve.reports import apart
from liqstrat.serve.served import Here

router = APIRouter(prefix="/studies", tags=["runs"])

#: Kinds of studies by the name of their files: `sweep.json` has the facts, `sweep.html` is the page.
_KINDS = ("sweep", "walk_forward", "events")
_TOLD = ("name", "simulated", "symbols", "start", "end", "objective")


@router.get("", response_model=schema.Studies)
def studies(request: Request, here: Here, _: Annotated[Nothing, Query()]) -> Response:
    """All sweeps, walks forward and event studies, the latest first: what came of it, and the verdict on that."""
    found, left_out = [], {}
    for name, facts_file in _studies(here.results).items():
        try:
            found.append(_told(name, facts_file.stem, read_json(facts_file)))
        except (LiqstratError, KeyError) as error:
            left_out[name] = f"{facts_file}: {error}"
    return reply(request, Given(Answer({"studies": found, "left_out": left_out})))


@router.get("/{study}/page", response_model=None, responses=as_page())
def page(here: Here, study: Annotated[str, Field(max_length=200)], _: Annotated[Nothing, Query()]) -> Response:
    """The page of a study."""
    there = _studies(here.results)
    if study not in there or not (path := there[study].with_suffix(".html")).is_file():
        raise LiqstratError(f'{here.results}: there is no study "{study}" with a page{did_you_mean(study, there)}')
    return HTMLResponse(path.read_text(encoding="utf-8"), headers=apart())


def _told(name: str, kind: str, facts: dict[str, Any]) -> dict[str, Any]:
    if kind == "events":
        told = {key: facts[key] for key in ("simulated", "start", "end", "touches", "verdict")}
        named = {"study": name, "kind": kind, "name": f"{facts['symbol']} events", "symbols": [facts["symbol"]]}
        return named | told | {"objective": [], "best": None, "figures": {}}
    told = {"study": name, "kind": kind, **{key: facts[key] for key in _TOLD}, "verdict": facts["verdict"]}
    if kind == "sweep":
        best = (facts["best"] or [None])[0]
        more = {key: facts[key] for key in ("method", "trials", "feasible")}
        return told | more | {"best": best, "figures": best["figures"] if best else {}}
    windows = facts["windows"]
    trials = sum(one["trials"] for one in windows)
    return told | {"trials": trials, "windows": len(windows), "best": None, "figures": facts["figures"]}


def _studies(results: Path) -> dict[str, Path]:
    """The files of facts by the name of their study, the one that was written last first."""
    files: list[tuple[float, Path]] = []
    for kind in _KINDS:
        files += [(path.stat().st_mtime, path) for path in results.glob(f"[!.]*/{kind}.json")]
    return {path.parent.name: path for _, path in sorted(files, reverse=True)}
