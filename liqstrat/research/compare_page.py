"""The page of a comparison: what differs, figures, equity, and the trades that only one has."""

import json
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go

from liqstrat.liquidation.contract import contract_of
from liqstrat.report import numbers
from liqstrat.report.figures import figure_name, figure_text
from liqstrat.report.heatmap import heatmap_figure, heatmap_html
from liqstrat.report.page import plot_html, write_page
from liqstrat.report.raster import MOST_CELLS
from liqstrat.report.table_html import table_html
from liqstrat.report.theme import ACCENT, LINES, LONG, MUTED, SHORT, WARNING, dress
from liqstrat.report.trade_table import trades_html
from liqstrat.research.compare import SAME_TRADE, Compared, Comparison, how
from liqstrat.research.days import FIGURES, Difference

_COLOURS = (ACCENT, WARNING, LONG, SHORT, MUTED, *LINES[:5])
_POINTS = 2000
_NAMES = {
    "net_return": "Net return",
    "sharpe_by_day": "Sharpe of daily returns",
    "pnl": "P&L of closed trades, {quote}",
    "trades": "Trades",
    "win_rate": "Win rate",
    "profit_factor": "Profit factor",
    "pnl_a_trade": "P&L a trade, {quote}",
    "fees": "Fees of closed trades, {quote}",
}
_SHARES = ("net_return", "win_rate")


def write_compare_page(comparison: Comparison, out: Path) -> Path:
    """Write the page `out`, to be opened without network."""
    simulated = any(one.results.run.simulated for one in comparison.runs)
    badge = '<span class="badge">SIMULATED</span>' if simulated else ""
    names = ", ".join(one.results.run.name for one in comparison.runs)
    title = f"Comparison of {names}"
    warnings = "".join(
        f'<p class="banner"><b>Not like with like.</b> {escape(text)}</p>' for text in comparison.warnings
    )
    quote = " or ".join(dict.fromkeys(one.results.run.quote for one in comparison.runs))
    body = (
        f"<header><h1>{escape(title)} {badge}</h1>{warnings}"
        f'<div class="facts">{"".join(map(_run, comparison.runs))}</div></header>'
        f"<section><h2>What differs</h2>{_unlike(comparison)}</section>"
        f"<section><h2>Figures</h2>{_figures(comparison, quote)}</section>"
        f"<section><h2>Differences from A</h2>{_against(comparison, quote)}</section>"
        '<section><h2>Equity</h2><p class="how">Against the balance that each began with.</p>'
        f"{plot_html('equity', _equity(comparison, simulated), 'Equity of all runs over time')}</section>"
        f"{''.join(_only(one, len(comparison.runs)) for one in comparison.runs)}"
        f"<footer>{_small_print()}</footer>"
    )
    return write_page(out, title + (" SIMULATED" if simulated else ""), body)


def _run(one: Compared) -> str:
    run = one.results.run
    lines = [
        f"{numbers.moment(run.start)} to {numbers.moment(run.end)} UTC, {escape(run.resolution)}",
        ", ".join(escape(str(strategy["use"])) for strategy in run.config.get("strategies", [])),
    ]
    return (
        f"<div><h3>{one.letter}</h3><p><b>{escape(run.run)}</b></p>{''.join(f'<p>{line}</p>' for line in lines)}</div>"
    )


def _unlike(comparison: Comparison) -> str:
    rows = "".join(
        f'<tr><td class="text muted">{section}</td><td class="text">{escape(key)}</td>'
        + "".join(f'<td class="text">{_value(value)}</td>' for value in values)
        + "</tr>"
        for section, keys in comparison.unlike.items()
        for key, values in keys.items()
    )
    if not rows:
        return '<p class="empty">Nothing: configuration, data and versions are the same.</p>'
    return table_html(["*", "*Key", *(f"*{one.letter}" for one in comparison.runs)], rows)


def _value(value: Any) -> str:
    if value is None:
        return f'<span class="muted">{numbers.ABSENT}</span>'
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return f'<span title="{escape(text)}">{escape(text if len(text) <= 24 else text[:12] + "…")}</span>'


def _figures(comparison: Comparison, quote: str) -> str:
    rows = "".join(
        f'<tr><td class="text">{escape(figure_name(key, quote))}</td>'
        + "".join(f"<td>{figure_text(key, one.results.metrics.get(key))}</td>" for one in comparison.runs)
        + "</tr>"
        for key in comparison.figures
    )
    return table_html(["*Figure", *(one.letter for one in comparison.runs)], rows)


def _against(comparison: Comparison, quote: str) -> str:
    others = comparison.runs[1:]
    rows = "".join(
        f'<tr><td class="text">{escape(_NAMES[name].format(quote=quote))}</td>'
        + "".join(f"<td>{_difference(name, one.differences[name])}</td>" for one in others)
        + "</tr>"
        for name in FIGURES
    )
    said = dict.fromkeys(how(one.days) for one in others)
    if len(said) > 1:
        said = dict.fromkeys(f"{one.letter}: {how(one.days)}" for one in others)
    note = f'<p class="how">Over the days that both runs have. Intervals: {escape("; ".join(said))}.</p>'
    return note + table_html(["*Figure", *(f"{one.letter} − A" for one in others)], rows)


def _difference(name: str, found: Difference) -> str:
    value = _number(name, found.value)
    if found.low is None or found.high is None:
        return value
    colour = "gain" if found.low > 0 else "loss" if found.high < 0 else "muted"
    if name in ("fees", "trades"):
        colour = "muted"
    return f'{value} <span class="{colour}">{_number(name, found.low)} to {_number(name, found.high)}</span>'


def _number(name: str, value: float | None) -> str:
    if name in _SHARES:
        return numbers.percent(value, signed=True)
    return numbers.number(value, 0 if name == "trades" and value == round(value or 0) else 2, signed=True)


def _equity(comparison: Comparison, simulated: bool) -> go.Figure:
    figure = go.Figure()
    for one, colour in zip(comparison.runs, _COLOURS, strict=False):
        equity = one.results.equity
        time_ms, value = numbers.milliseconds(equity["time"]), numbers.doubles(equity["equity"])
        keep = _telling(value)
        figure.add_trace(
            go.Scatter(
                x=time_ms[keep],
                y=value[keep] / value[0] - 1 if len(value) else value,
                name=f"{one.letter} {escape(one.results.run.name)}",
                mode="lines",
                line={"color": colour, "width": 1.5},
                hovertemplate="%{y:+.2%}",
            )
        )
    dress(figure, height=420, simulated=simulated, badge_above=True)
    figure.update_layout(hovermode="x unified", dragmode="zoom", showlegend=True, legend={"x": 0.18})
    figure.update_xaxes(type="date")
    figure.update_yaxes(title={"text": "net return"}, tickformat="+.2~%")
    return figure


def _telling(value: Any) -> Any:
    """Rows that a line through fewer points must keep: the highest and the lowest of each stretch, and the ends."""
    if len(value) <= 2 * _POINTS:
        return np.arange(len(value))
    kept = {0, len(value) - 1}
    for part in np.array_split(np.arange(len(value)), _POINTS):
        kept |= {int(part[value[part].argmin()]), int(part[value[part].argmax()])}
    return np.array(sorted(kept))


def _only(one: Compared, runs: int) -> str:
    of = len(one.results.positions)
    held = one.only["closed"].null_count
    still = f", {held:,} of them still open" if held else ""
    heading = f"<h2>Trades that only {one.letter} has: {len(one.only):,} of {of:,}{still}</h2>"
    if not len(one.only):
        return f'<section>{heading}<p class="empty">The others have all of them, too.</p></section>'
    content, plots = "", {}
    symbols = one.results.run.symbols
    for symbol in symbols:
        name = f"heatmap-{one.letter}-{symbol}"
        most_cells = MOST_CELLS // (runs * len(symbols))
        levels, candles = one.results.levels(symbol, most_cells), one.results.candles(symbol)
        if not len(levels) and not len(candles):
            continue
        figure = heatmap_figure(
            levels,
            candles,
            one.only.filter(np.asarray(one.only["symbol"]) == symbol),
            simulated=one.results.run.simulated,
            height=520,
            most_cells=most_cells,
            contract=contract_of(symbol),
        )
        plots[symbol] = f"plot-{name}"
        content += heatmap_html(name, figure, f"{symbol}, and the trades that only {one.letter} has")
    trades = trades_html(one.only.to_pylist(), plots, one.results.run.quote)
    return f'<section class="trades">{heading}{content}{trades}</section>'


def _small_print() -> str:
    terms = {
        "Differences": "figures of a run less those of A, both from the same days; figures above are each run's own.",
        "Intervals": "whole days are drawn, the same for both runs, in stretches of consecutive days (stationary "
        "bootstrap of Politis and Romano 1994), and widened as Student's for so many stretches. They tell how much the "
        "difference hangs on which days there were, not how many variants were tried before.",
        "The same trade": f"of the same symbol and side, opened within {SAME_TRADE.seconds} s of each other.",
    }
    return f"<dl>{''.join(f'<dt>{term}</dt><dd>{escape(text)}</dd>' for term, text in terms.items())}</dl>"
