"""A real engine on a real catalog, with strategies that do what a test tells them at a given trade or bar."""

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from nautilus_trader.model import Bar, OrderFilled, OrderSide, Price, Quantity, TradeTick
from nautilus_trader.persistence import ParquetDataCatalog

from liqstrat.backtest.account.ledger import Fill
from liqstrat.backtest.levels.feeds import OpenInterestSeries
from liqstrat.backtest.levels.warmup import Warm
from liqstrat.backtest.params import StrategyParams
from liqstrat.backtest.replay import Replayed, SymbolData, Trader
from liqstrat.backtest.replay import replay as replay_run
from liqstrat.backtest.strategy import LevelStrategy
from liqstrat.backtest.trading import Setup
from liqstrat.catalog.build import build_catalog
from liqstrat.catalog.instruments import instrument_id, minute_bars
from liqstrat.catalog.minutes import read_minutes
from liqstrat.config import RunFile, VenueSettings
from liqstrat.liquidation.kinds import new_model
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.market.schema import create_tables
from liqstrat.market.store import open_store
from liqstrat.moments import MINUTE_NS
from tests.history import START, START_US, Trades, write_history

Script = dict[int, Callable[["Scripted"], None]]


class Scripted(LevelStrategy):
    """Runs `script[n]` at the nth trade (or bar), counted from 1, and keeps what was filled."""

    script: Script

    def on_begin(self) -> None:
        self.seen = 0
        self.filled: list[OrderFilled] = []
        self.denied: list[str] = []
        if self._setup.bar_minutes:
            self.subscribe_bars(minute_bars(self.symbol))
        else:
            self.subscribe_trades(self.instrument_id)

    def on_trade(self, trade: TradeTick) -> None:
        self._next()

    def on_bar(self, bar: Bar) -> None:
        self._next()

    def on_order_filled(self, event: OrderFilled) -> None:
        self.filled.append(event)

    def on_order_denied(self, event: Any) -> None:
        self.denied.append(event.reason)

    def _next(self) -> None:
        self.seen += 1
        if action := self.script.get(self.seen):
            action(self)

    def send_market(self, side: OrderSide, contracts: str) -> None:
        self.submit_order(self.order_factory.market(self.instrument_id, side, Quantity.from_str(contracts)))

    def send_limit(self, side: OrderSide, contracts: str, price: str) -> None:
        order = self.order_factory.limit(self.instrument_id, side, Quantity.from_str(contracts), Price.from_str(price))
        self.submit_order(order)

    def send_stop(self, side: OrderSide, contracts: str, trigger: str) -> None:
        order = self.order_factory.stop_market(
            self.instrument_id, side, Quantity.from_str(contracts), Price.from_str(trigger), reduce_only=True
        )
        self.submit_order(order)


def buy(contracts: str) -> Callable[[Scripted], None]:
    return lambda strategy: strategy.send_market(OrderSide.BUY, contracts)


def sell(contracts: str) -> Callable[[Scripted], None]:
    return lambda strategy: strategy.send_market(OrderSide.SELL, contracts)


@dataclass
class Replay:
    """What is left of a run: as `Replayed`, and the scripted strategies, in the order of the scripts."""

    done: Replayed
    strategies: list[Scripted]

    @property
    def balance(self) -> Decimal:
        return Decimal(str(round(self.done.balance, 8)))

    @property
    def fills(self) -> list[Fill]:
        return self.done.ledger.fills

    @property
    def still_open(self) -> int:
        return sum(trip.closed_ns is None for trip in self.done.ledger.trips)


def replay(
    catalog: Path, scripts: Sequence[Script | tuple[str, Script]], settings: VenueSettings, *, on_bars: bool = False
) -> Replay:
    """Run scripts, each on BTCUSDT or the symbol it is paired with, on all that the catalog has."""
    pairs = [script if isinstance(script, tuple) else ("BTCUSDT", script) for script in scripts]
    symbols = list(dict.fromkeys(symbol for symbol, _ in pairs))
    first = START - timedelta(days=1)
    data = {symbol: _data(catalog, symbol, first) for symbol in symbols}
    last_ns = max(one.minutes.start_ns + len(one.minutes) * MINUTE_NS for one in data.values())
    run = RunFile.model_validate(
        {
            "name": "scripted",
            "symbols": symbols,
            "from": START,
            "to": datetime.fromtimestamp(last_ns / 1e9, UTC),
            "resolution": "1m" if on_bars else "tick",
            "data": {"catalog": catalog},
            "venue": settings,
            "strategies": [{"use": "RandomEntry"}],
        }
    )
    made: list[Scripted] = []
    traders = [
        Trader(f"Scripted-{number}", partial(_scripted, made, script), StrategyParams(), [symbol])
        for number, (symbol, script) in enumerate(pairs)
    ]
    return Replay(replay_run(run, traders, data, lambda levels: None), made)


def _scripted(made: list[Scripted], script: Script, setup: Setup) -> Scripted:
    strategy = Scripted(setup)
    strategy.script = script
    made.append(strategy)
    return strategy


def _data(catalog: Path, symbol: str, first: datetime) -> SymbolData:
    model = ModelSettings(bin_width=0.001)
    return SymbolData(
        instrument=ParquetDataCatalog(str(catalog)).instruments([str(instrument_id(symbol))])[-1],
        model=model,
        minutes=read_minutes(catalog, symbol, first, START + timedelta(days=30)),
        open_interest=OpenInterestSeries(instrument_id(symbol), np.zeros(0, np.int64), np.zeros(0)),
        warm=Warm(new_model(model, symbol), None, []),
        funding=(catalog / "data" / "funding_rates" / str(instrument_id(symbol))).exists(),
    )


def make_catalog(
    folder: Path, trades: Trades, *, funding: dict[datetime, str] | None = None, symbol: str = "BTCUSDT"
) -> Path:
    """A catalog of these trades and funding rates, by way of a DuckDB file, as for real."""
    # What is left of the run before may only be freed by the thread that made it, and a catalog is written by two.
    gc.collect()
    database = write_history(folder / f"{symbol}.duckdb", trades, {START: 1_000.0}, symbol)
    if funding:
        with duckdb.connect(str(database)) as connection:
            connection.execute("set TimeZone = 'UTC'")
            create_tables(connection, "funding")
            connection.executemany(
                "insert into funding_rate_history by name "
                f"select ?::timestamp as timestamp, '{symbol}' as symbol, ?::decimal(18,8) as funding_rate",
                [[moment.replace(tzinfo=None), rate] for moment, rate in funding.items()],
            )
    with open_store(database) as store:
        build_catalog(store, symbol, folder / "catalog")
    return folder / "catalog"


def tape(prices: Sequence[float], *, every_ms: int = 1000, contracts: float = 1.0, start: datetime = START) -> Trades:
    """One trade every `every_ms` at each price in turn, takers buying and selling by turns.

    The last trade is a tick and a lot off, so that the instrument gets one and three decimals.
    """
    count = len(prices)
    time_us = START_US + int((start - START).total_seconds()) * 1_000_000 + np.arange(count) * every_ms * 1000
    last = np.arange(count) == count - 1
    return Trades(time_us, np.array(prices) + 0.1 * last, contracts + 0.001 * last, np.arange(count) % 2 == 0)


def after_start(ns: int) -> timedelta:
    """How long after the start of the test's history a moment in nanoseconds is."""
    return timedelta(microseconds=ns // 1000 - START_US)
