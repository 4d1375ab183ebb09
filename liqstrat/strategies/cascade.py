"""Go with a cascade: when several clusters of one side have been run through at growing speed, trade on with the run
until the ones ahead are burnt.

Forced orders push price into the next cluster, whose forced orders push it on. The run ends when there is nothing left
to burn.
"""

from typing import Annotated

from pydantic import Field

from liqstrat.backtest.params import StrategyParams
from liqstrat.backtest.strategy import LevelStrategy
from liqstrat.liquidation.signals import Signal, SignalRules, next_of_run, runs_of


class Cascade(LevelStrategy):
    """Enters with a run; leaves when no strong cluster stands ahead any more, or when price turns."""

    class Params(StrategyParams):
        """
        min_strength: least share of its side's contracts that a cluster must hold to count.
        run_levels, run_minutes: how many clusters must have been run through within which time.
        pace: least speed of the run's last leg, as a share of price a minute; it may not be slower than the leg before.
        reach: how far ahead, as a share of price, the next cluster may stand.
        turn: how far price may come back from its best, as a share of price: there is the stop, which follows price.
        max_minutes: how long a position is held at most.
        """

        min_strength: Annotated[float, Field(ge=0, le=1)] = 0.02
        run_levels: Annotated[int, Field(ge=2, le=16)] = 2
        run_minutes: Annotated[float, Field(gt=0, le=120)] = 60.0
        pace: Annotated[float, Field(ge=0, lt=0.1)] = 0.0002
        reach: Annotated[float, Field(gt=0, lt=0.2)] = 0.01
        turn: Annotated[float, Field(gt=0, lt=0.2)] = 0.003
        max_minutes: Annotated[float, Field(gt=0)] = 120.0

    params: Params

    def on_begin(self) -> None:
        asked = self.params
        self._rules = SignalRules(
            min_strength=asked.min_strength,
            run_levels=asked.run_levels,
            run_minutes=asked.run_minutes,
            pace=asked.pace,
            watch=asked.reach,
            turn=asked.turn,
        )
        self._side, self._entered_at, self._traded_until = "", self.now, 0

    def on_price(self, price: float) -> None:
        if not self.flat:
            minutes = (self.now - self._entered_at).total_seconds() / 60
            if minutes >= self.params.max_minutes or self._is_burnt(price):
                self.exit()
            return
        consumed, now = self.levels.consumed, self.clock.timestamp_ns()
        if len(consumed) < self.params.run_levels or consumed[-1].time_ns <= self._traded_until:
            self.rest()
            return
        for signal in runs_of(self._rules, price, self.levels.clusters(), consumed, now):
            self._follow(signal, price)

    def _follow(self, signal: Signal, price: float) -> None:
        """Enter with the run; the same run is not entered again before it has taken another cluster."""
        away = price * self.params.turn
        self._traded_until, self._entered_at = self.clock.timestamp_ns(), self.now
        self._side = signal.level.side
        stop = price - away if signal.way == "long" else price + away
        self.enter(signal.way, stop=stop, level=signal.level, reason=signal.reason)
        self.trail(away)

    def _is_burnt(self, price: float) -> bool:
        """Whether no strong cluster stands ahead of the last one that the run has taken."""
        taken = [one.cluster for one in self.levels.consumed if one.cluster.side == self._side]
        return not taken or next_of_run(self._rules, taken[-1], price, self.levels.clusters()) is None
