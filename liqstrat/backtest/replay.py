"""The replay itself: a Nautilus engine with the run's data, venue, levels and strategies.

The engine is fed by hand: a backtest node takes neither data of our own nor fills by a book of our own.
"""

import gc
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache, partial
from types import MappingProxyType
from typing import Any

from nautilus_trader.backtest import BacktestEngine, BacktestEngineConfig
from nautilus_trader.common import LoggerConfig
from nautilus_trader.model import ClientId, CryptoPerpetual
from nautilus_trader.trading import Strategy
from pyarrow.ipc import RecordBatchFileReader

from liqstrat.backtest.account.bookkeeping import read_ledger
from liqstrat.backtest.account.ledger import Ledger
from liqstrat.backtest.account.worth import worth_of
from liqstrat.backtest.bars import BarHistory
from liqstrat.backtest.costs.liquidator import Liquidation
from liqstrat.backtest.costs.venue import SimulatedVenue, simulated_venue
from liqstrat.backtest.failure import Failures
from liqstrat.backtest.journal import Journal
from liqstrat.backtest.levels.behind import Behind
from liqstrat.backtest.levels.feeds import LevelsKeeper, OpenInterestSeries
from liqstrat.backtest.levels.flow_tape import FlowTape
from liqstrat.backtest.levels.indicator import LiquidationLevels
from liqstrat.backtest.levels.kept_steps import KeptSteps, open_steps
from liqstrat.backtest.levels.minute_tape import MinuteTape
from liqstrat.backtest.levels.reaches import Reaches
from liqstrat.backtest.levels.steps import LiveSteps
from liqstrat.backtest.levels.tape import TapeInterval
from liqstrat.backtest.levels.warmup import Warm
from liqstrat.backtest.markets import FundingRates, Known, Markets
from liqstrat.backtest.params import StrategyParams
from liqstrat.backtest.presence import Presence
from liqstrat.backtest.prints import MinutePrints, Prints
from liqstrat.backtest.room import Room
from liqstrat.backtest.sides import Sides
from liqstrat.backtest.strategy import LevelStrategy
from liqstrat.backtest.stream import Batch, Feed, MarketStream, catalog_stream, read_funding
from liqstrat.backtest.trading import Setup
from liqstrat.catalog.instruments import instrument_id, money_of
from liqstrat.catalog.kept import kept_folder
from liqstrat.catalog.minutes import MinuteBars
from liqstrat.config import RunFile
from liqstrat.liquidation.brackets import BracketTable
from liqstrat.liquidation.flow_arrays import Arrays, flows_of
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.liquidation.placebo import Placebo
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.moments import HOUR_NS, MINUTE_NS, nanoseconds
from liqstrat.progress import SILENT, Progress, Step

#: Who our own data comes from, in the engine's words.
_OURS = ClientId("LIQSTRAT")

#: Of market data and of our own data, and whether it is the last.
Slice = tuple[list[Any], list[Any], bool]
OnStep = Callable[[LiquidationLevels], None]
#: Who has one of these is told of open interest as it becomes known, or of market data of the same moment.
_HEARING = ["on_levels", *(name for name in dir(Strategy) if name.startswith("on_"))]


@dataclass(frozen=True)
class Trader:
    """One strategy of the run file: its class, checked parameters, the symbols it trades, and a name of its own."""

    label: str
    strategy: Callable[[Setup], LevelStrategy]
    params: StrategyParams
    symbols: Sequence[str]


@dataclass(frozen=True, eq=False)
class SymbolData:
    """What the replay needs of one symbol besides the catalog's files.

    instrument: with the limits that the exchange had then. model: the run's, with the bin width of this market.
    funding: whether there are rates to settle. brackets: those of the history, besides the ones shipped. most_quantity:
    what the exchange takes in one market order, if known. flows: of each interval, on bars whose trades are known, as
    arrays (`liqstrat.liquidation.flow_arrays`). levels: the name of the file of levels beside the catalog, where they
    have been worked beforehand. before: minutes of before `minutes`. rates: of funding. notes: what a reader must know
    of the catalog.
    """

    instrument: CryptoPerpetual
    model: ModelSettings
    minutes: MinuteBars
    open_interest: OpenInterestSeries
    warm: Warm
    funding: bool
    brackets: Sequence[BracketTable] = ()
    most_quantity: Decimal | None = None
    flows: Arrays | None = None
    levels: str | None = None
    before: MinuteBars | None = None
    rates: FundingRates = field(default_factory=FundingRates)
    notes: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class Replayed:
    """How a replay ended, without anything of the engine.

    equity: the account's at the last prices that the engine has seen, and its balance, USDT, both as the engine has
    them. maps: the last of each symbol that has one. journal: what strategies wrote down.
    """

    ledger: Ledger
    balance: float
    equity: float
    maps: list[LiquidationMap]
    liquidations: list[Liquidation]
    journal: Journal = field(default_factory=Journal)


@dataclass(frozen=True, eq=False)
class Source:
    """Where the market data of a run are from: history, or a market that runs.

    streams: by symbol. slices: of market data and of our own data, and whether it is the last, see `Feed`. end_ns: when
    the last slice ends, asked for then. ahead: whether the minutes of `SymbolData` are there up to the end. looked:
    called after each slice with the engine and its strategies.
    """

    streams: dict[str, MarketStream]
    slices: Iterable[Slice]
    end_ns: Callable[[], int]
    ahead: bool = True
    looked: Callable[[BacktestEngine, Sequence[LevelStrategy]], None] = lambda engine, strategies: None


def replay(
    run: RunFile,
    traders: Sequence[Trader],
    data: dict[str, SymbolData],
    on_step: OnStep | None,
    progress: Progress = SILENT,
    *,
    presence: Presence | None = None,
    source: Source | None = None,
) -> Replayed:
    """Replay the run; `on_step`, if any, is called with a symbol's levels after each value of open interest.

    presence: when strategies can act; always, where it is left out. source: of market data; the catalog's, likewise.

    An error inside a strategy is raised as `StrategyError`, one of ours as it is, with its traceback.
    """
    hours = (run.end - run.start).total_seconds() / 3600
    with (
        _collected(),
        progress.task(f"replay {run.name}", total=hours, unit="market hours") as step,
    ):
        telling = _telling(run, traders, data, on_step, ahead=source is None or source.ahead)
        source = source or history(run, data, heard=telling.heard)
        return _replay(run, traders, data, telling, presence or Presence(), source, step)


#: Held while what was there before is put aside.
_alone = threading.Lock()


@cache
def _is_frozen_by_others() -> bool:
    """Whether who runs us has put aside what was there; asked once, for the collector counts all of it."""
    return gc.get_freeze_count() > 0


@contextmanager
def _collected() -> Iterator[None]:
    """Leave no garbage of what happens meanwhile: the engine's objects complain when they are freed by another thread
    than theirs, and the collector runs in any.

    What was there before, all that was imported above all, takes ten times as long to look through as what is new.
    """
    mine = threading.current_thread() is threading.main_thread() and not _is_frozen_by_others()
    alone = mine and _alone.acquire(blocking=False)
    if alone:
        gc.freeze()
    try:
        yield
    finally:
        gc.collect()
        if alone:
            gc.unfreeze()
            _alone.release()


def history(
    run: RunFile,
    data: dict[str, SymbolData],
    changed: Mapping[str, Callable[[Batch], Batch]] = MappingProxyType({}),
    rates: Sequence[Any] | None = None,
    *,
    heard: bool = True,
) -> Source:
    """The catalog's data of the run. changed: by symbol, what is done to its trades on the way. rates: of funding, as
    the engine has them, in place of the catalog's. heard: whether anybody hears of open interest."""
    on_bars, catalog = run.bar_minutes is not None, run.data.catalog
    streams = {
        symbol: catalog_stream(catalog, symbol, run.start, run.end, bars=on_bars, changed=changed.get(symbol))
        for symbol in run.symbols
    }
    if rates is None:
        rates = [
            rate
            for symbol in run.symbols
            if run.venue.funding and data[symbol].funding
            for rate in read_funding(catalog, symbol, run.start, run.end)
        ]
    interest = [data[symbol].open_interest for symbol in run.symbols] if heard else []
    feed = Feed(list(streams.values()), rates, interest)
    return Source(streams, feed, lambda: nanoseconds(run.end))


@dataclass(frozen=True)
class _Telling:
    """How a run's levels come to know of open interest.

    kept: by symbol, the file of its levels, where they are known ahead. reaches: what follows from it. heard: whether
    the engine tells of each value as it becomes known; else levels are told when somebody looks. on_step: called after
    each.
    """

    kept: Mapping[str, RecordBatchFileReader | None]
    reaches: Mapping[str, Reaches | None]
    heard: bool
    on_step: OnStep | None


def _telling(
    run: RunFile, traders: Sequence[Trader], data: Mapping[str, SymbolData], on_step: OnStep | None, *, ahead: bool
) -> _Telling:
    kept = {symbol: kept_levels(run, data[symbol]) if ahead else None for symbol in run.symbols}
    reaches = {symbol: file and _reaches(file, data[symbol]) for symbol, file in kept.items()}
    heard = on_step is not None or not run.bar_minutes or None in reaches.values() or any(map(_hears, traders))
    return _Telling(kept, reaches, heard, on_step)


def _reaches(file: RecordBatchFileReader, data: SymbolData) -> Reaches | None:
    return Reaches.of(file, data.open_interest, data.minutes, data.warm.book.time_ns)


def _hears(trader: Trader) -> bool:
    """Whether a strategy hears of anything besides alerts, or cannot be asked."""
    kind = trader.strategy
    if not isinstance(kind, type):
        return True
    return any(getattr(kind, name) is not getattr(LevelStrategy, name) for name in _HEARING)


def _replay(
    run: RunFile,
    traders: Sequence[Trader],
    data: dict[str, SymbolData],
    telling: _Telling,
    presence: Presence,
    source: Source,
    step: Step,
) -> Replayed:
    failures, journal = Failures(), Journal()
    on_bars = run.bar_minutes is not None
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggerConfig(bypass_logging=True), run_analysis=False))
    try:
        streams = source.streams
        keepers = {symbol: _keeper(run, data[symbol], streams[symbol], telling, failures) for symbol in run.symbols}
        prints: dict[str, Prints] = {**streams}
        if on_bars:
            ticks = {symbol: float(data[symbol].instrument.price_increment) for symbol in run.symbols}
            prints = {symbol: MinutePrints(data[symbol].minutes, ticks[symbol]) for symbol in run.symbols}
        sides = {symbol: partial(Sides, stream) for symbol, stream in streams.items() if not on_bars}
        venue = _venue(run, data, prints, failures, ahead=source.ahead)
        venue.add_to(engine)
        for symbol in run.symbols:
            engine.add_instrument(data[symbol].instrument)
        strategies = _strategies(
            run, traders, data, keepers, venue, sides, failures, journal, presence, telling, ahead=source.ahead
        )
        # Every actor has a clock, which the engine winds on with each trade: the venue reads that of the levels.
        venue.fees.host = venue.fills.host = keepers[run.symbols[0]]
        for actor in (*keepers.values(), *([venue.liquidator] if venue.liquidator else [])):
            engine.add_actor(actor)
        for strategy in strategies:
            engine.add_strategy(strategy)
            keepers[strategy.symbol].listeners.append(strategy.map_has_come)
        if venue.liquidator:
            venue.liquidator.watch_over(strategies)
        with failures.keeping_interrupts():
            _play(engine, strategies, run, source, failures, step, heard=telling.heard)
        failures.raise_first()
        return _outcome(engine, strategies, keepers, venue, journal)
    finally:
        engine.dispose()


def _play(
    engine: BacktestEngine,
    strategies: Sequence[LevelStrategy],
    run: RunFile,
    source: Source,
    failures: Failures,
    step: Step,
    *,
    heard: bool,
) -> None:
    """Feed the engine slice by slice."""
    start, end = nanoseconds(run.start), nanoseconds(run.end)
    passed = start
    for market, ours, last in source.slices:
        if market:
            engine.add_data(market, validate=False, sort=False)
        if ours and heard:
            engine.add_data(ours, client_id=_OURS, validate=False, sort=False)
        engine.sort_data()
        engine.run(start=start, end=source.end_ns() if last else end, streaming=not last)
        engine.clear_data()
        if failures.any:
            return
        if market:
            step((market[-1].ts_init - passed) / HOUR_NS)
            passed = market[-1].ts_init
        source.looked(engine, strategies)


def _outcome(
    engine: BacktestEngine,
    strategies: Sequence[LevelStrategy],
    keepers: dict[str, LevelsKeeper],
    venue: SimulatedVenue,
    journal: Journal,
) -> Replayed:
    worth = worth_of(engine.portfolio, money_of(next(iter(keepers))))
    return Replayed(
        ledger=read_ledger(engine.cache, strategies),
        balance=float(worth.balance),
        equity=float(worth.equity),
        maps=[keeper.levels.map() for keeper in keepers.values() if keeper.levels.initialized],
        liquidations=list(venue.liquidator.events) if venue.liquidator else [],
        journal=journal,
    )


def kept_levels(run: RunFile, data: SymbolData) -> RecordBatchFileReader | None:
    """The levels of a symbol as they were worked beforehand; None where they were not, or are not there any more."""
    if data.levels is None:
        return None
    path = kept_folder(run.data.catalog) / data.levels
    return open_steps(path, span=run.report.span, every_ns=run.levels_minutes * MINUTE_NS)


def bar_tape(run: RunFile, data: SymbolData, *, with_flows: bool) -> MinuteTape:
    """What the levels read in a run of bars."""
    stepped = data.warm.book.time_ns or nanoseconds(run.start)
    if data.flows is None or not with_flows:
        return MinuteTape(data.minutes, stepped)
    return FlowTape(data.minutes, stepped, flows_of(data.flows))


def _keeper(
    run: RunFile, data: SymbolData, stream: MarketStream, telling: _Telling, failures: Failures
) -> LevelsKeeper:
    """The levels of a symbol, warm, and the actor that keeps them up to date."""
    kept = telling.kept[stream.symbol]
    tape = bar_tape(run, data, with_flows=kept is None) if run.bar_minutes else TapeInterval(stream.tape())
    levels = LiquidationLevels(data.model, stream.symbol, span=run.report.span, interval=tape)
    # The book goes on from here; what was prepared stays as it is for the next replay.
    book = deepcopy(data.warm.book)
    if isinstance(book, Placebo):
        book.seed = run.control_seed
    steps = KeptSteps(kept, book, run.report.span) if kept else LiveSteps(book, run.report.span)
    levels.go_on(steps, data.warm.since)
    behind = None
    if not telling.heard and (reaches := telling.reaches[stream.symbol]):
        behind = Behind(levels, tape, reaches, nanoseconds(run.end))
        levels.follow(behind.catch_up, behind.settle)
    return LevelsKeeper(data.open_interest.instrument_id, levels, tape, telling.on_step, failures, behind)


def _venue(
    run: RunFile, data: dict[str, SymbolData], prints: dict[str, Prints], failures: Failures, *, ahead: bool
) -> SimulatedVenue:
    return simulated_venue(
        run.venue,
        {symbol: data[symbol].minutes for symbol in run.symbols},
        prints,
        run.start,
        failures,
        on_bars=run.bar_minutes is not None,
        brackets={symbol: data[symbol].brackets for symbol in run.symbols},
        ahead=ahead,
    )


def _strategies(
    run: RunFile,
    traders: Sequence[Trader],
    data: dict[str, SymbolData],
    keepers: dict[str, LevelsKeeper],
    venue: SimulatedVenue,
    sides: Mapping[str, Callable[[], Sides]],
    failures: Failures,
    journal: Journal,
    presence: Presence,
    telling: _Telling,
    *,
    ahead: bool,
) -> list[LevelStrategy]:
    room = Room(
        run.venue.leverage,
        venue.depth,
        brackets={symbol: data[symbol].brackets for symbol in run.symbols},
        participation=run.venue.participation,
        most_quantity={symbol: most for symbol in run.symbols if (most := data[symbol].most_quantity)},
    )
    end, known = nanoseconds(run.end), {}
    for name, one in data.items():
        known[name] = Known(keepers[name].levels, BarHistory(one.before, one.minutes, end if ahead else 0), one.rates)
    pairs = [(trader, symbol) for trader in traders for symbol in trader.symbols]
    return [
        trader.strategy(
            Setup(
                number=number,
                label=trader.label,
                symbol=symbol,
                instrument_id=instrument_id(symbol),
                levels=keepers[symbol].levels,
                params=trader.params,
                bar_minutes=run.bar_minutes,
                latency_ns=venue.latency_ns,
                taker_fee=run.venue.taker_fee,
                end_ns=end,
                prints=venue.fills.prints[symbol],
                sides=sides.get(symbol),
                fills=venue.fills,
                room=room,
                failures=failures,
                journal=journal,
                markets=Markets(known),
                reaches=telling.reaches[symbol],
                presence=presence,
            )
        )
        for number, (trader, symbol) in enumerate(pairs)
    ]
