"""How often what a signal says happens: a frequency of before, sent only where it has held forward.

The confidence of a signal is `(happened + 1) / (all + 2)` among the signals of its kind, symbol and third of strength
that came up in history, and since, and whose hour is over; what happens is defined in `outcomes`. It is told only where
these are enough (`LEAST`, on `LEAST_DAYS` days) and where the same number, said at each of them from those before it,
was right on average: within two standard errors of what happened, days being the unit.
"""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from liqstrat.liquidation.clusters import find_clusters
from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.model import LiquidationModel
from liqstrat.liquidation.signals import Signal, SignalRules, signals
from liqstrat.live.outcomes import Names, Outcome, Outcomes, Told
from liqstrat.moments import DAY_NS
from liqstrat.sweeps import REMEMBERED, SPAN, Sweeps

LEAST, LEAST_DAYS = 30, 5
_CLASSES = 3
_ERRORS = 2.0
_REMEMBERED_NS = int(REMEMBERED.total_seconds()) * 1_000_000_000


@dataclass
class _Class:
    """Of one kind and strength: when each came up, what was said of it then, and whether it happened."""

    times: list[int] = field(default_factory=list)
    said: list[float] = field(default_factory=list)
    happened: list[bool] = field(default_factory=list)

    @property
    def frequency(self) -> float:
        return (sum(self.happened) + 1) / (len(self.happened) + 2)

    def add(self, outcome: Outcome, said: float) -> None:
        self.said.append(said)
        self.times.append(outcome.told.time_ns)
        self.happened.append(outcome.happened)

    @property
    def holds(self) -> bool:
        """Whether enough is known, and what was said forward was right on average."""
        days = np.array(self.times, dtype=np.int64) // DAY_NS
        if len(days) < LEAST or len(np.unique(days)) < LEAST_DAYS:
            return False
        missed = np.array(self.happened, dtype=np.float64) - np.array(self.said)
        _, day = np.unique(days, return_inverse=True)
        by_day = np.bincount(day, missed)
        error = float(np.sqrt((by_day**2).sum()))
        return bool(abs(missed.sum()) <= _ERRORS * error)


class Confidence:
    """What is known of one symbol's signals."""

    def __init__(self) -> None:
        self._classes: dict[tuple[str, int], _Class] = defaultdict(_Class)
        self._said: dict[str, float] = {}

    def expect(self, told: Told) -> None:
        """Say of a signal that comes up what those before it say."""
        self._said[told.signal_id] = self._classes[_class_of(told.signal)].frequency

    def add(self, outcome: Outcome) -> None:
        """Learn what became of one."""
        said = self._said.pop(outcome.told.signal_id)
        self._classes[_class_of(outcome.told.signal)].add(outcome, said)

    def of(self, signal: Signal) -> float | None:
        """The probability that what it says happens within the hour; None where nobody knows."""
        found = self._classes.get(_class_of(signal))
        return round(found.frequency, 4) if found is not None and found.holds else None

    def table(self) -> list[tuple[str, int, int, float, bool]]:
        """Kind, third of strength, how many, how often it happened, and whether that is told."""
        return [
            (kind, third, len(one.happened), sum(one.happened) / len(one.happened), one.holds)
            for (kind, third), one in sorted(self._classes.items())
            if one.happened
        ]


class TrackRecord:
    """Learns from history: call `step` for each interval, after the book has worked it."""

    def __init__(self, symbol: str, rules: SignalRules) -> None:
        self.confidence = Confidence()
        self._rules = rules
        self._names, self._outcomes, self._sweeps = Names(symbol), Outcomes(rules), Sweeps()

    def step(self, book: LiquidationModel, flow: Flow) -> None:
        """An interval has ended, and the book has worked it."""
        if not len(flow.contracts):
            return
        for outcome in self._outcomes.look(flow.end_ns, flow.low, flow.high):
            self.confidence.add(outcome)
        self._sweeps.run_through(flow.start_ns, flow.end_ns, flow.low, flow.high)
        self._sweeps.consumed = [one for one in self._sweeps.consumed if one.time_ns >= flow.end_ns - _REMEMBERED_NS]
        clusters = find_clusters(book.map(span=SPAN), span=SPAN)
        self._sweeps.standing = list(clusters)
        standing = signals(self._rules, flow.close, clusters, self._sweeps.consumed, flow.end_ns)
        for told in self._names.new(standing, flow.end_ns, flow.close):
            self._outcomes.add(told)
            self.confidence.expect(told)


def _class_of(signal: Signal) -> tuple[str, int]:
    return signal.kind, min(int(signal.strength * _CLASSES), _CLASSES - 1)
