"""One HTML file that needs nothing else: style, script, plotly.js and the figures' data are all in it."""

import json
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from plotly.offline import get_plotlyjs

from liqstrat.held import partial_file
from liqstrat.report.spec import Spec, to_json
from liqstrat.report.theme import LIGHT, css_variables

if TYPE_CHECKING:
    import plotly.graph_objects as go


def write_page(out: Path, title: str, body: str) -> Path:
    """Write the page `title` with `body` (HTML, figures by `plot_html`); the file appears when it is whole.

    The page forbids itself every connection, so that opening it asks nothing of the network, and every script but its
    own, which it names by their hashes: a text in the results that passed for one would not run.
    """
    scripts = (get_plotlyjs(), _ours("page.js"))
    return _write(out, title, body, style="", scripts=scripts, images="data: blob:")


def write_light_page(out: Path, title: str, body: str, *, style: str, script: str, refresh: int | None) -> Path:
    """Write a page without figures of Plotly, small enough to be written again every few seconds.

    style: besides that of all pages. refresh: seconds after which a browser reads it again; None for never.
    """
    again = "" if refresh is None else f'<meta http-equiv="refresh" content="{refresh}">'
    return _write(out, title, body, style=style, scripts=(script,), images="data:", refresh=again)


def _write(
    out: Path, title: str, body: str, *, style: str, scripts: Sequence[str], images: str, refresh: str = ""
) -> Path:
    early, *read = map(_as_read, (_ours("theme.js"), *scripts))
    page = Template(_ours("page.html")).substitute(
        title=escape(title),
        style=css_variables() + _ours("page.css") + style,
        body=body,
        allowed=" ".join(map(_hash, (early, *read))),
        images=images,
        refresh=refresh,
        early=early,
        light=json.dumps(LIGHT, separators=(",", ":")),
        scripts="\n".join(f"<script>{script}</script>" for script in read),
    )
    with partial_file(out) as partial:
        partial.write_text(page, encoding="utf-8")
    return out


def _ours(name: str) -> str:
    """The text of a file beside this one."""
    return (files("liqstrat.report") / name).read_text(encoding="utf-8")


def _as_read(script: str) -> str:
    """The text of a script as a browser reads it, which has one sign for the end of a line."""
    return script.replace("\r\n", "\n").replace("\r", "\n")


def _hash(script: str) -> str:
    """What a policy calls a script by."""
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"


def plot_html(name: str, figure: "Spec | go.Figure", label: str, *, scroll_zoom: bool = False) -> str:
    """A figure's place in the page and its data; `name` is unique in the page, `label` is read to who cannot see."""
    if isinstance(figure, dict):
        spec, height = to_json(figure), figure["layout"]["height"]
    else:
        # The standard library's encoder, whatever else is installed: the same results give the same bytes. Plotly has
        # it write "<" as an escape, so that no text can end the script.
        spec, height = figure.to_json(engine="json"), figure.layout.height
    return (
        f'<div class="plot" id="plot-{escape(name)}" data-spec="spec-{escape(name)}" role="figure" '
        f'aria-label="{escape(label)}" data-scroll-zoom="{json.dumps(scroll_zoom)}" style="height:{height}px"></div>'
        f'<script type="application/json" id="spec-{escape(name)}">{spec}</script>'
    )
