"""Small histories, made in a real DuckDB file, for tests that need one."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from liqstrat.market.schema import create_tables

START = datetime(2024, 3, 1, tzinfo=UTC)
START_US = int(START.timestamp()) * 1_000_000
MINUTE_US = 60_000_000


@dataclass(frozen=True)
class Trades:
    """Arrays of one entry a trade: time in microseconds, price with one decimal, contracts with three, taker bought."""

    time_us: npt.NDArray[np.int64]
    price: npt.NDArray[np.float64]
    contracts: npt.NDArray[np.float64]
    buy: npt.NDArray[np.bool_]


def random_trades(hours: float, a_minute: int = 30, seed: int = 1, price: float = 60_000.0) -> Trades:
    """Trades of a wandering price with heavy-tailed sizes, in time order."""
    rng = np.random.default_rng(seed)
    count = int(hours * 60 * a_minute)
    time_us = START_US + np.sort(rng.integers(0, int(hours * 3_600_000), count)) * 1000
    walk = price * np.exp(np.cumsum(rng.normal(0, 0.0003, count)))
    contracts = np.maximum(np.round(np.exp(rng.normal(-1.5, 2.0, count)), 3), 0.001)
    return Trades(time_us, np.round(walk, 1), contracts, rng.random(count) < 0.5)


def write_history(path: Path, trades: Trades, open_interest: dict[datetime, float], symbol: str = "BTCUSDT") -> Path:
    """A DuckDB file with these trades and open-interest values (contracts)."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for kind in ("trades", "open_interest"):
            create_tables(connection, kind)
        rows = pa.table(
            {
                "id": np.arange(1, len(trades.price) + 1),
                "time_us": trades.time_us,
                "price": trades.price,
                "contracts": trades.contracts,
                "buy": trades.buy,
            }
        )
        connection.register("rows", rows)
        connection.execute(
            "insert into aggtrades_history by name select id as agg_trade_id, make_timestamp(time_us) as timestamp, "
            f"'{symbol}' as symbol, 'binance' as exchange, price, contracts as quantity, "
            "if(buy, 'buy', 'sell') as side from rows order by id"
        )
        if not open_interest:
            return path
        known = {"time": [moment.replace(tzinfo=None) for moment in open_interest], "is": list(open_interest.values())}
        connection.register("known", pa.table(known))
        # One by one they would take as long as everything else in many a test.
        connection.execute(
            "insert into open_interest_history by name "
            f"select time as timestamp, '{symbol}' as symbol, \"is\" as open_interest_contracts from known"
        )
    return path


def open_interest_every(minutes: int, hours: float, contracts: float = 1_000.0, seed: int = 2) -> dict[datetime, float]:
    """A wandering open interest, the first value one step after the start."""
    rng = np.random.default_rng(seed)
    count = int(hours * 60 / minutes)
    values = contracts * np.exp(np.cumsum(rng.normal(0, 0.01, count)))
    return {START + timedelta(minutes=minutes) * (i + 1): float(v) for i, v in enumerate(values.round(3))}
