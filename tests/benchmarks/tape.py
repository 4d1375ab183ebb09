"""A generated history of any length in a DuckDB file, shaped like the real tape: the same numbers on every machine.

Of BTCUSDT's real trades it has the bursts (several trades of one order in one millisecond, a tick apart), the bounce
between bid and ask, and the sizes (many of the smallest, a heavy tail), for these decide how well trades compress and
how many groups they fall into. What moves price is plain chance.
"""

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from liqstrat.liquidation.grid import Floats
from liqstrat.market.schema import create_tables, table_of

SYMBOL = "BTCUSDT"
START = datetime(2023, 1, 1, tzinfo=UTC)
#: BTCUSDT had some two billion trades in four years.
TRADES_A_DAY = 1_370_000
_START_US = int(START.timestamp()) * 1_000_000
_DAY_US = 86_400_000_000
_STEP_US = 300_000_000
_MINUTES_A_DAY = 1440
#: Relative: some 2 % a day.
_MINUTE_VOLATILITY = 5e-4
_CONTRACTS = 80_000.0
_ORIGIN = "insert into ingest_ledger by name select 'generated' as file_name, ? as symbol, 'simulated' as origin"


def days_of(trades: int) -> int:
    """Days over which so many trades spread."""
    return -(-trades // TRADES_A_DAY)


def write_trades(path: Path, trades: int) -> None:
    """A history of `trades` trades with open interest every five minutes and funding every eight hours."""
    with _writer(path) as connection:
        first_id, ticks = 1, 300_000
        for day in range(days_of(trades)):
            count = min(TRADES_A_DAY, trades - day * TRADES_A_DAY)
            rows, ticks = _day_of_trades(day, count, first_id, ticks)
            first_id += count
            connection.register("rows", rows)
            connection.execute(
                f"insert into {table_of('trades')} by name select agg_trade_id, make_timestamp(us) as timestamp, "
                f"'{SYMBOL}' as symbol, 'binance' as exchange, (ticks::decimal(18, 0) / 10)::decimal(18, 8) as price, "
                "(lots::decimal(18, 0) / 1000)::decimal(18, 8) as quantity, if(buy, 'buy', 'sell') as side from rows"
            )
        _write_rest(connection, days_of(trades))


def write_candles(path: Path, days: int) -> None:
    """A history without trades: minute candles, open interest every five minutes, funding every eight hours."""
    rng = np.random.default_rng(days)
    count = days * _MINUTES_A_DAY
    close = np.round(30_000 * np.exp(np.cumsum(rng.normal(0, 5e-4, count))), 1)
    open_ = np.concatenate((close[:1], close[:-1]))
    reach = np.round(np.abs(rng.normal(0, 15, (2, count))), 1)
    volume = np.round(rng.lognormal(4.5, 0.8, count), 3)
    with _writer(path) as connection:
        create_tables(connection, "klines_1m")
        rows = pa.table(
            {
                "us": _START_US + np.arange(count) * 60_000_000,
                "open": open_,
                "high": np.maximum(open_, close) + reach[0],
                "low": np.minimum(open_, close) - reach[1],
                "close": close,
                "volume": volume,
                "taker_buy_volume": np.round(volume / 2, 3),
            }
        )
        connection.register("rows", rows)
        connection.execute(
            f"insert into {table_of('klines_1m')} by name "
            f"select make_timestamp(us) as timestamp, '{SYMBOL}' as symbol, * exclude (us) from rows"
        )
        _write_rest(connection, days)


def open_interest_of(days: int) -> Floats:
    """Contracts, one value every five minutes, the first one five minutes after the start."""
    rng = np.random.default_rng(days)
    count = days * 288
    return np.round(_CONTRACTS * np.exp(np.tanh(np.cumsum(rng.normal(0, 0.002, count)))), 3)


def _writer(path: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(path))
    connection.execute("set TimeZone = 'UTC'")
    for kind in ("trades", "open_interest", "funding"):
        create_tables(connection, kind)
    connection.execute(_ORIGIN, [SYMBOL])
    return connection


def _write_rest(connection: duckdb.DuckDBPyConnection, days: int) -> None:
    contracts = open_interest_of(days)
    interest = pa.table({"us": _START_US + (np.arange(len(contracts)) + 1) * _STEP_US, "contracts": contracts})
    connection.register("rows", interest)
    connection.execute(
        f"insert into {table_of('open_interest')} by name select make_timestamp(us) as timestamp, "
        f"'{SYMBOL}' as symbol, contracts as open_interest_contracts from rows"
    )
    connection.execute(
        f"insert into {table_of('funding')} by name "
        f"select make_timestamp({_START_US} + i * {_DAY_US // 3}) as timestamp, "
        f"'{SYMBOL}' as symbol, 0.0001 as funding_rate, 8 as funding_interval_hours from range({3 * days}) t(i)"
    )


def _day_of_trades(day: int, count: int, first_id: int, ticks: int) -> tuple[pa.Table, int]:
    """One day and the price, in ticks of 0.1, at its end."""
    rng = np.random.default_rng([7, day])
    begins = rng.random(count) < 0.62
    begins[0] = True
    order = np.cumsum(begins) - 1
    orders = int(order[-1]) + 1
    gaps = rng.exponential(1.0, orders) * np.repeat(rng.lognormal(0, 0.7, _MINUTES_A_DAY), -(-orders // 1440))[:orders]
    times = np.cumsum(gaps)
    buys = rng.random(orders) < 0.5
    jumps = np.where(rng.random(orders) < 0.25, np.rint(rng.standard_t(3, orders)), 0)
    drift = np.interp(np.arange(orders), *_drift(rng, orders, ticks))
    middle = np.rint(ticks + np.cumsum(jumps) + drift).astype(np.int64)
    starts = np.flatnonzero(begins)
    level = np.arange(count) - starts[order]
    buy = buys[order]
    lots = np.maximum(np.rint(np.exp(rng.normal(3.2, 2.2, count))), 1).astype(np.int64)
    lots[rng.random(count) < 0.15] = 2
    rows = {
        "agg_trade_id": np.arange(first_id, first_id + count),
        "us": _START_US + day * _DAY_US + (times[order] * (86_399_999 / times[-1])).astype(np.int64) * 1000,
        "ticks": middle[order] + np.where(buy, 1 + level, -level),
        "lots": np.minimum(lots, 1_000_000),
        "buy": buy,
    }
    return pa.table(rows), int(middle[-1])


def _drift(rng: np.random.Generator, orders: int, ticks: int) -> tuple[Floats, Floats]:
    """Where price, in ticks, goes in the minutes of a day: at the number of the order at which each begins."""
    steps = rng.normal(0, _MINUTE_VOLATILITY * ticks, _MINUTES_A_DAY)
    return np.linspace(0, orders, _MINUTES_A_DAY + 1), np.concatenate(([0.0], np.cumsum(steps)))
