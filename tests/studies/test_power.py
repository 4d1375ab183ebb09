"""The short form of `python -m tests.benchmarks.verdicts`, by the engine, in SIMULATED markets.

An edge that is there is found, levels that mean nothing are not called one, and what is announced is of the whole
verdict.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from liqstrat.research.drawn import announced
from liqstrat.research.edge import EDGE, LEAST_TRADES, NONE
from tests.benchmarks.verdicts import looked_at, market, study

pytestmark = pytest.mark.slow

DAYS = 40


def test_sweeps_on_levels_of_other_times_are_not_called_an_edge_and_announce_none(tmp_path: Path) -> None:
    data = market(tmp_path / "market", seed=1, days=DAYS, planted=0.0)
    found = [study(data, DAYS, 0, placebo, tmp_path / f"{placebo}") for placebo in (1, 2, 3)]
    assert min(one.evidence.trades for one in found) >= LEAST_TRADES, "a verdict was possible"
    assert len({one.evidence.deflated.sharpe for one in found if one.evidence.deflated}) == 3, "each has its own levels"
    assert [one.words for one in found if one.words == EDGE] == []
    powers = [one.power.probability for one in found if one.power]
    assert len(powers) == 3
    assert sum(powers) / 3 < 0.3


def test_a_strong_rebound_is_found_as_announced_and_comes_from_the_levels(tmp_path: Path) -> None:
    data = market(tmp_path / "market", seed=1002, days=DAYS, planted=0.012)
    found = study(data, DAYS, 19, None, tmp_path / "results")
    assert found.words == EDGE, found.reasons
    assert found.evidence.random is not None
    assert found.evidence.placebo is not None
    assert found.evidence.random.seeds == found.evidence.placebo.seeds == 19
    assert found.power is not None
    assert found.power.controls == {"random": 19, "placebo": 19}
    assert 0.45 < found.power.probability < 0.78
    assert found.power.needed_days is not None
    assert DAYS < found.power.needed_days < 3 * DAYS


def test_what_is_announced_of_a_weaker_one_is_what_the_whole_verdict_allows(tmp_path: Path) -> None:
    """Luck does not allow it, though nobody loses by halves and by chance; and levels of other times earn, too."""
    data = market(tmp_path / "market", seed=3002, days=45, planted=0.009)
    found, seen = looked_at(data, 45, 19, None, tmp_path / "results")
    assert found.words == NONE
    assert [good for good, _ in found.reasons] == [False, True, True, True, False]
    assert found.power is not None
    assert seen is not None
    assert announced(seen) == found.power
    by_luck = announced(replace(seen, controls={}))
    assert by_luck is not None
    assert 0.1 < found.power.probability < by_luck.probability - 0.08 < 0.6
    assert found.power.needed_days is not None
    assert by_luck.needed_days is not None
    assert found.power.needed_days > 1.5 * by_luck.needed_days
