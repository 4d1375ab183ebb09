"""Answers on the wire: JSON, Arrow, Parquet or CSV by what is accepted, zipped, with the content's hash as ETag."""

from starlette.requests import Request
from starlette.responses import Response

from liqstrat.serve.answers import JSON, OF_ROWS, Given
from liqstrat.serve.refusals import problem

#: Why an answer is older than its database, in a header.
STALE = "Liqstrat-Stale"


def reply(request: Request, given: Given) -> Response:
    """The answer in the form that was asked for, or 304 where the asker has it already."""
    answer = given.answer
    media = _wanted(request.headers.get("accept", "*/*"), rows=answer.rows is not None)
    if media is None:
        offered = ", ".join((JSON, *OF_ROWS)) if answer.rows is not None else JSON
        return problem(406, f"{request.headers['accept'][:80]!r} is not among what there is: {offered}")
    body = answer.body(media)
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


def _wanted(accept: str, *, rows: bool) -> str | None:
    """The media type of an answer, by the order in which they stand; None where neither is accepted."""
    for part in accept.lower().split(","):
        media = part.split(";")[0].strip()
        if media in OF_ROWS and rows:
            return media
        if media in (JSON, "application/*", "*/*", ""):
            return JSON
    return None
