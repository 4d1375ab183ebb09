"""A real node on a real catalog, with a strategy that does what a test tells it at a given trade or bar."""

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from nautilus_trader.backtest import (
    BacktestDataConfig,
    BacktestEngineConfig,
    BacktestNode,
    BacktestRunConfig,
)
from nautilus_trader.common import LoggerConfig
from nautilus_trader.model import (
    Bar,
    NautilusDataType,
    OrderFilled,
    OrderSide,
    Price,
    Quantity,
    TradeTick,
)
from nautilus_trader.trading import Strategy, StrategyConfig

from liqstrat.backtest.costs.venue import SimulatedVenue, simulated_venue
from liqstrat.backtest.failure import Failures
from liqstrat.catalog.build import build_catalog
from liqstrat.catalog.instruments import QUOTE, VENUE, instrument_id, minute_bars
from liqstrat.catalog.minutes import read_minutes
from liqstrat.config import VenueSettings
from liqstrat.market.schema import create_tables
from liqstrat.market.store import open_store
from tests.history import START, START_US, Trades, write_history

Script = dict[int, Callable[["Scripted"], None]]


class Scripted(Strategy):
    """Runs `script[n]` at the nth trade (or bar), counted from 1, and keeps what was filled."""

    def __new__(cls, *args: Any, **kwargs: Any) -> "Scripted":
        return super().__new__(cls)

    def __init__(self, script: Script, *, bars: bool = False, number: int = 1, symbol: str = "BTCUSDT") -> None:
        super().__init__(StrategyConfig(order_id_tag=f"{number:03d}"))
        self.symbol = symbol
        self.instrument_id = instrument_id(symbol)
        self.script = script
        self.bars = bars
        self.seen = 0
        self.fills: list[OrderFilled] = []
        self.denied: list[str] = []

    def on_start(self) -> None:
        if self.bars:
            self.subscribe_bars(minute_bars(self.symbol))
        else:
            self.subscribe_trades(self.instrument_id)

    def on_trade(self, trade: TradeTick) -> None:
        self._next()

    def on_bar(self, bar: Bar) -> None:
        self._next()

    def on_order_filled(self, event: OrderFilled) -> None:
        self.fills.append(event)

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
    """What is left of a run: the account's balance (USDT), open positions, orders by client order id, the venue."""

    balance: Decimal
    positions_open: int
    orders: dict[str, Any]
    venue: SimulatedVenue


def replay(
    catalog: Path,
    strategies: Sequence[Strategy],
    settings: VenueSettings,
    *,
    on_bars: bool = False,
    symbols: Sequence[str] = ("BTCUSDT",),
) -> Replay:
    """Run `strategies` on all that the catalog has of `symbols`."""
    first, last = START - timedelta(days=1), START + timedelta(days=30)
    failures = Failures()
    minutes = {symbol: read_minutes(catalog, symbol, first, last) for symbol in symbols}
    venue = simulated_venue(settings, minutes, START, failures, on_bars=on_bars)
    kinds = [NautilusDataType.Bar if on_bars else NautilusDataType.TradeTick]
    if settings.funding and (catalog / "data" / "funding_rates").exists():
        kinds.append(NautilusDataType.FundingRateUpdate)
    data = [
        BacktestDataConfig(kind, str(catalog), instrument_id=instrument_id(symbol))
        for symbol in symbols
        for kind in kinds
    ]
    engine = BacktestEngineConfig(logging=LoggerConfig(bypass_logging=True))
    config = BacktestRunConfig([venue.config], data, engine=engine, dispose_on_completion=False)
    node = BacktestNode([config])
    node.build()
    for actor in venue.actors:
        node.add_actor(config.id, actor)
    for strategy in strategies:
        node.add_strategy(config.id, strategy)
    if venue.liquidator:
        venue.liquidator.watch_over(strategies)
    try:
        results = node.run()
        failures.raise_first()
        assert results, "the node did not run"
        cache = node.get_engine_cache(config.id)
        return Replay(
            balance=cache.account_for_venue(VENUE).balance_total(QUOTE).as_decimal(),
            positions_open=cache.positions_open_count(VENUE),
            orders={str(order.client_order_id): order for order in cache.orders()},
            venue=venue,
        )
    finally:
        node.dispose()


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
