"""Ids as text are what Python would write."""

import numpy as np
import pytest

from liqstrat.catalog.trade_ids import as_text

STARTS = (0, 7, 9_990, 99_995, 999_999_999_990, 2_147_483_640, 5_000_000_000, 10_000, 9_223_372_036_854_775_000)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("step", [1, 3, 777])
def test_ids_that_follow_each_other(start: int, step: int) -> None:
    ids = start + np.arange(min(50_000, (2**63 - 1 - start) // step)) * step
    assert as_text(ids).to_pylist() == [str(number) for number in ids.tolist()]


def test_ids_in_no_order() -> None:
    ids = np.random.default_rng(1).permutation(np.concatenate((np.arange(10_000, 99_999), np.arange(10_000, 20_000))))
    text = as_text(ids)
    text.validate(full=True)
    assert text.to_pylist() == [str(number) for number in ids.tolist()]


def test_some_negative_and_none_at_all() -> None:
    assert as_text(np.array([12_345, -12_345])).to_pylist() == ["12345", "-12345"]
    assert as_text(np.array([], dtype=np.int64)).to_pylist() == []
