import numpy as np
import pytest
from scipy.stats import gamma

from liqstrat.liquidation.lumps import Band, chance, quantile


def test_one_book_is_a_gamma_law_and_several_are_the_mean_of_theirs() -> None:
    expected = np.array([[30.0, 5.0], [10.0, 5.0]])
    law = gamma(expected / 2.0, scale=2.0)
    contracts = np.array([20.0, 4.0])
    np.testing.assert_allclose(chance(contracts, expected, 2.0), law.cdf(contracts).mean(axis=0))
    for level in (0.05, 0.5, 0.95):
        found = quantile(level, expected, 2.0)
        np.testing.assert_allclose(law.cdf(found).mean(axis=0), level, atol=1e-4)
    np.testing.assert_allclose(quantile(0.95, expected[:1], 2.0), gamma(expected[0] / 2, scale=2).ppf(0.95), rtol=1e-4)


def test_little_beside_a_lump_may_be_nothing_and_may_be_a_lump() -> None:
    expected = np.full((25, 1), 0.1)
    assert quantile(0.05, expected, 1.0) == 0.0
    assert 0.3 < quantile(0.95, expected, 1.0)[0] < 1.0
    assert quantile(0.95, np.zeros((25, 1)), 1.0) == 0.0


def test_what_is_drawn_by_the_law_lies_in_the_band_of_its_bins_and_of_their_sum() -> None:
    rng = np.random.default_rng(1)
    expected = np.exp(rng.normal(2.0, 1.0, (25, 2, 40)))
    band = Band(100, 0.001, expected, 3.0, 1.6448536269514722)
    drawn = rng.gamma(expected[rng.integers(25, size=4000)] / 3.0) * 3.0
    low, high = band.bins
    assert ((low <= drawn) & (drawn <= high)).mean() == pytest.approx(0.9, abs=0.005)
    edges = 1.001 ** np.array([105, 125])
    least, most = band.between("short", *edges)
    sums = drawn[:, 1, 5:25].sum(axis=1)
    assert ((least <= sums) & (sums <= most)).mean() == pytest.approx(0.9, abs=0.02)
    assert most - least < (high - low)[1, 5:25].sum()
    least, most = band.together
    both = drawn.sum(axis=1)
    assert ((least <= both) & (both <= most)).mean() == pytest.approx(0.9, abs=0.01)
    one = band.between("long", 1.001**107, 1.001**108)
    assert one == pytest.approx((low[0, 7], high[0, 7]), rel=1e-4)
    assert band.between("long", 1.0, 1.01) == (0.0, 0.0)
    part = band.part(5, 25)
    assert part.between("short", *edges) == pytest.approx(band.between("short", *edges), rel=1e-4)
