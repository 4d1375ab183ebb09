"""The catalog's bars as arrays without holes."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from liqstrat.catalog.minutes import read_minutes
from liqstrat.errors import LiqstratError
from liqstrat.moments import MINUTE_NS
from tests.backtest.replay import make_catalog
from tests.history import START, START_US, Trades


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trades in the first, second and fifth minute."""
    seconds = np.array([1, 30, 59, 60, 240, 299])
    prices = np.array([100.0, 105.5, 102.0, 103.0, 90.0, 95.0])
    trades = Trades(START_US + seconds * 1_000_000, prices, np.full(6, 0.125), np.full(6, True))
    return make_catalog(tmp_path_factory.mktemp("minutes"), trades)


def test_minutes_without_trades_repeat_the_last_close(catalog: Path) -> None:
    bars = read_minutes(catalog, "BTCUSDT", START, START + timedelta(hours=1))
    assert bars.start_ns == START_US * 1000
    assert bars.open.tolist() == [100, 103, 103, 103, 90]
    assert bars.high.tolist() == [105.5, 103, 103, 103, 95]
    assert bars.low.tolist() == [100, 103, 103, 103, 90]
    assert bars.close.tolist() == [102, 103, 103, 103, 95]
    assert bars.volume.tolist() == [0.375, 0.125, 0, 0, 0.25]
    assert bars.recorded.tolist() == [True, True, False, False, True]


def test_only_minutes_of_the_range_are_read(catalog: Path) -> None:
    bars = read_minutes(catalog, "BTCUSDT", START + timedelta(minutes=1), START + timedelta(minutes=4))
    assert bars.close.tolist() == [103]


def test_a_minute_has_ended_when_the_next_one_begins(catalog: Path) -> None:
    bars = read_minutes(catalog, "BTCUSDT", START, START + timedelta(hours=1))
    first_end = bars.start_ns + MINUTE_NS
    assert [bars.ended(ns) for ns in (0, first_end - 1, first_end, first_end + 100 * MINUTE_NS)] == [0, 0, 1, 5]


def test_a_catalog_without_bars_says_how_to_get_them(catalog: Path) -> None:
    with pytest.raises(LiqstratError, match=r"no bars of ETHUSDT.*liqstrat catalog ETHUSDT"):
        read_minutes(catalog, "ETHUSDT", START, START + timedelta(hours=1))
