"""The liquidation heatmap: maps over time, with candles over them and the trades on top."""

from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from liqstrat.liquidation.contract import LINEAR, Contract
from liqstrat.report.candles import Candles, candle_traces, read_candles
from liqstrat.report.markers import trade_traces
from liqstrat.report.numbers import amount
from liqstrat.report.page import plot_html, write_page
from liqstrat.report.raster import MOST_CELLS, Bytes, ColourScale, Raster, rasterise
from liqstrat.report.spec import Spec, Trace, spec_of
from liqstrat.report.theme import BUTTON, HEAT, LINE, MUTED, ON_BUTTON, PLOT, UNKNOWN

_HEIGHT = 680
#: What can be seen of maps with a band.
_BOUNDS = ("expected", "at least", "at most")
_LEAST_MARGIN, _MOST_MARGIN, _MARGIN_OF_RANGE = 0.025, 0.08, 0.45

HOW_TO_READ = (
    "Colour is an estimate of what would be liquidated if price came there: longs below price, shorts above. "
    "A stripe starts when positions open and ends where price runs through it. "
    "Grey is not recorded. Blue candles fell, the others rose."
)
_HOW_TO_MOVE = "Scroll to zoom, drag to move, double-click to go back."


def heatmap_figure(
    levels: pa.Table,
    candles: pa.Table | None = None,
    trades: pa.Table | None = None,
    *,
    simulated: bool = False,
    height: int = _HEIGHT,
    most_cells: int = MOST_CELLS,
    contract: Contract = LINEAR,
) -> Spec:
    """Heat from `levels` (`time`, `price_low`, `price_high`, `contracts`; one symbol), `candles` (`time`, `open`,
    `high`, `low`, `close`) over it and `trades` (rows of a results folder's `positions.parquet`) on top.

    Colour is what the contracts of a price bin are worth, as `contract` tells; a map is drawn from the moment from
    which it could have been known. With columns `low` and `high`, buttons show the least and the most instead.
    """
    traces: list[Trace] = []
    read = read_candles(candles)
    view = None if read is None else _view(read)
    pictures = len(_BOUNDS) if "low" in levels.column_names else 1
    raster = rasterise(levels, view, most_cells // pictures, contract)
    if raster is not None:
        traces.append(_heat(raster, raster.codes, raster.scale, contract.quote))
    if raster is not None and raster.bounds is not None and raster.high_scale is not None:
        for name, codes, scale in zip(_BOUNDS[1:], raster.bounds, (raster.scale, raster.high_scale), strict=True):
            traces.append(_heat(raster, codes, scale, contract.quote, name))
    if read is not None:
        traces += candle_traces(read)
    if trades is not None:
        traces += trade_traces(trades, contract.quote)
    more: dict[str, Any] = {} if raster is None or raster.bounds is None else {"updatemenus": [_switch()]}
    return spec_of(
        traces,
        height=height,
        simulated=simulated,
        dragmode="pan",
        hovermode="closest",
        hoverdistance=12,
        plot_bgcolor=PLOT if raster is None else UNKNOWN,
        xaxis={"type": "date", "rangeslider": {"visible": False}, "range": _times(raster, read), "showgrid": False},
        yaxis={
            "side": "right",
            "range": view or (raster and [raster.low, raster.high]),
            "showgrid": False,
            "tickformat": ",~r",
        },
        **more,
    )


def write_heatmap_page(
    levels: pa.Table,
    candles: pa.Table | None,
    *,
    title: str,
    simulated: bool,
    out: Path,
    contract: Contract = LINEAR,
) -> Path:
    """Write one HTML page with nothing but the heatmap, to be opened without network; returns `out`."""
    figure = heatmap_figure(levels, candles, simulated=simulated, height=760, contract=contract)
    badge = '<span class="badge">SIMULATED</span>' if simulated else ""
    body = (
        f"<header><h1>{escape(title)} {badge}</h1></header>"
        f"<section>{heatmap_html('heatmap', figure, title)}</section>"
        "<footer><p>Levels are estimates: who holds which position, and at which leverage, is not published. "
        "Times are UTC.</p></footer>"
    )
    return write_page(out, title, body)


def heatmap_html(name: str, figure: Spec, label: str) -> str:
    """The figure with the line above it that reads the values under the pointer."""
    return (
        f'<p class="how">{HOW_TO_READ} <span class="on-screen">{_HOW_TO_MOVE}</span></p>'
        f'<p class="readout" data-for="{escape(name)}" aria-live="off">Point at the picture to read its values.</p>'
        f"{plot_html(name, figure, label, scroll_zoom=True)}"
    )


def _switch() -> dict[str, Any]:
    """Buttons that choose which of the pictures is seen."""
    places = list(range(len(_BOUNDS)))
    return {
        "type": "buttons",
        "direction": "right",
        "x": 0,
        "xanchor": "left",
        "y": -0.05,
        "yanchor": "top",
        "pad": {"t": 4, "b": 0, "l": 0, "r": 0},
        # The chosen one is white, which cannot be changed.
        "bgcolor": BUTTON,
        "bordercolor": LINE,
        "font": {"size": 11, "color": ON_BUTTON},
        "buttons": [
            {"label": name, "method": "restyle", "args": [{"visible": [at == shown for at in places]}, places]}
            for shown, name in enumerate(_BOUNDS)
        ],
    }


def _heat(raster: Raster, codes: Bytes, scale: ColourScale, unit: str, bound: str = "") -> Trace:
    """The picture of what is expected, or of a `bound` of it, which is seen when it is asked for."""
    ticks = scale.ticks()
    return {
        "type": "heatmap",
        "z": codes,
        "visible": not bound,
        "x0": raster.start_ms + raster.step_ms / 2,
        "dx": raster.step_ms,
        "y0": raster.low + raster.row_height / 2,
        "dy": raster.row_height,
        "zmin": 0,
        "zmax": 255,
        "zsmooth": False,
        "colorscale": _colours(),
        "hovertemplate": "%{x|%Y-%m-%d %H:%M}<br>%{y:,.6~r}<extra></extra>",
        "name": "liquidation levels",
        "meta": {"amounts": [float(f"{value:.3g}") for value in scale.decode()], "unit": unit, "bound": bound},
        "colorbar": {
            "orientation": "h",
            "x": 1,
            "xanchor": "right",
            "y": -0.05,
            "yanchor": "top",
            "title": {"text": f"{bound} {unit} per {100 * raster.bin_width:.2g}% of price".strip(), "side": "top"},
            "tickmode": "array",
            "tickvals": [float(code) for code in scale.encode(ticks)],
            "ticktext": [amount(tick, trimmed=True) for tick in ticks],
            "tickfont": {"size": 11, "color": MUTED},
            "thickness": 10,
            "len": 0.4,
            "outlinewidth": 0,
        },
    }


def _colours() -> list[tuple[float, str]]:
    """Byte 0 is what is not recorded, 1 to 255 are the heat."""
    first = 0.5 / 255
    heat = [(first + (1 - first) * i / (len(HEAT) - 1), colour) for i, colour in enumerate(HEAT)]
    return [(0.0, UNKNOWN), (first, UNKNOWN), *heat]


def _times(raster: Raster | None, candles: Candles | None) -> list[float] | None:
    starts, ends = [], []
    if raster is not None:
        starts.append(raster.start_ms)
        ends.append(raster.end_ms)
    if candles is not None:
        starts.append(float(candles.time_ms[0]))
        ends.append(float(candles.time_ms[-1]) + candles.minutes * 60_000)
    return [min(starts), max(ends)] if starts else None


def _view(candles: Candles) -> tuple[float, float]:
    """What price did and a margin of levels on both sides."""
    low, high = float(candles.low.min()), float(candles.high.max())
    margin = float(np.clip(_MARGIN_OF_RANGE * (high - low), _LEAST_MARGIN * high, _MOST_MARGIN * high))
    return low - margin, high + margin
