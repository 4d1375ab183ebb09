"""What can be chosen about the model, with the reasons for the defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from liqstrat.liquidation.price import Formula

#: Share of opened contracts by leverage. An assumption: the exchange does not publish it.
DEFAULT_LEVERAGE: Mapping[int, float] = MappingProxyType(
    {3: 0.08, 5: 0.15, 10: 0.27, 20: 0.22, 50: 0.15, 100: 0.09, 125: 0.04}
)


@dataclass(frozen=True)
class ModelSettings:
    """Settings of the liquidation book.

    bin_width: relative width of a price bin (0.001 = 10 bp); the grid is logarithmic.
    turnover: contracts closed by their holders, per contract traded (0.1: of 100 traded, 10 close a position).
    taker_weight: how much more a taker's trade counts as opening than a maker's (makers are often market makers).
    leverage: shares of opened contracts by leverage; scaled to sum to one.
    formula: "exact" or "linear" liquidation price.
    """

    bin_width: float = 0.001
    turnover: float = 0.1
    taker_weight: float = 2.0
    leverage: Mapping[int, float] = field(default_factory=lambda: dict(DEFAULT_LEVERAGE))
    formula: Formula = "exact"

    def __post_init__(self) -> None:
        if not 0.00005 <= self.bin_width <= 0.05:
            raise ValueError(f"bin_width is {self.bin_width}, expected a share of price from 0.00005 to 0.05")
        if not 0 <= self.turnover <= 5:
            raise ValueError(f"turnover is {self.turnover}, expected 0 to 5 contracts closed per contract traded")
        if not 0 <= self.taker_weight <= 1000:
            raise ValueError(f"taker_weight is {self.taker_weight}, expected 0 to 1000")
        if self.formula not in ("exact", "linear"):
            raise ValueError(f'formula is "{self.formula}", expected "exact" or "linear"')
        if not self.leverage or any(not 1 <= tier <= 150 for tier in self.leverage):
            raise ValueError(f"leverage is {dict(self.leverage)}, expected shares by leverage from 1 to 150")
        if any(share < 0 for share in self.leverage.values()) or sum(self.leverage.values()) <= 0:
            raise ValueError(f"leverage is {dict(self.leverage)}, expected shares of zero or more, not all zero")
