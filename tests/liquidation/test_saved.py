"""A model that was saved and restored, and flows that were packed into arrays, are what they were before."""

from typing import Any

import numpy as np
import pytest

from liqstrat.liquidation.brackets import brackets_for
from liqstrat.liquidation.clusters import find_clusters, next_hearts
from liqstrat.liquidation.flow import Flow, flow_from_bars, flow_from_trades
from liqstrat.liquidation.flow_arrays import flow_arrays, flows_of
from liqstrat.liquidation.kinds import new_model
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.liquidation.settings import ModelSettings
from tests.history import START, START_US, random_trades

FIVE_MINUTES_NS = 300_000_000_000
KINDS = {
    "book": ModelSettings(bin_width=0.001),
    "coarse maps of a fine book": ModelSettings(bin_width=0.001, bin_parts=2),
    "large trades": ModelSettings(bin_width=0.001, kind="large_trades", large=20_000.0),
    "candles": ModelSettings(bin_width=0.001, kind="oi_candle"),
    "mixture": ModelSettings(bin_width=0.001, kind="ensemble", ensemble={"conserving": 0.7, "oi_candle": 0.3}),
}


def flows(settings: ModelSettings, count: int = 24) -> list[Flow]:
    """Two hours of five minutes each; nothing traded in one of them, and one is made of a bar."""
    trades, brackets = random_trades(count / 12), brackets_for("BTCUSDT", START)
    first = START_US * 1000
    made = []
    for number in range(count):
        start = first + number * FIVE_MINUTES_NS
        there = trades.time_us * 1000 // FIVE_MINUTES_NS == start // FIVE_MINUTES_NS
        if number == 5:
            there &= False
        price, contracts, buy = trades.price[there], trades.contracts[there], trades.buy[there]
        span = start, start + FIVE_MINUTES_NS
        shape: dict[str, Any] = {"width": settings.fine_width, "brackets": brackets}
        if number == 7:
            bar = (np.array([value]) for value in (price.max(), price.min(), price[-1], contracts.sum()))
            made.append(flow_from_bars(*span, *bar, **shape))
        else:
            made.append(flow_from_trades(*span, price, contracts, buy, large=settings.large_rule, **shape))
    return made


def content(levels: LiquidationMap) -> dict[str, Any]:
    return {name: np.asarray(value).tobytes() for name, value in vars(levels).items() if not name.endswith("s_cache")}


@pytest.mark.parametrize("name", KINDS)
def test_a_restored_model_goes_on_as_the_saved_one(name: str) -> None:
    settings, history = KINDS[name], flows(KINDS[name])
    model = new_model(settings, "BTCUSDT")
    assert (model.time_ns, model.open_interest, model.price != model.price) == (0, 0, True)
    for number, flow in enumerate(history):
        if number in (0, 1, 6, 12):
            restored = new_model(settings, "BTCUSDT")
            saved = model.saved()
            restored.restore(saved)
            assert (restored.time_ns, restored.open_interest) == (model.time_ns, model.open_interest)
        # What was saved is not touched by what the model does next.
        model.step(flow, 1_000.0 + 10 * number)
        if number == 12:
            restored.restore(saved)
        restored.step(flow, 1_000.0 + 10 * number)
        assert content(restored.map()) == content(model.map())
        assert restored.seeded_share == model.seeded_share
    assert model.map().longs.sum() > 0


@pytest.mark.parametrize("name", KINDS)
def test_flows_come_back_from_arrays(name: str) -> None:
    history = flows(KINDS[name])
    for one, other in zip(history, flows_of(flow_arrays(history)), strict=True):
        for field in ("start_ns", "end_ns", "bins", "buy", "brackets", "contracts", "low", "high", "close", "volume"):
            before, after = np.asarray(getattr(one, field)), np.asarray(getattr(other, field))
            assert (before.dtype, before.tobytes()) == (after.dtype, after.tobytes()), field
        assert (one.large is None) == (other.large is None)
        if one.large is not None and other.large is not None:
            assert one.large.contracts.tobytes() == other.large.contracts.tobytes()
            assert one.large.bins.tolist() == other.large.bins.tolist()
            assert one.large.buy.tolist() == other.large.buy.tolist()
    assert flows_of(flow_arrays([])) == []


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("span", [0.002, 0.2])
def test_hearts_are_those_of_the_clusters_to_the_bit(name: str, span: float) -> None:
    model = new_model(KINDS[name], "BTCUSDT")
    for number, flow in enumerate(flows(KINDS[name], 12)):
        model.step(flow, 1_000.0 + 10 * number)
        levels, profile = model.map(span=span), model.profile(span)
        assert profile.longs == pytest.approx(levels.longs.sum(axis=0))
        assert [np.asarray(part).tobytes() for part in profile] == [
            np.asarray(part).tobytes() for part in levels.profile()
        ]
        clusters = find_clusters(levels, span=span)
        assert next_hearts(profile) == (clusters.next_long, clusters.next_short)
        longs = [cluster.price for cluster in clusters if cluster.side == "long"]
        assert clusters.next_long == max(longs, default=-np.inf)
