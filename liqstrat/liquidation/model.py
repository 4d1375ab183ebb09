"""What every model of liquidation levels can do and tell."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from liqstrat.liquidation.brackets import BracketTable
from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.liquidation.map import LiquidationMap, Profile
from liqstrat.liquidation.settings import ModelSettings


@dataclass(frozen=True, eq=False)
class Brief:
    """What opened and was liquidated within one interval, as in `Consumed`; both sides from bin `first` on."""

    first: int
    longs: Floats
    shorts: Floats


@dataclass(frozen=True, eq=False)
class Consumed:
    """What one interval ran through: contracts by tier and price bin, `longs[tier, bin]` from bin `long_first` on.

    Bins are those of the flow, of which a map's has `ModelSettings.bin_parts`. All of it was open when the interval
    began; `brief` besides are told where a model was asked for them.
    """

    time_ns: int
    long_first: int
    longs: Floats
    short_first: int
    shorts: Floats
    brief: Brief | None = None

    @classmethod
    def nothing(cls, time_ns: int, tiers: int) -> "Consumed":
        """Nothing of `tiers` tiers."""
        none = np.zeros((tiers, 0))
        return cls(time_ns, 0, none, 0, none)


#: What a model has learnt, as arrays by name.
Saved = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Since:
    """What a model is told of the time after its last step when it is asked for a map.

    time_ns: the moment of asking. low, high: how far price went since, NaN where nothing traded. price: the last one,
    USDT. None is as it was at the last step.
    """

    time_ns: int | None = None
    low: float = nan
    high: float = nan
    price: float | None = None


#: Nothing has happened.
NOTHING = Since()


class LiquidationModel(Protocol):
    """Steps through intervals and knows the map after each."""

    @property
    def settings(self) -> ModelSettings:
        """What was chosen."""

    @property
    def symbol(self) -> str:
        """The exchange's name of the market."""

    @property
    def tiers(self) -> Ints:
        """The leverages of the map's rows."""

    @property
    def open_interest(self) -> float:
        """Contracts, at the last step."""

    @property
    def price(self) -> float:
        """USDT, the last one of the last step with trades; NaN before the first."""

    @property
    def time_ns(self) -> int:
        """End of the last step, 0 before the first."""

    @property
    def seeded_share(self) -> float:
        """Part of the levels that is a guess about the time before history."""

    def brackets(self, time_ns: int) -> BracketTable:
        """The bracket table in force at `time_ns`."""

    def step(self, flow: Flow, open_interest: float) -> Consumed:
        """Work one interval that ended at `flow.end_ns` with `open_interest` contracts; what price ran through."""

    def saved(self) -> Saved:
        """All that steps have taught it: a new model of the same settings, symbol and brackets that restores this goes
        on as this one would."""

    def restore(self, saved: Saved) -> None:
        """Become what was saved."""

    def reaches(self, low: float, high: float) -> bool:
        """Whether prices from `low` to `high` (USDT) may run through something of the map: false only where there are
        no longs at or above the one and no shorts at or below the other."""

    def profile(self, span: float) -> Profile:
        """That of `map(span=span)`, much sooner."""

    def map(self, since: Since = NOTHING, *, span: float | None = None) -> LiquidationMap:
        """The levels as of the last step, less what price ran through `since`; `span` leaves out bins that are farther
        from price than that fraction of it."""
