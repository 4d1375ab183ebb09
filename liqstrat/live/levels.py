"""The levels of one symbol as the market runs: trades at once, open interest when all trades of before it are here."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from liqstrat.liquidation.map import LiquidationMap
from liqstrat.live.begin import Begun
from liqstrat.moments import MILLISECOND_NS, MINUTE_NS

#: In a market where nothing trades, a value of open interest waits so long for late trades, ms.
_LATE = 2_000


class LiveLevels:
    """Goes on from history; `levels` has what strategies know, `map` what stands now.

    clock_ms: the exchange's, as last heard. late: trades that came when their interval had been closed; they count in
    the one that runs.
    """

    def __init__(self, begun: Begun) -> None:
        self.levels, self.arrived = begun.levels, begun.arrived
        self.symbol, self.simulated = begun.levels.symbol, begun.simulated
        self._waiting = deque(begun.waiting)
        self.clock_ms = begun.arrived.time_ns // MILLISECOND_NS
        self.late = 0

    def take_trades(self, trades: Sequence[dict[str, Any]]) -> None:
        """Hear the next trades."""
        self.late += sum(int(trade["T"]) * MILLISECOND_NS < self.levels.known_at for trade in trades)
        self.arrived.receive(trades)

    def take_open_interest(self, entries: Iterable[dict[str, Any]]) -> None:
        """Hear values of `openInterestHist`, in order; each counts when `step` finds its interval complete."""
        self._waiting.extend((int(entry["timestamp"]), float(entry["sumOpenInterest"])) for entry in entries)

    def step(self, *, complete: bool) -> int:
        """Close the intervals of which all trades are here, and return how many; `complete`: whether no trade up to
        the clock is missing."""
        closed = 0
        while self._waiting and self._is_complete(self._waiting[0][0], complete):
            time_ms, contracts = self._waiting.popleft()
            before = self.levels.known_at
            self.levels.handle_open_interest(contracts, time_ms * MILLISECOND_NS)
            closed += self.levels.known_at > before
        return closed

    @property
    def now_ns(self) -> int:
        """The moment of what has arrived: of the last trade."""
        return max(self.arrived.time_ns, self.levels.known_at)

    @property
    def age_minutes(self) -> float:
        """How old the open interest is that the map is made of, by the exchange's clock."""
        return (self.clock_ms * MILLISECOND_NS - self.levels.known_at) / MINUTE_NS

    def map(self, span: float | None = None) -> LiquidationMap:
        """What stands now, stamped with the moment of the last trade."""
        return self.levels.map(span, self.now_ns)

    def _is_complete(self, time_ms: int, complete: bool) -> bool:
        if self.arrived.time_ns >= time_ms * MILLISECOND_NS:
            return True
        return complete and self.clock_ms >= time_ms + _LATE
