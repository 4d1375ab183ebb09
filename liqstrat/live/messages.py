"""Whether a message is what it says it is: the keys that are used, in the types that the exchange documents."""

import re
from typing import Any

_NUMBER = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?")
_RATE = re.compile(r"-?[0-9](\.[0-9]{1,18})?|")


def is_trade(entry: Any) -> bool:
    """An aggregated trade, of the stream or of REST."""
    return (
        isinstance(entry, dict)
        and all(_is_count(entry.get(key)) for key in ("a", "f", "l", "T"))
        and _is_amount(entry.get("p"))
        and _is_amount(entry.get("q"))
        and isinstance(entry.get("m"), bool)
    )


def is_liquidation(entry: Any) -> bool:
    """A frame of `forceOrder`."""
    order = entry.get("o")
    return (
        isinstance(order, dict)
        and _is_count(entry.get("E"))
        and _is_count(order.get("T"))
        and isinstance(order.get("s"), str)
        and order.get("S") in ("BUY", "SELL")
        and all(_is_amount(order.get(key)) for key in ("q", "p", "ap"))
        and isinstance(order.get("X"), str)
    )


def is_mark(entry: Any) -> bool:
    """A frame of `markPrice`."""
    return (
        _is_count(entry.get("E"))
        and _is_amount(entry.get("p"))
        and isinstance(entry.get("r"), str)
        and _RATE.fullmatch(entry["r"]) is not None
    )


def symbol_of(frame: dict[str, Any]) -> str:
    """Whose frame it is; "" where it does not say."""
    order = frame.get("o")
    found = order.get("s") if isinstance(order, dict) else frame.get("s")
    return found if isinstance(found, str) else ""


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**18


def _is_amount(value: Any) -> bool:
    return isinstance(value, str) and _NUMBER.fullmatch(value) is not None
