"""Answers on the wire: JSON, Arrow, Parquet or CSV by what is accepted, zipped, with the content's hash as ETag."""

from starlette.requests import Request
from starlette.responses import Response

from liqstrat.serve.answers import JSON, OF_ROWS, Answer, Body, Given
from liqstrat.serve.refusals import problem

#: Why an answer is older than its database, in a header.
STALE = "Liqstrat-Stale"


def reply(request: Request, given: Given) -> Response:
    """The answer in the form that was asked for, or 304 where the asker has it already."""
    media = wanted(request, given.answer)
    return refusal(request, given.answer) if media is None else sent(request, given, given.answer.body(media))


def refusal(request: Request, answer: Answer) -> Response:
    """What is said where no form of an answer is accepted."""
    offered = ", ".join((JSON, *OF_ROWS)) if answer.rows is not None else JSON
    return problem(406, f"{request.headers['accept'][:80]!r} is not among what there is: {offered}")


def sent(request: Request, given: Given, body: Body) -> Response:
    """The bytes of an answer on the wire."""
    zipped = body.is_zipped and "gzip" in request.headers.get("accept-encoding", "")
    tag = f'"{body.tag}{"-z" if zipped else ""}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache", "Vary": "Accept, Accept-Encoding"}
    if given.stale is not None:
        headers[STALE] = given.stale.encode("ascii", "replace").decode().replace("\n", " ")
    known = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    if zipped:
        return Response(body.kept, headers={**headers, "Content-Encoding": "gzip"}, media_type=body.media)
    return Response(body.plain, headers=headers, media_type=body.media)


def wanted(request: Request, answer: Answer) -> str | None:
    """The media type of an answer, by the order in which they stand; None where none is accepted."""
    for part in request.headers.get("accept", "*/*").lower().split(","):
        media = part.split(";")[0].strip()
        if media in OF_ROWS and answer.rows is not None:
            return media
        if media in (JSON, "application/*", "*/*", ""):
            return JSON
    return None
