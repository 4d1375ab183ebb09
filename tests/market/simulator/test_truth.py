"""The positions behind a simulated market: conserved, liquidated where price went, and nowhere else."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from liqstrat.liquidation.brackets import brackets_for
from liqstrat.liquidation.price import liquidation_price

pytestmark = pytest.mark.slow

_BRACKETS = brackets_for("BTCUSDT", datetime(2024, 3, 1, tzinfo=UTC))


def _milliseconds(times: pd.Series) -> np.ndarray:
    return times.dt.as_unit("ms").astype("int64").to_numpy()


def test_longs_and_shorts_both_equal_the_open_interest_at_every_hour(simulated):
    held, metrics = simulated.truth("positions"), simulated.archive("metrics")
    metrics.index = pd.to_datetime(metrics["create_time"], utc=True)
    sides = held.pivot_table(index="time", columns="side", values="contracts", aggfunc="sum")
    assert len(sides) == 24
    sides = sides.iloc[1:]  # The value of the first midnight is in the file of the day before.
    expected = metrics["sum_open_interest"].loc[sides.index].to_numpy()
    np.testing.assert_allclose(sides["long"], expected, atol=1e-6)
    np.testing.assert_allclose(sides["short"], expected, atol=1e-6)


def test_the_first_hour_is_already_populated_with_positions_of_all_ages(simulated):
    held = simulated.truth("positions")
    first = held[held["time"] == held["time"].min()]
    age = (first["time"] - first["opened"]).dt.total_seconds() / 3600
    assert len(first) > 500
    assert age.min() < 2
    assert age.max() > 48


def test_no_open_position_has_seen_its_liquidation_price(simulated):
    held, trades = simulated.truth("positions"), simulated.archive("aggTrades")
    times, prices = trades["transact_time"].to_numpy(), trades["price"].to_numpy()
    for hour, open_now in held.groupby("time"):
        seen = np.searchsorted(times, hour.value // 1_000_000)
        if not seen:
            continue
        since = np.minimum(np.searchsorted(times, _milliseconds(open_now["opened"])), seen - 1)
        low = np.minimum.accumulate(prices[:seen][::-1])[::-1][since]
        high = np.maximum.accumulate(prices[:seen][::-1])[::-1][since]
        long = (open_now["side"] == "long").to_numpy()
        survived = np.where(long, low > open_now["liquidation_price"], high < open_now["liquidation_price"])
        assert survived.all()


def test_liquidations_trade_at_or_beyond_the_liquidation_price(simulated):
    gone = simulated.truth("closed").query("reason == 'liquidated'")
    trades = simulated.archive("aggTrades").set_index("transact_time")
    assert len(gone) > 20
    for position, moment in zip(gone.itertuples(), _milliseconds(gone["closed"]), strict=True):
        long = position.side == "long"
        at = trades.loc[[moment]]
        at = at[at["is_buyer_maker"] == long]["price"]
        reached = at.min() <= position.liquidation_price if long else at.max() >= position.liquidation_price
        assert reached
        assert abs(position.close_price - position.liquidation_price) <= 0.1 + 1e-6


def test_the_archive_lists_exactly_the_liquidated_positions(simulated):
    gone = simulated.truth("closed").query("reason == 'liquidated'")
    listed = simulated.archive("liquidationSnapshot")
    assert listed["time"].tolist() == _milliseconds(gone["closed"]).tolist()
    np.testing.assert_allclose(listed["original_quantity"], gone["contracts"])
    assert listed["side"].tolist() == gone["side"].map({"long": "SELL", "short": "BUY"}).tolist()
    beyond = (listed["average_price"] - listed["price"]) * gone["side"].map({"long": 1, "short": -1}).to_numpy()
    assert (beyond > 0).all()  # liquidated before the margin was gone, at the bankruptcy price


def test_liquidation_prices_follow_the_exact_formula_and_leverage_its_bracket(simulated):
    held = simulated.truth("positions")
    expected = liquidation_price(
        held["entry"], held["leverage"], held["contracts"], held["side"].map({"long": 1, "short": -1}), _BRACKETS
    )
    np.testing.assert_allclose(held["liquidation_price"], expected, rtol=1e-12)
    np.testing.assert_allclose(held["notional"], held["entry"] * held["contracts"])
    caps = _BRACKETS.max_leverage[_BRACKETS.index_of(held["notional"])]
    assert (held["leverage"] <= caps).all()
    assert (held["leverage"] == caps).any()


def test_openings_follow_the_stated_mix_of_leverage_and_sizes_are_heavy_tailed(simulated):
    held, gone = simulated.truth("positions"), simulated.truth("closed")
    every = pd.concat([held, gone]).drop_duplicates("position_id")
    opened = every[every["opened"] >= "2024-03-01"]
    small = opened[opened["notional"] < 50_000]  # not cut by a bracket
    shares = small["leverage"].value_counts(normalize=True)
    for tier, share in ((5, 0.16), (10, 0.31), (20, 0.21), (125, 0.02)):
        assert abs(shares[tier] - share) < 4 * np.sqrt(share * (1 - share) / len(small))
    largest = opened["contracts"].nlargest(len(opened) // 100).sum()
    assert largest > 0.1 * opened["contracts"].sum()


def test_everything_that_agents_bought_or_sold_went_over_the_tape(simulated):
    held, gone = simulated.truth("positions"), simulated.truth("closed")
    trades = simulated.archive("aggTrades")
    every = pd.concat([held, gone.drop(columns="closed")]).drop_duplicates("position_id")
    opened = every[every["opened"] >= "2024-03-01"].rename(columns={"opened": "moment"})
    closed = gone.rename(columns={"closed": "moment"})
    five_minutes = 300_000
    traded = trades.groupby(trades["transact_time"] // five_minutes)["quantity"].sum()
    for opens, closes in (("long", "short"), ("short", "long")):
        orders = pd.concat([opened[opened["side"] == opens], closed[closed["side"] == closes]])
        ordered = orders.groupby(_milliseconds(orders["moment"]) // five_minutes)["contracts"].sum()
        assert len(ordered) > 280
        assert (ordered <= traded.reindex(ordered.index, fill_value=0) + 1e-6).all()
