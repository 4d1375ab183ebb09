"""What a verdict announces: the share of studies that say "edge", where the truth is known."""

from dataclasses import replace
from html import escape

import numpy as np
import pytest
from purgedcv import deflated_sharpe_ratio

from liqstrat.research.drawn import Observed, announced
from liqstrat.research.edge import EDGE, NONE, NOT_OF_LEVELS, Against, Evidence, verdict_on
from liqstrat.research.histories import counts_of, deflated_of, orders_of, overfitting_of, sharpes_of, superiority_of
from liqstrat.research.luck import DAYS_A_YEAR, POWER, SURE, deflated, overfitting, superiority
from liqstrat.research.luck import sharpes_of as sharpes_by_day
from liqstrat.research.power import Power
from liqstrat.research.verdict_html import verdict_html

DAYS, TRIALS, SEEDS = 60, 6, 19


def study(seed: int, sharpe: float, placebo: float, days: int = DAYS) -> Observed:
    """A study of trials with this true Sharpe ratio a year, whose placebo levels have another, with fat tails; all go
    partly together."""
    rng = np.random.default_rng([seed, days])

    def drawn(count: int, earned: float, alike: float) -> np.ndarray:
        own = rng.standard_t(5, (days, count)) / np.sqrt(5 / 3)
        return 0.01 * (np.sqrt(alike) * common + np.sqrt(1 - alike) * own + earned / np.sqrt(DAYS_A_YEAR))

    common = rng.standard_t(5, (days, 1)) / np.sqrt(5 / 3)
    returns, shown, chance = drawn(TRIALS, sharpe, 0.7), drawn(SEEDS, placebo, 0.3), drawn(SEEDS, 0.0, 0.0)
    best = int(sharpes_by_day(returns).argmax())
    return Observed(returns, best, np.arange(TRIALS), TRIALS, 2 * days, controls={"random": chance, "placebo": shown})


def said(seen: Observed) -> str:
    """By the tests themselves, as the libraries make them."""
    sharpes = sharpes_by_day(seen.returns)
    own = seen.returns[:, seen.best]
    if deflated_sharpe_ratio(own, TRIALS, float(np.var(sharpes, ddof=1))) < SURE:
        return NONE
    found = deflated(own, TRIALS, sharpes)
    against = {
        kind: Against.of((sharpes[seen.best] > sharpes_by_day(one)).tolist()) for kind, one in seen.controls.items()
    }
    chance = superiority(seen.returns)
    return verdict_on(
        Evidence(len(seen.returns), seen.trades, TRIALS, found, overfitting(seen.returns), chance, **against)
    ).words


def together(studies: list[Observed]) -> Observed:
    """The days of all in one history."""
    returns = np.concatenate([one.returns for one in studies])
    controls = {kind: np.concatenate([one.controls[kind] for one in studies]) for kind in ("random", "placebo")}
    best, trades = int(sharpes_by_day(returns).argmax()), sum(one.trades for one in studies)
    return replace(studies[0], returns=returns, best=best, trades=trades, controls=controls)


def power(seen: Observed, length: int | None = None) -> Power:
    found = announced(seen, length)
    assert found is not None
    return found


def test_many_histories_at_once_are_told_what_each_is_told_alone() -> None:
    seen = together([study(seed, 3.0, 0.0) for seed in range(8)])
    orders = np.arange(8 * DAYS).reshape(8, DAYS)
    sharpes = sharpes_of(counts_of(orders, 8 * DAYS), seen.returns)
    best = sharpes.argmax(axis=1)
    told = zip(
        deflated_of(seen.returns[orders, best[:, np.newaxis]], sharpes, 50, 2),
        overfitting_of(orders, seen.returns),
        strict=True,
    )
    for at, (luck, halved) in enumerate(told):
        own = seen.returns[orders[at]]
        alone, split = deflated(own[:, best[at]], 50, sharpes_by_day(own)), overfitting(own)
        assert luck is not None
        assert halved is not None
        assert alone is not None
        assert split is not None
        for name in ("sharpe", "benchmark", "probability", "skew", "kurtosis"):
            assert getattr(luck, name) == pytest.approx(getattr(alone, name)), name
        assert (halved.loses, halved.ways) == (pytest.approx(split.loses), split.ways)


def test_what_a_best_trial_has_by_luck_is_about_what_arch_says() -> None:
    seen = study(3, 4.0, 0.0)
    orders = orders_of(DAYS, DAYS, 2)
    told = superiority_of(counts_of(orders, DAYS), seen.returns)
    alone = [superiority(seen.returns[order]) for order in orders[:30]]
    assert [one <= 1 - SURE for one in told[:30]].count(True) == pytest.approx(
        [one <= 1 - SURE for one in alone].count(True), abs=4
    )
    assert np.corrcoef(told[:30], alone)[0, 1] > 0.9


def test_levels_of_other_times_that_earn_as_much_are_never_left_behind() -> None:
    found = power(study(1, 9.0, 11.0))
    assert found.needed_days is None
    assert found.probability < 0.2
    last = found.by_days[-1]
    assert last.words[NOT_OF_LEVELS] > 0.6
    assert f'not even {20 * DAYS:,} days would with 80%: they would say "{NOT_OF_LEVELS}"' in found.text


def test_what_is_plain_takes_no_more_days_and_what_is_not_takes_as_many_as_will_do() -> None:
    assert power(study(2, 25.0, 0.0)).needed_days == DAYS
    weak = study(2, 6.0, 1.0)
    found = power(weak)
    shares = [one.words.get(EDGE, 0.0) for one in found.by_days]
    assert found.probability == shares[0] < POWER <= shares[-1]
    assert shares == sorted(shares)
    assert found.needed_days is not None
    assert DAYS < found.needed_days <= found.by_days[-1].days
    assert power(weak, found.needed_days).probability == pytest.approx(POWER, abs=0.06)
    assert f"and one of {found.needed_days} days with 80%" in found.text
    assert power(weak) == found, "the same each time"


def test_a_control_that_had_luck_does_not_keep_it() -> None:
    """One of nineteen that has earned more than the best would never be beaten, were its days only drawn again."""
    seen = study(2, 14.0, 0.0)
    shown = seen.controls["placebo"].copy()
    shown[:, 4] += 1.3 * seen.returns[:, seen.best].mean()
    lucky = power(replace(seen, controls={**seen.controls, "placebo": shown}))
    assert lucky.needed_days is not None
    assert lucky.needed_days < 3 * DAYS


def test_controls_that_were_not_run_are_said_not_to_count() -> None:
    seen = study(2, 6.0, 6.0)
    without = power(replace(seen, controls={}))
    assert without.probability > power(seen).probability + 0.1
    assert "counts luck alone" in without.text
    assert "does not count placebo levels" in power(replace(seen, controls={"random": seen.controls["random"]})).text


def test_few_trades_few_days_and_days_without_change_announce_what_they_can() -> None:
    seen = study(2, 25.0, 0.0)
    rare = power(replace(seen, trades=10))
    assert rare.probability == 0
    assert rare.needed_days is not None
    assert rare.needed_days > 2.5 * DAYS, "thirty trades take three times as long, and some luck"
    few = {kind: one[:20] for kind, one in seen.controls.items()}
    short = power(replace(seen, returns=seen.returns[:20], trades=40, controls=few))
    assert short.probability == 0
    assert short.needed_days is not None
    assert announced(replace(seen, returns=seen.returns[:6])) is None
    assert announced(replace(seen, returns=np.zeros_like(seen.returns))) is None


@pytest.mark.parametrize("objective", ["sharpe", "net_return"])
def test_the_order_of_trials_and_controls_means_nothing(objective: str) -> None:
    seen = replace(study(5, 8.0, 2.0), objective=objective)
    turned = replace(
        seen,
        returns=seen.returns[:, ::-1],
        best=TRIALS - 1 - seen.best,
        controls={kind: one[:, ::-1] for kind, one in seen.controls.items()},
    )
    assert power(turned).probability == pytest.approx(power(seen).probability, abs=0.005)


def test_the_page_has_what_is_announced_and_folders_from_before_have_one_without() -> None:
    found = power(study(2, 6.0, 1.0))
    verdict = verdict_on(Evidence(DAYS, 2 * DAYS, TRIALS), found)
    page = verdict_html(verdict.to_json())
    assert "What longer studies would say" in page
    assert escape(found.text[1:]) in page
    rows = [[one.days, one.words.get(EDGE, 0.0)] for one in found.by_days]
    assert all(f"<tr><td>{days}</td><td>{share:.0%}</td>" in page for days, share in rows)
    old = verdict.to_json()
    del old["power"]
    assert "What longer studies" not in verdict_html(old)


@pytest.mark.slow
@pytest.mark.parametrize(("sharpe", "placebo"), [(4.0, 0.0), (6.0, 2.0), (8.0, 5.0)])
def test_as_many_say_edge_as_others_announce(sharpe: float, placebo: float) -> None:
    """Of a hundred and twenty studies; by the days of others, put together so that their luck is little, and by what
    single ones announce in the middle of many."""
    true = np.mean([said(study(seed, sharpe, placebo)) == EDGE for seed in range(1000, 1120)])
    others = [study(seed, sharpe, placebo) for seed in range(40)]
    assert power(together(others), DAYS).probability == pytest.approx(true, abs=0.15)
    assert np.median([power(one).probability for one in others]) == pytest.approx(true, abs=0.2)
