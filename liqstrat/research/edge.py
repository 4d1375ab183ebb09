"""What all tests of a study together allow to be said, in words."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from liqstrat.research.days import LEAST_DAYS as LEAST_DAYS_OF_INTERVAL
from liqstrat.research.luck import POWER, SURE, Deflated, Overfitting
from liqstrat.research.power import Power

EDGE, NOT_OF_LEVELS, NONE, TOO_LITTLE = (
    "edge",
    "edge, but not of the levels",
    "no edge shown",
    "too little to tell",
)
#: With fewer there is no verdict.
LEAST_DAYS, LEAST_TRADES = 30, 30
_MOST_LOSES = 0.25
#: Of controls, with fewer of which a share says nothing.
LEAST_SEEDS = 19
_UNDEFINED = (
    "the Sharpe ratio of daily returns cannot be held against luck: the days are too few, all alike, or too odd in "
    "their skew and kurtosis for its formula"
)


@dataclass(frozen=True)
class Against:
    """How many of `seeds` controls the best trial beats, as a share; None where too few could be run."""

    beaten: float | None
    seeds: int

    @classmethod
    def of(cls, beaten: Sequence[bool]) -> "Against":
        """By whether each control is beaten."""
        return cls(sum(beaten) / len(beaten) if len(beaten) >= LEAST_SEEDS else None, len(beaten))


@dataclass(frozen=True)
class Evidence:
    """All that was found out: over `days` days and `trades` trades of the best trial, of `configurations` tried on
    these data. superiority: p-value against doing nothing. random, placebo: against entries by chance, and against the
    same strategy on levels of other times."""

    days: int
    trades: int
    configurations: int
    deflated: Deflated | None = None
    overfitting: Overfitting | None = None
    superiority: float | None = None
    random: Against | None = None
    placebo: Against | None = None


@dataclass(frozen=True)
class Verdict:
    """In words, with each reason: whether it speaks for an edge, and what it is. needed: what would tell more. power:
    how often studies like this one would say "edge"."""

    words: str
    reasons: list[tuple[bool, str]]
    evidence: Evidence
    needed: list[str] = field(default_factory=list)
    power: Power | None = None

    @property
    def is_edge(self) -> bool:
        return self.words == EDGE

    def to_json(self) -> dict[str, Any]:
        """All facts, for a program."""
        reasons = [{"speaks_for": good, "text": text} for good, text in self.reasons]
        return {
            "words": self.words,
            "reasons": reasons,
            "needed": self.needed,
            "power": None if self.power is None else self.power.to_json(),
            "evidence": asdict(self.evidence),
        }


def is_enough(days: int, trades: int) -> bool:
    """Whether so many days and trades allow any verdict."""
    return days >= LEAST_DAYS and trades >= LEAST_TRADES


def verdict_on(evidence: Evidence, power: Power | None = None) -> Verdict:
    """What can be said: an edge only where every test speaks for it, and nothing where days or trades are too few."""
    reasons = [*_of_luck(evidence), *_of_controls(evidence)]
    return Verdict(words_on(evidence), reasons, evidence, _needed(evidence, power), power)


def words_on(evidence: Evidence) -> str:
    """What can be said, without its reasons."""
    if not is_enough(evidence.days, evidence.trades) or evidence.deflated is None:
        return TOO_LITTLE
    by_luck = all(good for good, _ in _of_luck(evidence))
    by_chance = evidence.random is None or _beats(evidence.random)
    if not (by_luck and by_chance):
        return NONE
    return NOT_OF_LEVELS if evidence.placebo is not None and not _beats(evidence.placebo) else EDGE


def _beats(against: Against) -> bool:
    return against.beaten is not None and against.beaten >= SURE


def _of_luck(evidence: Evidence) -> list[tuple[bool, str]]:
    reasons = []
    if (found := evidence.deflated) is not None:
        luck = (
            f"the best of {found.trials:,} configurations without an edge would have {found.benchmark:.2f}: deflated "
            f"Sharpe ratio {found.probability:.2f}"
            if found.trials > 1
            else f"the true one is above zero with a probability of {found.probability:.2f}"
        )
        within = (
            f"no interval with fewer than {LEAST_DAYS_OF_INTERVAL} days"
            if found.low is None or found.high is None
            else f"95 %: {found.low:.2f} to {found.high:.2f}"
        )
        sharpe = f"Sharpe of daily returns {found.sharpe:.2f} ({within})"
        reasons.append((found.probability >= SURE, f"{sharpe}; {luck}, {SURE} is asked for"))
    elif evidence.trades:
        reasons.append((False, _UNDEFINED))
    if (fit := evidence.overfitting) is not None:
        reasons.append(
            (
                fit.loses <= _MOST_LOSES,
                f"what is best in one half of the time loses in the other in {fit.loses:.0%} of {fit.ways:,} ways to "
                f"halve it, at most {_MOST_LOSES:.0%} is asked for, and is below the middle of all trials in "
                f"{fit.probability:.0%} (PBO)",
            )
        )
    if (chance := evidence.superiority) is not None:
        reasons.append(
            (
                chance <= 1 - SURE,
                f"were nothing here better than doing nothing, a result like this would come with a probability of "
                f"{chance:.1%} (SPA); at most {1 - SURE:.0%} is asked for",
            )
        )
    return reasons


def _of_controls(evidence: Evidence) -> list[tuple[bool, str]]:
    named = (
        (evidence.random, "entries by chance, as often, as long, as large and on the same sides"),
        (evidence.placebo, "the same strategy on levels of other times (placebo)"),
    )
    return [
        (
            _beats(against),
            f"better than {round(against.beaten * against.seeds)} of {against.seeds} times {what}; {SURE:.0%} is asked "
            "for"
            if against.beaten is not None
            else f"{against.seeds} of {what} could be run, {LEAST_SEEDS} are needed",
        )
        for against, what in named
        if against is not None
    ]


def _needed(evidence: Evidence, power: Power | None) -> list[str]:
    told = []
    if evidence.trades < LEAST_TRADES:
        rate = evidence.trades / evidence.days if evidence.days else 0
        after = f", which at this rate are {LEAST_TRADES / rate:,.0f} days" if rate else ""
        told.append(f"{evidence.trades} trades: a verdict needs {LEAST_TRADES}{after}")
    if evidence.days < LEAST_DAYS:
        told.append(f"{evidence.days} days: a verdict needs {LEAST_DAYS}")
    if (found := evidence.deflated) is not None and found.probability < SURE:
        if found.needed_days is None:
            told.append("no number of days would show an edge that is not above zero")
        elif power is None:
            told.append(
                f"were the true Sharpe {found.sharpe:.2f}, as here, {found.needed_days:,} days would show it with a "
                f"probability of {POWER:.0%}{' after so many configurations' if found.trials > 1 else ''}: that it is "
                "more than luck, not that chance and placebo levels are beaten"
            )
    return told
