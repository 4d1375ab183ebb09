"""The model behind the levels of a replay: stepped as the market goes on."""

from typing import Protocol

from liqstrat.backtest.levels.interval import Interval
from liqstrat.liquidation.clusters import Clusters, find_clusters, next_hearts
from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.liquidation.model import NOTHING, LiquidationModel, Since

#: What is near enough to be found: the highest price (USDT) of a cluster of longs, and the lowest of one of shorts.
Hearts = tuple[float, float]


class Steps(Protocol):
    """What `LiquidationLevels` asks of a model as of its last step.

    time_ns: when that was (nanoseconds, UTC), 0 before the first. price: then, USDT; NaN before the first trade.
    open_interest: contracts; 0 before the first. seeded_share: of the map, see `LiquidationModel`.
    """

    @property
    def time_ns(self) -> int: ...

    @property
    def price(self) -> float: ...

    @property
    def open_interest(self) -> float: ...

    @property
    def seeded_share(self) -> float: ...

    def advance(self, interval: Interval, contracts: float, time_ns: int) -> None:
        """Work the interval that ends at `time_ns` with `contracts` open."""

    def hearts(self) -> Hearts:
        """`next_long` and `next_short` of `clusters()`."""

    def clusters(self) -> Clusters:
        """The clusters of the map."""

    def map(self, since: Since = NOTHING, span: float | None = None) -> LiquidationMap:
        """The map, see `LiquidationModel.map`."""


class LiveSteps:
    """Steps a model when an interval has ended; it looks for clusters within the fraction `span` of price."""

    def __init__(self, model: LiquidationModel, span: float) -> None:
        self._model, self._span = model, span
        self._take_over()

    def advance(self, interval: Interval, contracts: float, time_ns: int) -> None:
        """Step the model with what traded in the interval."""
        self.step(self.flow_of(interval, time_ns), contracts)

    def flow_of(self, interval: Interval, time_ns: int) -> Flow:
        """What traded since the last step, up to `time_ns`."""
        model, settings = self._model, self._model.settings
        return interval.close(
            model.time_ns or time_ns,
            time_ns,
            width=settings.fine_width,
            brackets=model.brackets(time_ns),
            large=settings.large_rule,
        )

    def step(self, flow: Flow, contracts: float) -> None:
        """Step the model."""
        self._model.step(flow, contracts)
        self._take_over()

    def hearts(self) -> Hearts:
        """Known much sooner than all clusters."""
        return next_hearts(self._model.profile(self._span))

    def clusters(self) -> Clusters:
        """Those of the model's map."""
        return find_clusters(self._model.map(span=self._span), span=self._span)

    def map(self, since: Since = NOTHING, span: float | None = None) -> LiquidationMap:
        """The model's."""
        return self._model.map(since, span=span)

    @property
    def seeded_share(self) -> float:
        """Reckoned when it is asked for."""
        return self._model.seeded_share

    def _take_over(self) -> None:
        model = self._model
        self.time_ns, self.price, self.open_interest = model.time_ns, model.price, model.open_interest
