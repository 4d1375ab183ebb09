from datetime import UTC, datetime

import numpy as np
import pytest

from liqstrat.liquidation.brackets import brackets_for
from liqstrat.liquidation.flow import flow_from_bars, flow_from_trades
from liqstrat.liquidation.grid import bin_of

BTC = brackets_for("BTCUSDT", datetime(2024, 3, 1, tzinfo=UTC))


def test_trades_are_grouped_by_price_taker_and_size() -> None:
    price = np.array([60_000.0, 60_001.0, 60_000.0, 61_000.0])
    contracts = np.array([0.1, 0.2, 5.0, 1.0])
    flow = flow_from_trades(0, 300, price, contracts, np.array([True, True, True, False]), width=0.001, brackets=BTC)
    low, high = bin_of([60_000, 61_000], 0.001).tolist()
    groups = sorted(zip(flow.bins, flow.buy, flow.brackets, flow.contracts, strict=True))
    assert [(int(k), bool(b), int(s)) for k, b, s, _ in groups] == [(low, True, 0), (low, True, 1), (high, False, 1)]
    assert [float(c) for *_, c in groups] == pytest.approx([0.3, 5.0, 1.0])
    assert (flow.low, flow.high, flow.close) == (60_000.0, 61_000.0, 61_000.0)


def test_an_interval_without_trades_has_no_price() -> None:
    nothing = np.zeros(0)
    flow = flow_from_trades(0, 300, nothing, nothing, nothing.astype(bool), width=0.001, brackets=BTC)
    assert flow.volume == 0
    assert np.isnan([flow.low, flow.high, flow.close]).all()


def test_bars_spread_their_volume_over_their_range_and_both_sides() -> None:
    high, low = np.array([61_000.0, 62_000.0]), np.array([60_000.0, 61_000.0])
    flow = flow_from_bars(0, 300, high, low, high, np.array([10.0, 20.0]), width=0.001, brackets=BTC)
    assert flow.volume == pytest.approx(30.0)
    assert flow.contracts[flow.buy].sum() == pytest.approx(15.0)
    middle = bin_of(61_000, 0.001)
    assert flow.contracts[flow.bins < middle].sum() == pytest.approx(10.0, rel=0.1)
    assert (flow.low, flow.high, flow.close) == (60_000.0, 62_000.0, 62_000.0)
