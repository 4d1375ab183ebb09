"""How figures and pages look: their colours, dark and light, and the layout that every figure starts from.

Figures and style sheets are written in the dark colours; a page that is shown light takes for each of them what
`LIGHT` has, so that a figure is written once.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects as go

PAGE = "#0d1015"
PANEL = "#141920"
RAISED = "#1c232d"
PLOT = "#0a0d12"
LINE = "#2a323d"
GRID = "#1d242d"
TEXT = "#dbe1e8"
MUTED = "#95a0ae"
LONG = "#2fd6b5"
SHORT = "#ff6f91"
GAIN = "#3ddc97"
LOSS = "#ff6b6b"
WARNING = "#ffbe4d"
ACCENT = "#7cb7ff"
#: Candles.
UP, DOWN = "#f2f5f8", "#5b8def"
#: Where the heatmap knows nothing.
UNKNOWN = "#1b212a"
#: Buttons within a figure; Plotly draws the chosen one white, whatever the theme.
BUTTON, ON_BUTTON = "#96a1af", "#151a21"
#: What lies on a ground of the accent, and of the warning.
_ON_ACCENT, _ON_WARNING = "#0e1116", "#1b1405"
#: Lines that are told apart, over a heatmap too.
LINES = ("#f4a6ff", "#9be28a", "#5ad1ff", "#f39a3d", "#c7d0ff", "#d6408f", "#ffd166")
_LIGHT_LINES = ("#9a2fb0", "#2f7d1f", "#0b74a6", "#b35700", "#4a56b0", "#b01f70", "#7d6300")

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", Arial, sans-serif'

#: From the plot's background to white heat; lightness grows evenly, so that twice as bright is read as more, not other.
HEAT = (PLOT, "#1b0c41", "#4a0c6b", "#781c6d", "#a52c60", "#cf4446", "#ed6925", "#fb9b06", "#f7d13d", "#fcffa4")
_LIGHT_HEAT = (
    *("#fbfcfd", "#fdf0b8", "#fcd579", "#fbac52", "#f37f45"),
    *("#dd5446", "#b83358", "#8a1f65", "#561567", "#260c4a"),
)

#: Low leverage cool, high leverage hot, in both themes; spread over the tiers there are.
LEVERAGE = ("#4c6fb1", "#4f9bd0", "#52c0c0", "#8ecf7e", "#e3cf57", "#f39a3d", "#ee5d50", "#d6408f")

#: What stands in a light page for each colour of a dark one; no two become the same.
LIGHT = {
    PAGE: "#f3f5f8",
    PANEL: "#ffffff",
    RAISED: "#e9edf2",
    LINE: "#d3dae2",
    GRID: "#e6ebf0",
    TEXT: "#18202a",
    MUTED: "#586575",
    LONG: "#04735f",
    SHORT: "#c22a55",
    GAIN: "#12794a",
    LOSS: "#bd2c2c",
    WARNING: "#8a5a00",
    ACCENT: "#1b62c4",
    UP: "#1d2733",
    DOWN: "#2f6fe0",
    UNKNOWN: "#e4e9ee",
    BUTTON: "#d2d9e1",
    ON_BUTTON: "#19212b",
    _ON_ACCENT: "#fffffe",
    _ON_WARNING: "#fffffd",
    **dict(zip(LINES, _LIGHT_LINES, strict=True)),
    **dict(zip(HEAT, _LIGHT_HEAT, strict=True)),
}

#: What style sheets and scripts call the colours.
_NAMES = {
    "page": PAGE,
    "panel": PANEL,
    "raised": RAISED,
    "plot": PLOT,
    "line": LINE,
    "grid": GRID,
    "text": TEXT,
    "muted": MUTED,
    "long": LONG,
    "short": SHORT,
    "gain": GAIN,
    "loss": LOSS,
    "warning": WARNING,
    "accent": ACCENT,
    "on-accent": _ON_ACCENT,
    "on-warning": _ON_WARNING,
    "up": UP,
    "down": DOWN,
    "unknown": UNKNOWN,
    **{f"heat-{at}": colour for at, colour in enumerate(HEAT)},
}

#: What all axes have in common.
AXIS: dict[str, Any] = {
    "gridcolor": GRID,
    "linecolor": LINE,
    "zeroline": False,
    "ticks": "",
    "automargin": True,
    "title": {"font": {"size": 12, "color": MUTED}, "standoff": 8},
    "tickfont": {"size": 11, "color": MUTED},
    "exponentformat": "B",
    "separatethousands": True,
}


def look(height: int) -> dict[str, Any]:
    """The layout that every figure starts from, but for its axes."""
    return {
        # Plotly's own would be written into each figure, with colours that pages do not have.
        "template": {},
        "autotypenumbers": "strict",
        "hovermode": "closest",
        "height": height,
        "paper_bgcolor": PANEL,
        "plot_bgcolor": PLOT,
        "font": {"family": FONT, "size": 12, "color": TEXT},
        "margin": {"l": 8, "r": 8, "t": 34, "b": 8},
        "legend": {
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
        "hoverlabel": {
            "align": "left",
            "bgcolor": RAISED,
            "bordercolor": LINE,
            "font": {"size": 12, "color": TEXT, "family": FONT},
        },
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": MUTED, "activecolor": TEXT, "orientation": "h"},
        "separators": ".,",
    }


def dress(figure: "go.Figure", *, height: int, simulated: bool, badge_above: bool = False) -> "go.Figure":
    """Give `figure` the common look; `simulated` writes SIMULATED into its corner, so that a saved picture says it,
    or above the corner where lines are drawn in it and no legend stands above."""
    # Layouts are merged, so that an empty template takes nothing away.
    figure.layout.template = None
    figure.update_layout(look(height))
    figure.update_xaxes(**AXIS)
    figure.update_yaxes(**AXIS)
    if simulated:
        figure.add_annotation(badge(above=badge_above))
    return figure


def badge(*, above: bool) -> dict[str, Any]:
    """An annotation: SIMULATED, within the upper left corner or above it."""
    return {
        "text": "<b>SIMULATED</b>",
        "xref": "paper",
        "yref": "paper",
        "x": 0 if above else 0.006,
        "y": 1 if above else 0.985,
        "xanchor": "left",
        "yanchor": "bottom" if above else "top",
        "showarrow": False,
        "font": {"size": 13, "color": WARNING},
        "bgcolor": PANEL if above else faded(PLOT, 0.75),
        "borderpad": 3,
    }


def faded(colour: str, opacity: float) -> str:
    """A colour of the palette that lets through what lies below."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def css_variables() -> str:
    """The colours as CSS custom properties: dark, light where the page's `data-theme` says so, and light on paper."""
    dark, light = (
        "".join(f"--{name}:{colour};" for name, colour in colours.items())
        for colours in (_NAMES, {name: LIGHT[colour] for name, colour in _NAMES.items()})
    )
    tiers = "".join(f"--leverage-{at}:{colour};" for at, colour in enumerate(LEVERAGE))
    return (
        f":root{{color-scheme:dark;{dark}{tiers}--font:{FONT};}}"
        f':root[data-theme="light"]{{color-scheme:light;{light}}}'
        f"@media print{{:root{{color-scheme:light;{light}}}}}"
    )
