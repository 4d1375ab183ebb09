"""Figures as Plotly's script reads them: plain dictionaries of `data` and `layout`.

Plotly's own objects check each property whenever one is set, which takes longer than all else that a report does. A
`Spec` is made without them; `plotly.graph_objects.Figure(spec)` is the same figure, checked and to be changed.
"""

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from liqstrat.report.theme import AXIS, badge, look

Trace = dict[str, Any]
#: With the keys `data`, a list of traces, and `layout`.
Spec = dict[str, Any]

#: What Plotly's script calls the kinds of numbers that figures have.
_KINDS = {"float64": "f8", "uint8": "u1"}


def spec_of(traces: Iterable[Trace], *, height: int, simulated: bool, badge_above: bool = False, **layout: Any) -> Spec:
    """A figure with the common look, see `theme.dress`, and over it `layout`, whose axes are `xaxis`, `yaxis2`, …"""
    axes = {name: AXIS for name in ("xaxis", "yaxis", *layout) if name.startswith(("xaxis", "yaxis"))}
    whole = merged({**look(height), **axes}, layout)
    if simulated:
        whole["annotations"] = [*whole.get("annotations", ()), badge(above=badge_above)]
    return {"data": list(traces), "layout": whole}


def merged(base: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `more` over it, within their dictionaries too; neither is changed."""
    whole = {**base}
    for key, value in more.items():
        inner = whole.get(key)
        whole[key] = merged(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return whole


def panes(shares: Iterable[float], gap: float) -> list[list[float]]:
    """Domains of panes below each other, the first on top, in `shares` of what `gap` between each two leaves."""
    parts = np.array(list(shares))
    heights = parts / parts.sum() * (1 - gap * (len(parts) - 1))
    tops = 1 - np.concatenate(([0.0], np.cumsum(heights[:-1] + gap)))
    return [[max(float(top - height), 0.0), float(top)] for top, height in zip(tops, heights, strict=True)]


def level_line(y: float, **line: Any) -> dict[str, Any]:
    """A shape: a line from one side of the first pane to the other."""
    return {"type": "line", "xref": "x domain", "x0": 0, "x1": 1, "yref": "y", "y0": y, "y1": y, "line": line}


def to_json(spec: Spec) -> str:
    """The figure for a page's script: arrays as base64, what is no number as null, no "<", so that no text can end the
    script. The same figure gives the same text."""
    try:
        text = _dumped(spec, allow_nan=False)
    except ValueError:
        text = _dumped(json.loads(_dumped(spec), parse_constant=lambda _: None))
    return text.replace("<", "\\u003c")


def _dumped(spec: Spec, *, allow_nan: bool = True) -> str:
    return json.dumps(spec, default=_typed, separators=(",", ":"), allow_nan=allow_nan)


def _typed(array: Any) -> dict[str, str]:
    """An array as Plotly's script unpacks it, with a shape where it has two dimensions."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"a figure cannot hold {type(array).__name__}")
    packed = {"dtype": _KINDS[array.dtype.name], "bdata": b64encode(array.tobytes()).decode()}
    return packed if array.ndim == 1 else {**packed, "shape": ", ".join(map(str, array.shape))}
