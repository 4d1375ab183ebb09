import numpy as np
import pytest

from liqstrat.scoring.side_by_side import may_be_best


def test_what_loses_more_on_most_days_is_left_out_and_what_loses_alike_stays() -> None:
    rng = np.random.default_rng(4)
    good = 1.0 + rng.gamma(2.0, 0.5, 30)
    losses = {"good": good, "as good": good + rng.normal(0, 0.1, 30), "bad": good + 0.3 + rng.normal(0, 0.1, 30)}
    assert may_be_best(losses) == ["good", "as good"]


def test_models_without_any_difference_stay_together() -> None:
    losses = np.linspace(1, 2, 20)
    assert may_be_best({"one": losses, "same": losses.copy()}) == ["one", "same"]
    worse = losses + np.random.default_rng(1).normal(0.5, 0.1, 20)
    assert may_be_best({"one": losses, "worse": worse, "same": losses.copy()}) == ["one", "same"]


def test_one_model_or_few_days_say_nothing() -> None:
    losses = np.linspace(1, 2, 20)
    assert may_be_best({"one": losses}) is None
    assert may_be_best({"one": losses[:13], "other": losses[:13] + 1}) is None


@pytest.mark.parametrize("days", [14, pytest.param(28, marks=pytest.mark.slow)])
def test_the_best_is_seldom_left_out(days: int) -> None:
    rng = np.random.default_rng(days)
    kept = []
    for _ in range(40):
        shared = rng.gamma(1.0, 1.0, days)
        kept.append(
            "best"
            in (may_be_best({"best": shared, **{str(i): shared + rng.normal(0, 1, days) for i in range(2)}}) or [])
        )
    assert np.mean(kept) > 0.9
