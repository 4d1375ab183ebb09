"""A market of five-minute candles and hourly amounts whose law is known, in a DuckDB file."""

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from liqstrat.liquidation.book import LiquidationBook
from liqstrat.liquidation.flow import flow_from_bars
from liqstrat.liquidation.grid import Floats
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.market.schema import create_tables

START = datetime(2024, 3, 1, tzinfo=UTC)
STEP_US = 300_000_000
SETTINGS = ModelSettings(bin_width=0.001)


def write_hours(
    path: Path,
    days: int,
    *,
    by_map: bool,
    seed: int = 1,
    venues: str = "okx",
    settings: ModelSettings = SETTINGS,
    power: float = 1.0,
) -> Path:
    """Amounts follow a book of `settings` where `by_map`, else how far price went in each hour and nothing else.

    power: below one, of more at once less is told.
    """
    rng = np.random.default_rng(seed)
    count = days * 288
    spread = 0.002 * np.exp(np.cumsum(rng.normal(0, 0.01, count)).clip(-1, 1))
    close = 60_000 * np.exp(np.cumsum(rng.normal(0, 1, count) * spread))
    begin = np.concatenate(([60_000.0], close[:-1]))
    high = np.maximum(begin, close) * np.exp(np.abs(rng.normal(0, 0.3, count)) * spread)
    low = np.minimum(begin, close) * np.exp(-np.abs(rng.normal(0, 0.3, count)) * spread)
    volume = rng.lognormal(5, 0.5, count)
    interest = 80_000 * np.exp(np.cumsum(rng.normal(0, 0.003, count)).clip(-0.5, 0.5))
    opened = int(START.timestamp()) * 1_000_000 + np.arange(count) * STEP_US
    amounts = (
        _by_map(opened, high, low, close, volume, interest, settings)
        if by_map
        else _by_distance(begin, high, low, interest)
    )
    hourly = amounts.reshape(days * 24, 12, 2).sum(axis=1) ** power * rng.lognormal(0, 0.5, (days * 24, 2))
    candles = {"open": begin, "high": high, "low": low, "close": close, "volume": volume}
    with duckdb.connect(str(path)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        _insert(connection, "klines_5m", opened, {name: values.round(6) for name, values in candles.items()})
        _insert(connection, "open_interest", opened + STEP_US, {"open_interest_contracts": interest.round(6)})
        told = {"long_contracts": hourly[:, 0].round(6), "short_contracts": hourly[:, 1].round(6)}
        extra = {"seconds": np.full(days * 24, 3600), "venues": np.full(days * 24, venues)}
        _insert(connection, "liquidation_amounts", opened[::12], {**told, **extra})
    return path


def _insert(connection: duckdb.DuckDBPyConnection, kind: str, us: Floats, columns: dict[str, Floats]) -> None:
    create_tables(connection, kind)
    connection.register("rows", pa.table({"us": us, **columns}))
    connection.execute(
        f"insert into {kind}_history by name select * exclude us, make_timestamp(us) as timestamp, "
        "'BTCUSDT' as symbol from rows"
    )


def _by_map(
    opened: Floats,
    high: Floats,
    low: Floats,
    close: Floats,
    volume: Floats,
    interest: Floats,
    settings: ModelSettings,
) -> Floats:
    book, found = LiquidationBook(settings, "BTCUSDT"), np.zeros((len(opened), 2))
    for i, us in enumerate(opened.tolist()):
        end = (us + STEP_US) * 1000
        one = slice(i, i + 1)
        flow = flow_from_bars(
            us * 1000, end, high[one], low[one], close[one], volume[one],
            width=SETTINGS.fine_width, brackets=book.brackets(end),
        )  # fmt: skip
        taken = book.step(flow, float(interest[i]))
        found[i] = taken.longs.sum(), taken.shorts.sum()
    return found


def _by_distance(begin: Floats, high: Floats, low: Floats, interest: Floats) -> Floats:
    away = np.column_stack((np.log(begin / low), np.log(high / begin)))
    return interest[:, np.newaxis] * away**1.5
