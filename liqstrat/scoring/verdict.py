"""What the figures allow to be said about a model, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from liqstrat.scoring.bootstrap import LEAST_DAYS, Estimate

BETTER = "better than distance alone"
NO_BETTER = "no better than baseline"
NOT_SCORED = "not scored"


@dataclass(frozen=True)
class Verdict:
    """`words` is one of the three above, `reason` a sentence that says why."""

    words: str
    reason: str

    @property
    def better(self) -> bool:
        return self.words == BETTER


def verdict_on(bits_over: Mapping[str, Estimate], days: int, level: float = 0.95) -> Verdict:
    """The verdict from the bits over each baseline (see the package for the rule); `days` had liquidations."""
    if days < LEAST_DAYS:
        return Verdict(
            NO_BETTER,
            f"liquidations on {days} judged day{'s' if days != 1 else ''} are too few for an interval, "
            f"{LEAST_DAYS} are needed",
        )
    failed = [name for name, bits in bits_over.items() if bits.low is None or not bits.low > 0]
    if failed:
        return Verdict(NO_BETTER, f"over {', '.join(f'{name} {_text(bits_over[name], level)}' for name in failed)}")
    least = min(bits_over, key=lambda name: bits_over[name].low or 0.0)
    return Verdict(BETTER, f"over every baseline, least over {least}: {_text(bits_over[least], level)}")


def overall(verdicts: Sequence[Verdict], names: Sequence[str], days: int) -> Verdict:
    """The verdict on all models together; `verdicts` are at a level that allows for their number."""
    better = [name for name, one in zip(names, verdicts, strict=True) if one.better]
    if better:
        return Verdict(BETTER, ", ".join(better))
    if days < LEAST_DAYS:
        return Verdict(NO_BETTER, verdicts[0].reason)
    return Verdict(NO_BETTER, f"none of {', '.join(names)} is" if len(names) > 1 else verdicts[0].reason)


def _text(bits: Estimate, level: float) -> str:
    if bits.value is None or bits.low is None or bits.high is None:
        return "no interval can be given"
    return f"{bits.value:+.2f} bits per contract ({100 * level:.3g} % interval {bits.low:+.2f} to {bits.high:+.2f})"
