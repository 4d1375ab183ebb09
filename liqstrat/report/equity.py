"""Equity, drawdown and position over time, at the resolution of the day."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from liqstrat.report.numbers import doubles, milliseconds
from liqstrat.report.spec import Spec, level_line, panes, spec_of
from liqstrat.report.theme import ACCENT, LOSS, MUTED

Floats = npt.NDArray[np.float64]

_HEIGHT = 520
_BUCKETS = 1200
#: What each pane has of the height, and what lies between two.
_SHARES, _GAP = (0.5, 0.28, 0.22), 0.045


def equity_figure(
    equity: pa.Table, start_equity: float | None, *, simulated: bool, height: int = _HEIGHT, quote: str = "USDT"
) -> Spec:
    """Three rows on one time axis from `equity` (`time`, `equity`, `notional`, by time).

    Drawdown is measured from the highest equity so far, over every row; `start_equity` draws a line. quote: the unit.
    """
    time_ms, value, exposure = milliseconds(equity["time"]), doubles(equity["equity"]), doubles(equity["notional"])
    peak = np.maximum.accumulate(np.fmax(value, start_equity or -np.inf))
    drawdown = value / peak - 1
    keep = _telling(value, drawdown, np.abs(exposure))
    lines = (
        ("equity", value, ACCENT, "linear", f"%{{y:,.2f}} {quote}"),
        ("drawdown", drawdown, LOSS, "linear", "%{y:.2%}"),
        ("position", exposure, MUTED, "hv", f"%{{y:,.0f}} {quote}"),
    )
    traces = [
        {
            "type": "scatter",
            "x": time_ms[keep],
            "y": values[keep],
            "xaxis": f"x{row}".removesuffix("1"),
            "yaxis": f"y{row}".removesuffix("1"),
            "name": name,
            "mode": "lines",
            "line": {"color": colour, "width": 1.5, "shape": shape},
            "fill": "none" if name == "equity" else "tozeroy",
            "hovertemplate": hover,
            "showlegend": False,
        }
        for row, (name, values, colour, shape, hover) in enumerate(lines, 1)
    ]
    begun_with = [] if start_equity is None else [level_line(start_equity, color=MUTED, width=1, dash="dot")]
    spikes = {"showspikes": True, "spikemode": "across", "spikethickness": 1, "spikecolor": MUTED}
    times = {"type": "date", "domain": [0.0, 1.0], **spikes}
    above = {**times, "matches": "x3", "showticklabels": False}
    top, middle, bottom = panes(_SHARES, _GAP)
    return spec_of(
        traces,
        height=height,
        simulated=simulated,
        badge_above=True,
        hovermode="x unified",
        dragmode="zoom",
        shapes=begun_with,
        xaxis={**above, "anchor": "y"},
        xaxis2={**above, "anchor": "y2"},
        xaxis3={**times, "anchor": "y3"},
        yaxis={"anchor": "x", "domain": top, "title": {"text": f"equity, {quote}"}, "tickformat": ",~f"},
        yaxis2={
            "anchor": "x2",
            "domain": middle,
            "title": {"text": "drawdown"},
            "tickformat": ".2~%",
            "range": _depth(drawdown),
        },
        yaxis3={"anchor": "x3", "domain": bottom, "title": {"text": f"position, {quote}"}, "nticks": 4},
    )


def _depth(drawdown: Floats) -> list[float]:
    """The drawdown axis: down to the deepest, and to a hundredth where there was next to none."""
    return [min(1.08 * float(drawdown.min()), -0.01), 0.0]


def _telling(equity: Floats, drawdown: Floats, exposure: Floats) -> npt.NDArray[np.int64]:
    """Rows that a line through fewer points must keep: each stretch's extremes, the first and the last."""
    rows = len(equity)
    if rows <= 4 * _BUCKETS:
        return np.arange(rows)
    kept = {0, rows - 1}
    for part in np.array_split(np.arange(rows), _BUCKETS):
        picks = (equity[part].argmin(), equity[part].argmax(), drawdown[part].argmin(), exposure[part].argmax())
        kept.update(int(part[pick]) for pick in picks)
    return np.array(sorted(kept), dtype=np.int64)
