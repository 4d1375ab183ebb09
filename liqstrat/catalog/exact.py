"""Decimals of the engine as the nearest doubles."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def exact(values: Floats, decimals: int) -> Floats:
    """The nearest doubles to decimals of the engine, whose own conversion is off in the last bit."""
    scale = 10.0**decimals
    rounded: Floats = np.rint(values * scale) / scale
    return rounded
