"""The page of a score: verdicts, tables and figures, with what the record leaves out beside them."""

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from liqstrat.liquidation.contract import LINEAR, Contract
from liqstrat.report import numbers
from liqstrat.report.heatmap import heatmap_html
from liqstrat.report.page import plot_html, write_page
from liqstrat.report.score_figures import MOST_MARKS, lift_figure, liquidations_figure, reliability_figure
from liqstrat.report.table_html import table_html

if TYPE_CHECKING:
    from liqstrat.scoring.history import Scored
    from liqstrat.scoring.intervals import Estimate
    from liqstrat.scoring.trial import Row
    from liqstrat.scoring.verdict import Verdict

_FIGURES = ("Lift", "At equal distance", "Rank", "Bits over uniform", "Adds to distance and recency")
_TERMS = (
    (
        "Reached band",
        "a price bin that a window (usually an hour) ran through, for longs below the price it began with, for shorts "
        "above; held against the map that was known when the window began.",
    ),
    ("Lift", "what was liquidated per reached band in the densest tenth of them, over that in all; 1 is chance."),
    (
        "At equal distance",
        "the same within each side and distance band, so that nothing is earned by knowing how liquidations depend on "
        "distance; a shuffled map has 1.",
    ),
    ("Rank", "Spearman's correlation of predicted with realised density of all reached bands."),
    (
        "Bits",
        "how much more probable, as a logarithm to base 2, a map makes the band in which a contract was liquidated "
        "than the baseline does, among the bands of the same window; a mean in which a window weighs as two usual ones "
        "at most, however much was liquidated in it.",
    ),
    (
        "Baselines",
        "uniform: every reached price alike. distance, and distance and recency: what the days before tell of the "
        "distance of a level and of the hours since price was there. volume profile: where much was traded of late. "
        "shuffled: the model's own map, its levels mixed up at equal distance.",
    ),
    (
        "Adds",
        "bits of distance, recency and the map together, fitted to the days before each, over distance and recency "
        "without the map. Only this is praised, and only where the interval lies above zero, which no single day can "
        "carry.",
    ),
    (
        "Intervals",
        "95 % over whole days, as wide as Student's for days of such weights and as the studentized bootstrap; those "
        "that verdicts rest on allow for the number of models. None is given with fewer than 7 days.",
    ),
    (
        "By leverage",
        "liquidated contracts are attributed to leverages by the map's own shares in each band. Realised to usual: "
        "attributed over predicted contracts, over the same of all leverages.",
    ),
)


def write_score_page(
    scored: "Scored", levels: pa.Table, candles: pa.Table, out: Path, contract: Contract = LINEAR
) -> Path:
    """Write the page `out`, to be opened without network; `levels` are the maps of the first model over time."""
    result = scored.score
    first = next(iter(result.verdicts))
    parts = [row.group for row in result.rows if row.name == first and "%" in row.group and row.bands]
    badge = '<span class="badge">SIMULATED</span>' if scored.simulated else ""
    title = f"{scored.symbol} liquidation levels, scored"
    recorded = scored.recorded.liquidations
    figure = liquidations_figure(levels, candles, recorded, simulated=scored.simulated, contract=contract)
    shown = min(len(scored.recorded.liquidations.price), MOST_MARKS)
    body = (
        f'<header><h1>{escape(title)} {badge}</h1><p class="subtitle">{_subtitle(scored)}</p>'
        f"{_verdicts(scored)}{_notes(scored)}</header>"
        f"<section><h2>All reached bands</h2>{_table(scored)}</section>"
        f'<section><h2>What the maps add</h2><p class="how">{escape(_added_text(scored))}</p>{_added(scored)}</section>'
        '<section><h2>Lift by distance</h2><p class="how">Within each side and range of distance; bars are 95 % '
        "intervals where there are enough days.</p>"
        f"{plot_html('lift', lift_figure(result, parts, simulated=scored.simulated), 'Lift by distance')}</section>"
        f'<section><h2>Reliability</h2><p class="how">{escape(_reliability_text(scored))}</p>'
        f"{plot_html('reliability', reliability_figure(result, simulated=scored.simulated), 'Reliability')}</section>"
        f"<section><h2>What {escape(first)} showed, and what was liquidated</h2>"
        f'<p class="how">Marks are the {shown:,} largest recorded liquidations at the price and time they happened, '
        f"their area by {contract.quote}: ▾ longs, ▴ shorts.</p>"
        f"{heatmap_html('heatmap', figure, title)}</section>"
        f"{''.join(_model_section(scored, name) for name in result.verdicts)}"
        f"<footer><dl>{''.join(f'<dt>{a}</dt><dd>{escape(b)}</dd>' for a, b in _TERMS)}</dl>"
        "<p>Levels are estimates: who holds which position, and at which leverage, is not published. Times are UTC.</p>"
        "</footer>"
    )
    return write_page(out, title + (" SIMULATED" if scored.simulated else ""), body)


def _subtitle(scored: "Scored") -> str:
    s = scored.score
    return (
        f"judged {numbers.moment(s.judged_from)} to {numbers.moment(s.end)} UTC ({s.days} days), each by the "
        f"days before it, from {numbers.moment(s.start)} on · {s.liquidations:,} liquidations of "
        f"{numbers.amount(s.liquidated)} contracts · {s.bands:,} reached bands"
    )


def _verdicts(scored: "Scored") -> str:
    named = list(scored.score.verdicts.items())
    if len(named) > 1:
        named.append(("all together", scored.score.overall))
    facts = "".join(f"<div><h3>{escape(name)}</h3>{_verdict(verdict)}</div>" for name, verdict in named)
    return f'<div class="facts">{facts}</div>'


def _verdict(verdict: "Verdict") -> str:
    colour = "gain" if verdict.better else "caution"
    return f'<p><b class="{colour}">{verdict.words}</b></p><p class="muted">{escape(verdict.reason)}</p>'


def _notes(scored: "Scored") -> str:
    checked = [
        f"{name}: {found or 'no look-ahead found; maps are the same without what came after'}"
        for name, found in scored.lookahead.items()
    ]
    return "".join(f'<p class="note">{escape(text)}</p>' for text in [*scored.remarks, *checked])


def _table(scored: "Scored") -> str:
    rows = "".join(
        f'<tr{" class=muted" if row.baseline else ""}><td class="text">{escape(_name(row))}</td>{_cells(row)}</tr>'
        for row in scored.score.rows
        if row.group == "all"
    )
    return table_html(["*Forecast", *_FIGURES], rows)


def _added_text(scored: "Scored") -> str:
    recency = scored.score.recency
    worth = "" if recency.value is None else f" Recency alone adds {recency.value:+.2f} to distance."
    return f"In bits, each time fitted to the days before.{worth}"


def _added(scored: "Scored") -> str:
    names = (
        "*Model",
        "To distance",
        "Recency explains",
        "To distance and recency",
        "Without the largest day",
        "Every contract alike",
        "Days to tell",
    )
    rows = "".join(
        f'<tr><td class="text">{escape(name)}</td><td>{_text(one.to_distance)}</td>'
        f"<td>{numbers.ABSENT if one.explained is None else numbers.percent(one.explained, 0)}</td>"
        f"<td>{_text(one.to_both)}</td>"
        f'<td>{_text(one.without_largest)} <span class="muted">({one.largest_day}, '
        f"{numbers.percent(one.largest_share, 0)} of the contracts)</span></td>"
        f"<td>{_text(one.by_contracts)}</td>"
        f"<td>{numbers.ABSENT if one.days_needed is None else f'{one.days_needed:,}'}</td></tr>"
        for name, one in scored.score.added.items()
    )
    return table_html(names, rows)


def _model_section(scored: "Scored", name: str) -> str:
    rows = "".join(
        f'<tr><td class="text">{escape(row.group)}</td><td>{row.bands:,}</td><td>{row.contracts:,.1f}</td>'
        f"{_cells(row)}</tr>"
        for row in scored.score.rows
        if row.name == name and row.group != "all"
    )
    tiers = "".join(
        f'<tr><td class="text">{tier.leverage}x</td><td>{tier.predicted:,.1f}</td><td>{tier.attributed:,.1f}</td>'
        f"<td>{_text(tier.ratio)}</td><td>{_text(tier.lift)}</td></tr>"
        for tier in scored.score.tiers.get(name, [])
    )
    heads = ("*Leverage", "Predicted contracts", "Attributed", "Realised to usual", "Lift")
    by_leverage = table_html(heads, tiers) if tiers else ""
    return (
        f"<section><h2>{escape(name)} by side, distance and leverage</h2>"
        f"{table_html(['*Part', 'Bands', 'Contracts', *_FIGURES], rows)}{by_leverage}</section>"
    )


def _reliability_text(scored: "Scored") -> str:
    shares = [
        f"{name} {ratio:.2g} (and {numbers.percent(scored.score.empty[name], 1)} of what was liquidated stood where it "
        "had nothing)"
        for name, ratio in scored.score.ratio.items()
        if ratio is not None
    ]
    return (
        "Reached bands in ten groups of like prediction, and at the left edge those where a map has nothing. "
        "Predictions are scaled so that their sum is what was liquidated: a map holds positions that are closed before "
        f"price comes, and the record is incomplete. Liquidated over predicted: {'; '.join(shares)}."
    )


def _name(row: "Row") -> str:
    return f"{row.name} {row.baseline_of}" if row.baseline_of else row.name


def _cells(row: "Row") -> str:
    figures = (row.lift, row.lift_at_equal_distance, row.rank, row.bits, row.adds)
    return "".join(f"<td>{_text(one)}</td>" for one in figures)


def _text(estimate: "Estimate") -> str:
    if estimate.value is None:
        return numbers.ABSENT
    value = numbers.number(estimate.value)
    if estimate.low is None or estimate.high is None:
        return value
    return f'{value} <span class="muted">{numbers.number(estimate.low)} to {numbers.number(estimate.high)}</span>'
