"""The page of a walk forward: the verdict, the days that no choice had seen, and how choices drifted."""

from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from liqstrat.inputs import parse_time, read_json
from liqstrat.report import numbers
from liqstrat.report.figures import figure_name, figure_text
from liqstrat.report.page import plot_html, write_page
from liqstrat.report.table_html import table_html
from liqstrat.report.theme import ACCENT, LINE, MUTED, WARNING, dress
from liqstrat.research import sweep_figures
from liqstrat.research.verdict_html import notes_html, verdict_html

_SHOWN = ("net_return", "max_drawdown", "trades")
_CONTROLS = {"random": "entries by chance", "placebo": "levels of other times"}


def write_walk_page(folder: Path) -> Path:
    """Write `walk_forward.html` in the folder of a walk, from the files that are there."""
    facts, returns = read_json(folder / "walk_forward.json"), pd.read_parquet(folder / "returns.parquet")
    simulated, title = facts["simulated"], f"Walk forward of {facts['name']}"
    badge = '<span class="badge">SIMULATED</span>' if simulated else ""
    parts = [
        f"<header><h1>{escape(title)} {badge}</h1>{_facts(facts)}{notes_html(facts)}</header>",
        verdict_html(facts["verdict"]),
        f"<section><h2>Out of sample</h2>{_figures(facts['figures'])}",
        plot_html("equity", _equity(facts, returns), "Net return of all tests, one after the other")
        if len(returns)
        else "",
        "</section>",
    ]
    if any(facts["controls"].values()) and facts["figures"]["sharpe_by_day"] is not None:
        values = {_CONTROLS[kind]: found for kind, found in facts["controls"].items() if found}
        figure = sweep_figures.controls(
            values, facts["figures"]["sharpe_by_day"], "Sharpe of daily returns", simulated, "this walk"
        )
        parts.append(
            '<section><h2>Against controls</h2><p class="how">Over the same tests: entries by chance, matched window '
            "by window, and the chosen settings on levels of other times.</p>"
            f"{plot_html('controls', figure, 'Sharpe ratios of the controls')}</section>"
        )
    if any(one["settings"] for one in facts["windows"]):
        train = plot_html("train", _train(facts), "Net return a day in training and test")
        drift = plot_html("drift", _drift(facts), "Settings by window")
        parts += [
            f"<section><h2>Train against test</h2>{train}</section>",
            f"<section><h2>Drift of the chosen settings</h2>{drift}</section>",
        ]
    else:
        parts.append(_why_nothing(facts))
    parts += [
        f"<section><h2>Windows</h2>{_windows(facts)}</section>",
        f"<footer>{_small_print(facts)}</footer>",
    ]
    return write_page(folder / "walk_forward.html", title + (" SIMULATED" if simulated else ""), "".join(parts))


def _why_nothing(facts: dict[str, Any]) -> str:
    """Why no window has chosen anything, each reason once."""
    reasons = dict.fromkeys(one["note"] for one in facts["windows"] if one["note"])
    told = "".join(f'<p class="note">In training, {escape(text)}.</p>' for text in reasons)
    return f'<p class="how">Nothing was traded, for in no training window was there anything to choose.</p>{told}'


def _facts(facts: dict[str, Any]) -> str:
    start, end = (numbers.moment(parse_time(facts[key])) for key in ("start", "end"))
    cut = facts["walk_forward"]
    train, test, embargo = (_days(cut[key]) for key in ("train", "test", "embargo"))
    more = ", ".join(word for word in ("anchored", "calibrate") if cut[word]).replace("calibrate", "calibrated")
    return (
        '<div class="facts">'
        f"<div><h3>Market</h3><p><b>{escape(', '.join(facts['symbols']))}</b></p><p>{start} to {end} UTC, "
        f"{escape(facts['resolution'])}</p></div>"
        f"<div><h3>Windows</h3><p><b>{len(facts['windows'])}</b></p><p>train {train}, embargo {embargo}, test {test}"
        f"{f'; {more}' if more else ''}</p></div>"
        f"<div><h3>Chosen by</h3><p><b>{escape(', '.join(map(figure_name, facts['objective'])))}</b></p>"
        f"<p>{sum(one['trials'] for one in facts['windows']):,} trials in training</p></div></div>"
    )


def _figures(figures: dict[str, Any]) -> str:
    kept = figures["kept_of_training"]
    cards = (
        ("Net return", numbers.percent(figures["net_return"], signed=True), "of all tests, compounded"),
        ("Sharpe", numbers.number(figures["sharpe_by_day"]), "of daily returns, a year"),
        ("Max drawdown", numbers.percent(-figures["max_drawdown"]), "from day to day"),
        ("Trades", numbers.number(figures["trades"], 0), f"on {figures['days']:,} days"),
        ("Windows won", f"{figures['windows_won']} of {figures['windows']}", "with a gain in the test"),
        ("Kept of training", numbers.percent(kept, 0), "return a day, test by training"),
    )
    told = "".join(
        f'<div class="card"><dt>{name}</dt><dd>{value}</dd><dd>{text}</dd></div>' for name, value, text in cards
    )
    return f'<dl class="cards">{told}</dl>'


def _equity(facts: dict[str, Any], returns: pd.DataFrame) -> go.Figure:
    grown = sweep_figures.grown_from(returns)["return"]
    figure = go.Figure(
        go.Scatter(
            x=grown.index, y=grown, mode="lines", line={"color": WARNING, "width": 2},
            hovertemplate="%{x|%Y-%m-%d %H:%M} %{y:+.2%}<extra></extra>", showlegend=False,
        )
    )  # fmt: skip
    for one in facts["windows"]:
        figure.add_vline(x=parse_time(one["test_start"]), line={"color": LINE, "width": 1, "dash": "dot"})
    dress(figure, height=360, simulated=facts["simulated"], badge_above=True)
    figure.update_xaxes(type="date")
    figure.update_yaxes(title={"text": "net return"}, tickformat="+.2~%")
    return figure


def _train(facts: dict[str, Any]) -> go.Figure:
    """Return a day in the training window and in the test that followed, window by window."""
    numbers_of = [one["number"] for one in facts["windows"]]
    figure = go.Figure()
    for key, name, colour in (("trained", "training", MUTED), ("tested", "test", WARNING)):
        sides = ("train_start", "train_end") if key == "trained" else ("test_start", "test_end")
        values = [
            _a_day(one[key].get("net_return"), *(parse_time(one[side]) for side in sides)) for one in facts["windows"]
        ]
        figure.add_trace(
            go.Bar(x=numbers_of, y=values, name=name, marker={"color": colour}, hovertemplate="%{y:+.3%} a day")
        )
    dress(figure, height=300, simulated=facts["simulated"], badge_above=True)
    figure.update_layout(barmode="group", legend={"x": 0.18}, hovermode="x unified", bargap=0.35)
    figure.update_xaxes(title={"text": "window"}, type="category")
    figure.update_yaxes(title={"text": "net return a day"}, tickformat="+.2~%")
    return figure


def _drift(facts: dict[str, Any]) -> go.Figure:
    keys = list(dict.fromkeys(key for one in facts["windows"] for key in one["settings"])) or ["no settings"]
    figure = make_subplots(rows=len(keys), cols=1, shared_xaxes=True, vertical_spacing=0.05)
    for row, key in enumerate(keys, 1):
        values = [one["settings"].get(key) for one in facts["windows"]]
        plain = [str(value) if isinstance(value, list | dict) else value for value in values]
        figure.add_trace(
            go.Scatter(
                x=[one["number"] for one in facts["windows"]], y=plain, mode="lines+markers", showlegend=False,
                line={"color": ACCENT, "width": 1.5, "shape": "hv"}, marker={"size": 7},
                hovertemplate="window %{x}: %{y}<extra></extra>",
            ), row, 1,
        )  # fmt: skip
    dress(figure, height=80 + 130 * len(keys), simulated=facts["simulated"], badge_above=True)
    for row, key in enumerate(keys, 1):
        figure.update_yaxes(title={"text": sweep_figures.short(key)}, row=row, col=1)
    figure.update_xaxes(type="category")
    figure.update_xaxes(title={"text": "window"}, row=len(keys), col=1)
    return figure


def _windows(facts: dict[str, Any]) -> str:
    keys = list(dict.fromkeys(key for one in facts["windows"] for key in one["settings"]))
    objective = facts["objective"][0]
    # What no test has, as a Sharpe ratio of half a day, only takes the room of others.
    tested = [one["tested"] for one in facts["windows"] if one["tested"]]
    figures = [
        name
        for name in dict.fromkeys([objective, *_SHOWN])
        if not tested or any(one.get(name) is not None for one in tested)
    ]
    head = ["*Window", "*Test from", "*to", *map(sweep_figures.short, keys)]
    head += [
        f"{figure_name(objective)}, training",
        *(f"{figure_name(name)}, test" for name in figures),
    ]
    rows = "".join(
        f'<tr><td class="text">{one["number"]}</td><td class="text">{_moment(one["test_start"])}</td>'
        f'<td class="text">{_moment(one["test_end"])}</td>'
        + "".join(f"<td>{escape(_value(one['settings'].get(key)))}</td>" for key in keys)
        + f"<td>{figure_text(objective, one['trained'].get(objective))}</td>"
        + "".join(f"<td>{figure_text(name, one['tested'].get(name))}</td>" for name in figures)
        + "</tr>"
        + (
            f'<tr><td></td><td class="text muted" colspan="{len(head) - 1}">{escape(one["note"])}</td></tr>'
            if one["note"]
            else ""
        )
        for one in facts["windows"]
    )
    return table_html(head, rows)


def _small_print(facts: dict[str, Any]) -> str:
    walks = facts["verdict"]["evidence"]["configurations"]
    terms = {
        "Out of sample": "settings are chosen in a training window and traded in the test that follows; no choice has "
        "seen the days of its test. Equity begins anew with each test, returns are compounded.",
        "Walks": "this is the only one over these data so far: its Sharpe ratio is held against zero."
        if walks == 1
        else f"{walks:,} of other cut, sweep or settings on these data so far, which deflate the Sharpe ratio.",
        "Embargo": "the test begins so much after the training, or later: after the longest time for which the chosen "
        "settings held a position in training, at most half of the test.",
    }
    return f"<dl>{''.join(f'<dt>{term}</dt><dd>{escape(text)}</dd>' for term, text in terms.items())}</dl>"


def _a_day(value: float | None, start: Any, end: Any) -> float | None:
    return None if value is None else value / ((end - start).total_seconds() / 86_400)


def _moment(text: str) -> str:
    return numbers.moment(parse_time(text))


def _value(value: Any) -> str:
    if value is None:
        return numbers.ABSENT
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _days(length: str) -> str:
    seconds = pd.Timedelta(length).total_seconds()
    return numbers.length(seconds) if seconds else "none"
