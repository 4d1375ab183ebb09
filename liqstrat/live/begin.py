"""Levels out of history, up to where it ends: what a market that runs goes on from."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np

from liqstrat.backtest.levels.indicator import LiquidationLevels
from liqstrat.backtest.levels.interval import Trades
from liqstrat.backtest.levels.warmup import trades_between
from liqstrat.errors import LiqstratError
from liqstrat.liquidation.kinds import new_model
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.liquidation.signals import SignalRules
from liqstrat.live.candles import candle_start
from liqstrat.live.confidence import Confidence, TrackRecord
from liqstrat.live.interval import Arrived
from liqstrat.live.listener import After
from liqstrat.market.flow import flows
from liqstrat.market.store import Store
from liqstrat.market.width import with_bin_width
from liqstrat.moments import MILLISECOND_NS, SECOND_NS, at_ns, column_ns, microseconds
from liqstrat.progress import SILENT, Progress
from liqstrat.sweeps import REMEMBERED, SPAN

#: Maps of before that a picture begins with.
_SHOWN_MAPS = 288


@dataclass(frozen=True, eq=False)
class Begun:
    """Levels as history leaves them.

    arrived: what they hear trades from. after: where history ends. waiting: open interest (milliseconds, contracts) of
    after the last trade. maps: of the last day, one for each value of open interest. candle: the trades of the
    five-minute candle that history ends in. confidence: what became of signals in history. simulated: whether that is.
    """

    levels: LiquidationLevels
    arrived: Arrived
    after: After
    waiting: list[tuple[int, float]]
    maps: list[LiquidationMap]
    candle: Trades
    confidence: Confidence
    simulated: bool


def begin(
    store: Store,
    symbol: str,
    settings: ModelSettings,
    warmup: timedelta,
    rules: SignalRules,
    progress: Progress = SILENT,
) -> Begun:
    """The levels of a symbol at the end of its history, from the `warmup` before on.

    Raises `LiqstratError` where there is no open interest, or there are no single trades.
    """
    interest, trades = store.span(symbol, "open_interest"), store.span(symbol, "trades")
    if interest is None or trades is None:
        missing = "trades" if interest else "open interest"
        raise LiqstratError(f"{store.path}: no {missing} of {symbol}: levels have nothing to begin with")
    first, newest = interest
    # Where trades end before open interest does, the rest of it waits for those that are asked for again.
    last = min(newest, trades[1])
    moment = max(last - REMEMBERED, first)
    settings = with_bin_width(store, symbol, settings, last)
    book = new_model(settings, symbol, store.brackets(symbol))
    maps: deque[LiquidationMap] = deque(maxlen=_SHOWN_MAPS)
    record = TrackRecord(symbol, rules)
    for flow, open_interest in flows(store, symbol, last - warmup, moment, settings, progress):
        book.step(flow, open_interest)
        if book.open_interest:
            maps.append(book.map(span=SPAN))
            record.step(book, flow)
    arrived = Arrived()
    levels = LiquidationLevels(settings, symbol, span=SPAN, interval=arrived)
    levels.warm_up(book)
    since = at_ns(book.time_ns) if book.time_ns else moment
    waiting = _go_on(store, symbol, levels, arrived, maps, since)
    after = After(arrived.trade_id or None, microseconds(newest) // 1000)
    candle = trades_between(store, symbol, at_ns(candle_start(arrived.time_ns // MILLISECOND_NS) * MILLISECOND_NS))
    return Begun(levels, arrived, after, waiting, list(maps), candle, record.confidence, store.simulated(symbol))


def _go_on(
    store: Store,
    symbol: str,
    levels: LiquidationLevels,
    arrived: Arrived,
    maps: deque[LiquidationMap],
    since: datetime,
) -> list[tuple[int, float]]:
    """Hear the last hours of history as if they came now: so it is known what has been run through in them.

    Returns what comes after the last trade.
    """
    trades, arrived_id = _trades(store, symbol, since)
    known = store.open_interest(symbol, since)
    values = list(zip(column_ns(known["time"]).tolist(), known["contracts"].to_pylist(), strict=True))
    heard = 0
    while values and len(trades.times) and values[0][0] <= trades.times[-1]:
        time_ns, contracts = values.pop(0)
        stop = int(trades.times.searchsorted(time_ns))
        _hear(levels, arrived, trades.part(slice(heard, stop)))
        heard = stop
        if time_ns > levels.known_at:
            levels.handle_open_interest(contracts, time_ns)
            maps.append(levels.map(SPAN))
    _hear(levels, arrived, trades.part(slice(heard, None)))
    arrived.trade_id = arrived_id
    return [(time_ns // MILLISECOND_NS, contracts) for time_ns, contracts in values if time_ns > levels.known_at]


def _hear(levels: LiquidationLevels, arrived: Arrived, trades: Trades) -> None:
    """Second by second: what is run through is noticed when somebody looks."""
    if not len(trades.times):
        return
    bounds = trades.times.searchsorted(np.arange(trades.times[0], trades.times[-1] + 1, SECOND_NS))
    for first, stop in pairwise([*np.unique(bounds).tolist(), len(trades.times)]):
        arrived.put_before(trades.part(slice(first, stop)))
        levels.look()


def _trades(store: Store, symbol: str, start: datetime) -> tuple[Trades, int]:
    """The trades from `start` on, and the id of the last."""
    sql = f"select max(agg_trade_id) from ({store.trades_sql(symbol, start)})"
    ((last_id,),) = store.connection.execute(sql).fetchall()
    return trades_between(store, symbol, start), int(last_id or 0)
