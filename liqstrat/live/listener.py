"""Who wants to know what has just been recorded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class Listener:
    """Told of what is recorded, once it is written, in the exchange's own messages; does nothing with it.

    Trades come in order of their ids, each once and without a gap but those that are noted as such.
    """

    def trades(self, symbol: str, trades: Sequence[dict[str, Any]]) -> None:
        """Aggregated trades, the next ones."""

    def open_interest(self, symbol: str, entries: Sequence[dict[str, Any]]) -> None:
        """Values of `openInterestHist`, in order of time; trades of before may still be missing."""

    def liquidation(self, symbol: str, frame: dict[str, Any]) -> None:
        """A frame of `forceOrder`."""

    def funding(self, symbol: str, entries: Sequence[dict[str, Any]]) -> None:
        """Settled rates."""

    def clock(self, symbol: str, clock_ms: int) -> None:
        """The exchange's clock has gone on."""


@dataclass(frozen=True, slots=True)
class After:
    """Up to where a market is known already: id of its last trade, time of its last open interest (milliseconds)."""

    trade_id: int | None = None
    interest_ms: int | None = None
