"""The control: entries by chance, with exits like the others'. What beats it not, has found nothing."""

from typing import Annotated
from zlib import crc32

import numpy as np
from pydantic import Field

from liqstrat.backtest.params import StrategyParams
from liqstrat.backtest.strategy import LevelStrategy
from liqstrat.moments import DAY_NS, MINUTE_NS, at_ns


class RandomEntry(LevelStrategy):
    """Enters long or short at random times; stop and target at fixed distances.

    The moments follow from the seed and the symbol alone, whatever the resolution. One that comes while there is a
    position passes unused.
    """

    class Params(StrategyParams):
        """
        seed: another seed, another series of entries.
        per_day: mean number of entries tried in a day.
        stop: distance of the stop, as a share of price.
        reward: distance of the target, in units of the stop's.
        hold_minutes: how long a position is held at most; 0 is for ever.
        long_share: how many of the entries are long.
        """

        seed: Annotated[int, Field(ge=0)] = 1
        per_day: Annotated[float, Field(gt=0, le=1000)] = 5.0
        stop: Annotated[float, Field(gt=0, lt=0.5)] = 0.005
        reward: Annotated[float, Field(gt=0)] = 2.0
        hold_minutes: Annotated[float, Field(ge=0)] = 0.0
        long_share: Annotated[float, Field(ge=0, le=1)] = 0.5

    params: Params

    def on_begin(self) -> None:
        self._random = np.random.default_rng([self.params.seed, crc32(str(self.instrument_id).encode())])
        self._next_ns = self.clock.timestamp_ns()
        self._held_until = 0
        self._draw()

    def on_price(self, price: float) -> None:
        now = self.clock.timestamp_ns()
        if not self.flat and 0 < self._held_until <= now:
            self._held_until = 0
            self.exit()
        if now < self._next_ns:
            self.rest(until=at_ns(min(moment for moment in (self._next_ns, self._held_until) if moment > now)))
            return
        direction = 1 if self._up else -1
        entered = self.enter(
            "long" if self._up else "short",
            stop=price * (1 - direction * self.params.stop),
            target=price * (1 + direction * self.params.stop * self.params.reward),
            reason="by chance",
        )
        if entered and self.params.hold_minutes:
            self._held_until = now + int(self.params.hold_minutes * MINUTE_NS)
        while self._next_ns <= now:
            self._draw()

    def _draw(self) -> None:
        """When to enter next, and which way."""
        self._next_ns += int(self._random.exponential(DAY_NS / self.params.per_day))
        self._up = bool(self._random.random() < self.params.long_share)
