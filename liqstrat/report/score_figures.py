"""Figures of a score: how far predictions can be relied on, lift by distance, and where liquidations happened."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import pyarrow as pa

from liqstrat.liquidation.contract import LINEAR, Contract
from liqstrat.report import numbers
from liqstrat.report.error_bars import error_bars
from liqstrat.report.heatmap import heatmap_figure
from liqstrat.report.spec import Spec
from liqstrat.report.theme import ACCENT, LINES, LONG, MUTED, PLOT, SHORT, WARNING, dress

if TYPE_CHECKING:
    from liqstrat.liquidation.liquidations import Liquidations
    from liqstrat.scoring.intervals import Estimate
    from liqstrat.scoring.score import Score

Floats = npt.NDArray[np.float64]

#: Models are told apart by colour and by mark.
_MODELS = ((ACCENT, "circle"), (WARNING, "square"), (LINES[0], "diamond"), (LINES[1], "triangle-up"))
#: Liquidations on the heatmap, the largest.
MOST_MARKS = 3000
_LARGEST, _SMALLEST = 24.0, 3.0


def lift_figure(score: "Score", parts: Sequence[str], *, simulated: bool) -> go.Figure:
    """Lift at equal distance of each model by distance from price (`parts`), with intervals; 1 is what chance gives."""
    figure = go.Figure()
    for i, model in enumerate(score.verdicts):
        rows = {row.group: row.lift_at_equal_distance for row in score.rows if row.name == model}
        estimates = [rows[part] for part in parts]
        figure.add_trace(_points(model, i, _beside(i, len(score.verdicts), len(parts)), estimates, parts))
    lifts = [row.lift_at_equal_distance for row in score.rows if not row.baseline and row.group in parts]
    highest = max(1.5, *(one.high or one.value or 0.0 for one in lifts))
    figure.add_hline(y=1, line={"color": MUTED, "width": 1.5, "dash": "dash"})
    figure.add_annotation(
        x=0.004, xref="paper", xanchor="left", y=1, yanchor="top", text="no better than chance", showarrow=False,
        font={"size": 11, "color": MUTED},
    )  # fmt: skip
    dress(figure, height=380, simulated=simulated)
    figure.update_layout(
        xaxis={
            "title": {"text": "distance from price when the map was made"},
            "tickmode": "array",
            "tickvals": list(range(len(parts))),
            "ticktext": list(parts),
            "range": [-0.5, len(parts) - 0.5],
            "fixedrange": True,
        },
        yaxis={"title": {"text": "lift of the densest tenth"}, "range": [0, 1.2 * highest], "fixedrange": True},
    )
    return figure


def reliability_figure(score: "Score", *, simulated: bool) -> go.Figure:
    """Realised against predicted contracts a reached band, in groups of like prediction; on the diagonal they agree.

    Both axes are logarithmic. Groups where the map has nothing stand at the left edge.
    """
    figure = go.Figure()
    known = [p.predicted for points in score.reliability.values() for p in points if p.predicted > 0]
    seen = [p.realised.value for points in score.reliability.values() for p in points if p.realised.value]
    if not known or not seen:
        return dress(figure, height=480, simulated=simulated)
    least = max(min(known), max(known) / 1e5)
    low, high = min(least, min(seen)) / 2, max(*known, *seen) * 2
    figure.add_trace(
        go.Scatter(
            x=[low, high], y=[low, high], mode="lines", name="as predicted", hoverinfo="skip",
            line={"color": MUTED, "width": 1.5, "dash": "dash"},
        )
    )  # fmt: skip
    for i, (model, points) in enumerate(score.reliability.items()):
        shown = [p for p in points if p.realised.value]
        x = np.array([max(p.predicted, low * 1.25) for p in shown])
        texts = [f"{p.bands:,} bands, predicted {_short(p.predicted)}" for p in shown]
        figure.add_trace(_points(model, i, x, [p.realised for p in shown], texts, lines=True))
    dress(figure, height=480, simulated=simulated)
    axis = {"type": "log", "range": [np.log10(low), np.log10(high)], "dtick": 1, "fixedrange": True}
    figure.update_layout(
        xaxis={**axis, "title": {"text": "predicted contracts a band (scaled to the total)"}},
        yaxis={**axis, "title": {"text": "liquidated contracts a band"}},
    )
    return figure


def liquidations_figure(
    levels: pa.Table,
    candles: pa.Table,
    liquidations: "Liquidations",
    *,
    simulated: bool,
    height: int = 720,
    contract: Contract = LINEAR,
) -> Spec:
    """The heatmap with the largest recorded liquidations where they happened, the area of a mark by their worth."""
    figure = heatmap_figure(levels, candles, simulated=simulated, height=height, contract=contract)
    worth = liquidations.contracts * contract.worth(liquidations.price)
    largest = np.sort(np.argsort(worth, kind="stable")[-MOST_MARKS:])
    if not len(largest):
        return figure
    size = np.maximum(_LARGEST * np.sqrt(worth / worth.max()), _SMALLEST)
    for name, side, colour, symbol in (
        ("long liquidated", True, LONG, "triangle-down"),
        ("short liquidated", False, SHORT, "triangle-up"),
    ):
        rows = largest[liquidations.long[largest] == side]
        figure["data"].append(
            {
                "type": "scatter",
                "x": liquidations.time_ns[rows] / 1e6,
                "y": liquidations.price[rows],
                "text": [f"{numbers.amount(value)} {contract.quote}" for value in worth[rows]],
                "mode": "markers",
                "name": name,
                "marker": {
                    "symbol": symbol,
                    "size": size[rows].round(1),
                    "color": colour,
                    "opacity": 0.8,
                    "line": {"color": PLOT, "width": 0.6},
                },
                "hovertemplate": f"{name}, %{{text}}<br>%{{x|%Y-%m-%d %H:%M:%S}} at %{{y:,.7~r}}<extra></extra>",
            }
        )
    return figure


def _points(
    name: str, number: int, x: Floats, estimates: Sequence["Estimate"], texts: Sequence[str], *, lines: bool = False
) -> go.Scatter:
    colour, symbol = _MODELS[number % len(_MODELS)]
    value = np.array([np.nan if one.value is None else one.value for one in estimates])
    low, high = (
        np.array([np.nan if bound is None else bound for bound in bounds])
        for bounds in ([one.low for one in estimates], [one.high for one in estimates])
    )
    return go.Scatter(
        x=x,
        y=value,
        name=name,
        mode="lines+markers" if lines else "markers",
        line={"color": colour, "width": 1.2},
        marker={"color": colour, "symbol": symbol, "size": 9},
        error_y=error_bars(value, low, high, colour),
        text=[f"{text}: {_short(v)}{_between(a, b)}" for text, v, a, b in zip(texts, value, low, high, strict=True)],
        hovertemplate="%{text}",
    )


def _beside(number: int, models: int, parts: int) -> Floats:
    """Places of one model's points, so that models stand beside each other."""
    places: Floats = np.arange(parts, dtype=np.float64) + (number - (models - 1) / 2) * 0.14
    return places


def _short(value: float) -> str:
    return f"{value:.3g}"


def _between(low: float, high: float) -> str:
    return "" if np.isnan(low) else f" ({_short(low)} to {_short(high)})"
