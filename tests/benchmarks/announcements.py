"""What studies of planted edges have announced, beside what they and others have said."""

from statistics import mean, median
from typing import Any

import numpy as np
from scipy.stats import binomtest

from liqstrat.research.drawn import Observed, announced
from liqstrat.research.edge import EDGE
from liqstrat.research.histories import counts_of, orders_of, sharpes_of
from liqstrat.research.luck import DAYS_A_YEAR


def table(found: list[dict[str, Any]], days: int) -> str:
    """How often each thing was said, by kind, and what was announced of what was planted."""
    lines = ["| studies | count | said edge | said |", "|---|---|---|---|"]
    for kind in dict.fromkeys(one["kind"] for one in found):
        words = [one["words"] for one in found if one["kind"] == kind]
        said = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))
        lines.append(f"| {kind} | {len(words)} | {_share(words)} | {said} |")
    # Without a trial that traded often enough, nothing is announced.
    planted = [one for one in found if one["kind"] == "planted" and one["power"]]
    if planted:
        lines += ["", "| that announced | mean | middle | of all their days | said edge |", "|---|---|---|---|---|"]
        parts = {"all": planted, "one half": planted[::2], "the other": planted[1::2]}
        lines += [_announced(name, part, days) for name, part in parts.items() if part]
        for kind in ("placebo", "random"):
            seen, luck = apart(planted, kind)
            lines += [
                "",
                f"Sharpe ratios of {kind} controls of a market differ by {seen:.1f}; by luck alone, {luck:.1f}.",
            ]
    return "\n".join(lines)


def _announced(name: str, found: list[dict[str, Any]], days: int) -> str:
    powers = [one["power"]["probability"] for one in found]
    words = [one["words"] for one in found]
    return (
        f"| {name}, {len(found)} | {mean(powers):.0%} | {median(powers):.0%} | {together(found, days):.0%} | "
        f"{_share(words)} |"
    )


def _share(words: list[str]) -> str:
    found = binomtest(words.count(EDGE), len(words)).proportion_ci(method="exact")
    return f"{words.count(EDGE)} of {len(words)} ({found.low:.0%} to {found.high:.0%})"


def together(found: list[dict[str, Any]], days: int) -> float:
    """What the days of all studies announce for one of so many: the luck of one study counts less in them."""
    parts = {
        name: np.concatenate([np.array(one["days"][name]) for one in found])
        for name in ("returns", "random", "placebo")
    }
    returns = parts.pop("returns")
    tried = returns.shape[1]
    best = int((returns.mean(axis=0) / returns.std(axis=0)).argmax())
    trades = sum(one["evidence"]["trades"] for one in found)
    power = announced(Observed(returns, best, np.arange(tried), tried, trades, "sharpe", parts), days)
    return power.probability if power else 0.0


def apart(found: list[dict[str, Any]], kind: str) -> tuple[float, float]:
    """By how much (standard deviation) yearly Sharpe ratios of a market's controls differ, and by how much they would,
    were they equally good: as far as each is from what it was on all days, on days drawn anew."""
    seen, luck = [], []
    for one in found:
        returns = np.array(one["days"][kind])
        days = len(returns)
        own = np.nan_to_num(sharpes_of(np.ones((1, days)), returns))
        drawn = np.nan_to_num(sharpes_of(counts_of(orders_of(days, days, 2), days), returns)) - own
        seen.append(own.var(ddof=1))
        luck.append(drawn.var(axis=1, ddof=1).mean())
    year = DAYS_A_YEAR**0.5
    return float(np.mean(seen)) ** 0.5 * year, float(np.mean(luck)) ** 0.5 * year
