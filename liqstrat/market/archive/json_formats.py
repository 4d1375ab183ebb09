"""What the exchange's API answers and streams: JSON whose entries become rows of the layouts of archive files."""

from dataclasses import replace
from typing import Any

from liqstrat.market.archive import agg_trades, bybit, funding, klines, liquidations, metrics
from liqstrat.market.archive.json_format import JsonFormat, Values
from liqstrat.market.archive.layout import Layout

_ABSENT = object()


def _keyed(name: str, layout: Layout, *keys: str, without: str = "") -> JsonFormat:
    """Objects with `keys`, one a column of the layout, but not those with the key `without`."""

    def values(entry: Any) -> Values | None:
        if not isinstance(entry, dict) or without in entry:
            return None
        found = [entry.get(key, _ABSENT) for key in keys]
        return None if any(value is _ABSENT for value in found) else found

    return JsonFormat(name, layout, values)


def _listed(name: str, layout: Layout) -> JsonFormat:
    """Arrays with a value for each column of the layout."""

    def values(entry: Any) -> Values | None:
        return entry if isinstance(entry, list) and len(entry) == len(layout.columns) else None

    return JsonFormat(name, layout, values)


def _frames(event: str, inner: str, format_: JsonFormat) -> JsonFormat:
    """Frames of a stream which carry what they tell of under the key `inner`."""

    def values(entry: Any) -> Values | None:
        return format_.values(entry.get(inner)) if isinstance(entry, dict) and entry.get("e") == event else None

    return JsonFormat(event, format_.layout, values)


def _of_pair(format_: JsonFormat) -> JsonFormat:
    """Objects that name a pair and the type of contract, as COIN-M does, where others name the symbol."""

    def values(entry: Any) -> Values | None:
        if not isinstance(entry, dict) or entry.get("contractType") != "PERPETUAL":
            return None
        found: Values | None = format_.values({**entry, "symbol": f"{entry.get('pair')}_PERP"})
        return found

    return replace(format_, values=values)


_OPEN_INTEREST = _keyed(
    "openInterestHist", metrics.HISTORY, "timestamp", "symbol", "sumOpenInterest", "sumOpenInterestValue"
)

FORMATS = (
    _keyed("aggTrades", agg_trades.ARCHIVE, "a", "p", "q", "f", "l", "T", "m", without="M"),
    _OPEN_INTEREST,
    _of_pair(_OPEN_INTEREST),
    _keyed("fundingRate", funding.HISTORY, "fundingTime", "symbol", "fundingRate"),
    _listed("klines", klines.ARCHIVE),
    _frames(
        "forceOrder",
        "o",
        _keyed("order", liquidations.WITH_SYMBOL, "s", "T", "S", "q", "p", "ap", "X"),
    ),
    *bybit.FORMATS,
)


def format_of(entry: Any) -> JsonFormat | None:
    """The format that has such entries."""
    return next((known for known in FORMATS if known.rows(entry) is not None), None)


def stranger(entry: Any) -> str | None:
    """What an entry is, when it is a known one that is not loaded."""
    if not isinstance(entry, dict):
        return None
    if {"code", "msg"} <= entry.keys():
        return f'is an error that the exchange answered: {entry["code"]} "{entry["msg"]}"'
    if {"retCode", "retMsg"} <= entry.keys() and str(entry["retCode"]) != "0":
        return f'is an error that Bybit answered: {entry["retCode"]} "{entry["retMsg"]}"'
    if {"a", "p", "q", "m", "M"} <= entry.keys():
        return "has aggTrades of the spot market (key M); expected USDⓈ-M futures"
    if {"id", "price", "qty"} <= entry.keys():
        return "has single trades; expected aggTrades"
    if {"pair", "sumOpenInterest"} <= entry.keys():
        told = f"of {entry['contractType']}" if "contractType" in entry else "without a contractType"
        return f"has open interest of COIN-M contracts {told}; expected that of PERPETUAL"
    if "e" in entry:
        return f"has frames of {entry['e']}; of streams, forceOrder is what is loaded"
    return None
