"""How often a study would say "edge", were all as it was here: what a verdict announces."""

from dataclasses import asdict, dataclass
from typing import Any

from liqstrat.research.luck import POWER

#: Objectives that a drawn history has from its days, as it has the Sharpe ratio.
OF_GROWTH = ("net_return", "cagr")


@dataclass(frozen=True)
class Drawn:
    """What verdicts on histories of so many days would say: the share of each word."""

    days: int
    words: dict[str, float]


@dataclass(frozen=True)
class Power:
    """The probability that a study like this one says "edge", by the whole verdict on days drawn anew.

    probability: over as many days as there are here. needed_days: the least, no fewer than these, that say so with a
    probability of `POWER`; None where none of `by_days` do. controls: how many of each kind are counted. objective:
    what has chosen the best; unless it is of growth, the Sharpe ratio of days chooses and beats controls here.
    block_days: days that are drawn together, on average.
    """

    days: int
    probability: float
    needed_days: int | None
    by_days: list[Drawn]
    controls: dict[str, int]
    objective: str
    block_days: int

    @property
    def text(self) -> str:
        """In a sentence."""
        return f'were all as here, such a study of {self.days:,} days would say "edge" with a probability of ' + (
            f"{self.probability:.0%}{self._more()}{self._counted()}{self._chosen()}"
        )

    def to_json(self) -> dict[str, Any]:
        """All facts, for a program."""
        return {**asdict(self), "text": self.text}

    def _more(self) -> str:
        if self.needed_days == self.days:
            return ""
        if self.needed_days is not None:
            return f", and one of {self.needed_days:,} days with {POWER:.0%}"
        most = self.by_days[-1]
        word, share = max(most.words.items(), key=lambda one: one[1])
        return f'; not even {most.days:,} days would with {POWER:.0%}: they would say "{word}" with {share:.0%}'

    def _counted(self) -> str:
        if len(self.controls) == 2:
            return ""
        if not self.controls:
            return "; this counts luck alone, for neither entries by chance nor placebo levels were run"
        lacking = "placebo levels" if "random" in self.controls else "entries by chance"
        return f"; this does not count {lacking}, which were not run"

    def _chosen(self) -> str:
        if self.objective in ("sharpe", *OF_GROWTH):
            return ""
        return f"; {self.objective} is not known of drawn days, and their Sharpe ratio stands for it"
