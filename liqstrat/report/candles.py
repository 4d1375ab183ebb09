"""Candles in several lengths, of which a page shows the finest that is still readable."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from liqstrat.report.numbers import doubles, milliseconds
from liqstrat.report.spec import Trace
from liqstrat.report.theme import DOWN, UP

Floats = npt.NDArray[np.float64]

#: More candles than this in view are a blur.
MOST_IN_VIEW = 400
_LENGTHS = (1, 5, 15, 30, 60, 120, 240, 720, 1440)


@dataclass(frozen=True, eq=False)
class Candles:
    """Arrays of one entry a candle; `time_ms` is its open, `minutes` its length, prices in USDT."""

    minutes: float
    time_ms: Floats
    open: Floats
    high: Floats
    low: Floats
    close: Floats

    def __len__(self) -> int:
        return len(self.time_ms)


def read_candles(table: pa.Table | None) -> Candles | None:
    """Candles of a table with `time`, `open`, `high`, `low`, `close`; None where there are none."""
    if table is None or not len(table):
        return None
    time_ms = milliseconds(table["time"])
    minutes = float(np.diff(time_ms).min()) / 60_000 if len(time_ms) > 1 else 1.0
    return Candles(minutes, time_ms, *(doubles(table[name]) for name in ("open", "high", "low", "close")))


def candle_traces(candles: Candles) -> list[Trace]:
    """One trace a length, finest first; the finest with at most `MOST_IN_VIEW` candles is visible.

    `meta.minutes` names the length, so that a page can show another one when the view changes.
    """
    every = [candles]
    for minutes in _LENGTHS:
        if minutes > candles.minutes and minutes % candles.minutes == 0 and len(every[-1]) > MOST_IN_VIEW / 4:
            every.append(_joined(candles, minutes))
    shown = next((i for i, one in enumerate(every) if len(one) <= MOST_IN_VIEW), len(every) - 1)
    return [_trace(one, visible=i == shown) for i, one in enumerate(every)]


def _joined(candles: Candles, minutes: int) -> Candles:
    """Longer candles, opened at whole multiples of their length."""
    length = minutes * 60_000.0
    opened = np.floor(candles.time_ms / length) * length
    first = np.flatnonzero(np.diff(opened, prepend=-1.0))
    last = np.append(first[1:], len(opened)) - 1
    return Candles(
        minutes,
        opened[first],
        candles.open[first],
        np.maximum.reduceat(candles.high, first),
        np.minimum.reduceat(candles.low, first),
        candles.close[last],
    )


def _trace(candles: Candles, *, visible: bool) -> Trace:
    return {
        "type": "candlestick",
        "x": candles.time_ms + candles.minutes * 30_000,
        "open": candles.open,
        "high": candles.high,
        "low": candles.low,
        "close": candles.close,
        "name": "price",
        "meta": {"candle_minutes": candles.minutes},
        "visible": visible,
        "showlegend": False,
        "hoverinfo": "skip",
        "whiskerwidth": 0,
        "increasing": {"line": {"color": UP, "width": 1}, "fillcolor": UP},
        "decreasing": {"line": {"color": DOWN, "width": 1}, "fillcolor": DOWN},
    }
