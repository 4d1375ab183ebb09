"""The replay itself: a Nautilus node with the run's data, venue, levels and strategies."""

import gc
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nautilus_trader.backtest import BacktestDataConfig, BacktestEngineConfig, BacktestNode, BacktestRunConfig
from nautilus_trader.common import Cache, LoggerConfig
from nautilus_trader.model import NautilusDataType

from liqstrat.backtest.account.bookkeeping import read_ledger
from liqstrat.backtest.account.ledger import Ledger
from liqstrat.backtest.costs.venue import SimulatedVenue, simulated_venue
from liqstrat.backtest.failure import Failures
from liqstrat.backtest.levels.feeds import LevelsKeeper, OpenInterestFeed, OpenInterestSeries
from liqstrat.backtest.levels.indicator import LiquidationLevels
from liqstrat.backtest.levels.minute_tape import MinuteTape
from liqstrat.backtest.levels.tape import TapeInterval, read_tape
from liqstrat.backtest.levels.warmup import Warm
from liqstrat.backtest.strategy import LevelStrategy, Setup, StrategyParams
from liqstrat.catalog.instruments import QUOTE, VENUE, instrument_id, minute_bars
from liqstrat.catalog.minutes import MinuteBars
from liqstrat.config import RunFile
from liqstrat.liquidation.brackets import BracketTable
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.progress import SILENT, Progress, Step

#: Market data held in memory at a time.
CHUNK = 20_000

_HOUR_NS = 3_600_000_000_000

OnStep = Callable[[LiquidationLevels], None]


@dataclass(frozen=True)
class Trader:
    """One strategy of the run file: its class, checked parameters, the symbols it trades, and a name of its own."""

    label: str
    strategy: type[LevelStrategy]
    params: StrategyParams
    symbols: Sequence[str]


@dataclass(frozen=True, eq=False)
class SymbolData:
    """What the replay needs of one symbol besides the catalog's files.

    model: the run's, with the bin width of this market. funding: whether there are rates to settle. brackets: those of
    the history, besides the ones shipped. notes: what a reader must know of the catalog.
    """

    model: ModelSettings
    minutes: MinuteBars
    open_interest: OpenInterestSeries
    warm: Warm
    funding: bool
    brackets: Sequence[BracketTable] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class Replayed:
    """How a replay ended, without anything of the engine.

    balance: the account's, USDT, as the engine has it. held: its open positions by symbol: net contracts, and what they
    cost in USDT. maps: the last of each symbol that has one. too_small: entries not sent, by strategy.
    """

    ledger: Ledger
    balance: float
    held: dict[str, tuple[float, float]]
    maps: list[LiquidationMap]
    too_small: dict[str, int]
    liquidations: list[datetime]


def replay(
    run: RunFile,
    traders: Sequence[Trader],
    data: dict[str, SymbolData],
    on_step: OnStep,
    progress: Progress = SILENT,
) -> Replayed:
    """Replay the run; `on_step` is called with a symbol's levels after each value of open interest.

    An error inside a strategy or feed is raised as it is, with its traceback.
    """
    hours = (run.end - run.start).total_seconds() / 3600
    try:
        with progress.task(f"replay {run.name}", total=hours, unit="market hours") as step:
            return _replay(run, traders, data, _telling(on_step, run, step))
    finally:
        # The engine's objects complain when they are freed by another thread than theirs; the collector runs in any.
        gc.collect()


def _replay(run: RunFile, traders: Sequence[Trader], data: dict[str, SymbolData], on_step: OnStep) -> Replayed:
    failures = Failures()
    keepers = [_keeper(run, symbol, data[symbol], on_step, failures) for symbol in run.symbols]
    levels = {keeper.levels.symbol: keeper.levels for keeper in keepers}
    minutes = {symbol: data[symbol].minutes for symbol in run.symbols}
    brackets = {symbol: data[symbol].brackets for symbol in run.symbols}
    venue = simulated_venue(
        run.venue, minutes, run.start, failures, on_bars=run.bar_minutes is not None, brackets=brackets
    )
    strategies = _strategies(run, traders, levels, failures)
    node, node_id = _node(run, data, venue)
    try:
        feeds = [OpenInterestFeed(data[symbol].open_interest, failures) for symbol in run.symbols]
        for actor in (*feeds, *keepers, *venue.actors):
            node.add_actor(node_id, actor)
        for strategy in strategies:
            node.add_strategy(node_id, strategy)
        if venue.liquidator:
            venue.liquidator.watch_over(strategies)
        with failures.keeping_interrupts():
            results = node.run()
        failures.raise_first()
        if not results:
            raise RuntimeError(f"the engine gave no result for {run.name}")
        cache = node.get_engine_cache(node_id)
        account: Any = cache.account_for_venue(VENUE)
        return Replayed(
            ledger=read_ledger(cache, strategies, venue.fees.impact),
            balance=float(account.balance_total(QUOTE).as_decimal()),
            held={symbol: _held(cache, symbol) for symbol in run.symbols},
            maps=[one.map() for one in levels.values() if one.initialized],
            too_small=sum((Counter({one.label: one.too_small}) for one in strategies), Counter()),
            liquidations=[_moment(event.time_ns) for event in venue.liquidator.events] if venue.liquidator else [],
        )
    finally:
        node.dispose()


def _telling(on_step: OnStep, run: RunFile, step: Step) -> OnStep:
    """`on_step`, and how much of the market's time has passed."""
    passed = nanoseconds(run.start)

    def tell(levels: LiquidationLevels) -> None:
        nonlocal passed
        on_step(levels)
        if levels.symbol == run.symbols[0]:
            step((levels.known_at - passed) / _HOUR_NS)
            passed = levels.known_at

    return tell


def _held(cache: Cache, symbol: str) -> tuple[float, float]:
    positions = cache.positions_open(None, instrument_id(symbol))
    contracts = sum(position.signed_qty for position in positions)
    return contracts, sum(position.signed_qty * position.avg_px_open for position in positions)


def _keeper(run: RunFile, symbol: str, data: SymbolData, on_step: OnStep, failures: Failures) -> LevelsKeeper:
    """The levels of a symbol, warm, and the actor that keeps them up to date."""
    tape: TapeInterval | MinuteTape
    if run.bar_minutes is None:
        tape = TapeInterval(read_tape(run.data.catalog, symbol, run.start, run.end))
    else:
        tape = MinuteTape(data.minutes, nanoseconds(run.start))
    levels = LiquidationLevels(data.model, symbol, span=run.report.span, interval=tape)
    levels.warm_up(data.warm.book, data.warm.since)
    return LevelsKeeper(instrument_id(symbol), levels, tape, on_step, failures)


def _strategies(
    run: RunFile, traders: Sequence[Trader], levels: dict[str, LiquidationLevels], failures: Failures
) -> list[LevelStrategy]:
    pairs = [(trader, symbol) for trader in traders for symbol in trader.symbols]
    return [
        trader.strategy(
            Setup(
                number=number,
                label=trader.label,
                instrument_id=instrument_id(symbol),
                levels=levels[symbol],
                params=trader.params,
                leverage=run.venue.leverage,
                bar_minutes=run.bar_minutes,
                failures=failures,
            )
        )
        for number, (trader, symbol) in enumerate(pairs)
    ]


def _node(run: RunFile, data: dict[str, SymbolData], venue: SimulatedVenue) -> tuple[BacktestNode, str]:
    config = BacktestRunConfig(
        venues=[venue.config],
        data=_data_configs(run, data),
        engine=BacktestEngineConfig(logging=LoggerConfig(bypass_logging=True), run_analysis=False),
        chunk_size=CHUNK,
        raise_exception=True,
        dispose_on_completion=False,
        start=nanoseconds(run.start),
        end=nanoseconds(run.end) - 1,
    )
    node = BacktestNode([config])
    node.build()
    return node, config.id


def _data_configs(run: RunFile, data: dict[str, SymbolData]) -> list[BacktestDataConfig]:
    configs = []
    for symbol in run.symbols:
        if run.bar_minutes is None:
            configs.append(_data_config(run, symbol, NautilusDataType.TradeTick))
        else:
            configs.append(_data_config(run, symbol, NautilusDataType.Bar, bar_types=[str(minute_bars(symbol))]))
        if run.venue.funding and data[symbol].funding:
            configs.append(_data_config(run, symbol, NautilusDataType.FundingRateUpdate))
    return configs


def _data_config(
    run: RunFile, symbol: str, kind: NautilusDataType, *, bar_types: list[str] | None = None
) -> BacktestDataConfig:
    return BacktestDataConfig(
        kind,
        # A relative path makes the engine read nothing, without an error.
        str(run.data.catalog.resolve()),
        instrument_id=instrument_id(symbol),
        bar_types=bar_types,
        # Else the files of all days are open at once, each with some ten megabytes.
        optimize_file_loading=True,
    )


def nanoseconds(moment: datetime) -> int:
    """Nanoseconds since 1970 of an aware datetime, exact to its microseconds."""
    return round(moment.timestamp() * 1_000_000) * 1000


def _moment(time_ns: int) -> datetime:
    return datetime.fromtimestamp(time_ns / 1e9, UTC)
