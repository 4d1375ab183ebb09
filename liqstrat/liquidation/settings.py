"""What can be chosen about the model, with the reasons for the defaults."""

from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field, fields, replace
from math import expm1, inf, isfinite, log1p
from types import MappingProxyType
from typing import Literal, get_args

from liqstrat.liquidation.large import LargeBy, LargeRule
from liqstrat.liquidation.price import Formula

Kind = Literal["conserving", "large_trades", "oi_candle", "ensemble"]

#: A thirtieth of a usual day's range of BTCUSDT.
USUAL_BIN_WIDTH = 0.001

#: Share of opened contracts by leverage. An assumption: the exchange does not publish it. The tiers are marks of its
#: slider; of several mixes this is among those whose maps told most of real liquidations (docs/real-markets.md).
DEFAULT_LEVERAGE: Mapping[int, float] = MappingProxyType(
    {3: 0.10, 5: 0.18, 10: 0.30, 20: 0.20, 25: 0.06, 50: 0.09, 75: 0.03, 100: 0.03, 125: 0.01}
)


#: Where positions are liquidated that are backed with much more than their margin: half of them at each.
_CROSS_TIERS = (1, 2)


@dataclass(frozen=True)
class ModelSettings:
    """Which model, and its settings.

    kind: "conserving" (the liquidation book), "large_trades", "oi_candle" or "ensemble".
    bin_width: relative width of a price bin (0.001 = 10 bp); the grid is logarithmic. 0 leaves it to the market's
      daily range and tick (`liqstrat.market.width`).
    bin_parts: into how many each bin is cut for the book. Of the part that price ends in, what it did not reach goes as
      well; of a whole bin that would be so much that maps miss what is near.
    turnover: contracts closed by their holders, per contract traded (0.1: of 100 traded, 10 close a position), while
      open interest does not change; the more it rises, the fewer.
    unrest: stops and targets that are reached when price moves: with a range of a share `s` of the way to liquidation
      the share `unrest * s**2` closes.
    bustle: how much of a rush is opening and closing: volume counts by this power of how it compares with the week
      before (1: each contract traded alike; 0: as if volume were always usual).
    patience: hours in which the book comes to believe half of a change of open interest. Until then positions grow and
      shrink alike: what comes and goes within a day is other business than opening or closing. 0 is to believe at once.
    haste: who has more leverage closes sooner: at a rate that grows with leverage to this power.
    seed_spread: how far from the first price those positions were opened that are older than history, as a mean
      distance in logarithm of price (0.06: 6 %). About what price wanders in the time for which positions are held.
    first_against: how sure it is that price went first against the way in which an interval ends, before it went the
      other way: what opens before price comes by dies, and what opens after it lives. 0.5 is not to know.
    taker_weight: how much more a taker's trade counts as opening than a maker's (makers are often market makers).
    leverage: shares of opened contracts by leverage; scaled to sum to one.
    cross: share of opened contracts that is backed with much more than its margin, as on cross margin: as if opened at
      1x and 2x, half each. It is put into `leverage`, beside what stands there, and is no field of its own.
    formula: "exact" or "linear" liquidation price.
    large_by, large: which trades "large_trades" draws. "value": those of at least `large` USDT; "top": the `large`
      largest of each interval; "portion": the largest that together reach the share `large` of an interval's USDT.
    ensemble: weights by kind, of the mixture "ensemble".
    """

    kind: Kind = "conserving"
    bin_width: float = 0.0
    bin_parts: int = 4
    turnover: float = 0.1
    unrest: float = 0.3
    bustle: float = 0.5
    patience: float = 24.0
    haste: float = 0.5
    seed_spread: float = 0.06
    first_against: float = 0.8
    taker_weight: float = 2.0
    leverage: Mapping[int, float] = field(default_factory=lambda: dict(DEFAULT_LEVERAGE))
    formula: Formula = "exact"
    large_by: LargeBy = "value"
    large: float = 50_000.0
    ensemble: Mapping[Kind, float] = field(default_factory=lambda: {"conserving": 0.9, "large_trades": 0.1})
    cross: InitVar[float] = 0.0

    def __post_init__(self, cross: float) -> None:
        self._check_finite()
        kinds = get_args(Kind)
        if self.kind not in kinds:
            raise ValueError(f'kind is "{self.kind}", expected one of {", ".join(kinds)}')
        mixed = [kind for kind in kinds if kind != "ensemble"]
        weights = self.ensemble.values()
        if (
            any(kind not in mixed for kind in self.ensemble)
            or any(w < 0 for w in weights)
            or not 0 < sum(weights) < inf
        ):
            raise ValueError(f"ensemble is {dict(self.ensemble)}, expected weights above zero by {', '.join(mixed)}")
        LargeRule(self.large_by, self.large)
        if self.bin_width and not 0.00005 <= self.bin_width <= 0.05:
            raise ValueError(f"bin_width is {self.bin_width}, expected a share of price from 0.00005 to 0.05, or 0")
        if not 1 <= self.bin_parts <= 16:
            raise ValueError(f"bin_parts is {self.bin_parts}, expected 1 to 16")
        if not 0 <= self.turnover <= 5:
            raise ValueError(f"turnover is {self.turnover}, expected 0 to 5 contracts closed per contract traded")
        if not 0 <= self.unrest <= 10:
            raise ValueError(f"unrest is {self.unrest}, expected 0 to 10")
        if not 0 <= self.bustle <= 1:
            raise ValueError(f"bustle is {self.bustle}, expected a power from 0 to 1")
        if not 0 <= self.patience <= 10_000:
            raise ValueError(f"patience is {self.patience}, expected 0 to 10000 hours")
        if not 0 <= self.haste <= 2:
            raise ValueError(f"haste is {self.haste}, expected a power from 0 to 2")
        if not 0 <= self.seed_spread <= 1:
            raise ValueError(f"seed_spread is {self.seed_spread}, expected 0 to 1")
        if not 0 <= self.first_against <= 1:
            raise ValueError(f"first_against is {self.first_against}, expected 0 to 1")
        if not 0 <= self.taker_weight <= 1000:
            raise ValueError(f"taker_weight is {self.taker_weight}, expected 0 to 1000")
        if self.formula not in ("exact", "linear"):
            raise ValueError(f'formula is "{self.formula}", expected "exact" or "linear"')
        if not self.leverage or any(not 1 <= tier <= 150 for tier in self.leverage):
            raise ValueError(f"leverage is {dict(self.leverage)}, expected shares by leverage from 1 to 150")
        if any(share < 0 for share in self.leverage.values()) or not 0 < sum(self.leverage.values()) < inf:
            raise ValueError(f"leverage is {dict(self.leverage)}, expected shares of zero or more, not all zero")
        if not 0 <= cross < 1:
            raise ValueError(f"cross is {cross}, expected a share from 0 to below 1")
        if cross:
            object.__setattr__(self, "leverage", _with_cross(self.leverage, cross))

    def _check_finite(self) -> None:
        """nan is neither too small nor too large: it would pass every other check."""
        for each in fields(self):
            value = getattr(self, each.name)
            for number in value.values() if isinstance(value, Mapping) else [value]:
                if isinstance(number, float) and not isfinite(number):
                    shown = dict(value) if isinstance(value, Mapping) else value
                    raise ValueError(f"{each.name} is {shown}, expected finite numbers")

    @property
    def width(self) -> float:
        """Relative width of a bin: the one chosen, or that of a usual market where it was left open."""
        return self.bin_width or USUAL_BIN_WIDTH

    @property
    def fine_width(self) -> float:
        """Relative width of the parts of a bin, in which trades are counted and the book is kept."""
        return expm1(log1p(self.width) / self.bin_parts)

    def on_fine_bins(self) -> "ModelSettings":
        """The same, with maps as fine as the book."""
        return replace(self, bin_width=self.fine_width, bin_parts=1)

    @property
    def large_rule(self) -> LargeRule | None:
        """How the model chooses large trades; None where it does not look at them."""
        wanted = self.kind == "large_trades" or (self.kind == "ensemble" and self.ensemble.get("large_trades", 0) > 0)
        return LargeRule(self.large_by, self.large) if wanted else None


def _with_cross(leverage: Mapping[int, float], cross: float) -> dict[int, float]:
    whole = sum(leverage.values())
    mix = {tier: (1 - cross) * share / whole for tier, share in leverage.items()}
    more = {tier: mix.get(tier, 0.0) + cross / len(_CROSS_TIERS) for tier in _CROSS_TIERS}
    return dict(sorted({**mix, **more}.items()))
