"""Buy above a cluster of longs, if even its lower bound is worth a sweep; the run file says `band = true`."""

from liqstrat import LevelStrategy, StrategyParams


class SureLevels(LevelStrategy):
    class Params(StrategyParams):
        near: float = 0.002
        least: float = 0.002  # of open interest, in nine of ten cases

    params: Params

    def on_price(self, price: float) -> None:
        below = self.levels.below()
        if not (self.flat and below and abs(below.distance) < self.params.near):
            return
        if below.low > self.params.least * self.open_interest:
            reason = f"{below.low:,.0f} to {below.high:,.0f} contracts"
            self.enter("long", stop=below.price_low * 0.995, target=price * 1.01, level=below, reason=reason)
