"""Placebo levels: as dense, as large and as far from price as a model's, but where nobody is known to be.

Every few hours the map is replaced by one that the same model had at another time before, moved so that it lies around
today's price as it lay around that day's, and turned over by chance: what longs were below price may be shorts above.
In between it stays where it is, and what price runs through is taken out, as of a real one. A strategy that earns as
much on these has not earned by levels. Only maps of the past are used: a placebo knows no more of the future than the
model does.
"""

from collections import deque
from dataclasses import replace
from math import isnan
from zlib import crc32

import numpy as np

from liqstrat.liquidation.brackets import BracketTable
from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.grid import Floats, Ints, bin_at
from liqstrat.liquidation.map import LiquidationMap, Profile
from liqstrat.liquidation.model import NOTHING, Consumed, LiquidationModel, Saved, Since
from liqstrat.liquidation.settings import ModelSettings

#: How long a placebo stays: levels of a day's leverage last for hours.
_STAYS_NS = 4 * 3_600_000_000_000
#: A map so young is too like today's.
_YOUNGEST = 6
#: The first maps of a history are a guess, and smooth as none is later: with clusters as wide as a tenth of price.
_GUESSED = 4
#: Maps that are chosen from; older ones are forgotten.
_MOST = 180
#: Farther from price than strategies look.
_SPAN = 0.3


class Placebo:
    """Steps the model that it is made of, and shows maps of that model from other times."""

    def __init__(self, model: LiquidationModel, seed: int = 1) -> None:
        self.seed = seed
        self._model = model
        self._before: deque[LiquidationMap] = deque(maxlen=_MOST)
        self._shown: LiquidationMap | None = None
        self._block = -1
        self._guessed = 0

    @property
    def settings(self) -> ModelSettings:
        """Of the model."""
        return self._model.settings

    @property
    def symbol(self) -> str:
        """The exchange's name of the market."""
        return self._model.symbol

    @property
    def tiers(self) -> Ints:
        """The leverages of the map's rows."""
        return self._model.tiers

    @property
    def open_interest(self) -> float:
        """Contracts, at the last step."""
        return self._model.open_interest

    @property
    def price(self) -> float:
        """USDT, the last one of the last step with trades; NaN before the first."""
        return self._model.price

    @property
    def time_ns(self) -> int:
        """End of the last step, 0 before the first."""
        return self._model.time_ns

    @property
    def seeded_share(self) -> float:
        """Of the model."""
        return self._model.seeded_share

    def brackets(self, time_ns: int) -> BracketTable:
        """The bracket table in force at `time_ns`."""
        return self._model.brackets(time_ns)

    def step(self, flow: Flow, open_interest: float) -> Consumed:
        """Step the model; what its own levels lose is told, what is shown loses what price ran through."""
        consumed = self._model.step(flow, open_interest)
        if isnan(self._model.price):
            return consumed
        if self._shown is not None and not isnan(flow.low):
            self._shown = _without(self._shown, flow.low, flow.high)
        block = flow.end_ns // _STAYS_NS
        if block != self._block:
            self._block = block
            self._show_another()
            if self._guessed < _GUESSED:
                self._guessed += 1
            else:
                self._before.append(self._model.map(span=_SPAN))
        return consumed

    def saved(self) -> Saved:
        """Maps of other times are not kept: a placebo is stepped through its history each time."""
        raise NotImplementedError

    def restore(self, saved: Saved) -> None:
        """See `saved`."""
        raise NotImplementedError

    def reaches(self, low: float, high: float) -> bool:
        """Whether prices from `low` to `high` may run through something of what is shown."""
        shown = self._shown
        if shown is None or not shown.longs.size:
            return False
        longs, shorts = (np.flatnonzero(side.any(axis=0)) for side in (shown.longs, shown.shorts))
        by_low = len(longs) > 0 and shown.first_bin + longs[-1] >= bin_at(low, shown.width)
        return bool(by_low or (len(shorts) > 0 and shown.first_bin + shorts[0] <= bin_at(high, shown.width)))

    def profile(self, span: float) -> Profile:
        """That of the map that is shown."""
        return self.map(span=span).profile()

    def map(self, since: Since = NOTHING, *, span: float | None = None) -> LiquidationMap:
        """What is shown, as of now; nothing at first, until there are maps of other times."""
        price = self.price if since.price is None else since.price
        time_ns = self.time_ns if since.time_ns is None else since.time_ns
        found = self._shown or _empty(self._model.map(span=0.0))
        if not isnan(since.low):
            found = _without(found, since.low, since.high)
        found = replace(found, price=price, time_ns=time_ns, open_interest=self.open_interest)
        return found if span is None else found.within(span)

    def _show_another(self) -> None:
        """Choose a map of before by chance, and lay it around today's price."""
        old = len(self._before) - _YOUNGEST
        if old <= 0:
            return
        chance = np.random.default_rng([self.seed, crc32(self.symbol.encode()), self._block])
        chosen = self._before[int(chance.integers(old))]
        if chance.random() < 0.5:
            chosen = _turned_over(chosen)
        shift = bin_at(self.price, chosen.width) - bin_at(chosen.price, chosen.width)
        hours = (self.time_ns - chosen.time_ns) / 3_600_000_000_000
        moved = replace(
            chosen,
            first_bin=chosen.first_bin + shift,
            long_hours=chosen.long_hours + hours * chosen.longs,
            short_hours=chosen.short_hours + hours * chosen.shorts,
        )
        self._shown = _without(moved, self.price, self.price)


def _turned_over(levels: LiquidationMap) -> LiquidationMap:
    """What is so many bins below price as much above it, and the other way round; longs become shorts."""
    at = bin_at(levels.price, levels.width)
    bins = levels.longs.shape[1]
    return replace(
        levels,
        first_bin=2 * at - (levels.first_bin + bins - 1),
        longs=levels.shorts[:, ::-1],
        shorts=levels.longs[:, ::-1],
        long_hours=levels.short_hours[:, ::-1],
        short_hours=levels.long_hours[:, ::-1],
        long_unplaced=levels.short_unplaced,
        short_unplaced=levels.long_unplaced,
    )


def _without(levels: LiquidationMap, low: float, high: float) -> LiquidationMap:
    """The map less longs at or above `low` and shorts at or below `high`."""
    bins = levels.longs.shape[1]
    last = min(max(bin_at(low, levels.width) - levels.first_bin, 0), bins)
    first = min(max(bin_at(high, levels.width) + 1 - levels.first_bin, 0), bins)
    if not levels.longs[:, last:].any() and not levels.shorts[:, :first].any():
        return levels
    kept = {name: getattr(levels, name).copy() for name in ("longs", "long_hours", "shorts", "short_hours")}
    for name in ("longs", "long_hours"):
        kept[name][:, last:] = 0.0
    for name in ("shorts", "short_hours"):
        kept[name][:, :first] = 0.0
    return replace(levels, **kept)


def _empty(levels: LiquidationMap) -> LiquidationMap:
    """A map like it with nothing in it."""
    nothing: Floats = np.zeros((len(levels.tiers), 0))
    return replace(
        levels, longs=nothing, shorts=nothing, long_hours=nothing, short_hours=nothing, first_bin=0, seeded_share=0.0
    )
