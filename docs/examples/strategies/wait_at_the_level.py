"""Wait right above a cluster of longs in an upward market, leave in parts, and let the stop follow what is left."""

from liqstrat import LevelStrategy, StrategyParams


class WaitAtTheLevel(LevelStrategy):
    class Params(StrategyParams):
        away: float = 0.004
        hours: int = 6

    params: Params

    def on_price(self, price: float) -> None:
        closes = self.bars("1h", self.params.hours).close
        if not len(closes):
            return
        self.plot("mean", closes.mean())
        below = self.levels.below()
        if not self.flat or below is None or price < closes.mean():
            return
        at, away = below.price_high, below.price_high * self.params.away
        self.enter(
            "long",
            at=at,
            expires="4h",
            stop=at - away,
            targets=[(at + away, 0.5), (at + 2 * away, 0.5)],
            level=below,
        )

    def on_entered(self, ticket) -> None:
        self.trail(self.price * self.params.away)

    def on_closed(self, trade) -> None:
        self.note(f"{trade.reason}: {trade.pnl:+,.0f} USDT")
