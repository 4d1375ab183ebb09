"""The figures on the page of a sweep."""

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from liqstrat.liquidation.grid import Floats
from liqstrat.report.figures import figure_name, figure_text
from liqstrat.report.theme import (
    ACCENT,
    BUTTON,
    GAIN,
    GRID,
    HEAT,
    LINE,
    LOSS,
    MUTED,
    ON_BUTTON,
    PLOT,
    TEXT,
    WARNING,
    dress,
    faded,
)
from liqstrat.study_settings import SMALLER

#: A setting that took more values than this is shown in so many ranges.
_MOST_VALUES = 16
_RANGES = 12
_FEW_VALUES = 5
_MOST_PAIRS = 15
_MOST_LINES = 400
#: So many values stand beside an axis at most, so far from each other (shares of its height) at least.
_FEW_MARKS, _LEAST_ROOM = 7, 0.06
#: From the least to the best.
_SHADES = HEAT[3:]
_DAY = pd.Timedelta(days=1)
_SCALE = [[0.0, LOSS], [0.5, GRID], [1.0, GAIN]]


def heatmaps(trials: pd.DataFrame, keys: list[str], objective: str, simulated: bool) -> go.Figure:
    """The objective by two settings, the mean of all trials in a cell; a menu chooses which two."""
    figure, buttons = go.Figure(), []
    pairs = list(combinations(keys, 2))[:_MOST_PAIRS]
    defined = trials.dropna(subset=[objective])
    far = float(defined[objective].abs().max()) if len(defined) else 1.0
    for at, (x, y) in enumerate(pairs):
        across, up = _cells(defined[x]), _cells(defined[y])
        table = defined.assign(_x=across, _y=up).pivot_table(
            index="_y", columns="_x", values=objective, aggfunc=["mean", "max", "count"], observed=True
        )
        mean = table["mean"]
        figure.add_trace(
            go.Heatmap(
                x=[str(value) for value in mean.columns],
                y=[str(value) for value in mean.index],
                z=mean.to_numpy(),
                customdata=np.dstack([table["max"].to_numpy(), table["count"].to_numpy()]),
                zmin=-far,
                zmax=far,
                colorscale=_SCALE,
                colorbar={"thickness": 12, "outlinewidth": 0, "tickfont": {"color": MUTED, "size": 11}},
                xgap=1,
                ygap=1,
                visible=at == 0,
                hovertemplate=f"{short(x)} %{{x}}, {short(y)} %{{y}}<br>mean %{{z:.4g}}, "
                "highest %{customdata[0]:.4g}, trials %{customdata[1]}<extra></extra>",
            )
        )
        shown = [number == at for number in range(len(pairs))]
        axes = {"xaxis.title.text": short(x), "yaxis.title.text": short(y)}
        buttons.append({"label": f"{short(x)} × {short(y)}", "method": "update", "args": [{"visible": shown}, axes]})
    dress(figure, height=440, simulated=simulated, badge_above=True)
    figure.update_xaxes(type="category", title={"text": short(pairs[0][0])}, gridcolor="rgba(0,0,0,0)")
    figure.update_yaxes(type="category", title={"text": short(pairs[0][1])}, gridcolor="rgba(0,0,0,0)")
    if len(pairs) > 1:
        menu = {"buttons": buttons, "x": 0.22, "xanchor": "left", "y": 1.02, "yanchor": "bottom", "bgcolor": BUTTON}
        figure.update_layout(updatemenus=[{**menu, "font": {"color": ON_BUTTON, "size": 12}, "bordercolor": LINE}])
        figure.update_layout(margin={"t": 52})
    return figure


def profiles(trials: pd.DataFrame, keys: list[str], objective: str, best: dict[str, Any], simulated: bool) -> go.Figure:
    """The objective by each setting: all trials, the mean, and those that differ from the best in this setting only."""
    from plotly.subplots import make_subplots

    columns = min(len(keys), 3)
    rows = -(-len(keys) // columns)
    figure = make_subplots(rows=rows, cols=columns, shared_yaxes=True, horizontal_spacing=0.03, vertical_spacing=0.16)
    defined = trials.dropna(subset=[objective])
    for number, key in enumerate(keys):
        row, column = number // columns + 1, number % columns + 1
        x = defined[key] if pd.api.types.is_numeric_dtype(defined[key]) else defined[key].astype(str)
        others = [other for other in keys if other != key]
        same = np.ones(len(defined), dtype=bool)
        for other in others:
            same &= (defined[other] == best[other]).to_numpy()
        line = defined[same].sort_values(key)
        mean = defined.groupby(_cells(defined[key]), observed=True)[objective].mean()
        seen = {"showlegend": number == 0}
        figure.add_trace(
            go.Scatter(
                x=x, y=defined[objective], mode="markers", name="trials", legendgroup="trials", **seen,
                marker={"size": 5, "color": MUTED, "opacity": 0.55}, customdata=defined["trial"],
                hovertemplate="trial %{customdata}: %{y:.4g}<extra></extra>",
            ), row, column,
        )  # fmt: skip
        figure.add_trace(
            go.Scatter(
                x=mean.index, y=mean, mode="lines", name="mean", legendgroup="mean", **seen,
                line={"color": ACCENT, "width": 1.5}, hovertemplate="mean %{y:.4g}<extra></extra>",
            ), row, column,
        )  # fmt: skip
        figure.add_trace(
            go.Scatter(
                x=line[key] if pd.api.types.is_numeric_dtype(line[key]) else line[key].astype(str), y=line[objective],
                mode="lines+markers", name="through the best", legendgroup="best", **seen,
                line={"color": WARNING, "width": 1.5}, marker={"size": 7},
                hovertemplate="%{x}: %{y:.4g}<extra>through the best</extra>",
            ), row, column,
        )  # fmt: skip
        figure.update_xaxes(title={"text": short(key)}, row=row, col=column)
    dress(figure, height=90 + 270 * rows, simulated=simulated, badge_above=True)
    figure.update_layout(legend={"x": 0.2})
    figure.update_xaxes(exponentformat="none")
    for number, key in enumerate(keys):
        figure.update_xaxes(title={"text": short(key)}, row=number // columns + 1, col=number % columns + 1)
    figure.update_yaxes(title={"text": figure_name(objective)}, col=1)
    return figure


def parallel(trials: pd.DataFrame, keys: list[str], objective: str, figures: list[str], simulated: bool) -> go.Figure:
    """Every trial as a line through its settings and its figures, coloured by the objective, the best on top."""
    defined = trials.dropna(subset=[objective]).sort_values(objective, ascending=objective not in SMALLER)
    if len(defined) > _MOST_LINES:
        defined = defined.iloc[:: -(-len(defined) // _MOST_LINES)]
    names = [*keys, *figures]
    heights, ticks = zip(*(_axis(name, defined[name]) for name in names), strict=True)
    place = np.arange(len(names), dtype=float)
    figure = go.Figure()
    shades = np.minimum(np.arange(len(defined)) * len(_SHADES) // max(len(defined), 1), len(_SHADES) - 1)
    for shade, colour in enumerate(_SHADES):
        rows = np.flatnonzero(shades == shade)
        if not len(rows):
            continue
        y = np.column_stack([[height[row] for height in heights] for row in rows]).T
        number = np.repeat(defined["trial"].to_numpy()[rows], len(names) + 1)
        value = np.repeat(defined[objective].to_numpy()[rows], len(names) + 1)
        figure.add_trace(
            go.Scatter(
                x=np.tile([*place, np.nan], len(rows)), y=np.column_stack([y, np.full(len(rows), np.nan)]).ravel(),
                mode="lines", line={"color": colour, "width": 1.2}, opacity=0.35 + 0.6 * shade / len(_SHADES),
                customdata=np.column_stack([number, value]), showlegend=False,
                hovertemplate="trial %{customdata[0]:.0f}: %{customdata[1]:.4g}<extra></extra>",
            )
        )  # fmt: skip
    dress(figure, height=400, simulated=simulated, badge_above=True)
    for x, marks in zip(place, ticks, strict=True):
        for height, text in marks:
            figure.add_annotation(
                x=x, y=height, text=text, showarrow=False, xanchor="left", xshift=3, font={"size": 10, "color": TEXT},
                bgcolor=faded(PLOT, 0.6), borderpad=1,
            )  # fmt: skip
    figure.update_xaxes(
        tickvals=place, ticktext=[short(name) for name in names], range=[-0.15, len(names) - 0.45], gridcolor=MUTED
    )
    figure.update_yaxes(visible=False, range=[-0.06, 1.06])
    return figure


def _axis(name: str, values: "pd.Series[Any]") -> tuple[Any, list[tuple[float, str]]]:
    """Where values stand on an axis from 0 to 1, and what is written beside it."""
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        found = values.astype(float).to_numpy()
        low, high = float(np.nanmin(found)), float(np.nanmax(found))
        marks = _marks(found)
        # A setting is called by its key, with dots in it.
        texts = [f"{mark:.6g}" if "." in name else figure_text(name, mark) for mark in marks]
        if not high > low:
            return np.full(len(found), 0.5), [(0.5, texts[0])]
        return (found - low) / (high - low), [
            ((mark - low) / (high - low), text) for mark, text in zip(marks, texts, strict=True)
        ]
    codes, known = pd.factorize(values.astype(str), sort=True)
    last = max(len(known) - 1, 1)
    return codes / last, [(at / last, str(name)[:18]) for at, name in enumerate(known)]


def _marks(values: Floats) -> list[float]:
    """The values themselves, where they are few, from the least on; else the ends and round numbers between them."""
    known = np.unique(values[np.isfinite(values)])
    low, high = float(known[0]), float(known[-1])
    if len(known) > _FEW_MARKS:
        step = _round_up((high - low) / (_FEW_MARKS - 1))
        known = np.array([low, *np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step, high])
    room = (high - low) * _LEAST_ROOM
    kept = [low]
    for value in known[1:-1].tolist():
        if value - kept[-1] >= room and high - value >= room:
            kept.append(value)
    return [*kept, high] if high > low else kept


def _round_up(step: float) -> float:
    """The next of 1, 2 and 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(step))
    return next(float(times * power) for times in (1, 2, 5, 10) if times * power >= step)


def controls(
    values: dict[str, list[float]], own: float, objective: str, simulated: bool, called: str = "the best trial"
) -> go.Figure:
    """What controls have of the objective, each a dot, and what they are held against as a line."""
    figure = go.Figure()
    for name, found in values.items():
        figure.add_trace(
            go.Box(
                x=found, name=name, boxpoints="all", jitter=0.5, pointpos=0, fillcolor="rgba(0,0,0,0)",
                line={"color": LINE}, marker={"color": MUTED, "size": 5}, hovertemplate="%{x:.4g}<extra></extra>",
                showlegend=False,
            )
        )  # fmt: skip
    figure.add_vline(x=own, line={"color": WARNING, "width": 2})
    figure.add_annotation(
        x=own, y=0, yref="paper", yanchor="bottom", xanchor="right", xshift=-4, text=called, showarrow=False,
        font={"color": WARNING},
    )  # fmt: skip
    dress(figure, height=110 + 80 * len(values), simulated=simulated)
    figure.update_xaxes(title={"text": figure_name(objective)})
    return figure


def equity(returns: pd.DataFrame, best: str, simulated: bool) -> go.Figure:
    """What the best made day by day, and the middle half of all trials."""
    grown = grown_from(returns)
    low, high = grown.quantile(0.25, axis=1), grown.quantile(0.75, axis=1)
    days = pd.DatetimeIndex(grown.index)
    figure = go.Figure(
        [
            go.Scatter(x=days, y=high, mode="lines", line={"width": 0}, hoverinfo="skip", showlegend=False),
            go.Scatter(
                x=days, y=low, mode="lines", line={"width": 0}, fill="tonexty", name="middle half of all trials",
                fillcolor=faded(MUTED, 0.25), hoverinfo="skip",
            ),
            go.Scatter(
                x=days, y=grown[best], mode="lines", name="the best trial", line={"color": WARNING, "width": 2},
                hovertemplate="%{y:+.2%}",
            ),
        ]
    )  # fmt: skip
    dress(figure, height=340, simulated=simulated, badge_above=True)
    figure.update_layout(hovermode="x unified", legend={"x": 0.18})
    figure.update_xaxes(type="date")
    figure.update_yaxes(title={"text": "net return"}, tickformat="+.2~%")
    return figure


def grown_from(returns: pd.DataFrame) -> pd.DataFrame:
    """What returns by `day` came to, a column each: zero where the first day begins, then at the end of each day; where
    days were left out, what it was stays until the next begins."""
    made = (1 + returns.set_index("day")).cumprod() - 1
    before = made.shift(1).fillna(0.0)
    begins = before[~made.index.isin(made.index + _DAY)]
    return pd.concat([begins, made.set_axis(made.index + _DAY)]).sort_index(kind="stable")


def short(key: str) -> str:
    """What a setting or a figure is called on an axis."""
    return key.rsplit(".", 1)[-1] if "." in key else figure_name(key)


def _cells(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """The values themselves, or where nearly each is another, the middles of ranges of them."""
    if not pd.api.types.is_numeric_dtype(values):
        return values.astype(str)
    different = values.nunique()
    if different <= _FEW_VALUES or (different <= _MOST_VALUES and len(values) >= 2 * different):
        return values
    ranges = max(_FEW_VALUES, min(_RANGES, len(values) // 4))
    found: pd.Series[Any] = pd.cut(values, ranges).map(lambda cell: float(f"{cell.mid:.3g}")).astype(float)
    return found
