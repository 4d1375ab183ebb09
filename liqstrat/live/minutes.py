"""Minute bars that grow with the trades of a market that runs; equal to those that the catalog makes of them."""

import numpy as np

from liqstrat.backtest.levels.interval import Trades
from liqstrat.catalog.minutes import MinuteBars
from liqstrat.moments import MINUTE_NS

#: Sums of volume are made of whole steps: those of doubles depend on their order.
_STEPS = 10**8
_COLUMNS = ("open", "high", "low", "close", "volume", "recorded")


def minutes_until(minutes: MinuteBars, time_ns: int) -> MinuteBars:
    """Those that have ended by a moment."""
    ended = minutes.ended(time_ns)
    return MinuteBars(minutes.start_ns, *(getattr(minutes, name)[:ended] for name in _COLUMNS))


class GrowingMinutes(MinuteBars):
    """Minutes of before, and those of the trades that are taken, once they are complete."""

    def __init__(self, before: MinuteBars) -> None:
        super().__init__(before.start_ns, *(getattr(before, name) for name in _COLUMNS))
        object.__setattr__(self, "_open", {})

    def take(self, trades: Trades) -> None:
        """Count the next trades in."""
        minutes = trades.times // MINUTE_NS
        steps = np.rint(trades.contracts * _STEPS).astype(np.int64)
        numbers, firsts = np.unique(minutes, return_index=True)
        stops = np.append(firsts[1:], len(minutes))
        for number, first, stop in zip(numbers.tolist(), firsts.tolist(), stops.tolist(), strict=True):
            prices, volume = trades.price[first:stop], sum(steps[first:stop].tolist())
            high, low, close = float(prices.max()), float(prices.min()), float(prices[-1])
            known = self._waiting.get(number)
            if known is None:
                self._waiting[number] = [float(prices[0]), high, low, close, volume]
            else:
                known[1:] = [max(known[1], high), min(known[2], low), close, known[4] + volume]

    def complete(self, until_ns: int) -> None:
        """All trades of before that moment have been taken: add the minutes that have ended."""
        ended = sorted(number for number in self._waiting if (number + 1) * MINUTE_NS <= until_ns)
        if not ended:
            return
        first = self.start_ns // MINUTE_NS
        held: dict[str, list[float]] = {name: [] for name in _COLUMNS}
        close = float(self.close[-1])
        for number in range(first + len(self), ended[-1] + 1):
            bar = self._waiting.pop(number, None)
            values = [close, close, close, close, 0.0] if bar is None else [*bar[:4], bar[4] / _STEPS]
            close = values[3]
            for name, value in zip(_COLUMNS, [*values, bar is not None], strict=True):
                held[name].append(value)
        for name in _COLUMNS:
            before = getattr(self, name)
            object.__setattr__(self, name, np.concatenate([before, np.array(held[name], dtype=before.dtype)]))

    @property
    def _waiting(self) -> dict[int, list[float]]:
        found: dict[int, list[float]] = self.__dict__["_open"]
        return found
