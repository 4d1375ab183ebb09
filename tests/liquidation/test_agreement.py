import numpy as np
import pytest

from liqstrat.liquidation.agreement import agreement


def test_a_map_agrees_with_itself_at_any_scale() -> None:
    truth = np.array([0.0, 3.0, 1.0, 8.0, 0.0])
    same = agreement(truth * 7, truth)
    assert (same.rank, same.linear, same.overlap) == pytest.approx((1, 1, 1))


def test_maps_that_share_no_bin_do_not_overlap() -> None:
    assert agreement(np.array([1.0, 0.0]), np.array([0.0, 1.0])).overlap == 0
    assert agreement(np.array([1.0, 0.0]), np.array([0.0, 1.0])).linear == pytest.approx(-1)


def test_rank_looks_at_order_and_linear_at_size() -> None:
    found = agreement(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 10.0, 100.0, 1000.0]))
    assert found.rank == pytest.approx(1)
    assert found.linear < 0.9
    assert found.overlap == pytest.approx(sum(min(e / 10, t / 1111) for e, t in [(1, 1), (2, 10), (3, 100), (4, 1000)]))


def test_ties_share_their_rank() -> None:
    """Spearman's coefficient with ties by hand: ranks 1.5, 1.5, 3 against 1, 2, 3."""
    assert agreement(np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0])).rank == pytest.approx(0.8660254)


def test_an_empty_map_has_no_agreement() -> None:
    assert np.isnan(agreement(np.zeros(3), np.ones(3)).overlap)
