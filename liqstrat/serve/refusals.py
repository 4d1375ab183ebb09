"""What is said where a question is not answered: one sentence, with a status that fits."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from liqstrat.ending import visible
from liqstrat.errors import InUseError, LiqstratError, did_you_mean
from liqstrat.serve.answers import OF_ROWS

_RETRY_SECONDS = "5"


class RefusedError(LiqstratError):
    """A question that cannot be served as it was asked."""


class Problem(BaseModel):
    """Why there is no answer."""

    detail: str = Field(description="One sentence: what was found, and what was expected.")


#: What any question may be answered with instead, for the API's description.
PROBLEMS: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "There is no such data, symbol or run, or no history of that time."},
    406: {"model": Problem, "description": "Neither JSON nor Arrow is accepted."},
    422: {"model": Problem, "description": "A parameter is unknown, cannot be understood, or beyond a limit."},
    503: {"model": Problem, "description": "The database is being written to; try again soon."},
}


def as_page() -> dict[int | str, dict[str, Any]]:
    """Of a route that answers with a page, for the API's description."""
    return {200: {"content": {"text/html": {"schema": {"type": "string"}}}}}


def as_rows() -> dict[int | str, dict[str, Any]]:
    """Of a route whose rows are also given in other forms."""
    return {200: {"content": {media: {"schema": {"type": "string", "format": "binary"}} for media in OF_ROWS}}}


def listen(app: FastAPI) -> None:
    """Have the app say its refusals so."""
    app.add_exception_handler(RequestValidationError, _unfit)
    app.add_exception_handler(LiqstratError, _no_answer)
    app.add_exception_handler(HTTPException, _plain)


def problem(status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
    """The answer that says why there is none."""
    return JSONResponse({"detail": visible(sentence)}, status, headers)


def _no_answer(_: Request, error: Exception) -> Response:
    if isinstance(error, InUseError):
        return problem(503, str(error), {"Retry-After": _RETRY_SECONDS})
    return problem(422 if isinstance(error, RefusedError) else 404, str(error))


def _plain(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers) if error.headers else None
    return problem(error.status_code, str(error.detail), headers)


def _unfit(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return problem(422, "; ".join(_sentence(request, one) for one in error.errors()[:5]))


def _sentence(request: Request, one: dict[str, Any]) -> str:
    name = ".".join(str(part) for part in one["loc"][1:]) or "the question"
    if one["type"] == "extra_forbidden":
        known = _parameters(request)
        return f'there is no parameter "{name[:80]}"{did_you_mean(name[:80], known)}; expected of {", ".join(known)}'
    if one["type"] == "missing":
        return f'"{name}" is missing'
    if one["type"] == "json_invalid":
        return f"the body is not valid JSON: {one['ctx']['error']}"
    reason = str(one["msg"]).removeprefix("Value error, ")
    if one["type"] == "value_error":
        return f"{name}: {reason}"
    return f"{name} is {str(one['input'])[:80]!r}: {reason[:1].lower()}{reason[1:]}"


def _parameters(request: Request) -> list[str]:
    """What the route that was asked takes."""
    route = request.scope.get("route")
    operation = request.app.openapi()["paths"].get(getattr(route, "path", ""), {}).get(request.method.lower(), {})
    return [one["name"] for one in operation.get("parameters", ())] or ["none"]
