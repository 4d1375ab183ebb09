"""A verdict on a page: its words, each reason, and what would tell more; and what to know of the history."""

from html import escape
from typing import Any

from liqstrat.report.table_html import table_html
from liqstrat.research.edge import EDGE, NONE, NOT_OF_LEVELS, TOO_LITTLE

_WORDS = (EDGE, NOT_OF_LEVELS, NONE, TOO_LITTLE)


def verdict_html(verdict: dict[str, Any]) -> str:
    """The section of a verdict, from its facts."""
    words = verdict["words"]
    colour = "gain" if words == EDGE else "muted" if words == TOO_LITTLE else "caution"
    reasons = "".join(
        f'<tr><td class="text {"gain" if reason["speaks_for"] else "loss"}">'
        f"{'for' if reason['speaks_for'] else 'against'}</td>"
        f'<td class="text words">{escape(_first_upper(reason["text"]))}.</td></tr>'
        for reason in verdict["reasons"]
    )
    table = f'<div class="scroll" tabindex="0"><table><tbody>{reasons}</tbody></table></div>' if reasons else ""
    needed = "".join(f'<p class="note">{escape(_first_upper(text))}.</p>' for text in verdict["needed"])
    return (
        f'<section><h2>Verdict: <span class="{colour}">{escape(words)}</span></h2>'
        f'<p class="how">An edge is only said where every test speaks for it.</p>{table}{needed}'
        f"{_announced(verdict.get('power'))}</section>{_longer(verdict.get('power'))}"
    )


def notes_html(facts: dict[str, Any]) -> str:
    """What a reader must know of the history of a study; nothing of studies of before."""
    return "".join(f'<p class="note">{escape(_first_upper(note))}.</p>' for note in facts.get("notes", []))


def _announced(power: dict[str, Any] | None) -> str:
    return "" if power is None else f'<p class="note">{escape(_first_upper(power["text"]))}.</p>'


def _longer(power: dict[str, Any] | None) -> str:
    """What is said of longer histories, where any were drawn."""
    if power is None or len(power["by_days"]) == 1:
        return ""
    words = [word for word in _WORDS if any(one["words"].get(word, 0.0) >= 0.005 for one in power["by_days"])]
    rows = "".join(
        f"<tr><td>{one['days']:,}</td>{''.join(f'<td>{one["words"].get(word, 0.0):.0%}</td>' for word in words)}</tr>"
        for one in power["by_days"]
    )
    return (
        '<section><h2>What longer studies would say</h2><p class="how">By days of this one drawn anew, all tests '
        f"made again on each.</p>{table_html(['Days', *map(_first_upper, words)], rows, 'few')}</section>"
    )


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]
