"""Keep out of the way: a filter around any strategy, which enters less or not at all near a dense zone.

Near a dense zone price is moved by orders that nobody wanted to give; whatever a strategy knows counts less there. A
run file wraps a strategy by its name, and sets the parameters of both together:

    [[strategies]]
    use = "AvoidZones(LevelFade)"
    params = { zone_near = 0.004, turn = 0.003 }
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from liqstrat.backtest.entries import Side
from liqstrat.backtest.params import StrategyParams
from liqstrat.backtest.strategy import LevelStrategy
from liqstrat.backtest.ticket import ZONE, Ticket
from liqstrat.liquidation.signals import Signal, SignalRules, zones_of


class AvoidZones(LevelStrategy):
    """Hands on the entries of the strategy it is put before, or a part of them, or none."""

    class Params(StrategyParams):
        """
        zone_near: how near, as a share of price, a zone is to be minded.
        zone_strength: least share of its side's contracts that a cluster must hold to be one.
        zone_share: what is left of an entry's size there; 0 is no entry.
        zone_where: which zones count: "ahead" where the entry wants to go, "behind" where its stop is, or "both".
        """

        zone_near: Annotated[float, Field(gt=0, lt=0.2)] = 0.003
        zone_strength: Annotated[float, Field(ge=0, le=1)] = 0.08
        zone_share: Annotated[float, Field(ge=0, le=1)] = 0.0
        zone_where: Literal["ahead", "behind", "both"] = "ahead"

    params: Params

    def enter(self, side: Side, *, at: float | None = None, share: float = 1.0, **asked: Any) -> Ticket:
        """As `LevelStrategy.enter`, less what is to be left out."""
        zone = self._zone(side, self.price if at is None else at)
        if zone is None:
            return super().enter(side, at=at, share=share, **asked)
        if not self.params.zone_share:
            return self._refuse(side, ZONE, detail=zone.reason)
        return super().enter(side, at=at, share=share * self.params.zone_share, **asked)

    def _zone(self, side: Side, price: float) -> Signal | None:
        """The nearest zone that counts for an entry at `price`."""
        rules = SignalRules(
            min_strength=self.params.zone_strength, near=self.params.zone_near, watch=self.params.zone_near
        )
        up = side == "long"
        for zone in zones_of(rules, price, self.levels.clusters()):
            where = "ahead" if (zone.level.price > price) == up else "behind"
            if self.params.zone_where in (where, "both"):
                return zone
        return None


def around(inner: type[LevelStrategy]) -> type[LevelStrategy]:
    """A strategy class with the filter before it, and the parameters of both."""
    params = type("Params", (AvoidZones.Params, inner.Params), {"__doc__": inner.Params.__doc__})
    body = {"Params": params, "__doc__": inner.__doc__, "__module__": inner.__module__}
    return type(f"AvoidZones({inner.__name__})", (AvoidZones, inner), body)
