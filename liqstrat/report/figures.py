"""What every figure of `metrics.json` is called, and how it is written, on whatever page."""

from collections.abc import Callable
from typing import Any

from liqstrat.report import cards, numbers, tearsheet

_OTHERS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "net_pnl": ("Net P&L", lambda value: numbers.number(value, signed=True)),
    "insurance": ("Paid by the insurance fund", numbers.number),
}


def figure_name(key: str, quote: str = "") -> str:
    """What a figure is called, with the account's currency where it is an amount and the currency is given."""
    found = _found(key)
    if found is None:
        return key.replace("_", " ").capitalize()
    return found[0].format(quote=quote) if quote else found[0].removesuffix(", {quote}")


def figure_text(key: str, value: Any) -> str:
    """A figure as its card or the second fold of a report writes it."""
    if value is None:
        return numbers.ABSENT
    found = _found(key)
    return numbers.number(value, 0 if isinstance(value, int) else 2) if found is None else found[1](value)


def _found(key: str) -> tuple[str, Callable[[Any], str]] | None:
    return cards.named(key) or tearsheet.named(key) or _OTHERS.get(key)
