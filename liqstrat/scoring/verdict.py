"""What the figures allow to be said about a model, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import NormalDist

from liqstrat.scoring.intervals import LEAST_DAYS, Estimate

BETTER = "adds to distance and recency"
NO_BETTER = "no better than baseline"
TOO_LITTLE = "too little to tell"
NOT_SCORED = "not scored"

#: Bits that are worth having: each liquidated contract is 3.5 % more probable.
WORTH = 0.05
#: Of so many cases the gain is to be told from nothing.
_POWER = 0.8
#: Student's law needs about so many days more than the normal one.
_MORE_DAYS = 3


@dataclass(frozen=True)
class Verdict:
    """`words` is one of those above, `reason` a sentence that says why."""

    words: str
    reason: str

    @property
    def better(self) -> bool:
        return self.words == BETTER


@dataclass(frozen=True)
class Added:
    """What a map adds, in bits; each is a forecast fitted forward with the map, over the same one without it. Intervals
    allow for the number of models.

    over[baseline]: of the map joined with distance and recency, over each baseline; `to_both` is the one over distance
    and recency. to_distance: of the map joined with distance alone, over distance; `explained` is the part of this that
    the map no longer adds when recency is known, None where it adds nothing to distance. largest_day (ISO) holds the
    part `largest_share` of the contracts; `without_largest` is the least of `over` without it. by_contracts: as
    `to_both`, but every contract weighs alike. days_needed: about how many judged days tell the gain that was seen, or
    `WORTH` where it was less, from nothing in four of five cases; None where no interval can be given.
    """

    over: Mapping[str, Estimate]
    to_both: Estimate
    to_distance: Estimate
    explained: float | None
    largest_day: str
    largest_share: float
    without_largest: Estimate
    by_contracts: Estimate
    days_needed: int | None

    @property
    def least(self) -> tuple[str, Estimate]:
        """The baseline over which it is surest to add something least, and what it adds."""
        return min(self.over.items(), key=lambda entry: entry[1].low if entry[1].low is not None else -1e9)


def days_needed(gain: Estimate, days: int, level: float = 0.95) -> int | None:
    """About how many judged days tell a gain like this, or `WORTH`, from nothing in four of five cases."""
    if gain.value is None or gain.error is None:
        return None
    usual = NormalDist()
    errors = usual.inv_cdf((1 + level) / 2) + usual.inv_cdf(_POWER)
    return max(ceil(days * (errors * gain.error / max(gain.value, WORTH)) ** 2) + _MORE_DAYS, LEAST_DAYS)


def verdict_on(added: Added, days: int, level: float = 0.95) -> Verdict:
    """The verdict by the rule of the package; `days` had liquidations, intervals are at `level`."""
    if days < LEAST_DAYS:
        return Verdict(
            TOO_LITTLE,
            f"liquidations on {days} judged day{'s' if days != 1 else ''} are too few for an interval, "
            f"{LEAST_DAYS} are needed",
        )
    name, gain = added.least
    told = f"{_text(gain, level)} over {name}"
    if not gain.above_zero:
        useless = [one for one in added.over.values() if one.high is not None and one.high < WORTH]
        if useless or gain.low is None:
            return Verdict(NO_BETTER if useless else TOO_LITTLE, told)
        return Verdict(TOO_LITTLE, f"{told}; {_power(added)}")
    rest, alike = added.without_largest.value or 0.0, added.by_contracts
    checks = (
        f"{rest:+.2f} without {added.largest_day}, which holds {added.largest_share:.0%} of the contracts, "
        f"{alike.value or 0.0:+.2f} where every contract weighs alike"
    )
    spoilt = rest <= 0 or (alike.high is not None and alike.high < 0)
    return Verdict(TOO_LITTLE if spoilt else BETTER, f"{told}; {checks}")


def overall(verdicts: Sequence[Verdict], names: Sequence[str]) -> Verdict:
    """The verdict on all models together; `verdicts` are at a level that allows for their number."""
    if len(verdicts) == 1:
        return verdicts[0]
    better = [name for name, one in zip(names, verdicts, strict=True) if one.better]
    if better:
        return Verdict(BETTER, ", ".join(better))
    if all(one.words == NO_BETTER for one in verdicts):
        return Verdict(NO_BETTER, f"none of {', '.join(names)} adds to it")
    return next(one for one in verdicts if one.words == TOO_LITTLE)


def _power(added: Added) -> str:
    gain = added.least[1].value or 0.0
    what = f"the {gain:.2f} seen" if gain > WORTH else f"{WORTH} bits, the least that are worth having,"
    return f"to tell {what} from nothing takes about {added.days_needed:,} such days"


def _text(bits: Estimate, level: float) -> str:
    if bits.value is None or bits.low is None or bits.high is None:
        return "no interval can be given"
    return f"{bits.value:+.2f} bits ({100 * level:.3g} % interval {bits.low:+.2f} to {bits.high:+.2f})"
