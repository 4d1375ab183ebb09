"""Open interest that levels are told of when somebody looks, not when it becomes known.

In a replay all of it is known ahead, and mostly nobody looks between two values. Where none of the levels is reached
meanwhile, and none was lately, many values are passed over at once: what is seen afterwards is the same.
"""

from bisect import bisect_right
from collections.abc import Callable

from liqstrat.backtest.levels.indicator import LiquidationLevels
from liqstrat.backtest.levels.interval import Tape
from liqstrat.backtest.levels.reaches import Reaches

_NEVER = 2**63 - 1


class Behind:
    """Tells `levels`, whose steps are kept, of open interest up to `end_ns`; `tape` is what they read.

    now: see `Timed`. Who looks must do so in alerts, which come after the open interest of their moment.
    """

    def __init__(self, levels: LiquidationLevels, tape: Tape, reaches: Reaches, end_ns: int) -> None:
        self._levels, self._tape, self._reaches, self._end_ns = levels, tape, reaches, end_ns
        self.now: Callable[[], int] = lambda: 0
        self._moment: int | None = None
        self._settled_ns = self._told = 0
        self._next_ns = reaches.known[0] if reaches.known else _NEVER
        tape.now = self._present

    def settle(self, time_ns: int) -> None:
        """All that is stamped up to and at `time_ns` has happened."""
        self._settled_ns = time_ns
        self._tape.settle(time_ns)

    def catch_up(self) -> None:
        """Tell the levels of what has become known by now."""
        now = self.now()
        if now < self._next_ns:
            return
        known = self._reaches.known
        stop = bisect_right(known, min(now, self._end_ns), self._told)
        # Whoever looks while they are told is not to come here again.
        self._next_ns = _NEVER
        while self._told < stop:
            self._tell(self._next(stop))
        self._moment = None
        self._tape.settle(self._settled_ns)
        self._next_ns = known[stop] if stop < len(known) else _NEVER

    def _next(self, stop: int) -> int:
        """The step to go on to, before the one numbered `stop`: the next, or behind many of nothing."""
        if not self._told or self._levels.swept_lately:
            return self._told
        return min(max(self._reaches.from_step(self._told - 1), self._told), stop - 1)

    def _tell(self, number: int) -> None:
        reaches = self._reaches
        self._moment = reaches.known[number]
        self._tape.settle(self._moment)
        if number > self._told:
            self._levels.pass_over(number + 1 - self._told, reaches.contracts[number], reaches.times[number])
        else:
            self._levels.handle_open_interest(reaches.contracts[number], reaches.times[number])
        self._told = number + 1

    def _present(self) -> int:
        return self.now() if self._moment is None else self._moment
