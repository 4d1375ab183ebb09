"""Books of other settings that may be as true as a map's own.

Nobody knows the leverage mix, nor how positions close. So books are stepped beside the map's own whose settings are
drawn around its settings, as far as books are wrong on markets of another mechanism. Where they differ the map is
uncertain; `banded` makes a band of it.

`_WIDER` stretches differences between books. It was chosen on six kinds of simulated market: docs/model.md.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.liquidation.settings import ModelSettings

#: Books beside the map's own.
MEMBERS = 24
#: The truth lies between a band's bounds in so many of bins.
LEVEL = 0.9
_WIDER = 2.0
_SEED = 1
#: How far off a book's logarithms of shares may be where nothing tells it better: standard deviations of a tilt over a
#: factor of ten of leverage, and of each tier by itself.
_TILT, _ALONE = 0.65, 0.25
#: Standard deviations of the other settings: of logarithms, then as they are.
_FACTORS = {"turnover": 0.5, "taker_weight": 0.5, "unrest": 0.7, "seed_spread": 0.4}
_SHIFTS = {"haste": 0.25, "first_against": 0.15}
_MOST = {
    "turnover": 5.0,
    "taker_weight": 1000.0,
    "unrest": 10.0,
    "seed_spread": 1.0,
    "haste": 2.0,
    "first_against": 1.0,
}


def share_error(tiers: Ints, tilt: float = _TILT, alone: float = _ALONE) -> Floats:
    """Covariance of errors of logarithms of shares, by standard deviations of a tilt over a factor of ten of leverage
    and of each tier by itself."""
    powers = np.log(tiers) / np.log(10.0)
    found: Floats = tilt**2 * np.outer(powers, powers) + alone**2 * np.eye(len(tiers))
    return found


def others(settings: ModelSettings, count: int = MEMBERS) -> list[ModelSettings]:
    """Settings that may be as true as these, the same ones each time."""
    rng = np.random.default_rng(_SEED)
    held = {tier: share for tier, share in settings.leverage.items() if share > 0}
    tiers = np.array(sorted(held), dtype=np.int64)
    logs = np.log([held[int(tier)] for tier in tiers])
    sizes, axes = np.linalg.eigh(share_error(tiers))
    found = []
    for _ in range(count):
        drawn = logs + axes @ (np.sqrt(np.maximum(sizes, 0.0)) * rng.standard_normal(len(tiers)))
        shares = np.exp(drawn - drawn.max())
        values = {
            **{name: getattr(settings, name) * np.exp(rng.normal(0, spread)) for name, spread in _FACTORS.items()},
            **{name: getattr(settings, name) + rng.normal(0, spread) for name, spread in _SHIFTS.items()},
        }
        bounded: dict[str, Any] = {name: float(np.clip(value, 0.0, _MOST[name])) for name, value in values.items()}
        leverage = dict(zip(tiers.tolist(), (shares / shares.sum()).tolist(), strict=True))
        found.append(replace(settings, leverage=leverage, **bounded))
    return found


def wider(expected: Floats) -> Floats:
    """What books expect, `[book, ...]`, with their differences from the middle one stretched."""
    middle = expected.mean(axis=0)
    some = middle > 0
    ratio = np.divide(expected, middle, out=np.ones_like(expected), where=some)
    found: Floats = np.where(some, middle * np.maximum(ratio, 1e-9) ** _WIDER, 0.0)
    return found
