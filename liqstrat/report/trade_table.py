"""The table of trades: each round trip with the level it was taken at."""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

from liqstrat.report import numbers
from liqstrat.report.markers import EXIT_NAMES, Row, exit_role, level_text

#: More rows than this make a page slow and large; the rest is in `positions.parquet`.
MOST_ROWS = 3000


@dataclass(frozen=True)
class _Column:
    """A column: its name, where `{quote}` is the account's currency, its text, and the value it is sorted by."""

    name: str
    text: Callable[[Row], str]
    value: Callable[[Row], Any]
    is_text: bool = False
    style: Callable[[Row], str] = lambda row: ""
    explained: str = ""


def _held(row: Row) -> float | None:
    return None if row["closed"] is None else float((row["closed"] - row["opened"]).total_seconds())


def _exit(row: Row) -> str:
    return "still open" if row["closed"] is None else EXIT_NAMES[exit_role(row)]


def _level(row: Row) -> str:
    text = level_text(row)
    side = row["level_side"]
    return f'<span class="{escape(side)}">{escape(side)}</span> {text}' if text and side else text or numbers.ABSENT


def _reason(row: Row) -> str:
    reason = escape(row["reason"] or "")
    return f'<span title="{reason}">{reason}</span>'


def _plain(name: str, key: str, text: Callable[[Any], str]) -> _Column:
    return _Column(name, lambda row: text(row[key]), lambda row: row[key])


def _word(name: str, key: str, style: Callable[[Row], str] = lambda row: "") -> _Column:
    return _Column(name, lambda row: escape(row[key]), lambda row: row[key], is_text=True, style=style)


def _signed(name: str, key: str, text: Callable[..., str], explained: str = "") -> _Column:
    def style(row: Row) -> str:
        return "" if not row[key] else "gain" if row[key] > 0 else "loss"

    return _Column(
        name, lambda row: text(row[key], signed=True), lambda row: row[key], style=style, explained=explained
    )


_COLUMNS = (
    _word("Strategy", "strategy"),
    _word("Symbol", "symbol"),
    _word("Side", "side", lambda row: escape(row["side"])),
    _Column(
        "Opened, UTC", lambda row: numbers.moment(row["opened"]), lambda row: row["opened"].timestamp(), is_text=True
    ),
    _Column("Held", lambda row: numbers.length(_held(row)), _held),
    _plain("Entry", "entry_price", numbers.price),
    _plain("Exit", "exit_price", numbers.price),
    _Column("Left by", lambda row: escape(_exit(row)), _exit, is_text=True),
    _signed("P&amp;L, {quote}", "pnl", numbers.number, "after fees and funding"),
    _signed("Return", "return", numbers.percent),
    _Column(
        "Level taken at, {quote}",
        _level,
        lambda row: row["level_notional"],
        is_text=True,
        explained="what was estimated to be liquidated there when the trade was taken",
    ),
    _plain("Contracts", "quantity", numbers.quantity),
    _plain("Fees", "fees", numbers.number),
    _signed("Funding", "funding", numbers.number, "negative was paid"),
    _Column("Reason", _reason, lambda row: row["reason"] or "", is_text=True, style=lambda row: "reason"),
)


def trades_html(rows: list[Row], plots: dict[str, str], quote: str = "USDT") -> str:
    """The table of `rows` (of `positions.parquet`, each with its `number`).

    `plots` names the heatmap of each symbol that has one: a trade's number brings it into view there.
    quote: the currency of their amounts.
    """
    if not rows:
        return '<p class="empty">No trade was closed in this run.</p>'
    columns = [column for column in _COLUMNS if _is_telling(column, rows)]
    head = "".join(
        f"<th data-sortable{_classes('text' if column.is_text else '')} "
        f'title="{escape(column.explained or "click to sort")}">{column.name.format(quote=quote)}</th>'
        for column in columns
    )
    body = "".join(_row(row, columns, plots) for row in rows[:MOST_ROWS])
    left = len(rows) - MOST_ROWS
    more = f'<p class="how">{left:,} more trades are in positions.parquet.</p>' if left > 0 else ""
    click = "Click a number to see the trade on the heatmap, a heading to sort by it."
    how = f'<p class="how on-screen">{click}</p>' if plots else ""
    return (
        f'{how}<div class="scroll" tabindex="0"><table><thead><tr><th data-sortable>#</th>{head}</tr></thead>'
        f"<tbody>{body}</tbody>{_sums(rows, columns)}</table></div>{more}"
    )


def _is_telling(column: _Column, rows: list[Row]) -> bool:
    """Strategy and symbol are left out where there is only one, the reason where none is given."""
    if column.name in ("Strategy", "Symbol"):
        return len({column.value(row) for row in rows}) > 1
    return column.name != "Reason" or any(row["reason"] for row in rows)


def _row(row: Row, columns: list[_Column], plots: dict[str, str]) -> str:
    cells = "".join(
        f"<td{_classes('text' if column.is_text else '', column.style(row))} "
        f'data-value="{_value(column.value(row))}">{column.text(row)}</td>'
        for column in columns
    )
    return f'<tr><td data-value="{row["number"]}">{_number(row, plots)}</td>{cells}</tr>'


def _number(row: Row, plots: dict[str, str]) -> str:
    plot = plots.get(row["symbol"])
    if plot is None:
        return str(row["number"])
    shown = {
        "from": row["opened"].timestamp() * 1000,
        "to": (row["closed"] or row["opened"]).timestamp() * 1000,
        "entry": row["entry_price"],
        "exit": row["exit_price"],
        "level-low": row["level_low"],
        "level-high": row["level_high"],
    }
    data = "".join(f' data-{name}="{value:.15g}"' for name, value in shown.items() if value is not None)
    return f'<button class="show" title="show on the heatmap" data-plot="{escape(plot)}"{data}>{row["number"]}</button>'


def _sums(rows: list[Row], columns: list[_Column]) -> str:
    keys = {"P&amp;L, {quote}": "pnl", "Fees": "fees", "Funding": "funding"}
    cells = ""
    for column in columns:
        key = keys.get(column.name)
        total = sum(row[key] or 0.0 for row in rows) if key else None
        cells += "<td></td>" if total is None else f"<td>{numbers.number(total, signed=key != 'fees')}</td>"
    return f"<tfoot><tr><td>Σ</td>{cells}</tr></tfoot>"


def _value(value: Any) -> str:
    return "" if value is None else escape(value) if isinstance(value, str) else f"{value:.10g}"


def _classes(*names: str) -> str:
    joined = " ".join(name for name in names if name)
    return f' class="{joined}"' if joined else ""
