"""The page of a parity: whether paper and backtest are equal, what differs by cause, equity over each other."""

from collections.abc import Sequence
from html import escape
from itertools import compress
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from liqstrat.live.paper_journal import Row
from liqstrat.live.parity import Difference, Parity
from liqstrat.moments import at_ns
from liqstrat.report import numbers
from liqstrat.report.page import plot_html, write_page
from liqstrat.report.table_html import TEXT, table_html
from liqstrat.report.theme import ACCENT, MUTED, WARNING, dress, faded

PAGE = "parity.html"
_ROWS, _POINTS = 50, 3000
_WORDS = ' class="text words"'
#: What only the one has, and what only the other.
_LATE, _ABSENT = ("known at once", "heard late"), ("always there", "as it was there")
#: Over each other: the first lies on top.
_LINES = (
    ("plain backtest", {"color": MUTED, "width": 1.5, "dash": "dot"}),
    ("backtest with all that shaped the session", {"color": faded(WARNING, 0.35), "width": 8}),
    ("on paper", {"color": ACCENT, "width": 1.6}),
)


def write_parity_page(found: Parity, name: str, folder: Path, quote: str) -> Path:
    """Write the page into the session's folder, to be opened without network; `quote`: the account's currency."""
    badges = ('<span class="badge">SIMULATED</span>' if found.simulated else "") + '<span class="badge">PAPER</span>'
    title = f"{name}: paper against backtest"
    verdict = (
        '<p class="note"><b class="gain">Equal.</b> Every intent, fill and payment of funding is that of a backtest '
        "that knew what the session knew, to the last digit.</p>"
        if found.equal
        else '<p class="banner"><b>NOT EQUAL.</b> The strategy, the recordings or the program have changed since, or '
        "this is a bug.</p>"
    )
    body = (
        f"<header><h1>{escape(title)} {badges}</h1>"
        f'<p class="subtitle">{numbers.moment(found.begin)} to {numbers.moment(found.end)} UTC</p>{verdict}</header>'
        f"<section><h2>What there is</h2>{_counts(found, quote)}</section>"
        f"<section><h2>Why a plain backtest differs</h2>{_causes(found)}</section>"
        '<section><h2>Equity</h2><p class="how">Below: on paper less the backtest that knew the same.</p>'
        f"{plot_html('equity', _equity(found, quote), 'Equity on paper and in backtests')}</section>"
        f"{''.join(_unexplained(kind, one, quote) for kind, one in found.unexplained.items() if len(one))}"
        f"{_listed('Because what history knows at once was heard late', found.late, _LATE, quote)}"
        f"{_listed('Because nobody was there, or late', found.absent, _ABSENT, quote)}"
    )
    return write_page(folder / PAGE, title + (" SIMULATED" if found.simulated else ""), body)


def _counts(found: Parity, quote: str) -> str:
    rows = [(kind, *(f"{count:,}" for count in counts)) for kind, counts in found.counts().items()]
    rows.append((f"equity at the end, {quote}", *(numbers.number(one) for one in found.equity), ""))
    return _table(("*", "On paper", "Backtest", "Differ"), rows)


def _causes(found: Parity) -> str:
    rows = [
        (
            "What history knows at once was heard late",
            f"{len(found.late):,}",
            f"half of the values of open interest more than {found.lateness:.0f} s after their mark{found.also_late()}",
        ),
        (
            "Nobody was there, or late",
            f"{len(found.absent):,}",
            "before the session was up to date, after kills and cuts, and while it was being stopped",
        ),
        ("Nothing that is known", f"{len(found.unexplained['intents']):,}", "must be none"),
    ]
    how = '<p class="how">Intents that only one of two has; one that comes a second later counts twice.</p>'
    return how + _table(("*Cause", "Intents", "*"), rows)


def _unexplained(kind: str, difference: Difference, quote: str) -> str:
    return _listed(f"Unexplained {kind}", difference, ("on paper", "backtest"), quote)


def _listed(heading: str, difference: Difference, whose: tuple[str, str], quote: str) -> str:
    """Rows that only one of two has, in order of time."""
    if not len(difference):
        return ""
    sides = zip(whose, (difference.only_first, difference.only_second), strict=True)
    rows = sorted(((_time(row), name, row) for name, rows in sides for row in rows), key=lambda one: one[0])
    cells = [
        (
            f"{at_ns(time_ns):%m-%d %H:%M:%S.%f}"[:-3],
            name,
            *(str(row.get(key) or "") for key in ("symbol", "strategy", "role", "side", "quantity")),
            str(row.get("price") or row.get("first_trigger") or row.get("type") or "").replace("_", " "),
            str(row.get("amount") or ""),
        )
        for time_ns, name, row in rows[:_ROWS]
    ]
    # Payments have no price, and orders no amount.
    filled = [bool(any(column)) for column in zip(*cells, strict=True)]
    more = f'<p class="how">The first {_ROWS} of {len(rows):,}.</p>' if len(rows) > _ROWS else ""
    heads = ("*Time, UTC", "*Only where", "*Symbol", "*Strategy", "*For", "*Side", "Contracts", "Price", quote)
    table = _table(list(compress(heads, filled)), [list(compress(row, filled)) for row in cells])
    return f"<section><h2>{escape(heading)}</h2>{more}{table}</section>"


def _time(row: Row) -> int:
    return int(row.get("submitted_ns") or row.get("time_ns") or 0)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """As `table_html`, of texts; a star alone heads sentences, but for the first column."""
    text = [TEXT if head[:1] == "*" else "" for head in heads]
    kinds = [text[0], *(_WORDS if head == "*" else kind for kind, head in zip(text[1:], heads[1:], strict=True))]
    cells = (
        f"<tr>{''.join(f'<td{kind}>{escape(cell)}</td>' for kind, cell in zip(kinds, row, strict=True))}</tr>"
        for row in rows
    )
    return table_html(heads, cells)


def _equity(found: Parity, quote: str) -> go.Figure:
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.72, 0.28], vertical_spacing=0.06)
    for name, line in _LINES:
        curve = found.curves[name]
        keep = numbers.evenly(len(curve.times), _POINTS)
        times, equity = curve.times[keep] / 1e6, curve.equity[keep]
        hover = f"%{{y:,.2f}} {quote}"
        figure.add_trace(
            go.Scatter(x=times, y=equity, name=name, mode="lines", line=line, hovertemplate=hover), row=1, col=1
        )
    paper, backtest = (found.curves[name].equity for name, _ in (_LINES[2], _LINES[1]))
    away = go.Scatter(
        x=times, y=(paper - backtest)[keep], name="difference", mode="lines", line={"color": ACCENT, "width": 1.5},
        hovertemplate=f"%{{y:,.4f}} {quote}", showlegend=False,
    )  # fmt: skip
    figure.add_trace(away, row=2, col=1)
    dress(figure, height=520, simulated=found.simulated)
    figure.update_layout(hovermode="x unified")
    figure.update_xaxes(type="date")
    figure.update_yaxes(title={"text": f"equity, {quote}"}, tickformat=",~f", row=1, col=1)
    # A line of nothing but zeros lies in the middle, where it is seen.
    far = 1.1 * float(np.abs(away.y).max(initial=0.0)) or 1.0
    figure.update_yaxes(title={"text": "difference"}, nticks=4, range=[-far, far], row=2, col=1)
    return figure
