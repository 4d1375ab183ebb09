"""The Sharpe ratio of a moving window, over time."""

import numpy as np
import pyarrow as pa

from liqstrat.backtest.account.returns import rolling_sharpe, window_days
from liqstrat.moments import column_ns
from liqstrat.report.numbers import doubles
from liqstrat.report.spec import Spec, level_line, spec_of
from liqstrat.report.theme import ACCENT, MUTED

#: With fewer hours there is a point, not a line.
_LEAST_HOURS = 24
_MOST_POINTS = 2000


def rolling_figure(equity: pa.Table, *, simulated: bool) -> Spec | None:
    """A line from `equity` (`time`, `equity`, by time); None where the run is less than a day longer than the window,
    whose days are in the layout's `meta`."""
    times, value = column_ns(equity["time"]), doubles(equity["equity"])
    if len(times) < 2:
        return None
    days = window_days(times)
    at, ratio = rolling_sharpe(times, value, days)
    if len(at) < _LEAST_HOURS or not np.isfinite(ratio).any():
        return None
    every = -(-len(at) // _MOST_POINTS)
    line = {
        "type": "scatter",
        "x": at[::every] / 1e6,
        "y": ratio[::every],
        "mode": "lines",
        "line": {"color": ACCENT, "width": 1.5},
        "hovertemplate": "%{x|%Y-%m-%d %H:%M}: %{y:.2f}<extra></extra>",
    }
    return spec_of(
        [line],
        height=260,
        simulated=simulated,
        badge_above=True,
        meta={"days": days},
        showlegend=False,
        shapes=[level_line(0, color=MUTED, width=1, dash="dot")],
        xaxis={"type": "date"},
        yaxis={"title": {"text": f"Sharpe of {days} days"}, "fixedrange": True},
    )
