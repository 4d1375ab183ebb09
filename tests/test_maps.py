from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from liqstrat.errors import LiqstratError
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.maps import BANDED_SCHEMA, LEVELS_SCHEMA, band_words, last_known, maps_at, marks, picture_rows
from liqstrat.market.store import Store, open_store
from liqstrat.pages import save_heatmap
from tests.history import START, Trades, open_interest_every, random_trades, write_history

MODEL = ModelSettings(bin_width=0.001)
WARMUP = timedelta(days=1)
HOURS = [START + timedelta(hours=h) for h in (2, 3, 4)]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    path = tmp_path_factory.mktemp("history") / "h.duckdb"
    with open_store(write_history(path, random_trades(hours=6), open_interest_every(5, 6))) as store:
        yield store


def test_a_map_knows_nothing_of_what_comes_at_or_after_its_moment(tmp_path: Path, store: Store) -> None:
    trades = random_trades(hours=6)
    for moment in (*HOURS, START + timedelta(hours=4, minutes=3, seconds=20)):
        us = round(moment.timestamp() * 1e6)
        past = trades.time_us < us
        cut = Trades(*(column[past] for column in (trades.time_us, trades.price, trades.contracts, trades.buy)))
        interest = {m: v for m, v in open_interest_every(5, 6).items() if m <= moment}
        with open_store(write_history(tmp_path / f"{us}.duckdb", cut, interest)) as known:
            (expected,) = maps_at(known, "BTCUSDT", [moment], MODEL, WARMUP)
        (found,) = maps_at(store, "BTCUSDT", [moment], MODEL, WARMUP)
        assert found.price == expected.price == cut.price[-1]
        np.testing.assert_array_equal(found.longs, expected.longs)
        np.testing.assert_array_equal(found.shorts, expected.shorts)


def test_a_band_is_around_the_same_map_and_a_model_without_one_is_told(store: Store) -> None:
    moment = START + timedelta(hours=4, minutes=3)
    (alone,) = maps_at(store, "BTCUSDT", [moment], MODEL, WARMUP)
    (levels,) = maps_at(store, "BTCUSDT", [moment], MODEL, WARMUP, banded=True)
    np.testing.assert_array_equal(levels.longs, alone.longs)
    assert alone.band is None
    assert levels.band is not None
    low, high = levels.band.bins
    assert low.shape == high.shape == (2, levels.longs.shape[1])
    assert "a guess: hardly any liquidations are on record" in band_words(levels.band)
    with pytest.raises(LiqstratError, match='a band is of kind "conserving" only, this model\'s is "oi_candle"'):
        next(maps_at(store, "BTCUSDT", [moment], replace(MODEL, kind="oi_candle"), WARMUP, banded=True))


def test_many_moments_give_the_same_maps_as_one_at_a_time(store: Store) -> None:
    together = list(maps_at(store, "BTCUSDT", HOURS, MODEL, WARMUP))
    assert [m.time_ns for m in together] == [round(h.timestamp()) * 10**9 for h in HOURS]
    for moment, found in zip(HOURS, together, strict=True):
        (alone,) = maps_at(store, "BTCUSDT", [moment], MODEL, WARMUP)
        assert found.longs.sum() == pytest.approx(alone.longs.sum())
        np.testing.assert_allclose(found.columns()["contracts"], alone.columns()["contracts"])


def test_levels_reached_after_the_last_open_interest_are_not_in_the_map(tmp_path: Path) -> None:
    trades = random_trades(hours=1)
    fall = Trades(
        np.append(trades.time_us, trades.time_us[-1] + 60_000_000),
        np.append(trades.price, 50_000.0),
        np.append(trades.contracts, 0.001),
        np.append(trades.buy, False),
    )
    with open_store(write_history(tmp_path / "h.duckdb", fall, open_interest_every(5, 1))) as store:
        (found,) = maps_at(store, "BTCUSDT", [START + timedelta(hours=1, minutes=4)], MODEL, WARMUP)
    assert found.price == 50_000.0
    assert not found.longs[:, found.low_edges > 50_000].any()


def test_a_heatmap_holds_every_map_and_sums_to_open_interest(tmp_path: Path, store: Store) -> None:
    out = tmp_path / "deep" / "heat.parquet"
    rows = save_heatmap(store, "BTCUSDT", HOURS, MODEL, WARMUP, out)
    table = pq.read_table(out)
    assert table.schema.equals(LEVELS_SCHEMA)
    assert len(table) == rows
    sums = table.group_by(["time", "side"]).aggregate([("contracts", "sum")]).to_pylist()
    interest = open_interest_every(5, 6)
    assert len(sums) == 6
    for row in sums:
        assert row["contracts_sum"] == pytest.approx(interest[row["time"]], rel=1e-6)


def test_a_heatmap_with_a_band_has_the_least_and_the_most_of_each_bin(tmp_path: Path, store: Store) -> None:
    out = tmp_path / "heat.parquet"
    save_heatmap(store, "BTCUSDT", HOURS[:2], MODEL, WARMUP, out, banded=True)
    table = pq.read_table(out)
    assert table.schema.equals(BANDED_SCHEMA)
    levels = next(maps_at(store, "BTCUSDT", HOURS[1:2], MODEL, HOURS[1] - HOURS[0] + WARMUP, banded=True))
    assert levels.band is not None
    for row in table.filter(pc.equal(table["time"], HOURS[1])).to_pylist()[::50]:
        expected = levels.band.between(row["side"], row["price_low"], row["price_high"])
        assert (row["low"], row["high"]) == pytest.approx(expected, rel=1e-3, abs=1e-9)
    rows = picture_rows(maps_at(store, "BTCUSDT", HOURS, MODEL, WARMUP, span=0.2, banded=True))
    low, contracts, high = (rows[name].to_numpy() for name in ("low", "contracts", "high"))
    dense = contracts > contracts.max() / 10
    assert dense.any()
    assert ((low < contracts) & (contracts < high))[dense].all()


def test_a_heatmap_is_written_whole_or_not_at_all(tmp_path: Path, store: Store) -> None:
    with pytest.raises(LiqstratError, match=r"heat\.csv.*expected \.parquet or \.html"):
        save_heatmap(store, "BTCUSDT", HOURS, MODEL, WARMUP, tmp_path / "heat.csv")
    with pytest.raises(LiqstratError, match="starts at 2024-03-01 00:05"):
        save_heatmap(store, "BTCUSDT", [START - WARMUP], MODEL, WARMUP, tmp_path / "heat.parquet")
    assert list(tmp_path.iterdir()) == []


def test_marks_are_regular_and_include_both_ends(store: Store) -> None:
    assert marks(START, START + timedelta(hours=1), 20) == [START + timedelta(minutes=m) for m in (0, 20, 40, 60)]
    assert last_known(store, "BTCUSDT") == START + timedelta(hours=6)
