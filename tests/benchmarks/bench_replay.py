"""Replays: tick by tick against a bare engine, and a year of minute bars from start to results."""

from datetime import timedelta
from typing import Any, Self

from nautilus_trader.backtest import (
    BacktestDataConfig,
    BacktestEngineConfig,
    BacktestNode,
    BacktestRunConfig,
    BacktestVenueConfig,
)
from nautilus_trader.common import LoggerConfig
from nautilus_trader.execution import MakerTakerFeeModel
from nautilus_trader.model import AccountType, NautilusDataType, OmsType, TradeTick
from nautilus_trader.trading import Strategy, StrategyConfig

from liqstrat.app import prepare_symbol, resolve_traders, run_backtest
from liqstrat.backtest.replay import CHUNK, replay
from liqstrat.catalog.instruments import VENUE, instrument_id
from liqstrat.config import DataSettings, RunFile, StrategySettings
from liqstrat.market.store import open_store
from tests.benchmarks.measure import Place, Row, best_of
from tests.benchmarks.tape import START, SYMBOL, days_of

_REACH = 0.8
_REACH_YEAR = 15.0
#: It takes too long to be done as often as the rest.
_YEARS = 1
_STRATEGY = "LevelFade"


class TradeCounter(Strategy):
    """Does nothing but count trades."""

    def __new__(cls, *_: Any) -> Self:
        return super().__new__(cls, StrategyConfig(log_events=False, log_commands=False))

    def __init__(self) -> None:
        super().__init__(StrategyConfig(log_events=False, log_commands=False))
        self.trades = 0

    def on_start(self) -> None:
        self.subscribe_trades(instrument_id(SYMBOL))

    def on_trade(self, trade: TradeTick) -> None:
        self.trades += 1


def measure(place: Place) -> list[Row]:
    """Both replays; each by single trades is of the whole generated history."""
    return [_tick(place), _year(place)]


def tick_run(place: Place) -> RunFile:
    """The whole generated history tick by tick, with levels and a strategy of the package."""
    return RunFile(
        name="tick",
        symbols=[SYMBOL],
        start=START,
        end=START + timedelta(days=days_of(place.trades)),
        data=DataSettings(db=place.database, catalog=place.catalog),
        strategies=[StrategySettings(use=_STRATEGY)],
    )


def _tick(place: Place) -> Row:
    run = tick_run(place)
    traders = resolve_traders(run)
    with open_store(run.data.db) as store:
        data = {SYMBOL: prepare_symbol(store, SYMBOL, run)}
    seconds = best_of(
        {"yardstick": lambda: _count(place), "ours": lambda: replay(run, traders, data, lambda levels: None)},
        place.repeats,
    )
    share = seconds["yardstick"] / seconds["ours"]
    speed = {name: place.trades / s / 1e3 for name, s in seconds.items()}
    return Row(
        "replay, tick, with levels and a strategy",
        "a bare Nautilus node whose strategy counts trades",
        f"≥ {_REACH} of its speed",
        f"{share:.2f} ({speed['ours']:.0f}k against {speed['yardstick']:.0f}k trades/s)",
        share >= _REACH,
    )


def _count(place: Place) -> None:
    run = tick_run(place)
    venue = BacktestVenueConfig(
        name=str(VENUE),
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        starting_balances=["100000 USDT"],
        fee_model=MakerTakerFeeModel(run.venue.maker_fee, run.venue.taker_fee),
    )
    trades = BacktestDataConfig(NautilusDataType.TradeTick, str(place.catalog), instrument_id=instrument_id(SYMBOL))
    config = BacktestRunConfig(
        venues=[venue],
        data=[trades],
        engine=BacktestEngineConfig(logging=LoggerConfig(bypass_logging=True), run_analysis=False),
        chunk_size=CHUNK,
        dispose_on_completion=False,
    )
    node = BacktestNode([config])
    node.build()
    counter = TradeCounter()
    node.add_strategy(config.id, counter)
    node.run()
    node.dispose()
    if counter.trades != place.trades:
        raise RuntimeError(f"the bare node replayed {counter.trades} trades of {place.trades}")


def _year(place: Place) -> Row:
    run = RunFile(
        name="year",
        symbols=[SYMBOL],
        start=START,
        end=START + timedelta(days=365),
        resolution="1m",
        data=DataSettings(db=place.year, catalog=place.folder / "catalog-year"),
        strategies=[StrategySettings(use=_STRATEGY)],
    )
    with open_store(run.data.db) as store:
        prepare_symbol(store, SYMBOL, run)
    seconds = best_of({"ours": lambda: run_backtest(run, place.scratch("results"))}, _YEARS)["ours"]
    place.scratch("results")
    return Row(
        "replay, 1 m bars of a year, catalog built, start to results and report",
        "–",
        f"under {_REACH_YEAR:.0f} s",
        f"{seconds:.1f} s",
        seconds < _REACH_YEAR,
    )
