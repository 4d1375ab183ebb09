"""The liquidation map: what stands at each price at one moment, by leverage."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from plotly.colors import sample_colorscale

from liqstrat.liquidation.contract import LINEAR, Contract
from liqstrat.report import numbers
from liqstrat.report.error_bars import error_bars
from liqstrat.report.spec import Spec, Trace, spec_of
from liqstrat.report.theme import LEVERAGE, LONG, PLOT, SHORT, TEXT, faded

Floats = npt.NDArray[np.float64]

#: Of the ends of a band, faint enough for the bars to be seen.
WHISKER = faded(TEXT, 0.4)
#: The name of the price, over its line.
_LABEL = {"showarrow": False, "font": {"size": 12, "color": TEXT}, "bgcolor": faded(PLOT, 0.8), "borderpad": 3}
_HEIGHT = 480
_MOST_BARS = 180
_FURTHEST = 0.5


def map_figure(
    levels: pa.Table,
    price: float,
    *,
    span: float = 0.2,
    simulated: bool = False,
    height: int = _HEIGHT,
    contract: Contract = LINEAR,
) -> Spec:
    """Bars of what contracts are worth by liquidation price, stacked by leverage, and sums growing outwards from
    `price` on a second axis.

    levels: rows `side`, `price_low`, `price_high`, `leverage`, `contracts` of one map; with `low` and `high` of a band
    there are whiskers, as if the bins of a bar were wrong together. span: the fraction of price
    shown at first; up to half of price can be moved into view.
    """
    lows, highs = numbers.doubles(levels["price_low"]), numbers.doubles(levels["price_high"])
    worth = numbers.doubles(levels["contracts"]) * contract.worth(np.sqrt(lows * highs))
    leverage = np.asarray(levels["leverage"], dtype=np.int64)
    longs = np.asarray(levels["side"].to_pylist()) == "long"
    near = np.abs(np.sqrt(lows * highs) / price - 1) <= _FURTHEST
    traces: list[Trace] = []
    unit = contract.quote
    if near.any():
        edges = _edges(lows[near], highs[near], price * (1 - span), price * (1 + span))
        unit = f"{contract.quote} per {100 * np.median(edges[1:] / edges[:-1] - 1):.2g}% of price"
        bars = np.clip(np.searchsorted(edges, lows[near] * (1 + 1e-9), side="right") - 1, 0, len(edges) - 2)
        traces += _bars(edges, bars, leverage[near], worth[near])
        if "low" in levels.column_names:
            price_of = contract.worth(np.sqrt(lows * highs))
            bounds = [numbers.doubles(levels[name]) * price_of for name in ("low", "high")]
            # All leverages of a bin have the same.
            _, first = np.unique(np.stack([longs[near], lows[near]]), axis=1, return_index=True)
            total = np.bincount(bars, weights=worth[near], minlength=len(edges) - 1)
            of_bars = [np.bincount(bars[first], one[near][first], minlength=len(edges) - 1) for one in bounds]
            traces.append(_whiskers(edges, total, *of_bars))
        below, above = (
            np.bincount(bars[side], weights=worth[near][side], minlength=len(edges) - 1)
            for side in (longs[near], ~longs[near])
        )
        traces.append(_curve("longs, sum", edges[:-1], np.cumsum(below[::-1])[::-1], below, LONG))
        traces.append(_curve("shorts, sum", edges[1:], np.cumsum(above), above, SHORT))
    upright = {"type": "line", "xref": "x", "x0": price, "x1": price, "yref": "y domain", "y0": 0, "y1": 1}
    told = {"text": f"price {numbers.price(price)}", "x": price, "y": 1, "yref": "paper", "yanchor": "top"}
    return spec_of(
        traces,
        height=height,
        simulated=simulated,
        shapes=[{**upright, "line": {"color": TEXT, "width": 1.5, "dash": "dash"}}],
        annotations=[{**told, **_LABEL}],
        barmode="stack",
        bargap=0.08,
        dragmode="pan",
        hovermode="x unified",
        xaxis={
            "range": [price * (1 - span), price * (1 + span)],
            "tickformat": ",~r",
            "title": {"text": f"price, {contract.quote}"},
        },
        yaxis={"title": {"text": unit}, "rangemode": "tozero", "fixedrange": True},
        yaxis2={
            "title": {"text": f"sum from price outwards, {contract.quote}"},
            "overlaying": "y",
            "side": "right",
            "rangemode": "tozero",
            "tickmode": "auto",
            "fixedrange": True,
            "showgrid": False,
        },
    )


def _edges(lows: Floats, highs: Floats, low: float, high: float) -> Floats:
    """Edges of the bars: those of the price bins, joined until at most `_MOST_BARS` stand from `low` to `high`."""
    edges = np.append(np.unique(lows), highs.max())
    edges = edges[np.append(True, np.diff(np.log(edges)) > 1e-7)]
    in_view = int(((edges >= low) & (edges <= high)).sum())
    joined = edges[:: max(int(np.ceil(in_view / _MOST_BARS)), 1)]
    return joined if joined[-1] == edges[-1] else np.append(joined, edges[-1])


def _bars(
    edges: Floats, bars: npt.NDArray[np.int64], leverage: npt.NDArray[np.int64], worth: Floats
) -> Iterator[Trace]:
    """A trace a leverage."""
    tiers = np.unique(leverage)
    colours = sample_colorscale(list(LEVERAGE), np.linspace(0, 1, len(tiers)) if len(tiers) > 1 else [0.5])
    for tier, colour in zip(tiers, colours, strict=True):
        here = leverage == tier
        height = np.bincount(bars[here], weights=worth[here], minlength=len(edges) - 1)
        yield {
            "type": "bar",
            "x": (edges[:-1] + edges[1:]) / 2,
            "width": np.diff(edges),
            "y": height,
            "name": f"{tier}x",
            "marker": {"color": colour, "line": {"width": 0}},
            "text": [numbers.amount(value) for value in height],
            "textposition": "none",
            "hovertemplate": "%{text}",
        }


def _whiskers(edges: Floats, total: Floats, low: Floats, high: Floats) -> Trace:
    """Between which bounds each bar lies."""
    there = np.flatnonzero(total > 0)
    low, total, high = low[there], total[there], high[there]
    bars = error_bars(total, np.minimum(low, total), np.maximum(high, total), WHISKER)
    return {
        "type": "scatter",
        "x": ((edges[:-1] + edges[1:]) / 2)[there],
        "y": total,
        "name": "90 % band",
        "mode": "markers",
        "marker": {"size": 1, "color": WHISKER},
        "error_y": {**bars, "thickness": 1, "width": 0},
        "text": [f"{numbers.amount(least)} to {numbers.amount(most)}" for least, most in zip(low, high, strict=True)],
        "hovertemplate": "%{text}",
    }


def _curve(name: str, x: Floats, total: Floats, per_bar: Floats, colour: str) -> Trace:
    """A running sum over the bars from the first to the last that holds something."""
    held = np.flatnonzero(per_bar)
    part = slice(held[0], held[-1] + 1) if held.size else slice(0, 0)
    return {
        "type": "scatter",
        "x": x[part],
        "y": total[part],
        "yaxis": "y2",
        "name": name,
        "mode": "lines",
        "line": {"color": colour, "width": 2.5},
        "text": [numbers.amount(value) for value in total[part]],
        "hovertemplate": "%{text}",
    }
