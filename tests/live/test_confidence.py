"""What becomes of signals, and how often it does; a frequency is told only where it held."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from liqstrat.liquidation.clusters import Cluster
from liqstrat.liquidation.signals import Signal, SignalRules, Swept
from liqstrat.live.confidence import LEAST, Confidence
from liqstrat.live.outcomes import Names, Outcome, Outcomes, Told
from liqstrat.moments import DAY_NS, HOUR_NS, MINUTE_NS

RULES = SignalRules(turn=0.01)


def level(price: float, side: Any = "long") -> Cluster:
    return Cluster(side, price * 0.999, price * 1.001, price, 100.0, 100 * price, {10: 1.0}, 1.0, 0.0, 0.1)


def told(kind: Any = "AVOID", price: float = 100.0, at: int = 0, strength: float = 0.5) -> Told:
    swept = Swept(level(99.0), at, 98.0) if kind == "REVERSAL" else None
    signal = Signal(kind, "long" if swept else "short", strength, level(99.0), -0.01, "why", swept)
    return Told(f"{kind}-{at}", "BTCUSDT", signal, at, price)


@pytest.mark.parametrize(
    ("kind", "prices", "happened"),
    [
        ("AVOID", [(5, 100.5, 99.5), (9, 99.2, 98.9)], True),
        ("AVOID", [(5, 101, 99.5), (61, 99.2, 98.9)], False),
        ("WITH", [(60, 99.5, 99.0)], True),
        ("REVERSAL", [(5, 100.5, 98.5), (9, 101.0, 100)], True),
        ("REVERSAL", [(5, 100.5, 98.0), (9, 102.0, 100)], False),
        ("REVERSAL", [(5, 103.0, 97.0)], False),
        ("REVERSAL", [(61, 103.0, 100.0)], False),
    ],
)
def test_what_a_signal_says_happens_within_the_hour_or_does_not(kind: str, prices: Any, happened: bool) -> None:
    outcomes = Outcomes(RULES)
    outcomes.add(told(kind))
    found = []
    for minute, high, low in prices:
        touched = outcomes.touched(minute * MINUTE_NS, low, high)
        new = outcomes.look(minute * MINUTE_NS, low, high)
        assert bool(new) == touched
        found += new
    assert [one.happened for one in found] == [happened]
    assert outcomes.open == []


def test_a_signal_that_flickers_or_whose_level_moves_by_a_bin_is_one() -> None:
    names = Names("BTCUSDT")
    one = told().signal
    moved = replace(one, level=level(99.05))
    assert len(names.new([one], 0, 100.0)) == 1
    assert names.new([], MINUTE_NS, 100.0) == []
    assert names.new([moved], 10 * MINUTE_NS, 100.0) == []
    assert len(names.new([moved, replace(one, way="long")], 20 * MINUTE_NS, 100.0)) == 1
    assert len(names.new([moved], 40 * MINUTE_NS, 100.0)) == 1, "gone for longer than a quarter of an hour"


def learned(chance: Any, days: int = 20, a_day: int = 10) -> Confidence:
    confidence, rng = Confidence(), np.random.default_rng(1)
    for day in range(days):
        for number in range(a_day):
            one = told(at=day * DAY_NS + number * DAY_NS // a_day)
            confidence.expect(one)
            confidence.add(Outcome(one, bool(rng.random() < chance(day)), one.time_ns + MINUTE_NS))
    return confidence


def test_a_steady_frequency_is_told_and_a_drifting_one_or_a_thin_one_is_not() -> None:
    found = learned(lambda day: 0.7).of(told().signal)
    assert found == pytest.approx(0.7, abs=0.08)
    assert learned(lambda day: 0.7).of(told(strength=0.9).signal) is None, "another third of strength"
    assert learned(lambda day: 0.1 if day < 6 else 0.95).of(told().signal) is None
    assert learned(lambda day: 0.7, days=3, a_day=LEAST).of(told().signal) is None, "too few days"
    assert learned(lambda day: 0.7, days=10, a_day=2).of(told().signal) is None, "too few signals"


def test_in_most_steady_markets_it_is_told_and_right() -> None:
    """Of many markets with one chance each: what is told is near it on average."""
    rng, told_of = np.random.default_rng(7), []
    for _ in range(60):
        chance, confidence = rng.uniform(0.2, 0.8), Confidence()
        for number in range(120):
            one = told(at=number * 6 * HOUR_NS)
            confidence.expect(one)
            confidence.add(Outcome(one, bool(rng.random() < chance), one.time_ns))
        if (found := confidence.of(one.signal)) is not None:
            told_of.append(found - chance)
    assert len(told_of) > 45
    assert abs(np.mean(told_of)) < 0.02
