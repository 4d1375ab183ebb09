"""Trades on a price chart: where each was entered and left, and a line between."""

import math
from collections.abc import Callable
from datetime import datetime
from functools import partial
from html import escape
from typing import Any

import pyarrow as pa

from liqstrat.report import numbers
from liqstrat.report.spec import Trace
from liqstrat.report.theme import GAIN, LONG, LOSS, PLOT, SHORT, TEXT, WARNING

Row = dict[str, Any]

_Look = tuple[str, str, str, float]

_ENTRIES: dict[str, _Look] = {
    "long": ("long entry", "triangle-up", LONG, 12),
    "short": ("short entry", "triangle-down", SHORT, 12),
}
_EXITS: dict[str, _Look] = {
    "target": ("target", "circle", GAIN, 9),
    "stop": ("stop", "x", LOSS, 9),
    "exit": ("other exit", "square", TEXT, 8),
    "liquidation": ("account liquidated", "star", WARNING, 14),
}
_TRADES_AT_FULL_SIZE, _LEAST_SIZE = 60, 0.5
#: What an exit is called in words, by its role.
EXIT_NAMES = {role: look[0] for role, look in _EXITS.items()}


def trade_traces(trades: pa.Table, quote: str = "USDT") -> list[Trace]:
    """Lines from entry to exit (green gained, red lost), then markers by side of entry and role of exit.

    `trades` are rows of a results folder's `positions.parquet`; one that is still open has no exit.
    quote: the currency of their amounts.
    """
    rows = trades.to_pylist()
    closed = [row for row in rows if row["closed"] is not None and row["exit_price"] is not None]
    traces: list[Trace] = []
    for gained, colour in ((True, GAIN), (False, LOSS)):
        some = [row for row in closed if (row["pnl"] > 0) == gained]
        if some:
            traces.append(_lines(some, colour))
    for role, look in _EXITS.items():
        some = [row for row in closed if exit_role(row) == role]
        if some:
            traces.append(_markers(look, len(rows), some, "closed", "exit_price", partial(_exit_text, quote=quote)))
    for side, look in _ENTRIES.items():
        some = [row for row in rows if row["side"] == side]
        if some:
            traces.append(_markers(look, len(rows), some, "opened", "entry_price", partial(_entry_text, quote=quote)))
    return traces


def exit_role(row: Row) -> str:
    """The role of a closed row's exit, "exit" for one that has no name of its own."""
    return row["exit_role"] if row["exit_role"] in _EXITS else "exit"


def level_text(row: Row) -> str:
    """The level a trade was taken at: its prices and what stood there; an empty text where there was none."""
    if row["level_low"] is None or row["level_high"] is None:
        return ""
    text = f"{numbers.price(row['level_low'])} – {numbers.price(row['level_high'])}"
    notional = row["level_notional"]
    if notional is None:
        return text
    text = f"{text} · {numbers.amount(notional)}"
    least, most, contracts = row.get("level_least"), row.get("level_most"), row.get("level_contracts")
    if least is None or most is None or not contracts:
        return text
    return f"{text} ({numbers.amount(least / contracts * notional)} to {numbers.amount(most / contracts * notional)})"


def _lines(rows: list[Row], colour: str) -> Trace:
    times: list[float | None] = []
    prices: list[float | None] = []
    for row in rows:
        times += [_ms(row["opened"]), _ms(row["closed"]), None]
        prices += [row["entry_price"], row["exit_price"], None]
    return {
        "type": "scatter",
        "x": times,
        "y": prices,
        "mode": "lines",
        "line": {"color": colour, "width": 1.5, "dash": "dot"},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _markers(look: _Look, trades: int, rows: list[Row], time: str, price: str, text: Callable[[Row], str]) -> Trace:
    """Markers, the smaller the more `trades` there are; `meta.full_size` (pixels) is for a page that zooms in."""
    name, symbol, colour, full_size = look
    share = max(min(math.sqrt(_TRADES_AT_FULL_SIZE / trades), 1.0), _LEAST_SIZE)
    return {
        "type": "scatter",
        "x": [_ms(row[time]) for row in rows],
        "y": [row[price] for row in rows],
        "text": [text(row) for row in rows],
        "mode": "markers",
        "name": name,
        "legendrank": 1 if time == "opened" else 2,
        "meta": {"full_size": full_size, "size": full_size * share},
        "marker": {"symbol": symbol, "size": full_size * share, "color": colour, "line": {"color": PLOT, "width": 1}},
        "hovertemplate": "%{text}<extra></extra>",
    }


def _entry_text(row: Row, quote: str) -> str:
    lines = [
        f"<b>{escape(row['side'])} entry</b> {_number(row)}{escape(row['strategy'])}",
        f"{numbers.moment(row['opened'])} at {numbers.price(row['entry_price'])}",
        f"{numbers.quantity(row['quantity'])} contracts, "
        f"{numbers.amount(row['quantity'] * row['entry_price'])} {quote}",
    ]
    level = level_text(row)
    if level:
        lines.append(f"{escape(row['level_side'] or '')} level {level} {quote}")
    return "<br>".join(lines)


def _exit_text(row: Row, quote: str) -> str:
    return "<br>".join(
        [
            f"<b>{EXIT_NAMES[exit_role(row)]}</b> of {_number(row)}{escape(row['side'])} {escape(row['strategy'])}",
            f"{numbers.moment(row['closed'])} at {numbers.price(row['exit_price'])}",
            f"P&amp;L {numbers.number(row['pnl'], signed=True)} {quote} "
            f"({numbers.percent(row['return'], signed=True)})",
        ]
    )


def _number(row: Row) -> str:
    return f"#{row['number']} " if "number" in row else ""


def _ms(moment: datetime) -> float:
    return moment.timestamp() * 1000
