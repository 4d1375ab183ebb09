"""Replays: tick by tick against a bare engine, and a year of minute bars from start to results."""

import time
from datetime import timedelta
from typing import Any, Self

from nautilus_trader.backtest import (
    BacktestDataConfig,
    BacktestEngine,
    BacktestEngineConfig,
    BacktestNode,
    BacktestRunConfig,
    BacktestVenueConfig,
)
from nautilus_trader.common import LoggerConfig
from nautilus_trader.execution import MakerTakerFeeModel
from nautilus_trader.model import AccountType, Money, NautilusDataType, OmsType, TradeTick
from nautilus_trader.persistence import ParquetDataCatalog
from nautilus_trader.trading import Strategy, StrategyConfig

from liqstrat.app import prepare, resolve_traders, run_backtest
from liqstrat.backtest.replay import replay
from liqstrat.backtest.stream import BATCH, Feed, catalog_stream
from liqstrat.catalog.instruments import VENUE, instrument_id
from liqstrat.config import DataSettings, RunFile, StrategySettings
from tests.benchmarks.measure import Place, Row, best_of
from tests.benchmarks.tape import START, SYMBOL, days_of

_REACH = 0.8
_REACH_YEAR = 2.5
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
    return [*_tick(place), _year(place)]


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


def _tick(place: Place) -> list[Row]:
    run = tick_run(place)
    traders = resolve_traders(run)
    data = prepare(run).data
    seconds = best_of(
        {
            "node": lambda: _node(place),
            "engine": lambda: _engine(run),
            "counted": lambda: _engine(run, TradeCounter()),
            "ours": lambda: replay(run, traders, data, lambda levels: None),
        },
        place.repeats,
        time.process_time,
    )
    speed = {name: place.trades / s / 1e3 for name, s in seconds.items()}

    def row(yardstick: str, what: str, reach: float | None) -> Row:
        share = seconds[yardstick] / seconds["ours"]
        told = f"{share:.2f} ({speed['ours']:.0f}k against {speed[yardstick]:.0f}k trades/s)"
        wanted = f"≥ {reach} of its speed" if reach else "–"
        return Row("replay, tick, with levels and a strategy", what, wanted, told, share >= reach if reach else None)

    return [
        row("engine", "the same engine, fed the same, with nothing in it", _REACH),
        row("counted", "the same, with a strategy that counts trades", _REACH),
        row("node", "a Nautilus node, which reads the catalog itself, with nothing in it", None),
    ]


def _engine(run: RunFile, counter: TradeCounter | None = None) -> None:
    """The engine with an account and the trades or bars of the run."""
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggerConfig(bypass_logging=True), run_analysis=False))
    fees = MakerTakerFeeModel(run.venue.maker_fee, run.venue.taker_fee)
    engine.add_venue(VENUE, OmsType.NETTING, AccountType.MARGIN, [Money.from_str("100000 USDT")], fee_model=fees)
    for instrument in ParquetDataCatalog(str(run.data.catalog)).instruments([str(instrument_id(SYMBOL))]):
        engine.add_instrument(instrument)
    if counter:
        engine.add_strategy(counter)
    fed = 0
    bars = run.bar_minutes is not None
    for market, _, last in Feed([catalog_stream(run.data.catalog, SYMBOL, run.start, run.end, bars=bars)], [], []):
        engine.add_data(market, validate=False, sort=True)
        engine.run(streaming=not last)
        engine.clear_data()
        fed += len(market)
    engine.dispose()
    if counter and counter.trades != fed:
        raise RuntimeError(f"the strategy has counted {counter.trades} trades of {fed}")


def _node(place: Place) -> None:
    run = tick_run(place)
    venue = BacktestVenueConfig(
        name=str(VENUE),
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        starting_balances=["100000 USDT"],
        fee_model=MakerTakerFeeModel(run.venue.maker_fee, run.venue.taker_fee),
    )
    trades = BacktestDataConfig(
        NautilusDataType.TradeTick,
        str(place.catalog),
        instrument_id=instrument_id(SYMBOL),
        # Else the files of all days are open at once, each with some ten megabytes.
        optimize_file_loading=True,
    )
    config = BacktestRunConfig(
        venues=[venue],
        data=[trades],
        engine=BacktestEngineConfig(logging=LoggerConfig(bypass_logging=True), run_analysis=False),
        chunk_size=BATCH,
        dispose_on_completion=False,
    )
    node = BacktestNode([config])
    node.build()
    node.run()
    node.dispose()


def _year(place: Place) -> Row:
    """All that `liqstrat backtest` does after its imports, with what the run before has kept, as when trying things."""
    run = RunFile(
        name="year",
        symbols=[SYMBOL],
        start=START,
        end=START + timedelta(days=365),
        resolution="1m",
        data=DataSettings(db=place.year, catalog=place.folder / "catalog-year"),
        strategies=[StrategySettings(use=_STRATEGY)],
    )
    run_backtest(run, place.scratch("results"))
    seconds = best_of(
        {"bare": lambda: _engine(run), "ours": lambda: run_backtest(run, place.scratch("results"))},
        place.repeats,
        time.process_time,
    )
    place.scratch("results")
    times = seconds["ours"] / seconds["bare"]
    return Row(
        "replay, 1 m bars of a year, start to results and report",
        "the same engine, fed the same bars, with nothing in it",
        f"≤ {_REACH_YEAR} × its processor time",
        f"{times:.1f} × ({seconds['ours']:.1f} s against {seconds['bare']:.1f} s)",
        times <= _REACH_YEAR,
    )
