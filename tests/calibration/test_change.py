"""What is recommended lies between the default and the fit, and how far maps are apart."""

from dataclasses import replace

import numpy as np
import pytest

from liqstrat.calibration.change import change
from liqstrat.calibration.days import KNOWN_NS, half_way
from liqstrat.liquidation.agreement import agreement
from liqstrat.liquidation.grid import Floats
from liqstrat.liquidation.kinds import new_model
from liqstrat.liquidation.settings import ModelSettings
from tests.calibration.lives import SINCE_NS, SYMBOL, Lives, lives
from tests.calibration.markets import EVEN, HIGH, LOW


@pytest.fixture(scope="module")
def market() -> Lives:
    return lives(dict(LOW), 3, days=2, positions=20_000)


def changed(market: Lives, mix: dict[int, float]) -> float:
    return change(market.history, SYMBOL, (), EVEN, replace(EVEN, leverage=mix), KNOWN_NS, SINCE_NS)


def test_maps_of_one_mix_are_not_apart_and_of_others_the_more_the_farther_these_are(market: Lives) -> None:
    assert changed(market, dict(EVEN.leverage)) == pytest.approx(0, abs=1e-12)
    halfway = dict(half_way(EVEN, replace(EVEN, leverage=dict(HIGH))).leverage)
    assert 0 < changed(market, halfway) < changed(market, dict(HIGH)) < 1


def test_nothing_is_told_of_a_time_without_maps(market: Lives) -> None:
    later = market.history[-1][0].end_ns
    assert np.isnan(change(market.history, SYMBOL, (), EVEN, EVEN, KNOWN_NS, later))


def test_a_map_half_way_is_nearly_the_mean_of_both(market: Lives) -> None:
    fitted = replace(EVEN, leverage=dict(HIGH), turnover=0.2)
    assert half_way(EVEN, fitted).turnover == pytest.approx(0.15)
    one, other = _contracts(market, EVEN), _contracts(market, replace(fitted, turnover=EVEN.turnover))
    between = _contracts(market, half_way(EVEN, replace(fitted, turnover=EVEN.turnover)))
    off = 1 - agreement(between, (one + other) / 2).linear
    assert off < 0.02 * (1 - agreement(one, other).linear)


def _contracts(market: Lives, settings: ModelSettings) -> Floats:
    model = new_model(settings, SYMBOL)
    for flow, open_interest in market.history:
        model.step(flow, open_interest)
    shown = model.profile(0.2)
    return np.concatenate([shown.longs, shown.shorts])
