"""One HTML file that needs nothing else: style, script, plotly.js and the figures' data are all in it."""

import json
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from liqstrat.report.theme import css_variables


def write_page(out: Path, title: str, body: str) -> Path:
    """Write the page `title` with `body` (HTML, figures by `plot_html`); the file appears when it is whole.

    The page forbids itself every connection, so that opening it asks nothing of the network.
    """
    ours = files("liqstrat.report")
    page = Template((ours / "page.html").read_text(encoding="utf-8")).substitute(
        title=escape(title),
        style=css_variables() + (ours / "page.css").read_text(encoding="utf-8"),
        body=body,
        plotly=get_plotlyjs(),
        script=(ours / "page.js").read_text(encoding="utf-8"),
    )
    partial = out.with_name(f".{out.name}.partial")
    try:
        partial.write_text(page, encoding="utf-8")
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    return out


def plot_html(name: str, figure: go.Figure, label: str, *, scroll_zoom: bool = False) -> str:
    """A figure's place in the page and its data; `name` is unique in the page, `label` is read to who cannot see."""
    # The standard library's encoder, whatever else is installed: the same results give the same bytes. Plotly has it
    # write "<" as an escape, so that no text can end the script.
    spec = figure.to_json(engine="json")
    height = figure.layout.height
    return (
        f'<div class="plot" id="plot-{escape(name)}" data-spec="spec-{escape(name)}" role="img" '
        f'aria-label="{escape(label)}" data-scroll-zoom="{json.dumps(scroll_zoom)}" style="height:{height}px"></div>'
        f'<script type="application/json" id="spec-{escape(name)}">{spec}</script>'
    )
