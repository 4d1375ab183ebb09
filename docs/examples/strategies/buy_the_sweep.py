"""Buy right above a cluster of longs: when it is run through, its forced sales may overshoot."""

from liqstrat import LevelStrategy, StrategyParams


class BuyTheSweep(LevelStrategy):
    class Params(StrategyParams):
        near: float = 0.002

    params: Params

    def on_price(self, price: float) -> None:
        below = self.levels.below()
        if self.flat and below and abs(below.distance) < self.params.near:
            self.enter("long", stop=below.price_low * 0.995, target=price * 1.01, level=below)
