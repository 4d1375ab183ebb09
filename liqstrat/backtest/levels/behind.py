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
            self._tell(stop)
        self._moment = None
        self._tape.settle(self._settled_ns)
        self._next_ns = known[stop] if stop < len(known) else _NEVER

    def _tell(self, stop: int) -> None:
        """Go on to the next step, or to one before `stop` that is behind many in which nothing happens."""
        reaches, told = self._reaches, self._told
        # What ends with the next step is the interval of the one before.
        eventful = reaches.from_step(told - 1) if told and not self._levels.swept_lately else -1
        is_quiet = eventful >= told
        number = min(eventful, stop - 1) if is_quiet else told
        self._moment, self._told = reaches.known[number], number + 1
        self._tape.settle(self._moment)
        if is_quiet:
            self._levels.pass_over(number + 1 - told, reaches.contracts[number], reaches.times[number])
        else:
            self._levels.handle_open_interest(reaches.contracts[number], reaches.times[number])

    def _present(self) -> int:
        return self.now() if self._moment is None else self._moment
