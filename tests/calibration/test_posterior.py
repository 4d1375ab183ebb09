import numpy as np
import pytest

from liqstrat.calibration.evidence import Evidence, gather
from liqstrat.calibration.maximum import maximum
from liqstrat.calibration.posterior import ALL_RECORDED, Posterior
from liqstrat.calibration.sizes import size_classes
from liqstrat.liquidation.brackets import known_brackets
from tests.calibration.markets import EVEN, HIGH, TIERS, history_of, wide_market


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    market = wide_market(HIGH, seed=3, days=1)
    brackets = known_brackets()["BTCUSDT"][0]
    liquidations = market.liquidations()
    classes = size_classes(liquidations, np.array(TIERS), brackets)
    return gather(history_of(market), liquidations, classes, EVEN.on_fine_bins(), 0)


def test_the_gradient_is_that_of_the_value(evidence: Evidence) -> None:
    posterior = Posterior(evidence, np.array(TIERS), np.full(4, 0.25), ALL_RECORDED, 3.0)
    at = posterior.start() + np.linspace(-0.3, 0.3, len(posterior.start()))
    steps = np.eye(len(at)) * 1e-5
    measured = [(posterior.value(at + step) - posterior.value(at - step)) / 2e-5 for step in steps]
    np.testing.assert_allclose(posterior.gradient(at), measured, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(posterior.slope(at), posterior.scores(at).sum(axis=(0, 1)), rtol=1e-9, atol=1e-8)


def test_the_maximum_is_one(evidence: Evidence) -> None:
    posterior = Posterior(evidence, np.array(TIERS), np.full(4, 0.25), ALL_RECORDED, 3.0)
    found = maximum(posterior.value, posterior.gradient, posterior.start())
    rng = np.random.default_rng(1)
    for _ in range(20):
        assert posterior.value(found + rng.normal(0, 0.1, len(found))) < posterior.value(found)


def test_most_liquidations_stand_where_the_book_saw_something_reached(evidence: Evidence) -> None:
    assert (evidence.at.sum(axis=1) + evidence.guessed_at.sum(axis=1) > 0).mean() > 0.9
    assert (evidence.reached >= 0).all()
    assert (evidence.guessed >= 0).all()


def test_a_tier_above_the_cap_of_a_size_counts_as_the_cap(evidence: Evidence) -> None:
    """50x is the most that positions of over 500k USDT are allowed, so choosing 100x there is 50x."""
    largest = evidence.reached[:, :, 2]
    np.testing.assert_allclose(largest[..., 3], largest[..., 2])
    assert not np.allclose(evidence.reached[:, :, 0, 3], evidence.reached[:, :, 0, 2])
