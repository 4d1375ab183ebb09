"""A map in sentences: which side holds more near price, and the nearest strong levels."""

from typing import Any

import numpy as np
import pyarrow as pa

from liqstrat.report.numbers import amount, percent, price

_NEAR = 0.10
#: Of a side's contracts around price: what a cluster must hold to be called strong.
_STRONG = 0.05
_EVEN = 1.15


def words_on(rows: pa.Table, at: float, clusters: list[dict[str, Any]]) -> list[str]:
    """Sentences on a map's rows (`side`, `distance`, `usdt`) around the price `at` and on its clusters."""
    distance, usdt = (np.asarray(rows[name], dtype=np.float64) for name in ("distance", "usdt"))
    longs = np.array(rows["side"].to_pylist()) == "long"
    near = np.abs(distance) <= _NEAR
    below, above = float(usdt[near & longs].sum()), float(usdt[near & ~longs].sum())
    return [_imbalance(below, above), *_nearest(clusters, "long"), *_nearest(clusters, "short")]


def _imbalance(longs: float, shorts: float) -> str:
    near = f"Within {percent(_NEAR, 0)} of price"
    if not longs or not shorts:
        held, what = (longs, "longs below") if longs else (shorts, "shorts above")
        return f"{near}: {amount(held)} USDT of {what}." if held else f"{near} there is nothing."
    told = f"{near}: {amount(longs)} USDT of longs below, {amount(shorts)} of shorts above"
    ratio = max(longs, shorts) / min(longs, shorts)
    if ratio < _EVEN:
        return f"{told}: about even."
    return f"{told}: {ratio:.1f} times as much {'below' if longs > shorts else 'above'}."


def _nearest(clusters: list[dict[str, Any]], side: str) -> list[str]:
    strong = [one for one in clusters if one["side"] == side and one["strength"] >= _STRONG]
    if not strong:
        return []
    one = min(strong, key=lambda cluster: abs(cluster["distance"]))
    tier, share = max(one["leverage"].items(), key=lambda item: item[1])
    return [
        f"Nearest strong level {'below' if side == 'long' else 'above'}: {price(one['price'])} "
        f"({percent(one['distance'], signed=True)}), {amount(one['notional'])} USDT of {side}s, "
        f"mostly {tier}x ({percent(share, 0)})."
    ]
