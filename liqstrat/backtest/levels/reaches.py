"""In which intervals price reaches a level, known before a replay: what is between need not be looked at.

Levels that are kept, and the minutes of the run, tell it for each interval between two values of open interest at once.
An interval that is named may turn out to reach none, but none that does is left out.
"""

from bisect import bisect_left, bisect_right
from typing import Self

import numpy as np
import pyarrow as pa

from liqstrat.backtest.levels.feeds import OpenInterestSeries
from liqstrat.catalog.minutes import MinuteBars
from liqstrat.liquidation.grid import Ints
from liqstrat.moments import MINUTE_NS


class Reaches:
    """The steps of kept levels, numbered from 0 on.

    times, contracts, known: of the open interest behind each, and when it became known (nanoseconds). named: in which
    steps' intervals a level may be reached, ascending.
    """

    def __init__(self, times: list[int], contracts: list[float], known: list[int], named: list[int]) -> None:
        self.times, self.contracts, self.known, self._named = times, contracts, known, named

    @classmethod
    def of(
        cls, file: pa.ipc.RecordBatchFileReader, interest: OpenInterestSeries, minutes: MinuteBars, stepped_ns: int
    ) -> Self | None:
        """stepped_ns: up to when the book was stepped before the first. None where open interest comes out of order."""
        known = interest.times if interest.known is None else interest.known
        if (np.diff(interest.times) <= 0).any() or (np.diff(known) < 0).any():
            return None
        later = interest.times > stepped_ns
        times, known = interest.times[later], known[later]
        batches = [file.get_batch(number) for number in range(file.num_record_batches)]
        longs, shorts = (np.concatenate([one[name].to_numpy() for one in batches]) for name in _HEARTS)
        lows, highs = _extremes(times, known, minutes)
        named = np.flatnonzero(~((lows > longs) & (highs < shorts)))
        return cls(times.tolist(), interest.contracts[later].tolist(), known.tolist(), named.tolist())

    def from_step(self, number: int) -> int:
        """The first step from that one on in whose interval a level may be reached; their count where there is none."""
        place = bisect_left(self._named, number)
        return self._named[place] if place < len(self._named) else len(self.times)

    def after(self, now_ns: int) -> int | None:
        """The moment from which on a level may be reached next, `now_ns` at the earliest; None where none ever is."""
        current = bisect_right(self.known, now_ns) - 1
        number = self.from_step(current) if current >= 0 else 0
        if number <= current:
            return now_ns
        return self.known[number] if number < len(self.known) else None


_HEARTS = ("next_long", "next_short")


def _extremes(times: Ints, known: Ints, minutes: MinuteBars) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and highest price that may be seen while each step is the last: from its own time on, for what traded
    before it was known belongs to its interval, and up to when the next one is known."""
    count = len(minutes)
    begin = ((times - minutes.start_ns) // MINUTE_NS).clip(0, count)
    stop = np.append(((known[1:] - minutes.start_ns) // MINUTE_NS + 1).clip(0, count), count)
    pairs = np.column_stack((begin, np.maximum(stop, begin))).ravel()
    lows = np.minimum.reduceat(np.append(minutes.low, np.inf), pairs)[::2]
    highs = np.maximum.reduceat(np.append(minutes.high, -np.inf), pairs)[::2]
    return lows, highs
