"""The conditional logit that is fitted forward, against laws that are known."""

from itertools import pairwise

import numpy as np
import pytest

from liqstrat.scoring.logit import curve, forward_shares, slope

HOURS, BANDS = 24, 12
KNOTS = np.log([0.001, 0.003, 0.01, 0.03])


def drawn(law: np.ndarray, contracts: int, seed: int) -> np.ndarray:
    """Contracts of each window, by `law[window, band]`."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.multinomial(contracts, row / row.sum()) for row in law]).astype(float)


def forecast(values: list[np.ndarray], observed: np.ndarray, days: int) -> np.ndarray:
    window = np.repeat(np.arange(days * HOURS), BANDS)
    parts = [curve(values[0].ravel(), KNOTS), *(slope(each.ravel()) for each in values[1:])]
    shares = forward_shares(parts, np.ones(len(window)), window, window // HOURS, observed.ravel())
    return shares.reshape(observed.shape)


@pytest.fixture(scope="module")
def values() -> list[np.ndarray]:
    rng = np.random.default_rng(8)
    shape = (40 * HOURS, BANDS)
    return [rng.uniform(KNOTS[0], KNOTS[-1], shape), rng.normal(size=shape)]


def test_the_law_is_found_and_shares_sum_to_one(values: list[np.ndarray]) -> None:
    law = np.exp(np.interp(values[0], KNOTS, [0.0, 1.5, 0.5, -1.0]) + 0.8 * values[1])
    found = forecast(values, drawn(law, 40, 1), 40)
    truth = law / law.sum(axis=1, keepdims=True)
    assert found.sum(axis=1) == pytest.approx(1)
    assert np.abs(found - truth)[-HOURS:].mean() < 0.1 * np.abs(1 / BANDS - truth)[-HOURS:].mean()


def test_the_first_day_is_even_and_each_day_is_learnt_after_it(values: list[np.ndarray]) -> None:
    law = np.exp(np.interp(values[0], KNOTS, [0.0, 2.0, 2.0, 0.0]))
    found = forecast(values[:1], drawn(law, 40, 2), 40)
    assert found[:HOURS] == pytest.approx(1 / BANDS)
    wrong = np.abs(found - law / law.sum(axis=1, keepdims=True)).mean(axis=1)
    by_day = [wrong[day * HOURS : (day + 1) * HOURS].mean() for day in (0, 1, 5, 39)]
    assert all(later < before for before, later in pairwise(by_day))


def test_a_law_that_drifts_is_followed(values: list[np.ndarray]) -> None:
    days = np.repeat(np.arange(40), HOURS)[:, np.newaxis]
    law = np.exp((values[0] - KNOTS[0]) * (1 - days / 15))
    found = forecast(values[:1], drawn(law, 40, 3), 40)
    truth = law / law.sum(axis=1, keepdims=True)
    last, third = slice(-HOURS, None), np.exp((values[0] - KNOTS[0]) * (1 - 13 / 15))[-HOURS:]
    fitted_first = third / third.sum(axis=1, keepdims=True)
    assert np.abs(found - truth)[last].mean() < 0.5 * np.abs(fitted_first - truth[last]).mean()


def test_a_feature_that_tells_nothing_costs_next_to_nothing(values: list[np.ndarray]) -> None:
    law = np.exp(np.interp(values[0], KNOTS, [0.0, 1.5, 0.5, -1.0]))
    observed = drawn(law, 40, 4)
    with_it, without = forecast(values, observed, 40), forecast(values[:1], observed, 40)
    gain = (observed * np.log2(with_it / without))[HOURS:].sum() / observed[HOURS:].sum()
    assert -0.01 < gain < 0.001


def test_one_giant_window_does_not_decide(values: list[np.ndarray]) -> None:
    law = np.exp(np.interp(values[0], KNOTS, [0.0, 1.5, 0.5, -1.0]))
    observed = drawn(law, 40, 5)
    giant = observed.copy()
    giant[35 * HOURS] = 0
    giant[35 * HOURS, law[35 * HOURS].argmin()] = 1e9
    usual, after = forecast(values[:1], observed, 40), forecast(values[:1], giant, 40)
    assert np.abs(after - usual)[-HOURS:].max() < 0.02
