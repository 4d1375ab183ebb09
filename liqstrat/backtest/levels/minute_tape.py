"""Minute bars for the levels straight from the catalog, in place of a call from the engine for each; see `tape`."""

from bisect import bisect_right
from collections.abc import Callable

import numpy as np

from liqstrat.backtest.levels.interval import Trades
from liqstrat.catalog.minutes import MinuteBars
from liqstrat.liquidation.brackets import BracketTable
from liqstrat.liquidation.flow import Flow, flow_from_bars
from liqstrat.liquidation.large import LargeRule
from liqstrat.moments import MINUTE_NS

#: So many numbers are compared sooner one by one.
_FEW = 32
_NEVER = np.iinfo(np.int64).max


class MinuteTape:
    """Bars since the last open-interest value, read from a run's minutes as far as the clock has come.

    A bar is known when it has closed. Those that closed before `now()` are, which is to be set when there is a clock;
    one that closes at this very moment counts once somebody who comes after all market data has said so by `settle`.

    minutes: of the run, and of before it; those that closed up to the book's last step, at `stepped_ns`, are left out.
    """

    def __init__(self, minutes: MinuteBars, stepped_ns: int) -> None:
        self.now: Callable[[], int] = lambda: 0
        closes = minutes.start_ns + (np.flatnonzero(minutes.recorded) + 1) * MINUTE_NS
        bars = minutes.recorded.copy()
        bars[minutes.recorded] = closes > stepped_ns
        # Single numbers are read from these views several times as fast as from arrays.
        self._closes = memoryview(np.append(closes[closes > stepped_ns], [_NEVER, _NEVER]))
        self._high, self._low = minutes.high[bars], minutes.low[bars]
        self._close, self._volume = minutes.close[bars], minutes.volume[bars]
        self._highs, self._lows = memoryview(self._high), memoryview(self._low)
        self._lasts = memoryview(self._close)
        self._seen = 0
        self.clear()

    def clear(self) -> None:
        """Forget what was read; the tape goes on where it is."""
        self._first, self._settled_ns = self._seen, 0
        self.low, self.high, self.last, self.time_ns = np.inf, -np.inf, np.nan, 0

    def put_before(self, trades: Trades) -> None:
        """Of trades before the first bar only the last price is taken."""
        if len(trades.price):
            self.last, self.time_ns = float(trades.price[-1]), int(trades.times[-1])

    def settle(self, time_ns: int) -> None:
        """All bars that close up to and at `time_ns` have closed."""
        self._settled_ns = time_ns

    def look(self) -> bool:
        """Wind on to the present."""
        limit = self.now() - 1
        if limit < self._settled_ns:
            limit = self._settled_ns
        seen = self._seen
        if limit < self._closes[seen]:
            return False
        # Mostly one bar has closed since the last look.
        stop = seen + 1 if limit < self._closes[seen + 1] else bisect_right(self._closes, limit, seen)
        self._take(seen, stop)
        self.last, self.time_ns = self._lasts[stop - 1], self._closes[stop - 1]
        self._seen = stop
        return True

    def close(
        self, start_ns: int, end_ns: int, *, width: float, brackets: BracketTable, large: LargeRule | None = None
    ) -> Flow:
        """The flow of the bars that closed in `(start_ns, end_ns]`; `large` finds nothing in bars."""
        bars = self._ended(end_ns)
        return flow_from_bars(
            start_ns,
            end_ns,
            self._high[bars],
            self._low[bars],
            self._close[bars],
            self._volume[bars],
            width=width,
            brackets=brackets,
        )

    def pass_over(self, end_ns: int) -> None:
        """Begin the interval after the one that ends at `end_ns`."""
        self._ended(end_ns)

    def _ended(self, end_ns: int) -> slice:
        """The bars of the interval that ends at `end_ns`; from now on it is the next one's that count."""
        self.look()
        first, self._first = self._first, bisect_right(self._closes, end_ns, self._first, self._seen)
        self.low, self.high = np.inf, -np.inf
        self._take(self._first, self._seen)
        return slice(first, self._first)

    def _take(self, first: int, stop: int) -> None:
        """Let the low and the high take in the bars from `first` up to `stop`."""
        if stop - first > _FEW:
            self.low = min(self.low, float(self._low[first:stop].min()))
            self.high = max(self.high, float(self._high[first:stop].max()))
            return
        for i in range(first, stop):
            if self._lows[i] < self.low:
                self.low = self._lows[i]
            if self._highs[i] > self.high:
                self.high = self._highs[i]
