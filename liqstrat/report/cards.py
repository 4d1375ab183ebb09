"""The figures that matter, as cards and as a table of strategies."""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

from liqstrat.report import numbers
from liqstrat.report.table_html import table_html

Metrics = dict[str, Any]


@dataclass(frozen=True)
class _Figure:
    """One of the run's figures: how it is called and written, what it is in short, where `{quote}` is the account's
    currency, and in full, why it may be absent."""

    key: str
    name: str
    text: Callable[[Any], str]
    short: str
    meaning: str
    coloured: bool = False
    absent: str = "not defined for this run"


def _amount(value: float) -> str:
    return numbers.number(value) if abs(value) < 1e6 else numbers.amount(value)


_FIGURES = (
    _Figure(
        "net_return",
        "Net return",
        lambda v: numbers.percent(v, signed=True),
        "after all costs",
        "final equity over the balance at the start, less one; after fees, funding and slippage",
        coloured=True,
    ),
    _Figure(
        "max_drawdown",
        "Max drawdown",
        lambda v: numbers.percent(-abs(v)),
        "from the highest equity so far",
        "largest fall of equity from its highest so far, unrealised gains and losses included",
        coloured=True,
    ),
    _Figure(
        "sharpe",
        "Sharpe",
        numbers.number,
        "",
        "mean of the returns over their standard deviation",
        absent="too few returns, or all the same",
    ),
    _Figure(
        "profit_factor",
        "Profit factor",
        numbers.number,
        "gains over losses",
        "sum of the trades' gains over the sum of their losses, after fees and funding",
        absent="no trade was closed at a loss",
    ),
    _Figure(
        "win_rate",
        "Win rate",
        lambda v: numbers.percent(v, 1),
        "of trades, after costs",
        "share of trades closed at a gain after fees and funding",
    ),
    _Figure("trades", "Trades", lambda v: numbers.number(v, 0), "round trips", "from flat to flat"),
    _Figure(
        "exposure",
        "Exposure",
        lambda v: numbers.percent(v, 1),
        "of the time",
        "share of time in which a position was open",
    ),
    _Figure("final_equity", "Final equity", _amount, "{quote}", "balance and unrealised gains at the end"),
    _Figure("fees", "Fees", _amount, "{quote} paid", "paid to the exchange for fills"),
    _Figure(
        "funding",
        "Funding",
        lambda v: numbers.number(v, signed=True),
        "{quote}, negative was paid",
        "settled on the open position at 00:00, 08:00 and 16:00 UTC",
        coloured=True,
    ),
    _Figure(
        "slippage",
        "Slippage",
        _amount,
        "{quote}, in the return already",
        "fills against the last price when a market order was sent, a stop's trigger or a target's limit; "
        "above zero it was a cost",
    ),
    _Figure(
        "account_liquidations",
        "Account liquidations",
        lambda v: numbers.number(v, 0),
        "forced closings",
        "how often equity fell under the maintenance margin and everything was closed",
    ),
)


def cards_html(metrics: Metrics, quote: str = "USDT") -> str:
    """All figures of the run as cards, amounts in `quote`; an undefined one is a dash and says why when pointed at."""
    return f'<dl class="cards">{"".join(_card(figure, metrics, quote) for figure in _FIGURES)}</dl>'


def strategies_html(metrics: Metrics) -> str:
    """A table with one row a strategy; an empty text where there is only one."""
    by_strategy = metrics.get("by_strategy") or {}
    if len(by_strategy) < 2:
        return ""
    shown = [figure for figure in _FIGURES if any(figure.key in one for one in by_strategy.values())]
    rows = "".join(
        f'<tr><td class="text">{escape(name)}</td>'
        + "".join(f"<td{_style(figure, one)}>{_text(figure, one)}</td>" for figure in shown)
        + "</tr>"
        for name, one in by_strategy.items()
    )
    table = table_html(["*Strategy", *(figure.name for figure in shown)], rows)
    return f"<section><h2>Strategies</h2>{table}</section>"


def named(key: str) -> tuple[str, Callable[[Any], str]] | None:
    """What a figure that has a card is called, and how it is written."""
    return next(((figure.name, figure.text) for figure in _FIGURES if figure.key == key), None)


def definitions() -> list[tuple[str, str]]:
    """What each figure means, for the small print."""
    return [(figure.name, figure.meaning) for figure in _FIGURES]


def _card(figure: _Figure, metrics: Metrics, quote: str) -> str:
    return (
        f'<div class="card"><dt>{figure.name}</dt><dd{_style(figure, metrics)}>{_text(figure, metrics)}</dd>'
        f"<dd>{escape(_under(figure, metrics, quote))}</dd></div>"
    )


def _under(figure: _Figure, metrics: Metrics, quote: str) -> str:
    """The line under a figure: its sampling or its amount where there is one, else what it means."""
    if figure.key == "sharpe" and metrics.get("sharpe_sampling"):
        return str(metrics["sharpe_sampling"])
    if figure.key == "net_return" and metrics.get("net_pnl") is not None:
        return f"{numbers.number(metrics['net_pnl'], signed=True)} {quote} after all costs"
    return figure.short.format(quote=quote)


def _text(figure: _Figure, metrics: Metrics) -> str:
    value = metrics.get(figure.key)
    return numbers.ABSENT if value is None else figure.text(value)


def _style(figure: _Figure, metrics: Metrics) -> str:
    value = metrics.get(figure.key)
    if value is None:
        why = "there was no trade" if metrics.get("trades") == 0 else figure.absent
        return f' class="undefined" title="{escape(why)}"'
    if figure.key == "account_liquidations":
        return ' class="loss"' if value else ""
    if not figure.coloured or not value:
        return ""
    return ' class="loss"' if value < 0 or figure.key == "max_drawdown" else ' class="gain"'
