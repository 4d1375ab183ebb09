from dataclasses import replace

import numpy as np

from liqstrat.liquidation.band import MEMBERS, others, wider
from liqstrat.liquidation.settings import ModelSettings

SETTINGS = ModelSettings(bin_width=0.001)


def test_books_beside_differ_are_the_same_each_time_and_mean_about_the_settings() -> None:
    drawn = others(SETTINGS)
    assert drawn == others(SETTINGS)
    assert len(drawn) == MEMBERS
    assert len({one.turnover for one in drawn}) == MEMBERS
    logs = np.log([[one.leverage[tier] / one.leverage[10] for tier in SETTINGS.leverage] for one in drawn])
    told = np.log([SETTINGS.leverage[tier] / SETTINGS.leverage[10] for tier in SETTINGS.leverage])
    np.testing.assert_allclose(logs.mean(axis=0), told, atol=0.5)
    most = replace(SETTINGS, turnover=5.0, unrest=10.0, haste=2.0, seed_spread=1.0, taker_weight=1000.0)
    assert len(others(most)) == len(others(replace(SETTINGS, leverage={1: 0.0, 20: 1.0}))) == MEMBERS


def test_differences_are_stretched_and_nothing_stays_nothing() -> None:
    expected = np.array([[1.0, 0.0, 2.0], [3.0, 0.0, 2.0]])
    found = wider(expected)
    assert found[0, 0] < 1.0 < 3.0 < found[1, 0]
    np.testing.assert_array_equal(found[:, 1:], expected[:, 1:])
