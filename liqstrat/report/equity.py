"""Equity, drawdown and position over time, at the resolution of the day."""

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import pyarrow as pa
from plotly.subplots import make_subplots

from liqstrat.report.numbers import doubles, milliseconds
from liqstrat.report.theme import ACCENT, LOSS, MUTED, dress

Floats = npt.NDArray[np.float64]

_HEIGHT = 520
_BUCKETS = 1200


def equity_figure(
    equity: pa.Table, start_equity: float | None, *, simulated: bool, height: int = _HEIGHT, quote: str = "USDT"
) -> go.Figure:
    """Three rows on one time axis from `equity` (`time`, `equity`, `notional`, by time).

    Drawdown is measured from the highest equity so far, over every row; `start_equity` draws a line. quote: the unit.
    """
    time_ms, value, exposure = milliseconds(equity["time"]), doubles(equity["equity"]), doubles(equity["notional"])
    peak = np.maximum.accumulate(np.fmax(value, start_equity or -np.inf))
    drawdown = value / peak - 1
    keep = _telling(value, drawdown, np.abs(exposure))
    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, row_heights=[0.5, 0.28, 0.22], vertical_spacing=0.045)
    lines = (
        ("equity", value, ACCENT, "linear", f"%{{y:,.2f}} {quote}"),
        ("drawdown", drawdown, LOSS, "linear", "%{y:.2%}"),
        ("position", exposure, MUTED, "hv", f"%{{y:,.0f}} {quote}"),
    )
    for row, (name, values, colour, shape, hover) in enumerate(lines, 1):
        trace = go.Scatter(
            x=time_ms[keep],
            y=values[keep],
            name=name,
            mode="lines",
            line={"color": colour, "width": 1.5, "shape": shape},
            fill=None if name == "equity" else "tozeroy",
            hovertemplate=hover,
            showlegend=False,
        )
        figure.add_trace(trace, row=row, col=1)
    dress(figure, height=height, simulated=simulated, badge_above=True)
    if start_equity is not None:
        figure.add_hline(y=start_equity, line={"color": MUTED, "width": 1, "dash": "dot"}, row=1, col=1)
    figure.update_layout(hovermode="x unified", dragmode="zoom")
    figure.update_xaxes(type="date", showspikes=True, spikemode="across", spikethickness=1, spikecolor=MUTED)
    figure.update_yaxes(title={"text": f"equity, {quote}"}, tickformat=",~f", row=1, col=1)
    figure.update_yaxes(title={"text": "drawdown"}, tickformat=".2~%", range=_depth(drawdown), row=2, col=1)
    figure.update_yaxes(title={"text": f"position, {quote}"}, nticks=4, row=3, col=1)
    return figure


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
