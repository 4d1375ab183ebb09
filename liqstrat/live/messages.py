"""Whether a message is what it says it is: the keys that are used, in the types that the exchange documents."""

import re
from typing import Any

_NUMBER = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?")
_RATE = re.compile(r"-?[0-9](\.[0-9]{1,18})?")
#: From 2001 to 2100, milliseconds.
_FIRST, _LAST = 10**12, 4_102_444_800_000


def is_trade(entry: Any) -> bool:
    """An aggregated trade, of the stream or of REST."""
    return (
        isinstance(entry, dict)
        and all(_is_count(entry.get(key)) for key in ("a", "f", "l"))
        and is_time(entry.get("T"))
        # The stream says when it was sent, too.
        and is_time(entry.get("E", entry["T"]))
        and _is_amount(entry.get("p"))
        and _is_amount(entry.get("q"))
        and isinstance(entry.get("m"), bool)
    )


def is_liquidation(entry: Any) -> bool:
    """A frame of `forceOrder`."""
    order = entry.get("o")
    return (
        isinstance(order, dict)
        and is_time(entry.get("E"))
        and is_time(order.get("T"))
        and isinstance(order.get("s"), str)
        and order.get("S") in ("BUY", "SELL")
        and all(_is_amount(order.get(key)) for key in ("q", "p", "ap"))
        and isinstance(order.get("X"), str)
    )


def liquidated(frame: dict[str, Any]) -> tuple[float, str, float, int]:
    """Of a frame of `forceOrder`: USDT, side of the position, price it went at, time (milliseconds)."""
    order = frame["o"]
    price = float(order["ap"]) or float(order["p"])
    return price * float(order["q"]), "long" if order["S"] == "SELL" else "short", price, int(order["T"])


def is_mark(entry: Any) -> bool:
    """A frame of `markPrice`."""
    return (
        is_time(entry.get("E"))
        and _is_amount(entry.get("p"))
        # Of a contract that is delivered it is empty.
        and (entry.get("r") == "" or _is_rate(entry.get("r")))
    )


def is_interest(entry: Any) -> bool:
    """An entry of `openInterestHist`."""
    return isinstance(entry, dict) and is_time(entry.get("timestamp")) and _is_amount(entry.get("sumOpenInterest"))


def is_open_interest(entry: Any) -> bool:
    """An answer of `openInterest`."""
    return isinstance(entry, dict) and is_time(entry.get("time")) and _is_amount(entry.get("openInterest"))


def is_settlement(entry: Any) -> bool:
    """An entry of `fundingRate`."""
    return isinstance(entry, dict) and is_time(entry.get("fundingTime")) and _is_rate(entry.get("fundingRate"))


def is_candle(entry: Any) -> bool:
    """An entry of `klines`: begin, open, high, low, close, volume, and more."""
    return isinstance(entry, list) and len(entry) > 5 and is_time(entry[0]) and all(map(_is_amount, entry[1:6]))


def symbol_of(frame: dict[str, Any]) -> str:
    """Whose frame it is; "" where it does not say."""
    order = frame.get("o")
    found = order.get("s") if isinstance(order, dict) else frame.get("s")
    return found if isinstance(found, str) else ""


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**18


def is_time(value: Any) -> bool:
    """Milliseconds of a moment that can be."""
    return _is_count(value) and _FIRST <= value < _LAST


def _is_rate(value: Any) -> bool:
    return isinstance(value, str) and _RATE.fullmatch(value) is not None


def _is_amount(value: Any) -> bool:
    return isinstance(value, str) and _NUMBER.fullmatch(value) is not None
