"""Runs of the results folder: listed, read, compared, tagged, noted, put aside.

A run is looked up among the names that the folder has; a name from a request is never a path.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import HTMLResponse, Response

from liqstrat.errors import LiqstratError, did_you_mean
from liqstrat.inputs import read_json
from liqstrat.research.compare import compare
from liqstrat.research.expression import read_condition
from liqstrat.research.listing import Listing, list_results, runs_in, sort_rows
from liqstrat.research.notes import annotate, read_notes, tag
from liqstrat.research.trash import prune, put_aside_last, undo
from liqstrat.serve import schema
from liqstrat.serve.answers import Answer, Given
from liqstrat.serve.limits import MOST_ROWS
from liqstrat.serve.params import Nothing
from liqstrat.serve.refusals import RefusedError, as_page, as_rows
from liqstrat.serve.replies import reply
from liqstrat.serve.reports import apart, compare_page, report_of
from liqstrat.serve.routes.market import as_floats
from liqstrat.serve.served import Here, Served

router = APIRouter(prefix="/runs", tags=["runs"])

_TABLES = {"trades": "positions.parquet", "equity": "equity.parquet"}

Name = Annotated[str, Field(min_length=1, max_length=200)]
Words = Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=50)]
Names = Annotated[list[Name], Field(min_length=1, max_length=5000)]


class RunsQuery(Nothing):
    filter: Annotated[str, Field(max_length=1000, description='As "trades >= 30 and max_drawdown > -0.25".')] = ""
    sort: Annotated[str, Field(max_length=200, description="Columns with commas; a minus before one turns it.")] = (
        "-created"
    )


@router.get("", response_model=schema.Runs)
def runs(request: Request, here: Here, asked: Annotated[RunsQuery, Query()]) -> Response:
    """All runs, with what each was and its figures."""
    listing = _listing(here)
    try:
        rows = listing.rows
        if rows and asked.filter.strip():
            condition = read_condition(asked.filter, listing.columns)
            rows = [row for row in rows if condition.holds(row)]
        rows = sort_rows(
            rows, [one.strip() for one in asked.sort.split(",") if one.strip()], listing.columns or ["created"]
        )
    except LiqstratError as error:
        raise RefusedError(str(error)) from None
    about = {"folder": str(here.results), "of": len(listing.rows), "runs": rows, "left_out": listing.left_out}
    return reply(request, Given(Answer(about | {"put_aside": put_aside_last(here.results)})))


class CompareQuery(Nothing):
    run: Annotated[Names, Field(description="Two runs or more; the others are held against the first.")]


@router.get("/compare", response_model=dict[str, Any])
def compared(request: Request, here: Here, asked: Annotated[CompareQuery, Query()]) -> Response:
    """In what runs differ: configuration, data, figures, trades."""
    return reply(request, Given(Answer(compare(_several(here, asked.run)).to_json())))


@router.get("/compare/page", response_model=None, responses=as_page())
def compared_page(here: Here, asked: Annotated[CompareQuery, Query()]) -> Response:
    """The same as a page."""
    return HTMLResponse(compare_page(_several(here, asked.run)), headers=apart())


class Chosen(Nothing):
    runs: Names


class Tags(Chosen):
    add: Words = Field(default_factory=list)
    remove: Words = Field(default_factory=list)


class Note(Chosen):
    text: Annotated[str, Field(max_length=10_000)]


@router.post("/tags", response_model=schema.Changed)
def set_tags(request: Request, here: Here, wanted: Tags) -> Response:
    """Add tags to runs, and take others off."""
    folders = _many(here, wanted.runs)
    try:
        tag(here.results, [one.name for one in folders], wanted.add, wanted.remove)
    except LiqstratError as error:
        raise RefusedError(str(error)) from None
    return reply(request, Given(Answer({"changed": [one.name for one in folders]})))


@router.post("/note", response_model=schema.Changed)
def set_note(request: Request, here: Here, wanted: Note) -> Response:
    """Write a note on runs; an empty one takes it away."""
    folders = _many(here, wanted.runs)
    annotate(here.results, [one.name for one in folders], wanted.text)
    return reply(request, Given(Answer({"changed": [one.name for one in folders]})))


@router.post("/delete", response_model=schema.Changed)
def put_aside(request: Request, here: Here, wanted: Chosen) -> Response:
    """Move runs to `.trash` in the results folder; /runs/undo brings those of the last call back."""
    folders = _many(here, wanted.runs)
    prune(here.results, [one.name for one in folders])
    return reply(request, Given(Answer({"changed": [one.name for one in folders]})))


@router.post("/undo", response_model=schema.Changed)
def bring_back(request: Request, here: Here, _: Nothing) -> Response:
    """Bring back the runs that were moved last."""
    return reply(request, Given(Answer({"changed": undo(here.results)})))


@router.get("/{run}", response_model=schema.Run)
def one_run(request: Request, here: Here, run: Name, _: Annotated[Nothing, Query()]) -> Response:
    """What a run was, its figures, tags and note."""
    folder = _folder(here, run)
    about, figures = read_json(folder / "run.json"), read_json(folder / "metrics.json")
    notes = read_notes(here.results).get(folder.name)
    told = asdict(notes) if notes else {"tags": [], "note": ""}
    return reply(request, Given(Answer({"run": folder.name, **told, "about": about, "metrics": figures})))


@router.get("/{run}/trades", response_model=schema.Rows, responses=as_rows())
def trades(request: Request, here: Here, run: Name, _: Annotated[Nothing, Query()]) -> Response:
    """The round trips of a run."""
    return _table(request, here, run, "trades")


@router.get("/{run}/equity", response_model=schema.Rows, responses=as_rows())
def equity(request: Request, here: Here, run: Name, _: Annotated[Nothing, Query()]) -> Response:
    """The account of a run by time, thinned to what an answer may hold."""
    return _table(request, here, run, "equity")


@router.get("/{run}/report", response_model=None, responses=as_page())
def report(here: Here, run: Name, _: Annotated[Nothing, Query()]) -> Response:
    """The report of a run: one page."""
    return HTMLResponse(report_of(_folder(here, run)), headers=apart())


def _table(request: Request, here: Served, run: str, name: Literal["trades", "equity"]) -> Response:
    path = _folder(here, run) / _TABLES[name]
    try:
        table = as_floats(pq.read_table(path))
    except (OSError, pa.ArrowInvalid) as error:
        raise LiqstratError(f"{path}: cannot be read as Parquet: {error}") from None
    thin = -(-len(table) // MOST_ROWS)
    if thin > 1:
        table = table.take(pa.array(range(0, len(table), thin)))
    return reply(request, Given(Answer({"run": run, "name": name}, table, "rows")))


def _listing(here: Served) -> Listing:
    if not here.results.is_dir():
        return Listing(here.results, [], {})
    return list_results(here.results)


def _folder(here: Served, run: str) -> Path:
    """The folder of a run, by its name."""
    there = {path.name: path for path in runs_in(here.results)} if here.results.is_dir() else {}
    if run not in there:
        raise LiqstratError(f'{here.results}: there is no run "{run[:200]}"{did_you_mean(run[:200], there)}')
    return there[run]


def _many(here: Served, runs: list[str]) -> list[Path]:
    there = {path.name: path for path in runs_in(here.results)} if here.results.is_dir() else {}
    if gone := [run for run in runs if run not in there]:
        raise LiqstratError(f'{here.results}: there is no run "{gone[0]}"{did_you_mean(gone[0], there)}')
    return [there[run] for run in dict.fromkeys(runs)]


def _several(here: Served, runs: list[str]) -> list[Path]:
    folders = _many(here, runs)
    if not 2 <= len(folders) <= 10:
        raise RefusedError(f"{len(folders)} runs, expected 2 to 10 different ones to compare")
    return folders
