"""Run files to edit, and runs started from the page."""

import hashlib
import re
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from liqstrat.alert_settings import AlertSettings
from liqstrat.backtest.params import make_params
from liqstrat.config import DataSettings, ReportSettings, RunFile, VenueSettings
from liqstrat.errors import LiqstratError
from liqstrat.held import partial_file
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.run_file import run_of_text
from liqstrat.serve import schema
from liqstrat.serve.answers import Answer, Given
from liqstrat.serve.jobs import Kind
from liqstrat.serve.limits import MOST_LETTERS
from liqstrat.serve.new_file import EXAMPLE, new_file
from liqstrat.serve.params import Nothing
from liqstrat.serve.refusals import RefusedError
from liqstrat.serve.replies import reply
from liqstrat.serve.served import Here, Served
from liqstrat.strategies import FILTER, STRATEGIES, resolve_strategy
from liqstrat.study_settings import HoldoutSettings, SweepSettings, WalkForwardSettings

router = APIRouter(tags=["jobs"])

_MOST_FILES = 200
_SECTIONS: dict[str, type[BaseModel]] = {
    "data": DataSettings,
    "venue": VenueSettings,
    "report": ReportSettings,
    "sweep": SweepSettings,
    "walk_forward": WalkForwardSettings,
    "holdout": HoldoutSettings,
    "alerts": AlertSettings,
}


@router.get("/run-files", response_model=schema.RunFiles)
def run_files(request: Request, here: Here, _: Annotated[Nothing, Query()]) -> Response:
    """The run files in `configs/` and beside databases, with their texts."""
    found = []
    for path in _paths(here)[:_MOST_FILES]:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if len(text) <= MOST_LETTERS and re.search(r"(?m)^\s*\[\[strategies\]\]", text):
            found.append({"name": str(path), "text": text, "state": _state(text)})
    return reply(request, Given(Answer({"folder": str(here.configs), "files": found})))


@router.get("/run-files/new", response_model=schema.NewRunFile)
async def new(request: Request, here: Here, _: Annotated[Nothing, Query()]) -> Response:
    """A run file to begin with, of a market that is there."""
    if not here.sources.all():
        return reply(request, Given(Answer({"text": EXAMPLE})))
    return await here.answer(
        request, here.sources.get(None), ("new-run-file",), lambda store: Answer({"text": new_file(store)})
    )


@router.get("/run-files/words", response_model=schema.Words)
def words(request: Request, _: Annotated[Nothing, Query()]) -> Response:
    """What may stand in a run file: keys by section, and strategies with their parameters."""
    sections = {"": [field.alias or name for name, field in RunFile.model_fields.items()]}
    sections |= {name: list(section.model_fields) for name, section in _SECTIONS.items()}
    sections["model"] = list(ModelSettings.__dataclass_fields__)
    sections["strategies"] = ["use", "params", "symbols"]
    strategies = {name: _params(name) for name in (*STRATEGIES, *(f"{FILTER}({name})" for name in STRATEGIES))}
    return reply(request, Given(Answer({"sections": sections, "strategies": strategies})))


class Text(Nothing):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,80}\.toml$", description="For errors.")]
    text: Annotated[str, Field(max_length=MOST_LETTERS)]


@router.post("/run-files/check", response_model=schema.Checked)
def check(request: Request, wanted: Text) -> Response:
    """What is wrong with a run file, by line."""
    return reply(request, Given(Answer({"errors": _errors(wanted)})))


class Kept(Text):
    replaces: Annotated[
        str | None,
        Field(max_length=64, description="`state` of the file that it is written over."),
    ] = None


@router.post("/run-files/save", response_model=schema.RunFileText)
def save(request: Request, here: Here, wanted: Kept) -> Response:
    """Write a run file into the folder of run files; over one that is there only where it is the one that was seen."""
    path = here.configs / wanted.name
    there = _there(path)
    if there is not None and wanted.replaces != _state(there):
        seen = "has been changed since" if wanted.replaces else "is there already"
        raise RefusedError(f"{path}: {seen}, nothing was written; expected another name, or to be asked for over it")
    with partial_file(path) as partial:
        partial.write_text(wanted.text, encoding="utf-8", newline="")
    return reply(request, Given(Answer({"name": str(path), "text": wanted.text, "state": _state(_there(path) or "")})))


@router.get("/jobs", response_model=schema.Jobs)
def jobs(request: Request, here: Here, _: Annotated[Nothing, Query()]) -> Response:
    """Runs that were started here, the latest first, and how far they are."""
    return reply(request, Given(Answer({"jobs": [job.told() for job in here.jobs.all()]})))


class Started(Text):
    kind: Annotated[
        Kind,
        Field(description="A run, or a study of what happens at the levels of its markets, in its time, by its model."),
    ] = "run"


@router.post("/jobs", response_model=schema.Job)
def start(request: Request, here: Here, wanted: Started) -> Response:
    """Start a run or an event study; where another is under way, it waits its turn."""
    if errors := _errors(wanted):
        raise RefusedError("; ".join(one["text"] for one in errors[:3]))
    return reply(request, Given(Answer(here.jobs.start(wanted.name, wanted.text, wanted.kind).told())))


@router.post("/jobs/{number}/cancel", response_model=schema.Job)
def cancel(request: Request, here: Here, number: Annotated[int, Field(ge=1)], _: Nothing) -> Response:
    """Take a run out of the queue, or end it; what it has written is gone then."""
    return reply(request, Given(Answer(here.jobs.cancel(number).told())))


def _there(path: Path) -> str | None:
    """What a file holds, None where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RefusedError(f"{path}: cannot be written over: {error.strerror}") from None


def _state(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _paths(here: Served) -> list[Path]:
    beside = [path for source in here.sources.all() for path in sorted(source.path.parent.glob("*.toml"))]
    return list(dict.fromkeys([*sorted(here.configs.glob("*.toml")), *beside]))


def _errors(wanted: Text) -> list[dict[str, Any]]:
    try:
        run = run_of_text(wanted.text, wanted.name)
        for strategy in run.strategies:
            # One's own modules are imported when the run starts, not while a name is being typed.
            if ":" not in strategy.use:
                make_params(resolve_strategy(strategy.use), strategy.use, strategy.params)
    except LiqstratError as error:
        return [_placed(wanted, line) for line in str(error).splitlines()]
    return []


def _placed(wanted: Text, line: str) -> dict[str, Any]:
    """An error with the number of its line, as far as it tells one."""
    where = re.match(rf"{re.escape(wanted.name)}:(\d+): ", line)
    if where is not None:
        return {"line": int(where[1]), "text": line[where.end() :]}
    text = line.removeprefix(f"{wanted.name}: ")
    if told := re.search(r"\(at line (\d+)", text):
        return {"line": int(told[1]), "text": text}
    named = re.match(r'(?:there is no )?strategy "?(\w+)', text)
    lines = wanted.text.splitlines()
    at = next((n for n, one in enumerate(lines, 1) if named and re.search(rf'use\s*=\s*"{named[1]}"', one)), None)
    return {"line": at, "text": text}


def _params(name: str) -> list[dict[str, Any]]:
    fields = resolve_strategy(name).Params.model_fields
    return [{"name": key, "default": None if one.is_required() else str(one.default)} for key, one in fields.items()]
