"""What became of an entry: the answer of `LevelStrategy.enter`, and the reasons for those that did not happen."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

#: "sent": on its way to the exchange or waiting for a print; "working": rests there; "open": holds a position, or
#: a part of one; "closed": the position has ended; "gone": ended without a fill, see the reason; "refused": never sent.
State = Literal["sent", "working", "open", "closed", "gone", "refused"]

#: Why an entry is not sent, or ends without a fill.
NOT_FLAT = "not flat"
NOT_BETWEEN = "price is not between stop and target"
STALE = "price is stale"
TOO_SMALL = "too small"
NO_ROOM = "no room in the account"
BRACKET = "beyond the exchange's cap for this leverage"
THIN = "more than the market trades"
TOO_LARGE = "more than one order may hold"
LIQUIDATED = "the account was liquidated"
NO_PRINT = "nothing traded any more"
DENIED = "denied by the engine"
REJECTED = "rejected by the exchange"
CANCELED = "canceled before a fill"
EXPIRED = "expired"
NO_POSITION = "no position"
ZONE = "a dense zone is near"
ABSENT = "the program was not there"


@dataclass
class Refusal:
    """An entry that did not happen. Entries refused one after the other for the same reason are one, `times` over."""

    time_ns: int
    strategy: str
    symbol: str
    side: Literal["buy", "sell"]
    quantity: Decimal
    reason: str
    detail: str
    times: int = 1


@dataclass(eq=False)
class Ticket:
    """An entry asked for: true unless it was refused.

    quantity: contracts asked for, 0 where refused. reason: why it was refused or ended without a fill, in words.
    order_id: the entry order's, "" where refused.
    """

    quantity: Decimal = Decimal(0)
    order_id: str = ""
    refused: str = ""
    _look: Callable[[], tuple[State, str]] | None = field(default=None, repr=False)

    def __bool__(self) -> bool:
        return not self.refused

    def __str__(self) -> str:
        return (self.refused and f"refused ({self.reason})") or f"{self.state} {self.order_id}".strip()

    @property
    def state(self) -> State:
        """Where it stands now."""
        return self._look()[0] if self._look else "refused"

    @property
    def reason(self) -> str:
        """Why it did not come to a position; "" where it did, or still may."""
        return self._look()[1] if self._look else self.refused
