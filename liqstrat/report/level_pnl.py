"""What trades earned by what was known of the level they were taken at."""

from collections.abc import Callable
from html import escape
from typing import Any

from liqstrat.report import numbers
from liqstrat.report.table_html import table_html

#: Key, name, where `{quote}` is the account's currency, and how its bounds are written.
_KINDS: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("side", "Positions liquidated there", str),
    ("size", "Size, {quote}", numbers.amount),
    ("strength", "Share of its side's contracts", lambda v: numbers.percent(v, 1)),
    ("leverage", "Mean leverage", lambda v: f"{numbers.number(v, 1)}x"),
    ("high_leverage", "Share at 50x and above", lambda v: numbers.percent(v, 0)),
    ("age", "Age", lambda v: numbers.length(3600 * v)),
    ("distance", "Distance at entry", lambda v: numbers.percent(v)),
    ("touched", "Touched before", str),
    ("seeded", "Share of the map from before history", lambda v: numbers.percent(v, 0)),
)
_COLUMNS = (
    "*Known of the level",
    "*Part",
    "Trades",
    "P&L, {quote}",
    "Win rate",
    "Expectancy, {quote}",
    "Expectancy, R",
)


def level_pnl_html(found: dict[str, list[dict[str, Any]]], quote: str = "USDT") -> str:
    """The section, closed until it is asked for; an empty text for results of before, and without trades."""
    counts = {one["part"]: one for one in found.get("named", [])}
    if not any(one["trades"] for one in counts.values()):
        return ""
    at, without = counts["at a level"], counts["no level"]
    if not at["trades"]:
        note = '<p class="how">No trade named a level: strategies do by <code>enter(…, level=…)</code>.</p>'
        return _section(note)
    note = (
        '<p class="how">As it was known at the entry; thirds are of this run\'s own trades. '
        "With few trades in a part it tells a story, not a fact.</p>"
    )
    rows = "".join(_rows(name.format(quote=quote), found[key], bound) for key, name, bound in _KINDS if found.get(key))
    if without["trades"]:
        rows += _row("No level named", "", without)
    return _section(note + table_html((name.format(quote=quote) for name in _COLUMNS), rows))


def _section(content: str) -> str:
    heading = "P&amp;L by what was known of the level"
    return f"<section><details><summary><h2>{heading}</h2></summary>{content}</details></section>"


def _rows(name: str, parts: list[dict[str, Any]], bound: Callable[[float], str]) -> str:
    shown = [part for part in parts if part["trades"]]
    return "".join(_row(name if i == 0 else "", _named(part, bound), part) for i, part in enumerate(shown))


def _named(part: dict[str, Any], bound: Callable[[float], str]) -> str:
    if "low" not in part:
        return str(part["part"])
    low, high = bound(part["low"]), bound(part["high"])
    return low if low == high else f"{low} to {high}"


def _row(name: str, text: str, part: dict[str, Any]) -> str:
    colour = "" if not part["pnl"] else ' class="gain"' if part["pnl"] > 0 else ' class="loss"'
    cells = (
        f"<td>{part['trades']:,}</td><td{colour}>{numbers.number(part['pnl'], signed=True)}</td>"
        f"<td>{numbers.percent(part['win_rate'], 1)}</td><td>{numbers.number(part['expectancy'], signed=True)}</td>"
        f"<td>{numbers.ABSENT if part['expectancy_r'] is None else numbers.number(part['expectancy_r']) + ' R'}</td>"
    )
    return f'<tr><td class="text">{escape(name)}</td><td class="text">{escape(text)}</td>{cells}</tr>'
