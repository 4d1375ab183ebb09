"""The three words, and what they say of how much would be needed."""

from dataclasses import replace

import pytest

from liqstrat.scoring.intervals import Estimate
from liqstrat.scoring.verdict import Added, Verdict, days_needed, overall, verdict_on

GOOD = Estimate(0.2, 0.1, 0.3, 0.05)
NONE, UNSURE = Estimate(-0.01, -0.03, 0.01, 0.01), Estimate(0.1, -0.1, 0.3, 0.1)


def added(gain: Estimate, days: int = 20) -> Added:
    over = {"distance and recency": gain, "volume": GOOD}
    return Added(over, gain, gain, 0.3, "2024-03-12", 0.4, gain, gain, days_needed(gain, days))


def test_all_that_is_above_zero_adds() -> None:
    found = verdict_on(added(GOOD), 20)
    assert (found.words, found.better) == ("adds to distance and recency", True)
    assert "; +0.20 without 2024-03-12, which holds 40% of the contracts, +0.20 where every contract" in found.reason


def test_what_excludes_a_gain_worth_having_is_no_better() -> None:
    found = verdict_on(added(NONE), 20)
    assert (found.words, found.better) == ("no better than baseline", False)
    assert "-0.03 to +0.01" in found.reason


def test_between_them_it_says_how_many_days_would_tell() -> None:
    found = verdict_on(added(UNSURE), 20)
    assert found.words == "too little to tell"
    assert "to tell the 0.10 seen from nothing takes about 160 such days" in found.reason


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"without_largest": NONE}, "-0.01 without 2024-03-12"),
        ({"by_contracts": Estimate(-0.2, -0.3, -0.1, 0.05)}, "-0.20 where every contract weighs alike"),
    ],
)
def test_what_one_day_or_small_windows_carry_is_not_praised(changed: dict, said: str) -> None:
    found = verdict_on(replace(added(GOOD), **changed), 20)
    assert found.words == "too little to tell"
    assert said in found.reason


def test_five_days_are_too_few_whatever_they_show() -> None:
    found = verdict_on(added(GOOD), 5)
    assert found.words == "too little to tell"
    assert found.reason == "liquidations on 5 judged days are too few for an interval, 7 are needed"


def test_days_needed_fall_with_the_gain_and_rise_with_the_noise() -> None:
    known = [
        days_needed(Estimate(value, None, None, error), 20) for value, error in [(0.2, 0.05), (0.4, 0.05), (0.2, 0.1)]
    ]
    assert known == [13, 7, 43]
    assert days_needed(Estimate(0.01, None, None, 0.05), 20) == days_needed(Estimate(0.05, None, None, 0.05), 20) == 160
    assert days_needed(Estimate(0.2, None, None, 0.05), 20, 0.99) > 13
    assert days_needed(Estimate(0.2), 20) is None


def test_of_several_models_the_one_that_adds_speaks_for_all() -> None:
    yes, no, unsure = (verdict_on(added(gain), 20) for gain in (GOOD, NONE, UNSURE))
    assert overall([no, yes], ["a", "b"]) == Verdict(yes.words, "b")
    assert overall([no, no], ["a", "b"]).words == "no better than baseline"
    assert overall([no, unsure], ["a", "b"]) == unsure
    assert overall([unsure], ["a"]) == unsure
