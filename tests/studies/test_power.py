"""The short form of `python -m tests.benchmarks.verdicts`, by the engine, in SIMULATED markets.

An edge that is there is found, and levels that mean nothing are not called one.
"""

from pathlib import Path

import pytest

from liqstrat.research.edge import EDGE, LEAST_TRADES
from tests.benchmarks.verdicts import market, study

pytestmark = pytest.mark.slow

DAYS = 40


def test_sweeps_on_levels_of_other_times_are_not_called_an_edge(tmp_path: Path) -> None:
    data = market(tmp_path / "market", seed=1, days=DAYS, planted=0.0)
    found = [study(data, DAYS, 0, placebo, tmp_path / f"{placebo}") for placebo in (1, 2, 3)]
    assert min(one.evidence.trades for one in found) >= LEAST_TRADES, "a verdict was possible"
    assert len({one.evidence.deflated.sharpe for one in found if one.evidence.deflated}) == 3, "each has its own levels"
    assert [one.words for one in found if one.words == EDGE] == []


def test_a_strong_rebound_is_found_and_comes_from_the_levels(tmp_path: Path) -> None:
    data = market(tmp_path / "market", seed=1002, days=DAYS, planted=0.012)
    found = study(data, DAYS, 19, None, tmp_path / "results")
    assert found.words == EDGE, found.reasons
    assert found.evidence.random is not None
    assert found.evidence.placebo is not None
    assert found.evidence.random.seeds == found.evidence.placebo.seeds == 19
