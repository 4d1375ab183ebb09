"""What a strategy asked for in a run, beside what the engine keeps of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from liqstrat.backtest.account.ledger import Entry, Role
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
    (USDT) they would have had to stay below. expired: entries that waited in vain, or for more than they got."""

    sent: dict[str, Sent] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    beyond: list[float] = field(default_factory=list)
    expired: set[str] = field(default_factory=set)


def why_ended(order: Any) -> str:
    """Why an order of the engine ended without being filled: the exchange's words, or the engine's."""
    event = order.last_event
    said = str(getattr(event, "reason", "") or "")
    name = order.status.name.lower()
    word = {"denied": DENIED, "rejected": REJECTED, "canceled": CANCELED}.get(name, name)
    return f"{word}: {said}" if said else word


def tags_of(role: Role, reference: float) -> list[str]:
    """An order's tags: what it is for, and the price (USDT) that its slippage is measured against."""
    return [f"role={role}", f"reference={reference!r}"]


def role_of(order: Any) -> Role:
    """What the order's tag says; an order of a strategy's own making exits if it may only reduce, else it enters."""
    told = tagged(order.tags, "role")
    if told in _ROLES:
        return cast(Role, told)
    return "exit" if order.is_reduce_only else "entry"


def tagged(tags: Iterable[str] | None, name: str) -> str | None:
    """The value of a tag."""
    return next((tag.partition("=")[2] for tag in tags or () if tag.startswith(f"{name}=")), None)


_ROLES = ("entry", "stop", "target", "exit", "liquidation")
