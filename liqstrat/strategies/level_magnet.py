"""Follow the magnet: trade towards the nearest cluster that is clearly stronger than the one on the other side.

The idea is that price is drawn to where many positions would be closed by force. Whether it is, is what the backtest
is for.
"""

from typing import Annotated

from pydantic import Field

from liqstrat.backtest.params import StrategyParams
from liqstrat.backtest.strategy import LevelStrategy
from liqstrat.liquidation.clusters import Cluster
from liqstrat.moments import HOUR_NS, nanoseconds


class LevelMagnet(LevelStrategy):
    """Enters towards the stronger pull; target the cluster, stop on the other side in proportion."""

    class Params(StrategyParams):
        """
        min_ratio: how much stronger the pull of one side must be; a pull is notional by distance.
        min_distance, max_distance: how far away, as a share of price, the cluster may be.
        stop_ratio: distance of the stop in units of the target's.
        max_hours: how long a position is held at most.
        """

        min_ratio: Annotated[float, Field(ge=1)] = 2.0
        min_distance: Annotated[float, Field(ge=0, lt=1)] = 0.008
        max_distance: Annotated[float, Field(gt=0, lt=1)] = 0.04
        stop_ratio: Annotated[float, Field(gt=0, le=10)] = 0.75
        max_hours: Annotated[float, Field(gt=0)] = 24.0

    params: Params

    def on_begin(self) -> None:
        self._leave_at = self._hours_from_now()

    def on_price(self, price: float) -> None:
        if self.clock.timestamp_ns() >= self._leave_at and not self.flat:
            self.exit()

    def on_levels(self) -> None:
        if not self.flat:
            return
        above, below = self.levels.above(), self.levels.below()
        if above is None or below is None:
            return
        up = _pull(above) > _pull(below)
        stronger, weaker = (above, below) if up else (below, above)
        ratio = _pull(stronger) / _pull(weaker)
        if ratio < self.params.min_ratio:
            return
        if not self.params.min_distance <= abs(stronger.distance) <= self.params.max_distance:
            return
        price = self.price
        away = (stronger.price - price) * self.params.stop_ratio
        reason = f"pull {ratio:.1f} times that of {weaker.price:.6g} on the other side"
        if self.enter(
            "long" if up else "short", stop=price - away, target=stronger.price, level=stronger, reason=reason
        ):
            self._leave_at = self._hours_from_now()

    def _hours_from_now(self) -> int:
        """When a position that is entered now is held as long as it may be, in nanoseconds since 1970."""
        return nanoseconds(self.now) + round(self.params.max_hours * HOUR_NS)


def _pull(cluster: Cluster) -> float:
    """USDT that would be liquidated, by the share of price that it is away (at least a tenth of a percent)."""
    return cluster.notional / max(abs(cluster.distance), 0.001)
