"""Small simulated markets in which prices go far, with any leverage mix."""

from dataclasses import replace

import numpy as np

from liqstrat.bench.market import BenchMarket, bench_market
from liqstrat.bench.regimes import REGIMES, Mix
from liqstrat.calibration.evidence import History
from liqstrat.liquidation.liquidations import Liquidations
from liqstrat.liquidation.settings import ModelSettings

TIERS = (10, 20, 50, 100)
#: The shares that a fit starts from and shrinks to: none of the mixes below.
EVEN = ModelSettings(leverage=dict.fromkeys(TIERS, 0.25))
LOW: Mix = ((10, 0.5), (20, 0.3), (50, 0.15), (100, 0.05))
HIGH: Mix = ((10, 0.1), (20, 0.2), (50, 0.4), (100, 0.3))
MIDDLE: Mix = ((10, 0.2), (20, 0.5), (50, 0.2), (100, 0.1))
NONE = Liquidations(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.bool_))


def wide_market(mix: Mix, seed: int = 1, days: int = 6) -> BenchMarket:
    """A market of many small positions in which every tier's prices are run through."""
    usual = REGIMES["usual"]
    settings = replace(
        usual.settings,
        leverage=mix,
        positions=8_000,
        trades=3_000,
        volatility=0.06,
        home_pull=0.3,
        warmup_days=3,
        warmup_step_seconds=300,
        step_seconds=60,
    )
    return bench_market(replace(usual, settings=settings), seed, days)


def history_of(market: BenchMarket) -> History:
    """All of its intervals."""
    return list(market.flows())
