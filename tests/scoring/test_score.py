"""What a score says of maps whose worth is known: the truth, the shipped models, noise."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from liqstrat.bench.market import WIDTH, BenchMarket
from liqstrat.errors import LiqstratError
from liqstrat.liquidation.liquidations import Liquidations
from liqstrat.scoring.baselines import Baselines
from liqstrat.scoring.reached import Reached, gather
from liqstrat.scoring.score import Score, score
from liqstrat.scoring.trial import Row
from tests.scoring.conftest import HOUR_NS, Truth, models
from tests.scoring.drawn import MILD, WILD, Law, by_age, by_both, by_drifting_distance, by_map, by_volume, drawn, half

SECOND_HALF_NS = 1_709_251_200_000_000_000 + 8 * 24 * HOUR_NS


@pytest.fixture(scope="module")
def reached(market: BenchMarket) -> Reached:
    every: Any = {**models("conserving", "large_trades"), "truth": Truth(market)}
    return gather(market.flows(), every, HOUR_NS)


@pytest.fixture(scope="module")
def found(reached: Reached, market: BenchMarket) -> Score:
    return score(reached, market.liquidations(), judged_from_ns=SECOND_HALF_NS)


def row(found: Score, name: str, group: str = "all", of: str | None = None) -> Row:
    (one,) = [r for r in found.rows if (r.name, r.group, r.baseline_of) == (name, group, of)]
    return one


def test_the_true_map_is_far_above_chance_and_a_shuffled_one_is_not(found: Score) -> None:
    truth, mixed = row(found, "truth"), row(found, "shuffled", of="truth")
    assert truth.lift_at_equal_distance.low > 2
    assert mixed.lift_at_equal_distance.low < 1 < mixed.lift_at_equal_distance.high
    assert truth.adds.low > 0
    assert mixed.adds.low <= 0
    assert truth.rank.value > row(found, "conserving").rank.value > 0.2


def test_the_true_map_alone_adds_to_distance_and_recency_in_eight_days(reached: Reached, market: BenchMarket) -> None:
    truth = replace(reached, maps={"truth": reached.maps["truth"]})
    found = score(truth, market.liquidations(), judged_from_ns=SECOND_HALF_NS, whole=False)
    assert found.verdicts["truth"].words == found.overall.words == "adds to distance and recency"


def test_of_models_side_by_side_the_truth_may_be_the_best_and_noise_is_not(
    reached: Reached, market: BenchMarket
) -> None:
    noise = np.random.default_rng(3).gamma(0.3, size=(len(reached), 1))
    both = {"truth": reached.maps["truth"], "noise": noise}
    tiers = {**reached.tiers, "noise": np.array([1])}
    found = score(replace(reached, maps=both, tiers=tiers), market.liquidations(), judged_from_ns=0, whole=False)
    assert found.days >= 14
    assert found.may_be_best == ["truth"]


def test_a_map_of_noise_is_no_better_than_baseline(reached: Reached, market: BenchMarket) -> None:
    noise = np.random.default_rng(3).gamma(0.3, size=(len(reached), 1))
    judged = score(
        replace(reached, maps={"noise": noise}, tiers={"noise": np.array([1])}), market.liquidations(), whole=False
    )
    assert judged.verdicts["noise"].words == judged.overall.words == "no better than baseline"
    lift = row(judged, "noise").lift_at_equal_distance
    assert lift.low < 1 < lift.high


def test_baselines_stand_beside_every_model(found: Score) -> None:
    assert row(found, "uniform").lift.value == pytest.approx(1)
    assert row(found, "uniform").bits.value == pytest.approx(0, abs=1e-9)
    assert row(found, "uniform").rank.value is None
    assert row(found, "distance and recency").bits.value > row(found, "distance").bits.value > 0
    assert {one.baseline_of for one in found.rows if one.name == "shuffled"} == {"conserving", "large_trades", "truth"}
    parts = {one.group: one.contracts for one in found.rows if one.name == "truth"}
    assert parts["long"] + parts["short"] == pytest.approx(parts["all"])
    assert sum(amount for part, amount in parts.items() if "%" in part) == pytest.approx(parts["all"])


def test_what_is_forecast_does_not_see_its_own_day(reached: Reached, market: BenchMarket) -> None:
    """What is liquidated from a moment on changes no forecast of its day or an earlier one."""
    liquidations = market.liquidations()
    band = reached.band_of(liquidations)
    day = int(reached.day[-1]) - 3
    changed = np.where(liquidations.time_ns // (24 * HOUR_NS) >= day, 7.0, 1.0) * liquidations.contracts
    mixed = np.random.default_rng(1).permutation(band[liquidations.time_ns // (24 * HOUR_NS) >= day])
    other = np.concatenate([band[liquidations.time_ns // (24 * HOUR_NS) < day], mixed])
    known, unknown = (
        Baselines(reached, np.bincount(at[at >= 0], contracts[at >= 0], minlength=len(reached)))
        for at, contracts in ((band, liquidations.contracts), (other, changed))
    )
    until, density = reached.day <= day, reached.maps["conserving"].sum(axis=1)
    pairs = [
        (known.joined(density), unknown.joined(density)),
        *(
            (getattr(a, column), getattr(b, column))
            for a, b in zip(known.every(whole=True), unknown.every(whole=True), strict=True)
            for column in ("share", "density")
        ),
    ]
    for first, second in pairs:
        assert (first[until] == second[until]).all()
    assert not (pairs[0][0] == pairs[0][1])[~until].any()


def test_every_liquidated_contract_is_counted_once(found: Score, market: BenchMarket) -> None:
    liquidations = market.liquidations()
    late = (liquidations.time_ns >= SECOND_HALF_NS) & (liquidations.time_ns < int(market.times[-1]))
    assert found.liquidations == late.sum()
    assert found.liquidated == pytest.approx(liquidations.contracts[late].sum())
    assert row(found, "truth").contracts == pytest.approx(found.liquidated * (1 - found.outside))
    assert found.outside < 0.1
    attributed = sum(tier.attributed for tier in found.tiers["conserving"])
    assert attributed == pytest.approx(row(found, "truth").contracts * (1 - found.empty["conserving"]))


def test_reliability_adds_up_and_rises_for_the_truth(found: Score) -> None:
    points = found.reliability["truth"]
    realised = [point.realised.value for point in points]
    assert realised[-1] > 3 * np.mean(realised[:5])
    assert sum(point.bands for point in points) == found.bands


def test_a_score_is_the_same_every_time_and_plain_data(reached: Reached, market: BenchMarket, found: Score) -> None:
    again, same = (score(reached, market.liquidations(), judged_from_ns=SECOND_HALF_NS, whole=False) for _ in range(2))
    assert again.to_json() == same.to_json()
    assert again.added == found.added
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["bands"] == found.bands


def test_few_days_give_no_interval_and_no_praise(reached: Reached, market: BenchMarket) -> None:
    last_four = int(reached.ends[-1]) - 4 * 24 * HOUR_NS
    few = score(reached, market.liquidations(), judged_from_ns=last_four, whole=False)
    assert row(few, "truth").lift.low is None
    assert few.verdicts["truth"].words == "too little to tell"
    assert "too few" in few.verdicts["truth"].reason


@pytest.mark.parametrize("law", [by_age, by_both, by_drifting_distance, by_volume])
def test_a_map_is_not_praised_for_what_distance_age_or_volume_tell(reached: Reached, law: Law) -> None:
    book = replace(reached, maps={"conserving": reached.maps["conserving"]})
    for clumps in (MILD, WILD):
        found = score(book, drawn(book, law, 1, clumps), whole=False)
        assert not found.overall.better
        assert found.added["conserving"].to_both.value < 0.02


def test_a_map_that_half_of_the_contracts_follow_adds_to_distance_and_recency(reached: Reached) -> None:
    book = replace(reached, maps={"conserving": reached.maps["conserving"]})
    found = score(book, drawn(book, half(by_map, by_age), 1), whole=False)
    added = found.added["conserving"]
    assert found.overall.words == "adds to distance and recency"
    assert 0 < added.explained < 1
    assert added.to_both.value == pytest.approx(added.to_distance.value * (1 - added.explained))
    assert f"without {added.largest_day}" in found.overall.reason
    assert 7 <= added.days_needed < 40


def test_several_models_have_wider_intervals_than_one(reached: Reached, market: BenchMarket, found: Score) -> None:
    book = replace(reached, maps={"conserving": reached.maps["conserving"]})
    alone = score(book, market.liquidations(), judged_from_ns=SECOND_HALF_NS, whole=False).added["conserving"].to_both
    among = found.added["conserving"].to_both
    assert among.value == alone.value
    assert among.low < alone.low < alone.high < among.high


def test_days_without_a_record_are_no_days_without_liquidations(reached: Reached, market: BenchMarket) -> None:
    liquidations = market.liquidations()
    day = liquidations.time_ns // (24 * HOUR_NS)
    gone = day == day[len(day) // 2]
    columns = (liquidations.time_ns, liquidations.price, liquidations.contracts, liquidations.long)
    rest = score(reached, Liquidations(*(column[~gone] for column in columns)), whole=False)
    assert rest.silent_days == 1
    assert rest.bands < score(reached, liquidations, whole=False).bands


def test_one_day_is_refused(reached: Reached, market: BenchMarket) -> None:
    first = reached.part(reached.day == reached.day[0])
    with pytest.raises(LiqstratError, match=r"on 1 day, .*expected at least 2"):
        score(first, market.liquidations())


def test_bands_are_those_that_price_ran_through(reached: Reached, market: BenchMarket) -> None:
    window = 40
    rows = reached.window == window
    begin, end = reached.begins[window], reached.ends[window]
    inside = (market.times > begin) & (market.times <= end)
    price = market.close[market.times <= begin][-1]
    low, high = np.nanmin(market.low[inside]), np.nanmax(market.high[inside])
    for long, (bottom, top) in ((True, (low, price)), (False, (price, high))):
        exposed = reached.exposure[rows & (reached.long == long)]
        assert exposed.sum() == pytest.approx(np.log(top / bottom) / np.log1p(WIDTH), abs=3e-3)
    assert end - begin == HOUR_NS
    assert (np.diff(reached.begins) > 0).all()
