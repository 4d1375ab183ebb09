"""Trades in the order of their ids, each once, without a gap: what a stream loses is asked for again.

The exchange numbers aggregated trades without a break, so a jump tells exactly what is missing.
"""

from dataclasses import dataclass
from typing import Any

Trade = dict[str, Any]

#: Trades that wait behind a gap. Beyond it they are dropped: they too can be asked for by their ids.
_MOST_HELD = 200_000


@dataclass(frozen=True, slots=True)
class Missing:
    """Ids that have not come: from `first` up to and including `last`."""

    first: int
    last: int


class TradeOrder:
    """Puts trades in order. `last`: id of the last one that was given out; None where nothing is known."""

    def __init__(self, last: int | None) -> None:
        self.last = last
        self.duplicates = 0
        self._held: dict[int, Trade] = {}

    @property
    def missing(self) -> Missing | None:
        """What must come next before any that is held can be given out."""
        return Missing(self.last + 1, min(self._held) - 1) if self._held and self.last is not None else None

    def offer(self, trades: list[Trade]) -> list[Trade]:
        """Take trades as they come, and give out those that are next."""
        for trade in trades:
            number = int(trade["a"])
            if self.last is None:
                self.last = number - 1
            if number <= self.last or number in self._held:
                self.duplicates += 1
            else:
                self._held[number] = trade
        ready = []
        while self.last is not None and self.last + 1 in self._held:
            self.last += 1
            ready.append(self._held.pop(self.last))
        if len(self._held) > _MOST_HELD:
            for number in sorted(self._held)[1:]:
                del self._held[number]
        return ready

    def give_up(self) -> tuple[Missing | None, list[Trade]]:
        """Go on behind a gap that nobody can fill: what is missing for good, and the trades that come after it."""
        gone = self.missing
        if gone is not None:
            self.last = gone.last
        return gone, self.offer([])
