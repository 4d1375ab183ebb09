"""The page of a sweep: the verdict first, then what it rests on."""

from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from liqstrat.inputs import parse_time, read_json
from liqstrat.report import numbers
from liqstrat.report.cards import cards_html
from liqstrat.report.figures import figure_name, figure_text
from liqstrat.report.page import plot_html, write_page
from liqstrat.report.table_html import table_html
from liqstrat.research import sweep_figures as figures
from liqstrat.research.verdict_html import notes_html, verdict_html
from liqstrat.study_settings import SMALLER

_MOST_ROWS = 50
_ALSO = ("net_return", "max_drawdown", "sharpe", "trades", "profit_factor")
_CONTROLS = {"random": "entries by chance", "placebo": "levels of other times"}


def write_sweep_page(folder: Path) -> Path:
    """Write `sweep.html` in the folder of a sweep, from the files that are there."""
    facts = read_json(folder / "sweep.json")
    trials = pd.read_parquet(folder / "trials.parquet")
    returns = pd.read_parquet(folder / "returns.parquet")
    simulated, objective = facts["simulated"], facts["objective"][0]
    title = f"Sweep of {facts['name']}"
    badge = '<span class="badge">SIMULATED</span>' if simulated else ""
    parts = [
        f"<header><h1>{escape(title)} {badge}</h1>{_facts(facts)}{notes_html(facts)}</header>",
        verdict_html(facts["verdict"]),
    ]
    if why := facts.get("none"):
        parts.append(f'<p class="note">{escape(why[:1].upper() + why[1:])}.</p>')
    if facts["best"]:
        parts += _of_best(facts, returns, objective)
    if objective in trials and trials[objective].notna().any():
        parts += _of_all(facts, trials, objective)
    parts.append(f"<footer>{_small_print()}</footer>")
    return write_page(folder / "sweep.html", title + (" SIMULATED" if simulated else ""), "".join(parts))


def _facts(facts: dict[str, Any]) -> str:
    start, end = (numbers.moment(parse_time(facts[key])) for key in ("start", "end"))
    tried = facts["verdict"]["evidence"]["configurations"]
    undefined = f", {facts['undefined']:,} without a defined objective" if facts["undefined"] else ""
    refused = f", {len(facts['refused']):,} not possible" if facts["refused"] else ""
    constraint = f"<p>where {escape(facts['constraint'])}</p>" if facts["constraint"] else ""
    return (
        '<div class="facts">'
        f"<div><h3>Market</h3><p><b>{escape(', '.join(facts['symbols']))}</b></p><p>{start} to {end} UTC, "
        f"{escape(facts['resolution'])}</p></div>"
        f"<div><h3>Search</h3><p><b>{facts['trials']:,} trials</b>, {escape(facts['method'])}, seed {facts['seed']}</p>"
        f"<p>{facts['feasible']:,} meet the constraint{undefined}{refused}</p>"
        f"<p>{tried:,} configurations tried on these data so far</p></div>"
        f"<div><h3>Objective</h3><p><b>{escape(', '.join(map(figure_name, facts['objective'])))}</b></p>{constraint}"
        "</div></div>"
    )


def _of_best(facts: dict[str, Any], returns: pd.DataFrame, objective: str) -> list[str]:
    best = facts["best"][0]
    settings = "".join(
        f'<div title="{escape(key)}"><dt>{escape(figures.short(key))}</dt><dd>{escape(_value(value))}</dd></div>'
        for key, value in best["settings"].items()
    )
    parts = [
        f"<section><h2>The best trial: {best['trial']}</h2>"
        '<p class="how">Its run file is best.toml; chosen on the same days that these figures are of.</p>'
        f'<dl class="more">{settings}</dl>{cards_html(best["figures"])}</section>'
    ]
    if str(best["trial"]) in returns:
        figure = figures.equity(returns, str(best["trial"]), facts["simulated"])
        parts.append(
            f"<section><h2>Day by day</h2>{plot_html('equity', figure, 'Net return of the best trial')}</section>"
        )
    own = best["figures"].get(objective)
    values = {
        label: [
            one[objective]
            for name, one in facts["checks"].items()
            if name.startswith(kind) and one.get(objective) is not None
        ]
        for kind, label in _CONTROLS.items()
    }
    values = {label: found for label, found in values.items() if found}
    if values and own is not None:
        figure = figures.controls(values, own, objective, facts["simulated"])
        parts.append(
            "<section><h2>Against controls</h2>"
            '<p class="how">Entries by chance: as often, as long, as large and on the same sides. Levels of '
            "other times: the same strategy, its levels as dense and as far from price as the real ones, where "
            f"nobody is known to be.</p>{plot_html('controls', figure, 'Objective of the controls')}</section>"
        )
    parts.append(_stress(facts, best["figures"]))
    return parts


def _stress(facts: dict[str, Any], own: dict[str, Any]) -> str:
    stressed = {name: one for name, one in facts["checks"].items() if "×" in name}
    if not stressed:
        return ""
    slow = "" if facts["resolution"] == "tick" else " With bars, a latency below a minute changes little or nothing."
    rows = "".join(
        f'<tr><td class="text">{escape(name)}</td>'
        + "".join(f"<td>{figure_text(key, one.get(key))}</td>" for key in _ALSO)
        + "</tr>"
        for name, one in {"as it is": own, **stressed}.items()
    )
    return (
        '<section><h2>Dearer and slower</h2><p class="how">The best trial with fees and impact, or with latency, so '
        f"many times what the run file says.{slow}</p>{table_html(['*', *map(figure_name, _ALSO)], rows)}</section>"
    )


def _of_all(facts: dict[str, Any], trials: pd.DataFrame, objective: str) -> list[str]:
    keys, simulated = list(facts["over"]), facts["simulated"]
    name, parts = figure_name(objective), []
    if len(keys) > 1:
        heat = figures.heatmaps(trials, keys, objective, simulated)
        parts.append(
            f'<section><h2>{escape(name)} by two settings</h2><p class="how">The mean of all trials in a cell; without '
            "a colour where none was tried.</p>"
            f"{plot_html('heat', heat, f'{name} by two settings')}</section>"
        )
    if facts["best"]:
        best = {key: _cell(value) for key, value in facts["best"][0]["settings"].items()}
        profile = figures.profiles(trials, keys, objective, best, simulated)
        parts.append(
            f"<section><h2>Plateau or peak</h2>{_plateau(facts)}{plot_html('profiles', profile, f'{name} by setting')}"
            "</section>"
        )
    also = [key for key in dict.fromkeys(["trades", "max_drawdown", objective]) if key in trials]
    lines = figures.parallel(trials, keys, objective, also, simulated)
    parts.append(
        '<section><h2>All trials at once</h2><p class="how">A line a trial, the stronger its colour the better.</p>'
        f"{plot_html('parallel', lines, 'Every trial through its settings and figures')}</section>"
    )
    return [*parts, _trials(trials, keys, objective)]


def _plateau(facts: dict[str, Any]) -> str:
    found = facts["plateau"]
    if not found:
        return '<p class="how">No trial differs from the best by one step in one setting only.</p>'
    share = found["share"]
    told = f", {numbers.percent(share, 0)} of it" if share is not None else ""
    around = sum(found["around"]) / len(found["around"])
    return (
        f'<p class="how">At the peak {numbers.number(found["peak"])}; on average {numbers.number(around)} in the '
        f"{len(found['around'])} trials one step from it{told}. A setting that must be hit exactly will not be hit "
        "again.</p>"
    )


def _trials(trials: pd.DataFrame, keys: list[str], objective: str) -> str:
    smaller_first = objective in SMALLER
    shown = trials[trials["feasible"]].sort_values(objective, ascending=smaller_first).head(_MOST_ROWS)
    also = [key for key in dict.fromkeys([objective, *_ALSO]) if key in trials]
    rows = "".join(
        f'<tr><td class="text">{row["trial"]}</td>'
        + "".join(f"<td>{escape(_value(row[key]))}</td>" for key in keys)
        + "".join(f"<td>{figure_text(key, _defined(row[key]))}</td>" for key in also)
        + "</tr>"
        for row in shown.to_dict("records")
    )
    head = ["*Trial", *map(figures.short, keys), *map(figure_name, also)]
    return f"<section><h2>The best {len(shown):,} of {len(trials):,}</h2>{table_html(head, rows)}</section>"


def _value(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _cell(value: Any) -> Any:
    return str(value) if isinstance(value, list | dict) else value


def _defined(value: Any) -> Any:
    return None if isinstance(value, float) and value != value else value


def _small_print() -> str:
    terms = {
        "Deflated Sharpe ratio": "the probability that the true Sharpe ratio is above what the best of so "
        "many configurations without an edge would have (Bailey and López de Prado 2014). All configurations that the "
        "ledger knows of on these data are counted, whatever study they were tried in.",
        "PBO": "probability of backtest overfitting, by halving history in all ways (Bailey, Borwein, López de Prado "
        "and Zhu 2017).",
        "SPA": "test of superior predictive ability against doing nothing (Hansen 2005), stationary bootstrap.",
        "Controls": "are run for the best trial alone. It was chosen among all, they were not: the deflated ratio is "
        "what counts for that.",
        "Announced": "is how often all tests together say so, on days drawn anew in stretches, for trials and controls "
        "alike. It takes the edge for as large as it was here.",
        "Trials": "have the figures of the same run alone, byte for byte.",
    }
    return f"<dl>{''.join(f'<dt>{term}</dt><dd>{escape(text)}</dd>' for term, text in terms.items())}</dl>"
