"""The page of an event study: is a level reached, are positions liquidated there, and what does price do then."""

from html import escape
from pathlib import Path

from liqstrat.events.charts import groups_figure, paths_figure, reached_figure
from liqstrat.events.figures import Beside
from liqstrat.events.levels import PLACEBOS
from liqstrat.events.paths import HORIZONS, LIQUIDATED_WITHIN
from liqstrat.events.study import WAITED, EventStudy
from liqstrat.report import numbers
from liqstrat.report.page import plot_html, write_page
from liqstrat.report.table_html import table_html
from liqstrat.scoring.intervals import LEAST_DAYS, Estimate

_TERMS = (
    (
        "Level",
        "a cluster of a map, as it was known when the map was made, as far as 5 % from price, in which price did not "
        "stand. It is reached when price comes to its nearer edge.",
    ),
    (
        "Touch",
        "a level that is reached before the next map is made. One that price leaves and comes back to counts again.",
    ),
    (
        "Placebo",
        "as far from price and on the same side, at another map, where no cluster stands: of these the up to "
        f"{PLACEBOS} that are most alike in how long price has been away and in how restless the hour before was.",
    ),
    (
        "Back",
        "the return from the close of the minute of the touch, positive where price came back from the level: up from "
        "longs below, down from shorts above; negative where it ran on. Costs are not in it.",
    ),
    ("Best, worst", "the farthest that price came back (MFE), and ran on (MAE), up to then."),
    (
        "Liquidations",
        f"whether any position of the level's side was liquidated within its range in the {LIQUIDATED_WITHIN} minutes "
        "from the touch.",
    ),
    (
        "Regime",
        "thirds of the volatility of the 24 hours before the map, known then; the bounds between them are those of "
        "this history.",
    ),
    (
        "Intervals",
        f"95 % over whole days, none with fewer than {LEAST_DAYS}. Those of 12 and 24 hours reach into other days and "
        "are a bit too narrow. Of twenty intervals one misses zero by chance: what is found here is an idea, to be "
        "tried on other days.",
    ),
)


def write_events_page(study: EventStudy, out: Path) -> Path:
    """Write the page `out`, to be opened without network."""
    badge = '<span class="badge">SIMULATED</span>' if study.simulated else ""
    title = f"{study.symbol}: what happens at liquidation levels"
    simulated = study.simulated
    body = (
        f'<header><h1>{escape(title)} {badge}</h1><p class="subtitle">{_subtitle(study)}</p>'
        f'<div class="facts">{_findings(study)}</div>{_notes(study)}</header>'
        '<section><h2>Is a level reached?</h2><p class="how">Share of levels that price came to within 24 hours, by '
        "distance, beside placebos equally far; bars are 95 % intervals.</p>"
        f"{plot_html('reached', reached_figure(study, simulated=simulated), 'Share of levels reached by distance')}"
        f"{_reached_table(study)}</section>"
        '<section><h2>What does price do then?</h2><p class="how">Mean return from the touch, above zero where price '
        "came back from the level, below where it ran on; the faint band holds half of all touches, the stronger one "
        "is the interval of the mean.</p>"
        f"{plot_html('paths', paths_figure(study, simulated=simulated), 'Mean path after a touch')}"
        f"{_paths_table(study)}</section>"
        '<section><h2>At which levels?</h2><p class="how">How far levels are above placebos: price back an hour and '
        "four hours after the touch.</p>"
        f"{plot_html('groups', groups_figure(study, simulated=simulated), 'Difference by side, size and regime')}"
        f"{_groups_table(study)}</section>"
        f"<footer><dl>{''.join(f'<dt>{a}</dt><dd>{escape(b)}</dd>' for a, b in _TERMS)}</dl>"
        "<p>Levels are estimates: who holds which position, and at which leverage, is not published. Times are UTC.</p>"
        "</footer>"
    )
    return write_page(out, title + (" SIMULATED" if simulated else ""), body)


def _subtitle(study: EventStudy) -> str:
    return (
        f"{numbers.moment(study.start)} to {numbers.moment(study.end)} UTC ({study.days} days) · "
        f"{len(study.levels):,} levels of maps {study.every_minutes} minutes apart · {study.touches:,} touches · "
        f"{len(study.placebos):,} placebos"
    )


def findings(study: EventStudy) -> list[tuple[str, str, Beside]]:
    """What the study says, question by question, in words, and the figures behind them."""
    asked = [
        (
            "Reached within a day",
            study.reached(24),
            "levels are reached {} placebos",
            ("more often than", "less often than"),
        ),
        (
            "Liquidations when reached",
            study.liquidations(),
            "positions are liquidated there {} at placebos",
            ("more often than", "less often than"),
        ),
        ("Back after an hour", study.back(60), "price comes back {} from placebos", ("more than", "less than")),
    ]
    return [(name, _said(found, told, ways), found) for name, found, told, ways in asked if found is not None]


def _said(found: Beside, told: str, ways: tuple[str, str]) -> str:
    difference = found.difference
    if difference.value is None:
        return "nothing to tell: there are no such touches"
    if difference.low is None or difference.high is None:
        return f"too few days to tell: {LEAST_DAYS} with touches are needed"
    if difference.low <= 0 <= difference.high:
        return "no difference seen"
    return told.format(ways[0] if difference.value > 0 else ways[1])


def _findings(study: EventStudy) -> str:
    return "".join(
        f'<div><h3>{name}</h3><p>{_weighed(words, found)}</p><p class="muted">{_compared(found)}</p></div>'
        for name, words, found in findings(study)
    )


def _weighed(words: str, found: Beside) -> str:
    low, high = found.difference.low, found.difference.high
    if low is None or high is None:
        return words
    return f'<b class="{"caution" if low <= 0 <= high else "gain"}">{words}</b>'


def _compared(found: Beside) -> str:
    own, other, difference = (numbers.percent(one.value) for one in (found.levels, found.placebos, found.difference))
    text = f"{own}, placebos {other}: {difference} apart"
    if found.difference.low is None:
        return text
    return f"{text}, {numbers.percent(found.difference.low)} to {numbers.percent(found.difference.high)}"


def _notes(study: EventStudy) -> str:
    return "".join(f'<p class="note">{escape(text)}</p>' for text in study.notes)


def _reached_table(study: EventStudy) -> str:
    rows = [(f"within {hours} h", study.reached(hours)) for hours in WAITED]
    rows += [(f"within 24 h, {name} away", study.reached(24, part)) for name, part in study.distances.items()]
    return _table("Reached", "Levels", rows, signed=False)


def _paths_table(study: EventStudy) -> str:
    rows = ""
    for i, minutes in enumerate(HORIZONS):
        back = study.back(minutes)
        best, worst = (study.at_touches(values[:, i]) for values in (study.paths.mfe, study.paths.mae))
        cells = "".join(f"<td>{_share(one, signed=True)}</td>" for one in (back.levels, back.placebos, back.difference))
        cells += "".join(f"<td>{_beside(one)}</td>" for one in (best, worst))
        rows += f'<tr><td class="text">{numbers.length(60 * minutes)}</td><td>{back.count:,}</td>{cells}</tr>'
    return table_html(["*After", "Touches", "Back", "Placebos", "Difference", "Best", "Worst"], rows)


def _groups_table(study: EventStudy) -> str:
    held = study.liquidations() is not None
    names = ["Touches", "Back after 1 h", "Back after 4 h", *(["Liquidations"] if held else []), "Reached in a day"]
    rows = ""
    for name, part in study.groups.items():
        hour, later, found = study.back(60, part), study.back(240, part), study.liquidations(part)
        cells = f"<td>{_share(hour.difference, signed=True)}</td><td>{_share(later.difference, signed=True)}</td>"
        cells += "" if found is None else f"<td>{_share(found.difference, signed=True, decimals=1)}</td>"
        cells += f"<td>{_share(study.reached(24, part).difference, signed=True, decimals=1)}</td>"
        rows += f'<tr><td class="text">{escape(name)}</td><td>{hour.count:,}</td>{cells}</tr>'
    return table_html(["*Differences from placebos", *names], rows)


def _table(first: str, count: str, rows: list[tuple[str, Beside]], *, signed: bool) -> str:
    body = "".join(
        f'<tr><td class="text">{escape(name)}</td><td>{one.count:,}</td><td>{_share(one.levels, decimals=1)}</td>'
        f"<td>{_share(one.placebos, decimals=1)}</td><td>{_share(one.difference, signed=True, decimals=1)}</td></tr>"
        for name, one in rows
    )
    return table_html([f"*{first}", count, "Share", "Placebos", "Difference"], body)


def _beside(found: Beside) -> str:
    own, other = (numbers.percent(one.value, signed=True) for one in (found.levels, found.placebos))
    return f'{own} <span class="muted">{other}</span>'


def _share(estimate: Estimate, *, signed: bool = False, decimals: int = 2) -> str:
    if estimate.value is None:
        return numbers.ABSENT
    value = numbers.percent(estimate.value, decimals, signed=signed)
    if estimate.low is None or estimate.high is None:
        return value
    low, high = (numbers.percent(bound, decimals, signed=signed) for bound in (estimate.low, estimate.high))
    sure = signed and (estimate.low > 0 or estimate.high < 0)
    return f'{value} <span class="{"caution" if sure else "muted"}">{low} to {high}</span>'
