"""How uncertain a map is: books of other settings beside it, and positions that come in lumps.

Nobody knows the leverage mix, nor how positions close. So books are stepped beside the map's own whose settings are
drawn around its settings, as far as books are wrong on markets of another mechanism. Where they differ the map is
uncertain. And what is open in a bin is a few positions, large or small: around what a book expects, contracts are drawn
from a gamma law whose lumps are as large as positions are, by what was liquidated.

`_WIDER` stretches differences between books, `_LUMPIER` what lumps are by liquidations. Both were chosen on six kinds
of simulated market, and the band held against four others: docs/model.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from liqstrat.liquidation.grid import Floats, Ints, bin_at
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.liquidation.settings import ModelSettings

#: Books beside the map's own.
MEMBERS = 24
#: The truth lies between a band's bounds in so many of bins.
LEVEL = 0.9
#: Fewer liquidations on record do not tell how large positions are, which is then taken to be a share of open interest.
FEWEST_LUMPS, _USUAL_LUMP = 30, 0.0005
_WIDER, _LUMPIER = 2.0, 1.5
_DRAWS, _SEED = 8, 1
#: What a book's holders, who close by other laws than real ones, add to the error of logarithms of shares: standard
#: deviations of a tilt over a factor of ten of leverage, and of each tier by itself (measured on markets of two
#: mechanisms, see `tests/benchmarks/calibrations.py`).
_BOOK_TILT, _BOOK_ALONE = 0.65, 0.25
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


@dataclass(frozen=True, eq=False)
class Band:
    """What may be open: contracts `drawn[draw, side, bin]`, longs first, from bin `first_bin` on."""

    first_bin: int
    width: float
    drawn: Floats

    def bins(self, level: float = LEVEL) -> tuple[Floats, Floats]:
        """The least and the most that stands in each bin, `[side, bin]` each."""
        low, high = np.quantile(self.drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
        return low, high

    def between(self, side: str, price_low: float, price_high: float, level: float = LEVEL) -> tuple[float, float]:
        """The least and the most of a side ("long", "short") from one price up to another, both edges of bins."""
        first, stop = (
            min(max(bin_at(price, self.width) - self.first_bin, 0), self.drawn.shape[2])
            for price in (price_low, price_high)
        )
        contracts = self.drawn[:, 0 if side == "long" else 1, first:stop].sum(axis=1)
        low, high = np.quantile(contracts, [(1 - level) / 2, (1 + level) / 2]).tolist()
        return low, high


def book_error(tiers: Ints) -> Floats:
    """Covariance of what a book gets wrong of logarithms of shares."""
    tilt = np.log(tiers) / np.log(10.0)
    found: Floats = _BOOK_TILT**2 * np.outer(tilt, tilt) + _BOOK_ALONE**2 * np.eye(len(tiers))
    return found


def others(settings: ModelSettings, count: int = MEMBERS) -> list[ModelSettings]:
    """Settings that may be as true as these, the same ones each time."""
    rng = np.random.default_rng(_SEED)
    held = {tier: share for tier, share in settings.leverage.items() if share > 0}
    tiers = np.array(sorted(held), dtype=np.int64)
    logs = np.log([held[int(tier)] for tier in tiers])
    sizes, axes = np.linalg.eigh(book_error(tiers))
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


def lump_of(contracts: Floats, open_interest: float) -> float:
    """Contracts of the position that a contract usually belongs to, by single liquidations, which are smaller."""
    if len(contracts) < FEWEST_LUMPS:
        return _LUMPIER * _USUAL_LUMP * open_interest
    return float(_LUMPIER * (contracts**2).sum() / contracts.sum())


def band_of(levels: LiquidationMap, beside: Sequence[LiquidationMap], lump: float) -> Band:
    """The band of a map by those of `others` at the same moment; `lump` is in contracts."""
    expected = np.stack([_on(levels, one) for one in [levels, *beside]])
    middle = expected.mean(axis=0)
    some = middle > 0
    ratio = np.divide(expected, middle, out=np.ones_like(expected), where=some)
    wider = np.where(some, middle * np.maximum(ratio, 1e-9) ** _WIDER, 0.0)
    shape = np.repeat(wider, _DRAWS, axis=0) / lump
    # A gamma law without any shape is refused; nothing is drawn from this one.
    drawn = np.random.default_rng(_SEED).gamma(np.maximum(shape, 1e-12)) * lump
    return Band(levels.first_bin, levels.width, drawn)


def _on(levels: LiquidationMap, other: LiquidationMap) -> Floats:
    """Another map's contracts on the bins of this one, `[side, bin]`."""
    bins = levels.longs.shape[1]
    found = np.zeros((2, bins))
    low, high = (
        max(levels.first_bin, other.first_bin),
        min(levels.first_bin + bins, other.first_bin + other.longs.shape[1]),
    )
    if high > low:
        for row, contracts in zip(found, (other.longs, other.shorts), strict=True):
            part = contracts[:, low - other.first_bin : high - other.first_bin]
            row[low - levels.first_bin : high - levels.first_bin] = part.sum(axis=0)
    return found
