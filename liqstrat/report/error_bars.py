"""Intervals around points of a figure."""

from typing import Any

import numpy as np

from liqstrat.liquidation.grid import Floats


def error_bars(value: Floats, low: Floats, high: Floats, colour: str) -> dict[str, Any]:
    """Plotly's `error_y` from `low` to `high`; none where a bound is NaN."""
    return {
        "type": "data",
        "symmetric": False,
        "array": np.nan_to_num(high - value),
        "arrayminus": np.nan_to_num(value - low),
        "color": colour,
        "thickness": 1.5,
        "width": 4,
    }
