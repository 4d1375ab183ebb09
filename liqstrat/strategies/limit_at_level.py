"""Wait in the level: limits stand in a strong cluster before price comes, to be filled by its forced orders.

Longs that are liquidated sell at any price; who has bid there is filled by them, at a better price than anybody gets
who waits for the turn. If price does not come back, the stop beyond the cluster ends it.
"""

from typing import Annotated

from pydantic import Field

from liqstrat.backtest.params import StrategyParams
from liqstrat.backtest.strategy import LevelStrategy
from liqstrat.backtest.ticket import Ticket
from liqstrat.liquidation.signals import Signal, SignalRules, zones_of


class LimitAtLevel(LevelStrategy):
    """Half at the cluster's near edge and half where it is densest; half leaves at a near target, half at a far one."""

    class Params(StrategyParams):
        """
        min_strength: least share of its side's contracts that a cluster must hold.
        near, far: how far away, as shares of price, a cluster may be when the limit is placed.
        stop_gap: distance of the stop beyond the cluster's far edge, as a share of price.
        reward: distance of the near target, in units of the stop's; the far one is twice as far.
        wait_minutes: how long a limit waits.
        """

        min_strength: Annotated[float, Field(ge=0, le=1)] = 0.03
        near: Annotated[float, Field(ge=0, lt=0.2)] = 0.001
        far: Annotated[float, Field(gt=0, lt=0.2)] = 0.01
        stop_gap: Annotated[float, Field(gt=0, lt=0.1)] = 0.004
        reward: Annotated[float, Field(gt=0)] = 1.0
        wait_minutes: Annotated[int, Field(ge=1, le=1440)] = 30

    params: Params

    def on_begin(self) -> None:
        self._rules = SignalRules(min_strength=self.params.min_strength, near=self.params.near, watch=self.params.far)
        self._densest = 0.0

    def on_price(self, price: float) -> None:
        """A limit waits as long as it was told to; then the strongest cluster of that time is waited at."""
        if not self.flat:
            self.rest()
            return
        waits = [one for one in zones_of(self._rules, price, self.levels.clusters()) if one.kind == "WAIT"]
        if waits:
            self._wait_at(max(waits, key=lambda one: one.level.strength))

    def _wait_at(self, signal: Signal) -> None:
        level, up = signal.level, signal.level.side == "long"
        edge, far = (level.price_high, level.price_low) if up else (level.price_low, level.price_high)
        stop = far * (1 - self.params.stop_gap if up else 1 + self.params.stop_gap)
        reward = (edge - stop) * self.params.reward
        self._densest = level.price
        self.enter(
            level.side,
            at=edge,
            expires=f"{self.params.wait_minutes}m",
            stop=stop,
            targets=[(edge + reward, 0.5), (edge + 2 * reward, 0.5)],
            share=0.5,
            level=level,
            reason=signal.reason,
        )

    def on_entered(self, ticket: Ticket) -> None:
        """The first limit is filled: the second one waits where the cluster is densest, as large as the first."""
        if self._densest:
            at, self._densest = self._densest, 0.0
            self.add(1.0, at=at, expires=f"{self.params.wait_minutes}m", reason="where the level is densest")
