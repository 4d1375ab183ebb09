import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqstrat.liquidation.baselines import LargeTradeModel
from liqstrat.liquidation.brackets import brackets_for
from liqstrat.liquidation.flow import flow_from_trades
from liqstrat.liquidation.large import LargeBy, LargeRule
from liqstrat.liquidation.settings import ModelSettings
from tests.history import START

NOTIONAL = np.array([10_000.0, 80_000.0, 50_000.0, 200_000.0, 80_000.0])


@pytest.mark.parametrize(
    ("by", "amount", "chosen"),
    [
        ("value", 50_000, [1, 2, 3, 4]),
        ("value", 50_001, [1, 3, 4]),
        ("top", 2, [1, 3]),
        ("top", 9, [0, 1, 2, 3, 4]),
        ("portion", 0.3, [3]),
        ("portion", 0.5, [1, 3]),
        ("portion", 1.0, [0, 1, 2, 3, 4]),
    ],
)
def test_large_are_those_of_a_value_the_largest_or_a_part_of_all(by: LargeBy, amount: float, chosen: list[int]) -> None:
    """200 of 420 thousand USDT are one trade: a third of all is reached by it alone, a half needs the next."""
    assert np.flatnonzero(LargeRule(by, amount).chosen(NOTIONAL)).tolist() == chosen


@given(st.lists(st.floats(1, 1e7), max_size=30), st.floats(0.01, 1))
def test_a_portion_is_reached_by_as_few_trades_as_can_be(notional: list[float], amount: float) -> None:
    values = np.array(notional)
    chosen = LargeRule("portion", amount).chosen(values)
    taken = np.sort(values[chosen])
    assert taken.sum() >= amount * values.sum() * (1 - 1e-9)
    assert taken[1:].sum() <= amount * values.sum() * (1 + 1e-9)


@pytest.mark.parametrize(
    ("by", "amount", "said"),
    [("value", 0, "large is 0, expected USDT above 0"), ("portion", 2, "a share above 0 up to 1"), ("most", 1, "top")],
)
def test_a_rule_that_cannot_be_is_refused(by: LargeBy, amount: float, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ModelSettings(kind="large_trades", large_by=by, large=amount)


def test_levels_stand_at_fixed_distances_from_the_large_trades_alone() -> None:
    settings = ModelSettings(kind="large_trades", large_by="top", large=1)
    model = LargeTradeModel(settings, "BTCUSDT")
    price, contracts = np.array([60_000.0, 50_000.0]), np.array([3.0, 1.0])
    flow = flow_from_trades(
        0, 300, price, contracts, np.array([True, False]),
        width=settings.fine_width, brackets=brackets_for("BTCUSDT", START), large=settings.large_rule,
    )  # fmt: skip
    model.step(flow, 1_000.0)
    levels = model.map()
    assert levels.shorts.sum() == 0
    assert levels.longs.sum() == pytest.approx(3.0)
    distances = [float((row * levels.middles).sum() / row.sum()) / 60_000 - 1 for row in levels.longs if row.sum() > 0]
    assert distances == pytest.approx([-0.1, -0.04, -0.02, -0.01], abs=0.001)
