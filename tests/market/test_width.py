"""How wide price bins are where nobody has said it."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from liqstrat.liquidation.settings import ModelSettings
from liqstrat.market.store import Store, open_store
from liqstrat.market.width import automatic_bin_width, with_bin_width
from tests.history import START, START_US, Trades, random_trades, write_history


def wandering(daily: float, price: float, decimals: int, days: int = 4) -> Trades:
    """Trades a minute apart of a price that goes up and down by the share `daily` every day."""
    minutes = np.arange(days * 1440)
    way = np.exp(daily * np.abs(minutes % 1440 / 720 - 1))
    ones = np.ones(len(minutes))
    return Trades(START_US + minutes * 60_000_000, np.round(price * way, decimals), ones, ones > 0)


def width_of(path: Path, trades: Trades, after: timedelta, symbol: str = "BTCUSDT") -> float:
    with open_store(write_history(path, trades, {}, symbol)) as store:
        return automatic_bin_width(store, symbol, START + after)


@pytest.mark.parametrize(
    ("daily", "price", "decimals", "expected"),
    [
        (0.03, 60_000.0, 1, 0.001),
        (0.015, 60_000.0, 1, 0.0005),
        (0.09, 130.0, 3, 0.002),
        (0.12, 0.5, 4, 0.005),
        (0.03, 0.02, 4, 0.01),
    ],
    ids=["as BTCUSDT", "calm", "wild", "wilder", "coarse tick"],
)
def test_bins_are_a_thirtieth_of_a_days_range_and_no_less_than_two_ticks(
    tmp_path: Path, daily: float, price: float, decimals: int, expected: float
) -> None:
    assert width_of(tmp_path / "h.duckdb", wandering(daily, price, decimals), timedelta(days=4)) == expected


def test_nothing_later_is_looked_at(tmp_path: Path) -> None:
    """Price is calm for a day and jumps later, also within the hour that is asked about."""
    calm = wandering(0.015, 60_000.0, 1, days=3)
    wild = Trades(calm.time_us, np.where(np.arange(4320) < 1470, calm.price, 3 * calm.price), calm.contracts, calm.buy)
    after = timedelta(days=1, minutes=50)
    assert width_of(tmp_path / "a.duckdb", calm, after) == width_of(tmp_path / "b.duckdb", wild, after) == 0.0005


def test_without_history_it_is_that_of_a_usual_market(tmp_path: Path) -> None:
    assert width_of(tmp_path / "h.duckdb", random_trades(hours=1), timedelta(0)) == 0.001


def test_half_a_day_is_taken_for_a_part_of_a_whole_one(tmp_path: Path) -> None:
    trades = wandering(0.03, 60_000.0, 1)
    path = write_history(tmp_path / "h.duckdb", trades, {})
    with open_store(path) as store:
        assert isinstance(store, Store)
        assert automatic_bin_width(store, "BTCUSDT", START + timedelta(hours=12)) in (0.001, 0.002)


def test_a_width_that_was_chosen_stays(tmp_path: Path) -> None:
    with open_store(write_history(tmp_path / "h.duckdb", wandering(0.09, 130.0, 3), {})) as store:
        after = START + timedelta(days=4)
        assert with_bin_width(store, "BTCUSDT", ModelSettings(), after).width == 0.002
        assert with_bin_width(store, "BTCUSDT", ModelSettings(bin_width=0.0005), after).width == 0.0005
