"""How figures and pages look: one dark palette, and the layout that every figure starts from."""

from typing import Any

import plotly.graph_objects as go

PAGE = "#0d1015"
PANEL = "#141920"
PLOT = "#0a0d12"
LINE = "#2a323d"
TEXT = "#dbe1e8"
MUTED = "#95a0ae"
LONG = "#2fd6b5"
SHORT = "#ff6f91"
GAIN = "#3ddc97"
LOSS = "#ff6b6b"
WARNING = "#ffbe4d"
ACCENT = "#7cb7ff"

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", Arial, sans-serif'

#: From the plot's background to white heat; lightness grows evenly, so that twice as bright is read as more, not other.
HEAT = (PLOT, "#1b0c41", "#4a0c6b", "#781c6d", "#a52c60", "#cf4446", "#ed6925", "#fb9b06", "#f7d13d", "#fcffa4")
#: Where the heatmap knows nothing.
UNKNOWN = "#1b212a"

#: Low leverage cool, high leverage hot; spread over the tiers there are.
LEVERAGE = ("#4c6fb1", "#4f9bd0", "#52c0c0", "#8ecf7e", "#e3cf57", "#f39a3d", "#ee5d50", "#d6408f")

_AXIS: dict[str, Any] = {
    "gridcolor": "#1d242d",
    "linecolor": LINE,
    "zeroline": False,
    "tickcolor": LINE,
    "automargin": True,
    "title": {"font": {"size": 12, "color": MUTED}, "standoff": 8},
    "tickfont": {"size": 11, "color": MUTED},
    "exponentformat": "B",
    "separatethousands": True,
}


def dress(figure: go.Figure, *, height: int, simulated: bool, badge_above: bool = False) -> go.Figure:
    """Give `figure` the common look; `simulated` writes SIMULATED into its corner, so that a saved picture says it,
    or above the corner where lines are drawn in it and no legend stands above."""
    figure.update_layout(
        template={},
        height=height,
        paper_bgcolor=PANEL,
        plot_bgcolor=PLOT,
        font={"family": FONT, "size": 12, "color": TEXT},
        margin={"l": 8, "r": 8, "t": 34, "b": 8},
        legend={
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1.01,
            "yanchor": "bottom",
            "font": {"size": 12, "color": TEXT},
            "bgcolor": "rgba(0,0,0,0)",
            "traceorder": "normal",
            "itemsizing": "constant",
        },
        hoverlabel={"bgcolor": "#1f2731", "bordercolor": LINE, "font": {"size": 12, "color": TEXT, "family": FONT}},
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": MUTED, "activecolor": TEXT, "orientation": "h"},
        separators=".,",
    )
    figure.update_xaxes(**_AXIS)
    figure.update_yaxes(**_AXIS)
    if simulated:
        figure.add_annotation(
            text="<b>SIMULATED</b>",
            xref="paper",
            yref="paper",
            x=0 if badge_above else 0.006,
            y=1 if badge_above else 0.985,
            xanchor="left",
            yanchor="bottom" if badge_above else "top",
            showarrow=False,
            font={"size": 13, "color": WARNING},
            bgcolor=PANEL if badge_above else "rgba(10,13,18,0.75)",
            borderpad=3,
        )
    return figure


def css_variables() -> str:
    """The palette as CSS custom properties."""
    colours = {
        "page": PAGE,
        "panel": PANEL,
        "plot": PLOT,
        "line": LINE,
        "text": TEXT,
        "muted": MUTED,
        "long": LONG,
        "short": SHORT,
        "gain": GAIN,
        "loss": LOSS,
        "warning": WARNING,
        "accent": ACCENT,
    }
    lines = "".join(f"--{name}:{value};" for name, value in colours.items())
    return f":root{{{lines}--font:{FONT};}}"
