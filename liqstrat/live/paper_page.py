"""The page of a session on paper: what it does now, read again by the browser every few seconds."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from liqstrat.backtest.account.equity import EquityCurve
from liqstrat.liquidation.contract import contract_of
from liqstrat.live.paper_now import Facts
from liqstrat.moments import at_ns
from liqstrat.report import numbers
from liqstrat.report.page import write_light_page
from liqstrat.report.table_html import table_html

PAGE = "session.html"
_AGAIN_SECONDS = 2
_POINTS = 800
_WIDTH, _HEIGHT = 1000, 170
#: What is further behind the exchange than that is told in red, seconds.
_BEHIND = 30.0


@dataclass(frozen=True, eq=False)
class Shown:
    """What the page shows. state: in a word. now: see `paper_now.standing`. curve: of the account, which began with
    `balance`. lag_seconds: behind the exchange's clock. facts: further counts by name. links: name and address.
    """

    name: str
    simulated: bool
    symbols: Sequence[str]
    state: str
    running: bool
    start: datetime
    now: Facts
    curve: EquityCurve | None
    balance: float
    lag_seconds: float
    facts: dict[str, str]
    links: Sequence[tuple[str, str]] = ()


def write_paper_page(folder: Path, shown: Shown) -> Path:
    """Write the page of a session into its folder."""
    ours = files("liqstrat.live")
    badges = f"{'SIMULATED ' if shown.simulated else ''}PAPER"
    return write_light_page(
        folder / PAGE,
        f"{shown.name} {badges}",
        page_html(shown),
        style=(ours / "paper_page.css").read_text(encoding="utf-8"),
        script=(ours / "paper_page.js").read_text(encoding="utf-8"),
        refresh=_AGAIN_SECONDS if shown.running else None,
    )


def page_html(shown: Shown) -> str:
    """All that is between head and foot."""
    now = shown.now
    return (
        f"{_head(shown)}{_cards(shown)}"
        f"{_section('Equity', _curve(shown))}"
        f'<div class="columns">{"".join(_levels(symbol, one) for symbol, one in now["levels"].items())}</div>'
        f'<div class="columns">{_positions(now["positions"], now["currency"])}{_resting(now["resting"])}</div>'
        f"{_decisions(now['decisions'])}"
    )


def _head(shown: Shown) -> str:
    simulated = '<span class="badge">SIMULATED</span>' if shown.simulated else ""
    market = " The market is SIMULATED: a program made it." if shown.simulated else ""
    links = "".join(f'<a href="{escape(address)}">{escape(name)}</a>' for name, address in shown.links)
    moment = datetime.fromisoformat(shown.now["time"])
    written = round(time.time() * 1000)
    running = str(shown.running).lower()
    behind = "loss" if shown.lag_seconds > _BEHIND else "muted"
    lag = f'<span class="{behind}">{numbers.length(shown.lag_seconds)} behind the exchange</span>'
    return (
        f'<header><h1>{escape(shown.name)} {simulated}<span class="badge">PAPER</span></h1>'
        f'<p class="subtitle"><b>{escape(", ".join(shown.symbols))}</b> · since {numbers.moment(shown.start)} UTC</p>'
        f'<p class="banner"><b>Paper session.</b> Orders go to the simulated exchange of a backtest; none leaves for a '
        f"real one.{market}</p>"
        f'<p class="state"><span id="state"><b>{escape(shown.state)}</b></span>'
        f"<span>market time <b>{numbers.moment(moment, seconds=True)}</b> UTC</span>"
        f"{lag if shown.running else ''}"
        f'<span id="fresh" class="muted" data-running="{running}" data-written="{written}">'
        f"written {numbers.moment(datetime.now(UTC), seconds=True)} UTC</span>{links}</p></header>"
    )


def _cards(shown: Shown) -> str:
    now, quote = shown.now, shown.now["currency"]
    equity, balance = float(now["equity"]), float(now["balance"])
    made = equity - shown.balance
    cards = [
        ("Equity", numbers.number(equity), quote, ""),
        ("Since the start", numbers.percent(made / shown.balance, signed=True),
         f"{numbers.number(made, signed=True)} {quote}", _colour(made)),
        ("Balance", numbers.number(balance), f"{quote}, without open positions", ""),
        ("Funding", numbers.number(float(now["funding"]), signed=True), f"{quote}, negative was paid", ""),
        ("Orders", f"{now['orders']:,}", f"{now['fills']:,} fills", ""),
        *((name, value, "", "") for name, value in shown.facts.items()),
    ]  # fmt: skip
    return f'<dl class="cards">{"".join(_card(*one) for one in cards)}</dl>'


def _card(name: str, value: str, under: str, colour: str) -> str:
    figure = f'<dt>{escape(name)}</dt><dd class="{colour}">{escape(value)}</dd>'
    return f'<div class="card">{figure}<dd>{escape(under)}</dd></div>'


def _curve(shown: Shown) -> str:
    curve, quote = shown.curve, shown.now["currency"]
    if curve is None or len(curve.times) < 2:
        return _empty("The session has just begun.")
    keep = numbers.evenly(len(curve.times), _POINTS)
    times, equity = curve.times[keep], curve.equity[keep]
    low, high = min(float(equity.min()), shown.balance), max(float(equity.max()), shown.balance)
    height = max(high - low, 1e-9)
    x = (times - times[0]) / max(int(times[-1] - times[0]), 1) * _WIDTH

    def y(value: Any) -> Any:
        return (high - value) / height * (_HEIGHT - 8) + 4

    points = " L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x.tolist(), y(equity).tolist(), strict=True))
    start = f"{y(shown.balance):.1f}"
    return (
        f'<div class="curve"><p><span>{numbers.number(high)} {quote}</span></p>'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" aria-label="Equity over time">'
        f'<line x1="0" x2="{_WIDTH}" y1="{start}" y2="{start}"/><path d="M{points}"/></svg>'
        f"<p><span>{numbers.number(low)} {quote}</span></p>"
        f"<p><span>{numbers.moment(at_ns(int(times[0])))}</span><span>dotted: what it began with</span>"
        f"<span>{numbers.moment(at_ns(int(times[-1])))}</span></p></div>"
    )


def _levels(symbol: str, levels: Facts) -> str:
    price, found = levels["price"], levels["clusters"]
    known = datetime.fromisoformat(levels["known_at"])
    how = f'<p class="how">An estimate, of the open interest of {numbers.moment(known)} UTC.</p>'
    if not found:
        return _section(f"{symbol} levels", how + _empty("No level is near price."))
    most = max(one["notional"] for one in found)
    rows = [(one["distance"], _level(one, most)) for one in found]
    here = f'<tr class="price"><td>{numbers.price(price)}</td><td class="text" colspan="3">last price</td></tr>'
    ordered = [*(row for away, row in rows if away > 0), here, *(row for away, row in rows if away <= 0)]
    table = table_html(("Price", "Distance", contract_of(symbol).quote, "*"), ordered, "levels")
    return _section(f"{symbol} levels near price", how + table)


def _level(one: Facts, most: float) -> str:
    side = one["side"]
    middle = f"{numbers.price(one['low'])} to {numbers.price(one['high'])}"
    return (
        f'<tr><td class="{side}">{middle}</td><td>{numbers.percent(one["distance"], signed=True)}</td>'
        f'<td>{numbers.amount(one["notional"])}</td><td class="bar" title="{side}s that would be liquidated">'
        f'<i class="{side}" style="width:{100 * one["notional"] / most:.1f}%"></i></td></tr>'
    )


def _positions(positions: Sequence[Facts], quote: str) -> str:
    rows = [
        f'<tr><td class="text">{escape(one["symbol"])}</td><td class="text {one["side"]}">{one["side"]}</td>'
        f"<td>{one['contracts']}</td><td>{numbers.price(one['entry'])}</td>"
        f'<td class="{_colour(one["unrealized"])}">{numbers.number(one["unrealized"], signed=True)}</td>'
        f'<td class="text">{escape(one["strategy"])}</td><td>{_clock(one["opened"])}</td></tr>'
        for one in positions
    ]
    heads = ("*Symbol", "*Side", "Contracts", "Entry", f"Open P&L, {quote}", "*Strategy", "Since")
    return _section("Positions", table_html(heads, rows) if rows else _empty("None is open."))


def _resting(orders: Sequence[Facts]) -> str:
    rows = [
        f'<tr><td class="text">{escape(one["symbol"])}</td><td class="text">{escape(one["role"])}</td>'
        f'<td class="text">{escape(one["side"])}</td><td>{one["contracts"]}</td><td>{_grouped(one["price"])}</td>'
        f'<td class="text">{escape(one["type"].replace("_", " "))}</td>'
        f'<td class="text">{escape(one["strategy"])}</td></tr>'
        for one in orders
    ]
    heads = ("*Symbol", "*For", "*Side", "Contracts", "Price", "*Type", "*Strategy")
    return _section("Orders that rest", table_html(heads, rows) if rows else _empty("None."))


def _decisions(decisions: Sequence[Facts]) -> str:
    rows = [
        f'<tr><td>{_clock(one["time"])}</td><td class="text">{escape(one["symbol"])}</td>'
        f'<td class="text">{escape(one["what"])}</td><td class="text">{escape(one["state"])}</td>'
        f'<td class="text words">{escape(one["why"])}</td><td class="text">{escape(one["strategy"])}</td></tr>'
        for one in decisions
    ]
    heads = ("Time, UTC", "*Symbol", "*What", "*State", "*Why", "*Strategy")
    return _section("Last decisions", table_html(heads, rows) if rows else _empty("Nothing has been decided yet."))


def _section(heading: str, content: str) -> str:
    return f"<section><h2>{escape(heading)}</h2>{content}</section>"


def _empty(text: str) -> str:
    return f'<p class="empty">{escape(text)}</p>'


def _colour(value: float) -> str:
    return "gain" if value > 0 else "loss" if value < 0 else ""


def _grouped(price: str) -> str:
    """An order's price as the exchange has it, easier to read."""
    try:
        return f"{Decimal(price):,}"
    except InvalidOperation:
        return escape(price)


def _clock(iso: str) -> str:
    return numbers.moment(datetime.fromisoformat(iso), seconds=True)[5:]
