"""The logarithmic price grid: bin `k` holds prices from `(1 + width)^k` up to `(1 + width)^(k + 1)`.

On it a leverage tier is a shift: all positions opened in one bin at one leverage are liquidated a fixed number
of bins away, whatever the price.
"""

from math import ceil, floor, log, log1p

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Share of a bin by which a price may lie below an edge and still belong above it: keeps the last bit of a
#: logarithm from deciding, so that every way of counting (SQL, NumPy) puts a price into the same bin.
EDGE_TOLERANCE = 1e-9


def log_step(width: float) -> float:
    """Width of a bin in natural logarithm of price."""
    return log1p(width)


def bin_of(price: npt.ArrayLike, width: float) -> Ints:
    """Bin of each price (USDT, above zero)."""
    logs = np.log(np.asarray(price, dtype=np.float64))
    return np.floor(logs / log_step(width) + EDGE_TOLERANCE).astype(np.int64)


def bin_at(price: float, width: float) -> int:
    """Bin of one price; as `bin_of`, but for a single one many times as fast."""
    return floor(log(price) / log1p(width) + EDGE_TOLERANCE)


def low_edge(k: npt.ArrayLike, width: float) -> Floats:
    """Lowest price of bin `k`, which is the highest of bin `k - 1`."""
    return np.exp(np.asarray(k, dtype=np.float64) * log_step(width))


def middle(k: npt.ArrayLike, width: float) -> Floats:
    """Price in the middle of bin `k` on the logarithmic scale."""
    return np.exp((np.asarray(k, dtype=np.float64) + 0.5) * log_step(width))


def bins_within(price: float, span: float, width: float) -> tuple[int, int]:
    """First bin, and the one after the last, of those whose middle is within the fraction `span` of `price`."""
    low, high = (log(price * max(share, 1e-9)) / log1p(width) - 0.5 for share in (1 - span, 1 + span))
    return ceil(low), floor(high) + 1
