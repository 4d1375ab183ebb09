"""Charts of an event study."""

import numpy as np
import plotly.graph_objects as go

from liqstrat.events.paths import HORIZONS
from liqstrat.events.study import EventStudy
from liqstrat.liquidation.grid import Floats
from liqstrat.report import numbers
from liqstrat.report.error_bars import error_bars
from liqstrat.report.theme import ACCENT, MUTED, WARNING, dress, faded
from liqstrat.scoring.intervals import Estimate

_HOUR, _LATER = 60, 240


def reached_figure(study: EventStudy, *, simulated: bool) -> go.Figure:
    """Shares of levels and placebos that are reached within a day, by distance."""
    names = list(study.distances)
    found = [study.reached(24, rows) for rows in study.distances.values()]
    figure = go.Figure(
        [
            _points("levels", ACCENT, "circle", -0.06, [one.levels for one in found], names),
            _points("placebos", WARNING, "square", 0.06, [one.placebos for one in found], names),
        ]
    )
    _dress(figure, 340, simulated=simulated)
    figure.update_layout(
        xaxis={"title": {"text": "distance from price"}, **_named(names)},
        yaxis={"title": {"text": "reached within 24 h"}, "range": [0, 1.02], "tickformat": ".0%", "fixedrange": True},
    )
    return figure


def paths_figure(study: EventStudy, *, simulated: bool) -> go.Figure:
    """Mean returns after the touch, with the middle half of all touches; the axis of time is by the horizons."""
    figure, place = go.Figure(), np.arange(len(HORIZONS))
    back = [study.back(minutes) for minutes in HORIZONS]
    own = study.paths.returns[study.touch < len(study.levels)]
    if len(own):
        known = np.isfinite(own).any(axis=0)
        quartiles = np.full((2, len(HORIZONS)), np.nan)
        quartiles[:, known] = np.nanquantile(own[:, known], [0.25, 0.75], axis=0)
        _band(figure, place, quartiles[0], quartiles[1], "half of all touches", faded(ACCENT, 0.1))
    means = [one.levels for one in back]
    # The longest horizons may have too few days for one.
    if told := [at for at, one in enumerate(means) if one.low is not None]:
        low, high = (np.array([getattr(means[at], name) for at in told]) for name in ("low", "high"))
        _band(figure, place[told], low, high, "interval of the mean", faded(ACCENT, 0.28))
    for name, colour, dash, estimates in (
        ("levels", ACCENT, "solid", means),
        ("placebos", WARNING, "dash", [one.placebos for one in back]),
    ):
        figure.add_trace(
            go.Scatter(
                x=place,
                y=_values(estimates),
                name=name,
                mode="lines+markers",
                line={"color": colour, "width": 2.2, "dash": dash},
                marker={"color": colour, "size": 6},
                text=[_told(one) for one in estimates],
                hovertemplate=f"{name}, %{{x}}: %{{text}}<extra></extra>",
            )
        )
    figure.add_hline(y=0, line={"color": MUTED, "width": 1, "dash": "dot"})
    _dress(figure, 420, simulated=simulated)
    figure.update_layout(
        xaxis={"title": {"text": "after the touch"}, **_named([numbers.length(60 * minutes) for minutes in HORIZONS])},
        yaxis={"title": {"text": "back from the level"}, "tickformat": "+.2%", "fixedrange": True},
    )
    return figure


def groups_figure(study: EventStudy, *, simulated: bool) -> go.Figure:
    """How much farther price comes back from levels than from placebos, by group."""
    names = list(study.groups)
    figure = go.Figure()
    for minutes, colour, symbol, aside in ((_HOUR, ACCENT, "circle", -0.08), (_LATER, WARNING, "square", 0.08)):
        estimates = [study.back(minutes, rows).difference for rows in study.groups.values()]
        figure.add_trace(
            _points(f"after {numbers.length(60 * minutes)}", colour, symbol, aside, estimates, names, "+.2%")
        )
    figure.add_hline(y=0, line={"color": MUTED, "width": 1, "dash": "dot"})
    _dress(figure, 380, simulated=simulated)
    figure.update_layout(
        xaxis=_named([name.replace(" day before", "").replace(" third", "") for name in names]),
        yaxis={"title": {"text": "above placebos"}, "tickformat": "+.2%", "fixedrange": True},
    )
    return figure


def _dress(figure: go.Figure, height: int, *, simulated: bool) -> None:
    """The common look, with the badge beside the legend: points stand anywhere below."""
    dress(figure, height=height, simulated=simulated, badge_above=True)
    figure.update_layout(legend={"x": 0.16 if simulated else 0})


def _points(
    name: str,
    colour: str,
    symbol: str,
    aside: float,
    estimates: list[Estimate],
    texts: list[str],
    form: str = ".1%",
) -> go.Scatter:
    value = _values(estimates)
    low, high = (
        np.array([np.nan if getattr(one, side) is None else getattr(one, side) for one in estimates])
        for side in ("low", "high")
    )
    return go.Scatter(
        x=np.arange(len(texts)) + aside,
        y=value,
        name=name,
        mode="markers",
        marker={"color": colour, "symbol": symbol, "size": 9},
        error_y=error_bars(value, low, high, colour),
        text=[f"{text}: {_told(one, form)}" for text, one in zip(texts, estimates, strict=True)],
        hovertemplate="%{text}",
    )


def _band(figure: go.Figure, x: object, low: object, high: object, name: str, colour: str) -> None:
    line = {"width": 0, "color": colour}
    figure.add_trace(go.Scatter(x=x, y=low, mode="lines", line=line, hoverinfo="skip", showlegend=False))
    figure.add_trace(
        go.Scatter(x=x, y=high, mode="lines", line=line, fill="tonexty", fillcolor=colour, name=name, hoverinfo="skip")
    )


def _values(estimates: list[Estimate]) -> Floats:
    return np.array([np.nan if one.value is None else one.value for one in estimates])


def _told(one: Estimate, form: str = "+.2%") -> str:
    if one.value is None:
        return "–"
    if one.low is None or one.high is None:
        return f"{one.value:{form}}"
    return f"{one.value:{form}} ({one.low:{form}} to {one.high:{form}})"


def _named(names: list[str]) -> dict[str, object]:
    return {
        "tickmode": "array",
        "tickvals": list(range(len(names))),
        "ticktext": names,
        "range": [-0.5, len(names) - 0.5],
        "fixedrange": True,
    }
