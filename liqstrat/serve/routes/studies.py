"""Studies of the results folder: many runs of one run file, and the page that says what they tell."""

from pathlib import Path
from typing import Annotated

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

_FACTS, _PAGE = "sweep.json", "sweep.html"
_TOLD = ("name", "simulated", "symbols", "start", "end", "method", "objective", "trials", "feasible")


@router.get("", response_model=schema.Studies)
def studies(request: Request, here: Here, _: Annotated[Nothing, Query()]) -> Response:
    """All studies, the latest first: what was tried, the best of it, and the verdict on that."""
    found, left_out = [], {}
    for name, folder in _studies(here.results).items():
        try:
            facts = read_json(folder / _FACTS)
            found.append(
                {
                    "study": name,
                    **{key: facts[key] for key in _TOLD},
                    "best": (facts["best"] or [None])[0],
                    "verdict": facts["verdict"],
                }
            )
        except (LiqstratError, KeyError) as error:
            left_out[name] = f"{folder / _FACTS}: {error}"
    return reply(request, Given(Answer({"studies": found, "left_out": left_out})))


@router.get("/{study}/page", response_model=None, responses=as_page())
def page(here: Here, study: Annotated[str, Field(max_length=200)], _: Annotated[Nothing, Query()]) -> Response:
    """The page of a study."""
    there = _studies(here.results)
    if study not in there or not (there[study] / _PAGE).is_file():
        raise LiqstratError(f'{here.results}: there is no study "{study}" with a page{did_you_mean(study, there)}')
    return HTMLResponse((there[study] / _PAGE).read_text(encoding="utf-8"), headers=apart())


def _studies(results: Path) -> dict[str, Path]:
    """Folders of studies by name, the one that was written last first."""
    files: list[tuple[float, Path]] = []
    for path in results.glob(f"[!.]*/{_FACTS}"):
        files.append((path.stat().st_mtime, path.parent))
    return {folder.name: folder for _, folder in sorted(files, reverse=True)}
