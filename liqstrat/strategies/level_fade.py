"""Fade a sweep: when price has run through a strong cluster and turns back, trade the way back.

A cluster that is run through was closed by force: its orders pushed price further than anybody wanted to trade, and
when they are done, price may come back. Whether it does is what the backtest is for.
"""

from typing import Annotated

from pydantic import Field

from liqstrat.backtest.params import StrategyParams
from liqstrat.backtest.strategy import LevelStrategy
from liqstrat.liquidation.signals import Signal, SignalRules, Swept, reversals_of


class LevelFade(LevelStrategy):
    """Enters against a sweep; stop beyond its extreme, target the nearest cluster ahead, within bounds."""

    class Params(StrategyParams):
        """
        min_strength: least share of its side's contracts that a cluster must hold to be traded.
        turn: how far, as a share of price, price must have come back from the sweep's extreme.
        patience_minutes: how long after the sweep it may turn.
        stop_gap: distance of the stop beyond the extreme, as a share of price.
        min_reward, max_reward: bounds of the target's distance, in units of the stop's.
        """

        min_strength: Annotated[float, Field(ge=0, le=1)] = 0.03
        turn: Annotated[float, Field(gt=0, lt=0.2)] = 0.0025
        patience_minutes: Annotated[float, Field(gt=0, le=120)] = 45.0
        stop_gap: Annotated[float, Field(ge=0, lt=0.1)] = 0.002
        min_reward: Annotated[float, Field(gt=0)] = 1.0
        max_reward: Annotated[float, Field(gt=0)] = 3.0

    params: Params

    def on_begin(self) -> None:
        self._traded_until = 0
        self._rules = SignalRules(
            min_strength=self.params.min_strength,
            turn=self.params.turn,
            patience_minutes=self.params.patience_minutes,
        )

    def on_price(self, price: float) -> None:
        if not self.flat:
            self.rest()
            return
        for signal in reversals_of(self._rules, price, self.levels.consumed, self.clock.timestamp_ns()):
            if signal.swept is not None and signal.swept.time_ns > self._traded_until:
                self._fade(signal, signal.swept, price)
                return
        if not any(one.time_ns > self._traded_until for one in self.levels.consumed):
            self.rest()

    def _fade(self, signal: Signal, swept: Swept, price: float) -> None:
        # Longs were liquidated by a fall, so the way back is up.
        up = signal.way == "long"
        stop = swept.extreme * (1 - self.params.stop_gap if up else 1 + self.params.stop_gap)
        risk = abs(price - stop)
        ahead = self.levels.above() if up else self.levels.below()
        reach = abs(ahead.price - price) if ahead else self.params.max_reward * risk
        reward = min(max(reach, self.params.min_reward * risk), self.params.max_reward * risk)
        self._traded_until = self.clock.timestamp_ns()
        self.enter(
            signal.way,
            stop=stop,
            target=price + reward if up else price - reward,
            level=signal.level,
            reason=signal.reason,
        )
