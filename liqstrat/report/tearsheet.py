"""The second fold of a report: figures for who wants more than the cards, closed until it is asked for."""

from collections.abc import Callable
from html import escape
from typing import Any

from liqstrat.report import numbers
from liqstrat.report.level_pnl import level_pnl_html
from liqstrat.report.table_html import table_html

Metrics = dict[str, Any]
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def _share(value: float) -> str:
    return numbers.percent(value, signed=True)


def _rate(value: float) -> str:
    return numbers.percent(value, 1)


def _money(value: float) -> str:
    return numbers.number(value, signed=True)


def _count(value: float) -> str:
    return numbers.number(value, 0)


def _times(value: float) -> str:
    return f"{numbers.number(value)} R"


#: Key, name, where `{quote}` is the account's currency, how it is written, and what it is.
_FIGURES: tuple[tuple[str, str, Callable[[Any], str], str], ...] = (
    ("cagr", "CAGR", _share, "growth a year at the rate of the run; not defined for less than 30 days"),
    (
        "psr",
        "Probabilistic Sharpe",
        _rate,
        "probability that the true Sharpe ratio is above zero, given the hours there are, their skew and heavy tails",
    ),
    (
        "sortino",
        "Sortino",
        numbers.number,
        "mean hourly return by the root mean square of losses, annualised",
    ),
    ("calmar", "Calmar", numbers.number, "CAGR by max drawdown"),
    ("buy_and_hold", "Buy and hold", _share, "what the price made over the run, without costs"),
    ("expectancy", "Expectancy, {quote}", _money, "mean net profit of a trade"),
    ("expectancy_r", "Expectancy, R", _times, "mean net profit in multiples of what the first stop risked"),
    ("mae", "Mean MAE", _rate, "how far price went against a trade at most, by its entry price"),
    ("mfe", "Mean MFE", _rate, "how far price went for a trade at most, by its entry price"),
    ("held_seconds", "Mean time held", numbers.length, "from entry to exit"),
    ("longest_held_seconds", "Longest held", numbers.length, "from entry to exit"),
    ("under_water", "Under water", _rate, "share of time in which equity was below its highest so far"),
    (
        "longest_under_water_seconds",
        "Longest under water",
        numbers.length,
        "until the high came again, or the end",
    ),
    ("wins_in_a_row", "Wins in a row", _count, "at most, by the time of closing"),
    ("losses_in_a_row", "Losses in a row", _count, "at most, by the time of closing"),
    ("turnover", "Turnover", lambda v: f"{numbers.number(v, 1)}×", "what was bought and sold, by the mean equity"),
)
_SIDE: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("trades", "Trades", _count),
    ("pnl", "P&L, {quote}", _money),
    ("win_rate", "Win rate", _rate),
    ("profit_factor", "Profit factor", numbers.number),
    ("expectancy", "Expectancy, {quote}", _money),
    ("expectancy_r", "Expectancy, R", _times),
)


def named(key: str) -> tuple[str, Callable[[Any], str]] | None:
    """What a figure of the second fold is called, where `{quote}` is the account's currency, and how it is written."""
    return next(((name, text) for known, name, text, _ in _FIGURES if known == key), None)


def tearsheet_html(metrics: Metrics, quote: str = "USDT") -> str:
    """The section, amounts in `quote`; an empty text for results of before, which have none of its figures."""
    if not any(key in metrics for key, *_ in _FIGURES):
        return ""
    listed = "".join(
        f'<div title="{escape(meaning)}"><dt>{escape(name.format(quote=quote))}</dt>'
        f"<dd>{_text(metrics.get(key), text)}</dd></div>"
        for key, name, text, meaning in _FIGURES
    )
    parts = (
        f'<dl class="more">{listed}</dl>{_beside(metrics, quote)}{_sides(metrics, quote)}'
        f"{_months(metrics.get('by_month') or {})}"
        f"{_split('Weekday of entry', _DAYS, metrics.get('by_weekday') or [], quote)}"
        f"{_split('Hour of entry', [f'{hour:02d}' for hour in range(24)], metrics.get('by_hour') or [], quote)}"
    )
    more = f"<section><details><summary><h2>More figures</h2></summary>{parts}</details></section>"
    return more + level_pnl_html(metrics.get("by_level") or {}, quote)


#: By the section of `metrics.json`: key, name, how it is written, and what it is.
_BESIDE: tuple[tuple[str, str, tuple[tuple[str, str, Callable[[Any], str], str], ...]], ...] = (
    (
        "against_hold",
        "Against buy and hold",
        (
            ("return", "Holding made", _share, "the mean of the symbols' prices, without costs"),
            ("excess_return", "Run above it", _share, "return of the run less that of holding"),
            ("sharpe", "Its Sharpe", numbers.number, "of hourly returns, as the run's"),
            ("max_drawdown", "Its drawdown", _rate, "from the highest so far"),
            ("correlation", "Correlation", numbers.number, "of hourly returns of the run and of holding"),
            (
                "beta",
                "Beta",
                numbers.number,
                "how far the run goes along with a move of holding, hour by hour",
            ),
            (
                "alpha",
                "Alpha a year",
                _share,
                "what beta leaves of the mean hourly return, times 8,760; from 30 days on",
            ),
        ),
    ),
    (
        "rolling_sharpe",
        "Rolling Sharpe",
        (
            ("days", "Window", lambda v: f"{v} d", "a fifth of the run, from two to thirty days"),
            ("low", "Lowest", numbers.number, "of the windows at each full hour"),
            ("median", "Middle", numbers.number, "of the windows at each full hour"),
            ("high", "Highest", numbers.number, "of the windows at each full hour"),
            ("below_zero", "Below zero", _rate, "share of the windows"),
        ),
    ),
    (
        "capacity",
        "Capacity",
        (
            ("median", "Usual order", _rate, "by what was traded from four minutes before its first fill to its last"),
            ("high", "Large order", _rate, "95th percentile of the same"),
            ("at_0.01", "Account for 1%", numbers.amount, "{quote} at which a large order would be 1% of that volume"),
            ("at_0.05", "Account for 5%", numbers.amount, "{quote} at which a large order would be 5% of that volume"),
            ("at_0.1", "Account for 10%", numbers.amount, "{quote} at which a large order would be 10% of that volume"),
        ),
    ),
)


def _beside(metrics: Metrics, quote: str) -> str:
    """Three short lists beside each other; nothing of results of before."""
    lists = ""
    for section, heading, figures in _BESIDE:
        if found := metrics.get(section):
            listed = "".join(
                f'<div title="{escape(meaning.format(quote=quote))}"><dt>{escape(name)}</dt>'
                f"<dd>{_text(found.get(key), text)}</dd></div>"
                for key, name, text, meaning in figures
            )
            lists += f'<h3 class="list">{escape(heading)}</h3><dl class="more">{listed}</dl>'
    return lists


def _sides(metrics: Metrics, quote: str) -> str:
    rows = "".join(
        f'<tr><td class="text {side}">{side}</td>'
        + "".join(f"<td>{_text(metrics[side].get(key), text)}</td>" for key, _, text in _SIDE)
        + "</tr>"
        for side in ("long", "short")
        if metrics.get(side)
    )
    return table_html(["*Side", *(name.format(quote=quote) for _, name, _ in _SIDE)], rows)


def _months(months: dict[str, float | None]) -> str:
    """A row a year, a column a month, and what the year made."""
    rows = ""
    for year in sorted({month[:4] for month in months}):
        own = [months.get(f"{year}-{month:02d}", "") for month in range(1, 13)]
        whole = 1.0
        for made in own:
            whole *= 1 + made if isinstance(made, float | int) else 1
        cells = "".join("<td></td>" if made == "" else f"<td{_colour(made)}>{_text(made, _share)}</td>" for made in own)
        rows += f'<tr><td class="text">{year}</td>{cells}<td{_colour(whole - 1)}>{_share(whole - 1)}</td></tr>'
    names = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Year")
    return table_html(["*Return", *names], rows)


def _split(name: str, parts: Any, found: list[dict[str, float]], quote: str) -> str:
    if not found:
        return ""
    counts = "".join(f"<td>{_count(one['trades']) if one['trades'] else ''}</td>" for one in found)
    sums = "".join(
        f"<td{_colour(one['pnl'])}>{numbers.number(one['pnl'], 0, signed=True)}</td>" if one["trades"] else "<td></td>"
        for one in found
    )
    rows = f'<tr><td class="text">Trades</td>{counts}</tr><tr><td class="text">P&amp;L, {quote}</td>{sums}</tr>'
    return table_html([f"*{name}, UTC", *map(str, parts)], rows)


def _text(value: Any, text: Callable[[Any], str]) -> str:
    return numbers.ABSENT if value is None else text(value)


def _colour(value: Any) -> str:
    return "" if not value else ' class="gain"' if value > 0 else ' class="loss"'
