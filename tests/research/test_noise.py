"""Over a hundred studies of nothing the verdict says "edge" in at most five; of an edge, as often as was announced."""

import numpy as np
import pytest

from liqstrat.research.edge import EDGE, NONE, Against, Evidence, verdict_on
from liqstrat.research.luck import DAYS_A_YEAR, SURE, days_needed, deflated, overfitting, sharpes_of, superiority

pytestmark = pytest.mark.slow

STUDIES = 100
TRIALS = 24


def studied(seed: int, days: int, sharpe: float, alike: float = 0.5) -> str:
    """The verdict on trials whose daily returns have fat tails and are alike; all have this Sharpe ratio a year.

    Controls are as good as chance would have them where there is no edge, and beaten where there is one.
    """
    rng = np.random.default_rng([seed, days])
    common, own = rng.standard_t(5, (days, 1)), rng.standard_t(5, (days, TRIALS))
    returns = 0.01 * (np.sqrt(alike) * common + np.sqrt(1 - alike) * own) / np.sqrt(5 / 3)
    returns += 0.01 * sharpe / np.sqrt(DAYS_A_YEAR)
    best = int(sharpes_of(returns).argmax())
    found = deflated(returns[:, best], TRIALS, sharpes_of(returns))
    assert found is not None
    if found.probability < SURE:
        # Whatever the other tests say, which take their time.
        return NONE
    return verdict_on(
        Evidence(
            days=days,
            trades=3 * days,
            configurations=TRIALS,
            deflated=found,
            overfitting=overfitting(returns),
            superiority=superiority(returns),
            random=None,
            placebo=Against(1.0, 39),
        )
    ).words


@pytest.mark.parametrize("alike", [0.0, 0.8])
def test_nothing_passes_in_at_most_five_of_a_hundred(alike: float) -> None:
    """Also where no control helps: the tests of luck alone must keep it."""
    found = [studied(seed, 120, 0.0, alike) for seed in range(STUDIES)]
    assert found.count(EDGE) <= 5


def test_an_edge_is_found_as_often_as_was_announced() -> None:
    """After the days that a study asks for, by the trials' own spread, most find an edge as large as it took it for."""
    sharpe = 4.0
    # The best of 24 in standard errors, of trials that share half of their variance.
    luck = 1.97 * np.sqrt(0.5)
    days = days_needed(sharpe / np.sqrt(DAYS_A_YEAR), luck)
    assert days is not None
    found = [studied(seed, days, sharpe) for seed in range(STUDIES // 4)]
    assert found.count(EDGE) >= 0.7 * len(found)
    few = [studied(seed, days // 4, sharpe) for seed in range(STUDIES // 4)]
    assert few.count(EDGE) < found.count(EDGE) / 1.5
