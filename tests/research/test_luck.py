"""Luck, held against published examples and against what is known of made-up returns."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kurtosis, norm, skew

from liqstrat.research.edge import EDGE, NONE, NOT_OF_LEVELS, TOO_LITTLE, Against, Evidence, verdict_on
from liqstrat.research.luck import Overfitting, days_needed, deflated, overfitting, sharpes_of, superiority
from liqstrat.studies.walked import sharpe_by_day


def two_valued(days: int, sharpe: float, share: float) -> np.ndarray:
    """Returns with this Sharpe ratio; `share` of them are the low ones. Their skewness is the least for a kurtosis."""
    x = np.where(np.arange(days) < round(share * days), -1.0, 0.0)
    return (x - x.mean()) / x.std() + sharpe


def test_the_published_example_of_a_deflated_sharpe_ratio() -> None:
    """Bailey and López de Prado (2014): 2.5 a year over five of 250 days, best of 100 whose variance is a half."""
    returns = two_valued(1250, 2.5 / np.sqrt(250), 0.08397)
    assert skew(returns, bias=False) == pytest.approx(-3.0, abs=0.01)
    assert kurtosis(returns, bias=False, fisher=False) == pytest.approx(10.0, abs=0.03)
    spread = np.sqrt(0.5 / 250) * np.array([-1, 1]) / np.sqrt(2)
    found = deflated(returns, 100, spread)
    assert found is not None
    assert found.benchmark / np.sqrt(365) == pytest.approx(0.1132, abs=5e-5)
    assert found.probability == pytest.approx(0.9004, abs=3e-4)
    one = deflated(returns, 1, spread)
    assert one is not None
    assert one.benchmark == 0
    assert one.low is not None
    assert one.high is not None
    assert one.low < one.sharpe < one.high


def test_the_length_of_a_track_record() -> None:
    """Of normal returns, by the formula of Bailey and López de Prado (2012): 2.0 a year of 250 days is above zero with
    95 % after 0.68 years."""
    z = norm.ppf((np.arange(2000) + 0.5) / 2000)
    found = deflated(z / z.std() + 2.0 / np.sqrt(250), 1, np.array([]))
    assert found is not None
    assert found.track_days == pytest.approx(0.683 * 250, abs=3)


def test_few_days_have_no_interval_and_what_is_announced_is_of_luck_alone() -> None:
    """Three days drawn again and again are often one day three times, whose Sharpe ratio is anything."""
    returns = np.array([0.01, -0.004, 0.006, 0.002, 0.003, -0.002])
    few, enough = (deflated(one, 1, np.zeros(0)) for one in (returns, np.tile(returns, 6)))
    assert few is not None
    assert few.low is few.high is None
    assert enough is not None
    assert enough.low is not None
    found = verdict_on(Evidence(6, 40, 1, replace(few, probability=0.5)))
    assert any("no interval with fewer than 7 days" in text for _, text in found.reasons)
    assert "more than luck, not that chance and placebo levels are beaten" in found.needed[-1]


def test_the_sharpe_ratio_of_a_walk_is_the_one_of_its_verdict() -> None:
    returns = np.array([0.01, -0.004, 0.006])
    found = deflated(returns, 1, np.zeros(0))
    assert found is not None
    assert sharpe_by_day(returns) == pytest.approx(found.sharpe)


def test_noise_is_overfitted_and_an_edge_is_not() -> None:
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 0.01, (200, 40))
    edge = noise.copy()
    edge[:, 7] += 0.004
    a, b = overfitting(noise), overfitting(edge)
    assert a is not None
    assert b is not None
    assert a.probability > 0.3
    assert b.probability < 0.1
    assert b.loses < 0.1 < 0.25 < a.loses
    assert superiority(noise) == pytest.approx(0.5, abs=0.45)
    assert superiority(edge) == pytest.approx(0, abs=0.01)
    assert overfitting(noise[:12]) is None
    assert superiority(np.zeros((200, 3))) is None
    assert len(sharpes_of(np.c_[noise[:, 0], np.zeros(200)])) == 1


def test_the_power_that_is_announced_is_there() -> None:
    """Of the days asked for a Sharpe ratio, alone and as the best of twenty, four in five samples show it."""
    rng = np.random.default_rng(1)
    days = days_needed(0.1, 0.0)
    assert days is not None
    found = [deflated_quickly(rng.normal(0.1, 1, days)) for _ in range(400)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.06)


def deflated_quickly(returns: np.ndarray) -> bool:
    sharpe = returns.mean() / returns.std()
    return bool(sharpe * np.sqrt(len(returns) - 1) / np.sqrt(1 + sharpe**2 / 2) >= norm.ppf(0.95))


def evidence(**changed: object) -> Evidence:
    rng = np.random.default_rng(5)
    returns = rng.normal(0, 0.01, (300, 10))
    returns[:, 0] += 0.004
    usual = {
        "days": 300,
        "trades": 200,
        "configurations": 10,
        "deflated": deflated(returns[:, 0], 10, sharpes_of(returns)),
        "overfitting": overfitting(returns),
        "superiority": superiority(returns),
        "random": Against(1.0, 39),
        "placebo": Against(0.98, 39),
    }
    return Evidence(**{**usual, **changed})


def test_a_verdict_needs_every_test_and_enough_of_everything() -> None:
    assert verdict_on(evidence()).words == EDGE
    assert verdict_on(evidence(placebo=Against(0.6, 39))).words == NOT_OF_LEVELS
    assert verdict_on(evidence(random=Against(0.6, 39))).words == NONE
    assert verdict_on(evidence(superiority=0.2)).words == NONE
    assert verdict_on(evidence(overfitting=Overfitting(0.1, 0.26, 10, 252))).words == NONE
    few = verdict_on(evidence(trades=12))
    assert few.words == TOO_LITTLE
    assert few.needed == ["12 trades: a verdict needs 30, which at this rate are 750 days"]
    assert verdict_on(evidence(days=20)).words == TOO_LITTLE
    flat = np.random.default_rng(6).normal(0.0005, 0.01, 300)
    weak = verdict_on(evidence(deflated=deflated(flat, 50, np.random.default_rng(7).normal(0, 0.06, 50))))
    assert weak.words == NONE
    assert "days would show it" in weak.needed[0]


def test_a_share_that_rounds_to_what_is_asked_for_is_told_as_a_count() -> None:
    """18 of 19 are 94.7 %: less than the 95 % asked for, and not "95 %"."""
    found = verdict_on(Evidence(60, 60, 1, random=Against(18 / 19, 19)))
    good, text = found.reasons[-1]
    assert (good, text[:24]) == (False, "better than 18 of 19 tim")


def test_days_that_cannot_be_held_against_luck_are_said_to_be_such() -> None:
    """Five days, all won: their skew and kurtosis have no meaning for the deflated ratio's formula."""
    returns = np.array([0.0081, 0.0083, 0.0079, 0.0150, 0.0156])
    assert deflated(returns, 24, np.array([0.5, 1.0, 1.5])) is None
    found = verdict_on(evidence(days=5, trades=7, deflated=None, overfitting=None, superiority=None))
    assert found.words == TOO_LITTLE
    assert "cannot be held against luck" in found.reasons[0][1]
    assert not found.reasons[0][0]
