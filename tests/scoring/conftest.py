"""A small simulated market of two weeks, whose positions are known in its second half, for all tests of the score."""

from collections.abc import Sequence

import numpy as np
import pytest

from liqstrat.bench.market import WIDTH, BenchMarket, bench_market
from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.grid import Floats, bin_of
from liqstrat.liquidation.kinds import new_model
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.liquidation.model import Consumed
from liqstrat.liquidation.settings import ModelSettings
from tests.once import made_once
from tests.small_regime import small_regime

HOUR_NS = 3_600_000_000_000
SMALL = small_regime(step_seconds=300)


class Truth:
    """A model that is told every open position on the hours of the second half, and knows nothing before."""

    def __init__(self, market: BenchMarket) -> None:
        self.settings = ModelSettings(bin_width=WIDTH)
        self.tiers = np.array([1])
        self._market = market
        self._now = 0
        self._price = np.nan

    def step(self, flow: Flow, open_interest: float) -> Consumed:
        self._now, self._price = flow.end_ns, flow.close if flow.volume > 0 else self._price
        return Consumed.nothing(flow.end_ns, 1)

    def map(self) -> LiquidationMap:
        hour = int(np.searchsorted(self._market.hours, self._now))
        known = hour < len(self._market.hours) and self._market.hours[hour] == self._now
        rows = slice(*self._market.held[hour : hour + 2].tolist()) if known else slice(0, 0)
        at, size, side = (getattr(self._market, name)[rows] for name in ("liquidation", "size", "side"))
        first, bins = bin_of(1_000.0, WIDTH).item(), 8_000
        inside = (at > 1_000) & (at < 1_000_000)
        place = bin_of(np.where(inside, at, 1_000.0), WIDTH) - first
        sides = [
            np.bincount(place[one], size[one], minlength=bins)[np.newaxis].astype(float)
            for one in (inside & (side > 0), inside & (side < 0))
        ]
        return a_map(self._now, self._price, first, *sides)


def a_map(
    time_ns: int, price: float, first: int, longs: Floats, shorts: Floats, tiers: Sequence[int] = (1,)
) -> LiquidationMap:
    nothing = np.zeros(len(tiers))
    unknown = np.full_like(longs, np.nan)
    return LiquidationMap(
        "BTCUSDT",
        time_ns,
        price,
        1.0,
        WIDTH,
        np.array(tiers),
        first,
        longs,
        shorts,
        unknown,
        unknown,
        nothing,
        nothing,
        0.0,
    )


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> BenchMarket:
    folder = made_once(tmp_path_factory, "score-market", lambda folder: bench_market(SMALL, 5, 16, folder))
    return bench_market(SMALL, 5, 16, folder)


def models(*kinds: str) -> dict:
    return {kind: new_model(ModelSettings(kind=kind), "BTCUSDT") for kind in kinds}
