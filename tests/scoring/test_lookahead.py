"""The check for look-ahead: it must catch what cheats and leave alone what does not."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from liqstrat.bench.market import BenchMarket
from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.kinds import new_model
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.liquidation.model import Since
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.scoring.lookahead import Flows, find_lookahead, maps_after_each_step, model_maker

pytestmark = pytest.mark.slow

KINDS = ["conserving", "large_trades", "oi_candle", "ensemble"]


class OneIntervalEarly:
    """A book that stamps its maps with the begin of the interval whose end they were made from."""

    def __init__(self) -> None:
        self._book = new_model(ModelSettings(), "BTCUSDT")
        self._begin = 0

    def step(self, flow: Flow, open_interest: float) -> Any:
        self._begin = flow.start_ns
        return self._book.step(flow, open_interest)

    def map(self) -> LiquidationMap:
        return self._book.map(Since(time_ns=self._begin))


def knows_the_last_price(flows: Flows) -> Iterator[LiquidationMap]:
    """Maps that are stamped rightly, but scaled with the last price of all the data."""
    every = list(flows)
    last = next(flow.close for flow, _ in reversed(every) if flow.volume > 0)
    book = new_model(ModelSettings(), "BTCUSDT")
    for flow, open_interest in every:
        book.step(flow, open_interest)
        levels = book.map()
        if levels.longs.size:
            levels.longs[:, levels.longs.shape[1] // 2] += last * 1e-9
        yield levels


def span(market: BenchMarket) -> tuple[int, int]:
    return int(market.times[100]), int(market.times[400])


@pytest.mark.parametrize("kind", KINDS)
def test_shipped_models_know_nothing_of_the_future(market: BenchMarket, kind: Any) -> None:
    maker = model_maker(ModelSettings(kind=kind), "BTCUSDT")
    assert find_lookahead(maker, market.flows, span(market), cuts=2) is None


def test_a_map_stamped_one_interval_too_early_is_caught(market: BenchMarket) -> None:
    cheat: Any = OneIntervalEarly
    found = find_lookahead(maps_after_each_step(cheat), market.flows, span(market), cuts=1)
    assert found is not None
    assert found.time_ns <= found.cut_ns < found.time_ns + 300 * 10**9
    assert found.known is None
    assert "look-ahead: the map of 2024-03-0" in str(found)


def test_the_first_difference_is_named_by_moment_bin_and_amount(market: BenchMarket) -> None:
    found = find_lookahead(knows_the_last_price, market.flows, span(market), cuts=1, maps=3)
    assert found is not None
    assert found.what.startswith("longs of ")
    assert found.price is not None
    assert found.known is not None
    assert found.told is not None
    assert 0 < abs(found.told - found.known) < 1e-4
    stamps = market.times[market.times <= found.cut_ns][-3:]
    assert found.time_ns == stamps[0]


def test_cuts_are_the_same_every_time_and_lie_within_the_span(market: BenchMarket) -> None:
    asked: list[int | None] = []

    def source(until: int | None) -> Flows:
        asked.append(until)
        return market.flows(until)

    maker = model_maker(ModelSettings(kind="oi_candle"), "BTCUSDT")
    find_lookahead(maker, source, span(market), cuts=4)
    first = asked.copy()
    asked.clear()
    find_lookahead(maker, source, span(market), cuts=4)
    assert asked == first
    assert first[0] is None
    assert np.all([span(market)[0] <= cut < span(market)[1] for cut in first[1:] if cut is not None])
