"""The ranges that the simulator's documentation states, measured on three days of its default behaviour."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from liqstrat.market.simulator import SimulationSettings, simulate
from tests.market.simulator.simulated_folder import START, SimulatedFolder

pytestmark = pytest.mark.slow

#: As by default, but for fewer positions and trades and coarser steps, which is faster.
FASTER = SimulationSettings(positions=2000, trades=60_000, step_seconds=30, warmup_days=10, warmup_step_seconds=300)
DAYS = 3


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> SimulatedFolder:
    folder: Path = tmp_path_factory.mktemp("believable") / "market"
    return SimulatedFolder(folder, simulate(folder, days=DAYS, seed=2, start=START, settings=FASTER))


@pytest.fixture(scope="module")
def trades(market: SimulatedFolder) -> pd.DataFrame:
    days: list[date] = [START + timedelta(days=day) for day in range(DAYS)]
    return pd.concat([market.archive("aggTrades", day=day) for day in days], ignore_index=True)


@pytest.fixture(scope="module")
def bars(trades: pd.DataFrame) -> pd.DataFrame:
    signed = trades["quantity"] * np.where(trades["is_buyer_maker"], -1, 1)
    grouped = trades.assign(signed=signed).groupby(trades["transact_time"] // 300_000)
    bars = grouped.agg(close=("price", "last"), volume=("quantity", "sum"), signed=("signed", "sum"))
    return bars.assign(change=np.log(bars["close"]).diff()).iloc[1:]


def test_volume_open_interest_volatility_and_liquidations_are_in_the_stated_ranges(market: SimulatedFolder):
    report = market.report
    assert 2 < report.volume_ratio < 5
    assert 15_000 < report.open_interest < 25_000
    assert 0.4 < report.volatility < 0.8
    assert 0.003 < report.liquidated_share < 0.03


def test_volume_goes_with_movement_and_takers_with_its_direction(bars: pd.DataFrame):
    assert bars["volume"].corr(bars["change"].abs()) > 0.2
    assert bars["signed"].corr(bars["change"]) > 0.2


def test_the_us_open_is_busier_than_the_asian_night(bars: pd.DataFrame):
    hour = bars.index * 300 // 3600 % 24
    assert bars["volume"][hour.isin([13, 14, 15])].mean() > 1.2 * bars["volume"][hour.isin([3, 4, 5])].mean()


def test_trade_sizes_are_heavy_tailed(trades: pd.DataFrame):
    assert trades["quantity"].mean() > 2.5 * trades["quantity"].median()
    assert trades["quantity"].max() > 50 * trades["quantity"].mean()


def test_the_report_tells_what_the_files_hold(market: SimulatedFolder, trades: pd.DataFrame):
    assert market.report.trades == len(trades)
    assert market.report.contracts == pytest.approx(trades["quantity"].sum())
    assert (market.report.low, market.report.high) == pytest.approx((trades["price"].min(), trades["price"].max()))
