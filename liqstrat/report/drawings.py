"""What strategies drew: lines over the price or in panes below it, and notes as markers."""

from html import escape
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from liqstrat.report import numbers
from liqstrat.report.candles import Candles
from liqstrat.report.numbers import doubles, milliseconds
from liqstrat.report.spec import Spec, Trace, merged
from liqstrat.report.theme import GRID, LINE, LINES, MUTED, PLOT, WARNING

#: Points of a line, of which each keeps the lowest and highest of its stretch, and notes that a page has room for.
MOST_POINTS, MOST_NOTES = 3000, 1000
#: Panes below the price; more have no room on a screen.
MOST_PANES = 4
_PANE, _GAP = 110, 26
#: The name of a pane, in its upper left corner.
_NAME = {
    "xref": "paper",
    "yref": "paper",
    "x": 0.006,
    "xanchor": "left",
    "yanchor": "top",
    "showarrow": False,
    "font": {"size": 11, "color": MUTED},
    "bgcolor": PLOT,
}


def draw(figure: Spec, plots: pa.Table, notes: pa.Table, candles: Candles | None) -> None:
    """Add lines and notes to a heatmap's figure, which grows by a pane for each name whose values are no prices.

    `meta.left_out` of its layout tells how many names had no room.
    """
    names = list(dict.fromkeys(plots["name"].to_pylist()))
    panes: list[str] = []
    left_out = 0
    for number, name in enumerate(names):
        rows = plots.filter(pc.equal(plots["name"], name))
        over = candles is not None and _is_a_price(doubles(rows["value"]), candles)
        if not over and len(panes) == MOST_PANES:
            left_out += 1
            continue
        if not over:
            panes.append(name)
        axis = "y" if over else f"y{len(panes) + 1}"
        figure["data"] += _lines(rows, name, LINES[number % len(LINES)], axis)
    if len(notes):
        figure["data"].append(_notes(notes.slice(0, MOST_NOTES)))
    if panes:
        _stack(figure, panes)
    figure["layout"]["meta"] = {"left_out": left_out}


def _is_a_price(values: Any, candles: Candles) -> bool:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return True
    low, high = float(candles.low.min()), float(candles.high.max())
    return bool(low - (high - low) - 0.1 * low <= np.median(finite) <= high + (high - low) + 0.1 * high)


def _lines(rows: pa.Table, name: str, colour: str, axis: str) -> list[Trace]:
    """A line for each strategy that plots this name."""
    strategies = list(dict.fromkeys(rows["strategy"].to_pylist()))
    traces: list[Trace] = []
    for number, strategy in enumerate(strategies):
        own = rows.filter(pc.equal(rows["strategy"], strategy))
        time, value = _thinned(milliseconds(own["time"]), doubles(own["value"]))
        label = name if len(strategies) == 1 else f"{name} ({strategy})"
        traces.append(
            {
                "type": "scatter",
                "x": time,
                "y": value,
                "yaxis": axis,
                "mode": "lines",
                "name": escape(label),
                "legendrank": 3,
                "connectgaps": False,
                "line": {"color": colour, "width": 1.5, "dash": "solid" if not number else "dot"},
                "hovertemplate": f"{escape(label)} %{{y:,.6~g}}<br>%{{x|%Y-%m-%d %H:%M}}<extra></extra>",
            }
        )
    return traces


def _thinned(time: Any, value: Any) -> tuple[Any, Any]:
    """At most `MOST_POINTS`: of each stretch of equally many the lowest and the highest, in their order."""
    if len(time) <= MOST_POINTS:
        return time, value
    size = -(-2 * len(time) // MOST_POINTS)
    edge = len(time) // size * size
    shaped = value[:edge].reshape(-1, size)
    broken = np.isnan(shaped)
    low = np.where(broken, np.inf, shaped).argmin(axis=1)
    high = np.where(broken, -np.inf, shaped).argmax(axis=1)
    first = np.arange(len(shaped)) * size
    kept = np.unique(np.concatenate([first + low, first + high, np.arange(edge, len(time))]))
    return time[kept], value[kept]


def _notes(notes: pa.Table) -> Trace:
    rows = notes.to_pylist()
    return {
        "type": "scatter",
        "x": [row["time"].timestamp() * 1000 for row in rows],
        "y": [row["price"] for row in rows],
        "text": [
            f"<b>{escape(row['strategy'])}</b> {numbers.moment(row['time'])}<br>{escape(row['text'])}" for row in rows
        ],
        "mode": "markers",
        "name": "notes",
        "legendrank": 4,
        "meta": {"full_size": 9, "size": 7},
        "marker": {"symbol": "diamond-open", "size": 7, "color": WARNING, "line": {"color": WARNING, "width": 1.5}},
        "hovertemplate": "%{text}<extra></extra>",
    }


def _stack(figure: Spec, panes: list[str]) -> None:
    """Make room below the price, one pane under the other on one time axis."""
    price = float(figure["layout"]["height"])
    whole = price + len(panes) * (_PANE + _GAP)
    shares: dict[str, Any] = {"height": whole, "yaxis": {"domain": [1 - price / whole, 1]}}
    names = []
    top = 1 - price / whole
    for number, name in enumerate(panes, 2):
        top -= _GAP / whole
        bottom = max(top - _PANE / whole, 0.0)
        shares[f"yaxis{number}"] = {
            "domain": [bottom, top],
            "side": "right",
            "anchor": "x",
            "nticks": 3,
            "gridcolor": GRID,
            "linecolor": LINE,
            "zeroline": False,
            "fixedrange": True,
            "automargin": True,
            "tickfont": {"size": 11, "color": MUTED},
            "exponentformat": "B",
        }
        names.append({"text": escape(name), "y": top, **_NAME})
        top = bottom
    shares["xaxis"] = {"anchor": f"y{len(panes) + 1}"}
    shares["annotations"] = [*figure["layout"].get("annotations", ()), *names]
    figure["layout"] = merged(figure["layout"], shares)
    if figure["data"] and figure["data"][0]["type"] == "heatmap":
        figure["data"][0]["colorbar"]["y"] = -0.05 * price / whole
