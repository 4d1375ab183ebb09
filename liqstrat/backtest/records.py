"""What a strategy asked for in a run, beside what the engine keeps of it."""

from dataclasses import dataclass, field
from typing import Any

from liqstrat.backtest.account.ledger import Entry
from liqstrat.backtest.ticket import CANCELED, DENIED, REJECTED, Refusal


@dataclass(frozen=True)
class Sent:
    """An order as it was sent: when (nanoseconds), and the last price then (USDT), if there had been one."""

    order: Any
    time_ns: int
    price: float | None


@dataclass(eq=False)
class Records:
    """By client order id: what was sent, why those were lost that ended before the engine had them; why entries were
    sent or refused; and orders of a strategy's own that the exchange's brackets would not allow, by leverage: how much
    (USDT) they would have had to stay below."""

    sent: dict[str, Sent] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    beyond: list[float] = field(default_factory=list)


def why_ended(order: Any) -> str:
    """Why an order of the engine ended without being filled: the exchange's words, or the engine's."""
    event = order.last_event
    said = str(getattr(event, "reason", "") or "")
    name = order.status.name.lower()
    word = {"denied": DENIED, "rejected": REJECTED, "canceled": CANCELED}.get(name, name)
    return f"{word}: {said}" if said else word
