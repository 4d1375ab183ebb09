"""Runs on small made-up markets: a path of prices as trades and open interest in a real database."""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from liqstrat.app import prepare_symbol, resolve_traders
from liqstrat.backtest.replay import Replayed, replay
from liqstrat.config import RunFile
from liqstrat.market.store import open_store
from tests.history import START, START_US, Trades, open_interest_every, random_trades, write_history

#: One leverage only, so that everything opened at one price is liquidated at one price on each side.
ONE_TIER = {"bin_width": 0.001, "leverage": {50: 1.0}, "turnover": 0.0, "unrest": 0.0, "haste": 0.0, "seed_spread": 0.0}
NO_COSTS = {
    "maker_fee": 0,
    "taker_fee": 0,
    "latency_ms": 0,
    "depth": False,
    "funding": False,
    "liquidation": False,
}


def path(points: Sequence[tuple[float, float]], every_seconds: float = 1.0, contracts: float = 1.001) -> Trades:
    """Trades along straight lines between `(minute, price)` points, takers buying and selling in turn."""
    minutes, prices = (np.array(column, dtype=np.float64) for column in zip(*points, strict=True))
    seconds = np.arange(minutes[0] * 60, minutes[-1] * 60, every_seconds)
    price = np.round(np.interp(seconds / 60, minutes, prices), 1)
    time_us = START_US + (seconds * 1_000_000).astype(np.int64)
    return Trades(time_us, price, np.full(len(price), contracts), np.arange(len(price)) % 2 == 0)


def rising_interest(minutes: int, by: float = 100.0, until: int | None = None) -> dict[datetime, float]:
    """Open interest every five minutes that rises by `by` contracts each time, up to the minute `until`."""
    until = minutes if until is None else until
    return {START + timedelta(minutes=m): 1_000.0 + by * min(m, until) / 5 for m in range(0, minutes + 1, 5)}


def wandering_market(folder: Path, hours: float = 8.0, seed: int = 1, a_minute: int = 20) -> Path:
    """A database of random trades and open interest."""
    trades = random_trades(hours, a_minute=a_minute, seed=seed)
    interest = {START: 1_000.0, **open_interest_every(5, hours, seed=seed + 1)}
    return write_history(folder / "market.duckdb", trades, interest)


def settled(database: Path) -> Path:
    """Written so long ago that what is found out about it can be kept."""
    os.utime(database, (1.7e9, 1.7e9))
    return database


def run_file(folder: Path, database: Path, *, hours: float, start_hours: float = 0.0, **changes: Any) -> RunFile:
    """A run on the database from `start_hours` to `hours` after `START`; its catalog lies in `folder`."""
    settings: dict[str, Any] = {
        "name": "test",
        "symbols": ["BTCUSDT"],
        "from": START + timedelta(hours=start_hours),
        "to": START + timedelta(hours=hours),
        "data": {"db": database, "catalog": folder / "catalog"},
        "model": {"bin_width": 0.001},
        "strategies": [{"use": "RandomEntry"}],
    }
    return RunFile.model_validate({**settings, **changes})


def replayed(run: RunFile, on_step: Any = lambda levels: None, *, flow_of_bars: bool = False) -> Replayed:
    """Replay a run without writing results; `flow_of_bars`: as if there were no trades in the database."""
    with open_store(run.data.db) as store:
        data = {symbol: prepare_symbol(store, symbol, run) for symbol in run.symbols}
    if flow_of_bars:
        data = {symbol: replace(one, flows=None, levels=None) for symbol, one in data.items()}
    return replay(run, resolve_traders(run), data, on_step)


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    """Rows of one of the results' tables."""
    table: list[dict[str, Any]] = pq.read_table(folder / f"{name}.parquet").to_pylist()
    return table
