"""A mixture of models: the map of each, in proportion to its weight."""

from collections.abc import Sequence

import numpy as np

from liqstrat.liquidation.brackets import BracketTable
from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.liquidation.map import LiquidationMap, Profile
from liqstrat.liquidation.model import NOTHING, Consumed, LiquidationModel, Saved, Since
from liqstrat.liquidation.settings import ModelSettings


class Ensemble:
    """Steps all its `members` (weight and model) and mixes their maps, each side scaled to the open interest first.

    Densities are mixed, never prices.
    """

    def __init__(self, settings: ModelSettings, members: Sequence[tuple[float, LiquidationModel]]) -> None:
        self.settings = settings
        total = sum(weight for weight, _ in members)
        self._members = [(weight / total, model) for weight, model in members]
        self._leader = max(self._members, key=lambda member: member[0])[1]
        self.symbol = self._leader.symbol
        self.tiers: Ints = np.unique(np.concatenate([model.tiers for _, model in members]))

    @property
    def open_interest(self) -> float:
        """Contracts, at the last step."""
        return self._leader.open_interest

    @property
    def price(self) -> float:
        """USDT, the last one of the last step with trades; NaN before the first."""
        return self._leader.price

    @property
    def time_ns(self) -> int:
        """End of the last step, 0 before the first."""
        return self._leader.time_ns

    @property
    def seeded_share(self) -> float:
        """Part of the levels that is a guess about the time before history."""
        return sum(weight * model.seeded_share for weight, model in self._members)

    def brackets(self, time_ns: int) -> BracketTable:
        """The bracket table in force at `time_ns`."""
        return self._leader.brackets(time_ns)

    def step(self, flow: Flow, open_interest: float) -> Consumed:
        """Step every member; what the one with the most weight reports as run through."""
        for _, model in self._members:
            consumed = model.step(flow, open_interest)
            if model is self._leader:
                told = consumed
        return told

    def saved(self) -> Saved:
        """All that its members learnt, see `LiquidationModel.saved`."""
        members = enumerate(model.saved() for _, model in self._members)
        return {f"{number}_{name}": values for number, saved in members for name, values in saved.items()}

    def restore(self, saved: Saved) -> None:
        """Become what was saved."""
        for number, (_, model) in enumerate(self._members):
            own = f"{number}_"
            model.restore({name.removeprefix(own): saved[name] for name in saved if name.startswith(own)})

    def reaches(self, low: float, high: float) -> bool:
        """Whether any member's levels may be run through."""
        return any(model.reaches(low, high) for _, model in self._members)

    def profile(self, span: float) -> Profile:
        """That of the mixture's map."""
        return self.map(span=span).profile()

    def map(self, since: Since = NOTHING, *, span: float | None = None) -> LiquidationMap:
        """The mixture of all members' maps."""
        maps = [model.map(since) for _, model in self._members]
        first = min((one.first_bin for one in maps if one.longs.size), default=0)
        last = max((one.first_bin + one.longs.shape[1] for one in maps if one.longs.size), default=0)
        leading = next(m for m, (_, model) in zip(maps, self._members, strict=True) if model is self._leader)
        sides = {}
        for side in ("long", "short"):
            contracts = np.zeros((len(self.tiers), last - first))
            hours, unplaced = np.zeros_like(contracts), np.zeros(len(self.tiers))
            for (weight, _), one in zip(self._members, maps, strict=True):
                placed, placed_hours, floating = _side_of(one, side)
                if not placed.sum() + floating.sum() > 0:
                    continue
                scale = weight * leading.open_interest / float(placed.sum() + floating.sum())
                rows = np.searchsorted(self.tiers, one.tiers)
                here = slice(one.first_bin - first, one.first_bin - first + placed.shape[1])
                contracts[rows, here] += placed * scale
                hours[rows, here] += placed_hours * scale
                unplaced[rows] += floating * scale
            sides[side] = contracts, hours, unplaced
        (longs, long_hours, long_unplaced), (shorts, short_hours, short_unplaced) = sides["long"], sides["short"]
        mixed = LiquidationMap(
            symbol=self.symbol,
            time_ns=leading.time_ns,
            price=leading.price,
            open_interest=leading.open_interest,
            width=leading.width,
            tiers=self.tiers,
            first_bin=first,
            longs=longs,
            shorts=shorts,
            long_hours=long_hours,
            short_hours=short_hours,
            long_unplaced=long_unplaced,
            short_unplaced=short_unplaced,
            seeded_share=self.seeded_share,
            contract=leading.contract,
        )
        return mixed if span is None else mixed.within(span)


def _side_of(levels: LiquidationMap, side: str) -> tuple[Floats, Floats, Floats]:
    if side == "long":
        return levels.longs, levels.long_hours, levels.long_unplaced
    return levels.shorts, levels.short_hours, levels.short_unplaced
