"""The simulated files are what the exchange's archive would hold, to the column and the digit."""

import hashlib
import json
import zipfile

import duckdb
import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.slow

HEADERS = {
    "aggTrades/BTCUSDT-aggTrades": "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,"
    "is_buyer_maker",
    "metrics/BTCUSDT-metrics": "create_time,symbol,sum_open_interest,sum_open_interest_value,"
    "count_toptrader_long_short_ratio,sum_toptrader_long_short_ratio,count_long_short_ratio,"
    "sum_taker_long_short_vol_ratio",
    "fundingRate/BTCUSDT-fundingRate": "calc_time,funding_interval_hours,last_funding_rate",
    "klines/1m/BTCUSDT-1m": "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
    "taker_buy_quote_volume,ignore",
    "liquidationSnapshot/BTCUSDT-liquidationSnapshot": "time,side,order_type,time_in_force,original_quantity,price,"
    "average_price,order_status,last_fill_quantity,accumulated_fill_quantity",
}
MIDNIGHT_MS = 1_709_251_200_000


def test_every_file_has_the_archives_name_columns_and_checksum_and_says_simulated(simulated):
    for name, header in HEADERS.items():
        path = simulated.folder / f"{name}-2024-03-01.zip"
        with zipfile.ZipFile(path) as archive:
            assert archive.namelist() == [f"{path.stem}.csv"]
            assert archive.read(f"{path.stem}.csv").decode().splitlines()[0] == header
            word, _, parameters = archive.comment.decode().partition(" ")
        assert word == "SIMULATED"
        assert json.loads(parameters)["seed"] == 3
        checksum = path.with_name(f"{path.name}.CHECKSUM").read_text()
        assert checksum == f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"


def test_trades_have_gapless_ids_sorted_times_and_the_exchanges_digits(simulated):
    trades = simulated.archive("aggTrades")
    assert (trades["agg_trade_id"].diff().dropna() == 1).all()
    assert (trades["first_trade_id"].iloc[1:].to_numpy() == trades["last_trade_id"].iloc[:-1].to_numpy() + 1).all()
    assert trades["transact_time"].is_monotonic_increasing
    assert trades["transact_time"].between(MIDNIGHT_MS, MIDNIGHT_MS + 86_400_000 - 1).all()
    with zipfile.ZipFile(simulated.folder / "aggTrades/BTCUSDT-aggTrades-2024-03-01.zip") as archive:
        row = archive.read(archive.namelist()[0]).decode().splitlines()[1].split(",")
    assert len(row[1].partition(".")[2]) == 1
    assert len(row[2].partition(".")[2]) == 3
    assert row[6] in ("true", "false")
    assert (trades["quantity"] >= 0.001).all()


def test_sweeps_walk_away_from_the_taker_within_one_millisecond(simulated):
    trades = simulated.archive("aggTrades")
    same = (trades["transact_time"].diff() == 0) & (trades["is_buyer_maker"].diff() == 0)
    assert same.mean() > 0.1
    away = trades["price"].diff()[same] * np.where(trades["is_buyer_maker"][same], -1, 1)
    assert (away > 0).mean() > 5 * (away < 0).mean()


def test_candles_equal_the_trades_aggregated_by_duckdb(simulated):
    trades = simulated.archive("aggTrades").astype({"price": str, "quantity": str})  # noqa: F841 (used in SQL)
    expected = duckdb.sql(
        """
        SELECT transact_time // 60000 * 60000 AS open_time,
               arg_min(price::DECIMAL(18,1), agg_trade_id) AS open, max(price::DECIMAL(18,1)) AS high,
               min(price::DECIMAL(18,1)) AS low, arg_max(price::DECIMAL(18,1), agg_trade_id) AS close,
               sum(quantity::DECIMAL(18,3)) AS volume,
               sum(price::DECIMAL(18,1) * quantity::DECIMAL(18,3)) AS quote_volume,
               sum(last_trade_id - first_trade_id + 1) AS count,
               coalesce(sum(quantity::DECIMAL(18,3)) FILTER (NOT is_buyer_maker), 0) AS taker_buy_volume,
               coalesce(sum(price::DECIMAL(18,1) * quantity::DECIMAL(18,3)) FILTER (NOT is_buyer_maker), 0)
                   AS taker_buy_quote_volume
        FROM trades GROUP BY 1 ORDER BY 1
        """
    ).df()
    candles = simulated.archive("klines/1m", "1m")
    assert candles["open_time"].tolist() == [MIDNIGHT_MS + i * 60_000 for i in range(1440)]
    assert (candles["close_time"] == candles["open_time"] + 59_999).all()
    assert len(expected) > 1400
    traded = candles[candles["count"] > 0][expected.columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(traded, expected.astype(traded.dtypes), check_exact=False, rtol=1e-12)


def test_open_interest_is_measured_every_five_minutes_up_to_the_midnight_after(simulated):
    metrics = simulated.archive("metrics")
    expected = pd.date_range("2024-03-01 00:05", periods=288, freq="5min").strftime("%Y-%m-%d %H:%M:%S")
    assert metrics["create_time"].tolist() == expected.tolist()
    price = metrics["sum_open_interest_value"] / metrics["sum_open_interest"]
    trades = simulated.archive("aggTrades")
    assert price.between(trades["price"].min() - 1, trades["price"].max() + 1).all()
    times = pd.to_datetime(metrics["create_time"], utc=True).astype("int64") // 1000
    bought = trades["quantity"] * ~trades["is_buyer_maker"]
    window = trades["transact_time"].between(times[100] - 300_000, times[100] - 1)
    ratio = bought[window].sum() / (trades["quantity"] - bought)[window].sum()
    assert abs(metrics["sum_taker_long_short_vol_ratio"][100] - ratio) < 1e-6


def test_funding_comes_at_the_exchanges_hours_a_few_milliseconds_late(simulated):
    funding = simulated.archive("fundingRate")
    late = funding["calc_time"] - (MIDNIGHT_MS + np.array([0, 8, 16]) * 3_600_000)
    assert late.between(0, 20).all()
    assert (funding["funding_interval_hours"] == 8).all()
    assert funding["last_funding_rate"].abs().max() <= 0.0075
