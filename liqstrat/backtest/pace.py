"""When a strategy decides: every so often, less the time for which it has said that there is nothing to decide."""

from collections.abc import Callable
from typing import Any

from nautilus_trader.common import Clock, TimeEvent

from liqstrat.backtest.levels.reaches import Reaches

_EVER = 2**63 - 1


class Pace:
    """The timer behind a strategy's decisions, which come at whole multiples of `every_ns` since 1970.

    reaches: of the strategy's levels, where they are known ahead.
    """

    def __init__(self, name: str, every_ns: int, reaches: Reaches | None) -> None:
        self._name, self._every_ns, self._reaches = name, every_ns, reaches
        self._rested_ns = self._until_ns = 0

    def begin(self, clock: Clock, decide: Callable[[TimeEvent], Any]) -> None:
        """Decide from now on."""
        self._clock, self._decide = clock, decide
        self._from(clock.timestamp_ns())

    def rest(self, at_most_until_ns: int | None) -> None:
        """Decide again once a level may be reached, if that is known ahead, or then."""
        if self._reaches is None:
            return
        now = self._clock.timestamp_ns()
        until = self._reaches.after(now)
        if at_most_until_ns is not None:
            until = at_most_until_ns if until is None else min(until, at_most_until_ns)
        if until is not None and until <= now + self._every_ns:
            return
        self._rested_ns, self._until_ns = now, _EVER if until is None else until
        self._clock.cancel_timer(self._name)
        if until is not None:
            self._from(until - 1)

    def wake(self) -> None:
        """Decide again, if there is a rest."""
        now = self._clock.timestamp_ns()
        if now < self._until_ns:
            if self._until_ns < _EVER:
                self._clock.cancel_timer(self._name)
            self._until_ns = 0
            # At this very moment it has decided only where it was then that it went to rest.
            self._from(now if now == self._rested_ns else now - 1)

    def _from(self, time_ns: int) -> None:
        """Decide at the first multiple after that moment, and each one from there on."""
        start = time_ns // self._every_ns * self._every_ns
        self._clock.set_timer_ns(self._name, self._every_ns, start_time_ns=start, callback=self._decide)
