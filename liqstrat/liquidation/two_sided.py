"""What models have in common that keep their levels as two sides: settings, brackets of the day, and the map."""

from collections.abc import Sequence
from math import isnan

import numpy as np

from liqstrat.liquidation.brackets import BracketTable, dated_brackets, in_force
from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.grid import Ints, bin_at, bins_within
from liqstrat.liquidation.map import LiquidationMap, Profile
from liqstrat.liquidation.model import NOTHING, Consumed, Saved, Since
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.liquidation.side import FAR, SCALE, UNPLACED, Side, profiles, seeded_share, windows
from liqstrat.moments import DAY_NS, at_ns


class TwoSidedModel:
    """Base of models with a `Side` of longs and one of shorts; see `LiquidationModel` for what all can do.

    `symbol` chooses the dated brackets, of those shipped and those `loaded` besides.
    """

    def __init__(self, settings: ModelSettings, symbol: str, loaded: Sequence[BracketTable], tiers: Ints) -> None:
        self.settings = settings
        self._width = settings.fine_width
        self.symbol = symbol
        self.tiers = tiers
        self.open_interest = 0.0
        self.price = np.nan
        self.time_ns = 0
        self._longs = Side(+1, len(tiers))
        self._shorts = Side(-1, len(tiers))
        self._dated = dated_brackets(symbol, loaded)
        self._day = -1

    def step(self, flow: Flow, open_interest: float) -> Consumed:
        """Work one interval, see `LiquidationModel.step`."""
        raise NotImplementedError

    def saved(self) -> Saved:
        """All that was learnt, see `LiquidationModel.saved`."""
        known = np.array([self.open_interest, self.price])
        sides = ("longs", self._longs), ("shorts", self._shorts)
        parts = {f"{name}_{part}": values for name, side in sides for part, values in side.saved().items()}
        return {"known": known, "time_ns": np.array(self.time_ns), **parts}

    def restore(self, saved: Saved) -> None:
        """Become what was saved."""
        self.open_interest, self.price = saved["known"].tolist()
        self.time_ns = int(saved["time_ns"])
        for name, side in (("longs_", self._longs), ("shorts_", self._shorts)):
            side.restore({key.removeprefix(name): saved[key] for key in saved if key.startswith(name)})

    @property
    def seeded_share(self) -> float:
        """Part of the levels that was open when history began: where it stands is a guess."""
        return float(seeded_share(self._longs.rows, self._shorts.rows))

    def brackets(self, time_ns: int) -> BracketTable:
        """The bracket table in force at `time_ns`; tables change by the day."""
        if time_ns // DAY_NS != self._day:
            self._day = time_ns // DAY_NS
            self._of_day = in_force(self._dated, at_ns(self._day * DAY_NS))
        return self._of_day

    def reaches(self, low: float, high: float) -> bool:
        """Whether prices from `low` to `high` may run through something, see `LiquidationModel.reaches`."""
        return self._longs.reaches(bin_at(low, self._width)) or self._shorts.reaches(bin_at(high, self._width))

    def profile(self, span: float | None) -> Profile:
        """The contracts of `map(span=span)` by bin, see `LiquidationModel.profile`."""
        first, last = self._shown(self.price, span)
        longs, shorts = profiles(
            self._longs.amounts, self._longs.rows, self._longs.first,
            self._shorts.amounts, self._shorts.rows, self._shorts.first, first, last, self.settings.bin_parts,
        )  # fmt: skip
        return Profile(first, self.settings.width, longs, shorts)

    def map(self, since: Since = NOTHING, *, span: float | None = None) -> LiquidationMap:
        """The levels as of the last step, see `LiquidationModel.map`."""
        price = self.price if since.price is None else since.price
        width, parts = self.settings.width, self.settings.bin_parts
        first, last = self._shown(price, span)
        longs, shorts, long_hours, short_hours = windows(
            self._longs.amounts, self._longs.rows, self._longs.first,
            self._shorts.amounts, self._shorts.rows, self._shorts.first, first, last, parts,
            FAR if isnan(since.low) else bin_at(since.low, self._width),
            -FAR if isnan(since.high) else bin_at(since.high, self._width) + 1,
        )  # fmt: skip
        return LiquidationMap(
            symbol=self.symbol,
            time_ns=self.time_ns if since.time_ns is None else since.time_ns,
            price=price,
            open_interest=self.open_interest,
            width=width,
            tiers=self.tiers,
            first_bin=first,
            longs=longs,
            shorts=shorts,
            long_hours=long_hours,
            short_hours=short_hours,
            long_unplaced=self._longs.rows[UNPLACED] * self._longs.rows[SCALE],
            short_unplaced=self._shorts.rows[UNPLACED] * self._shorts.rows[SCALE],
            seeded_share=self.seeded_share,
            contract=self._dated[0].contract,
        )

    def _shown(self, price: float, span: float | None) -> tuple[int, int]:
        """The first bin of a map, and the one after its last."""
        parts = self.settings.bin_parts
        sides = [side for side in (self._longs, self._shorts) if side.bins]
        first = min((side.first // parts for side in sides), default=0)
        last = max(((side.first + side.bins - 1) // parts + 1 for side in sides), default=0)
        if span is not None and sides:
            lowest, after = bins_within(price, span, self.settings.width)
            first = min(max(first, lowest), last)
            last = max(min(last, after), first)
        return first, last
