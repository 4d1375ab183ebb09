"""Pages: templates with nothing of the data in them; scripts ask the API for it."""

from collections.abc import Callable
from functools import cache
from importlib import resources
from pathlib import Path

from fastapi import FastAPI, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from liqstrat import __version__
from liqstrat.report.theme import css_variables

_HERE = Path(str(resources.files("liqstrat.serve")))
#: Path, title, what it is.
PAGES = {
    "map": ("Map", "Where positions would be liquidated now, by price and leverage"),
    "heatmap": ("Heatmap", "Liquidation levels over time, under candles"),
    "compare": ("Compare", "Models side by side at one moment, with their scores"),
    "liquidations": ("Liquidations", "What was really liquidated, beside what the map had expected"),
    "results": ("Results", "All runs: compare, tag, note, put aside"),
    "run": ("Run", "Edit a run file, start it, watch it"),
}


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["words"] = _words
    return environment


def _words(text: str) -> Markup:
    """A sentence, of which code is what stands in backticks."""
    code = Markup("<code>{}</code>")
    return Markup("").join(code.format(part) if at % 2 else part for at, part in enumerate(text.split("`")))


def page(name: str, **values: object) -> Response:
    """A template as an answer."""
    shown = {"pages": PAGES, "version": __version__, "name": name, "title": name.title(), "about": "", **values}
    text = _templates().get_template(f"{name}.html").render(shown)
    return HTMLResponse(text, headers={"Cache-Control": "no-cache"})


def add(app: FastAPI) -> None:
    """Add the pages, their scripts and styles, and the description of the API."""

    @app.get("/static/colours.css", include_in_schema=False)
    def colours() -> Response:
        return Response(css_variables(), media_type="text/css", headers={"Cache-Control": "no-cache"})

    app.mount("/static", StaticFiles(directory=_HERE / "static"), name="static")

    @app.get("/", include_in_schema=False)
    def home() -> Response:
        return RedirectResponse("/map", 307)

    for name, (title, about) in PAGES.items():
        app.add_api_route(f"/{name}", _handler(name, title, about), include_in_schema=False)

    @app.get("/docs", include_in_schema=False)
    def docs(request: Request) -> Response:
        return page("docs", title="API", about="What programs can ask", api=request.app.openapi())


def _handler(name: str, title: str, about: str) -> Callable[[], Response]:
    def show() -> Response:
        return page(name, title=title, about=about)

    return show
