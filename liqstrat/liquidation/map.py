"""The liquidation map: the book at one moment."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from liqstrat.liquidation.compiled import compiled
from liqstrat.liquidation.contract import LINEAR, Contract
from liqstrat.liquidation.grid import Floats, Ints, bins_within, low_edge, middle
from liqstrat.liquidation.lumps import Band


class Profile(NamedTuple):
    """Contracts of all leverages by price bin, from bin `first_bin` on, of longs and of shorts."""

    first_bin: int
    width: float
    longs: Floats
    shorts: Floats


@compiled
def over_tiers(contracts: Floats) -> Floats:
    """The sums over the tiers of `[tier, bin]`."""
    total = np.zeros(contracts.shape[1])
    for tier in range(contracts.shape[0]):
        for column in range(contracts.shape[1]):
            total[column] += contracts[tier, column]
    return total


@dataclass(frozen=True, eq=False)
class LiquidationMap:
    """Contracts by liquidation price, as they could have been known at `time_ns` (nanoseconds since 1970, UTC).

    `longs` and `shorts` are `[tier, bin]` arrays in contracts (base asset); bin `i` reaches from `low_edges[i]` up to
    `high_edges[i]`. `long_hours` and `short_hours` are the same contracts, each times when it was opened (hours
    since 1970): divided by the contracts, their mean opening time. `long_unplaced[tier]` is what no price can
    liquidate. Longs, placed or not, sum to the open interest of the last step, less what `low` and `high` ran through
    since, and less what lies outside the bins where only a part of them was asked for; shorts likewise.
    `seeded_share` is the part that was open when history began: where it stands is a guess. `contract` says what
    contracts are worth; those of inverse markets are no base asset. `band`: what may stand there, None where the model
    keeps none.
    """

    symbol: str
    time_ns: int
    price: float
    open_interest: float
    width: float
    tiers: Ints
    first_bin: int
    longs: Floats
    shorts: Floats
    long_hours: Floats
    short_hours: Floats
    long_unplaced: Floats
    short_unplaced: Floats
    seeded_share: float
    contract: Contract = LINEAR
    band: Band | None = None

    @cached_property
    def low_edges(self) -> Floats:
        return low_edge(self._bins, self.width)

    @cached_property
    def high_edges(self) -> Floats:
        return low_edge(self._bins + 1, self.width)

    @cached_property
    def middles(self) -> Floats:
        """Price at which a bin's contracts are valued."""
        return middle(self._bins, self.width)

    @property
    def _bins(self) -> Ints:
        return self.first_bin + np.arange(self.longs.shape[1], dtype=np.int64)

    def profile(self) -> Profile:
        """What stands in each bin, of all leverages."""
        return Profile(self.first_bin, self.width, over_tiers(self.longs), over_tiers(self.shorts))

    def within(self, span: float) -> "LiquidationMap":
        """The same map, less the bins that are farther from price than that fraction of it."""
        lowest, after = bins_within(self.price, span, self.width) if self.longs.size else (0, 0)
        first = min(max(lowest - self.first_bin, 0), self.longs.shape[1])
        stop = max(min(after - self.first_bin, self.longs.shape[1]), first)
        if (first, stop) == (0, self.longs.shape[1]):
            return self
        arrays = {name: getattr(self, name)[:, first:stop] for name in ("longs", "shorts", "long_hours", "short_hours")}
        band = self.band and self.band.part(first, stop)
        return replace(self, first_bin=self.first_bin + first, band=band, **arrays)

    def columns(self, span: float | None = None) -> dict[str, npt.NDArray[Any]]:
        """Rows of the map that hold contracts: `side` ("long" or "short"), `price_low`, `price_high`, `leverage`,
        `contracts`; longs first, then by leverage and price. `span` keeps bins within that fraction of price. With a
        band also `low` and `high`: the least and the most contracts of the whole bin and side, all leverages together.
        """
        near = np.ones(self.longs.shape[1], dtype=np.bool_)
        if span is not None:
            near = np.abs(self.middles / self.price - 1) <= span
        parts = []
        for name, contracts in (("long", self.longs), ("short", self.shorts)):
            tier, column = np.nonzero((contracts > 0) & near)
            parts.append((np.full(len(tier), name), tier, column, contracts[tier, column]))
        side, tier, column, amount = (np.concatenate(values) for values in zip(*parts, strict=True))
        bounds = {}
        if self.band is not None:
            place = (side == "short").astype(np.int64), column
            bounds = {name: bound[place] for name, bound in zip(("low", "high"), self.band.bins, strict=True)}
        return {
            "side": side,
            "price_low": self.low_edges[column],
            "price_high": self.high_edges[column],
            "leverage": self.tiers[tier].astype(np.int32),
            "contracts": amount,
            **bounds,
        }
