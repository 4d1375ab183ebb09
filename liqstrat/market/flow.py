"""Flow by SQL: what traded between two open-interest values, by trades grouped inside DuckDB, or else by candles."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from liqstrat.liquidation.brackets import BracketTable, dated_brackets, in_force
from liqstrat.liquidation.flow import Flow, flow_from_bars
from liqstrat.liquidation.grid import EDGE_TOLERANCE, Floats, Ints, log_step
from liqstrat.liquidation.model import Since
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.market.candles import length_of
from liqstrat.market.carried import STEP_US, carried
from liqstrat.market.large_trades import large_trades
from liqstrat.market.recorded_candles import finest, lengths, recorded_candles, said_of
from liqstrat.market.store import Store
from liqstrat.moments import MINUTE_US, TICK, at_us, column_us, microseconds, nanoseconds
from liqstrat.progress import SILENT, Progress

Times = npt.NDArray[np.int64]

_INTERVALS_A_QUERY = 2016
_USUAL_STEP_US = 5 * MINUTE_US
#: So that rounding never puts a trade at the first floor below it.
_MARGIN = Decimal("0.000001")

# Sums are made of DECIMALs: those of DOUBLEs depend on the order in which threads deliver their rows. Few and small
# keys, and no comparison with the higher floors for the many small trades: this is half of the query's time.
_GROUPS = """
    select cast({interval} as integer) * {slots} + if(side = 'buy', {brackets}, 0) + {bracket} as slot,
           cast(floor(ln(price::double) / {step!r} + {tolerance!r}) as integer) as bin,
           sum(quantity)::double as contracts,
           min(price)::double as low,
           max(price)::double as high,
           max(agg_trade_id) as last_id,
           arg_max(price, agg_trade_id)::double as close
    from ({trades}) as trades {join}
    group by all
"""


@dataclass(frozen=True, eq=False)
class _Groups:
    """Groups of trades in order of `interval` (counts from 0), bin, taker side and bracket; arrays of one entry each.

    `low`, `high` and `close` have one entry an interval, and so has `bounds`: its first group, and one for the end.
    """

    bounds: Ints
    bins: Ints
    buy: npt.NDArray[np.bool_]
    brackets: Ints
    contracts: Floats
    low: Floats
    high: Floats
    close: Floats


def flows(
    store: Store,
    symbol: str,
    start: datetime | None,
    end: datetime | None,
    settings: ModelSettings,
    progress: Progress = SILENT,
) -> Iterator[tuple[Flow, float]]:
    """The flow of every interval that ends in `(start, end]`, with the open interest (contracts) at its end.

    An interval reaches from the open-interest value before to its own; the first of all is as long as is usual.
    None is unbounded. Trades at the very moment of a value belong to the next interval. An interval without trades
    rests on the shortest candles of which any ended in it, which the store then remarks. Where values are far apart
    and something shorter tells what traded between them, the last one is carried on (`liqstrat.market.carried`).
    """
    times, contracts, own, before = _steps(store, symbol, start, end)
    has_trades, since = "trades" in store.kinds(), None
    if (~own).sum() > own.sum():
        store.say(
            f"{symbol}: values of open interest are more than ten minutes apart; between them the book goes on every "
            "five minutes by what traded, with the last value"
        )
    with progress.task("flow", total=len(times), unit="intervals") as done:
        for part, brackets in _chunks(dated_brackets(symbol, store.brackets(symbol)), times):
            edges = np.concatenate(([int(times[part.start - 1]) if part.start else before], times[part]))
            if has_trades:
                split = _of_trades(store, symbol, edges, settings, brackets)
            else:
                split = (_nothing(first, last) for first, last in pairwise(edges.tolist()))
            filled = _filled(store, symbol, list(split), settings, brackets)
            for flow, held, known in zip(filled, contracts[part].tolist(), own[part].tolist(), strict=True):
                if not known and not len(flow.contracts):
                    # Nothing happened: the next one begins here.
                    since = flow.start_ns if since is None else since
                    continue
                yield (flow if since is None else replace(flow, start_ns=since)), held
                since = None
            done(part.stop - part.start)


def _of_trades(
    store: Store, symbol: str, edges: Times, settings: ModelSettings, brackets: BracketTable
) -> Iterator[Flow]:
    """The flow by trades of each interval between two of `edges`."""
    before, times, rule = int(edges[0]), edges[1:], settings.large_rule
    trades = store.trades_sql(symbol, at_us(before), at_us(int(times[-1])))
    split: Iterator[Flow] = _split(_query(store, trades, before, times, settings, brackets), before, times)
    if rule is not None:
        large = large_trades(store, trades, times, rule, settings.fine_width, brackets.contract)
        split = (replace(flow, large=one) for flow, one in zip(split, large, strict=True))
    return split


def _filled(
    store: Store, symbol: str, split: list[Flow], settings: ModelSettings, brackets: BracketTable
) -> list[Flow]:
    """Consecutive flows, with those of candles in place of the ones in which nothing traded.

    A candle counts where nothing finer tells of most of its time: in a quiet interval among others, one of an hour
    would bring the whole hour's volume again.
    """
    empty = np.array([not len(flow.contracts) for flow in split])
    every = np.array([split[0].start_ns, *(flow.end_ns for flow in split)]) // 1000 if split else np.zeros(1)
    for length in lengths(store):
        if not empty.any():
            break
        first, last = np.flatnonzero(empty)[[0, -1]].tolist()
        edges = np.array([split[first].start_ns, *(flow.end_ns for flow in split[first : last + 1])]) // 1000
        candles = recorded_candles(store, symbol, length, int(edges[0]), int(edges[-1]))
        told = np.concatenate(([0], np.cumsum(np.diff(every) * ~empty)))
        span = length_of(length) // TICK
        covered = np.interp(candles.closes, every, told) - np.interp(candles.closes - span, every, told)
        candles = candles.part(covered * 2 < span)
        bounds = np.searchsorted(candles.closes, edges, side="right")
        taken = []
        for i in (first + np.flatnonzero(np.diff(bounds))).tolist():
            if not empty[i]:
                continue
            within = candles.part(slice(bounds[i - first], bounds[i - first + 1]))
            prices = within.high, within.low, within.close, within.volume, within.taker_buy
            flow = flow_from_bars(
                split[i].start_ns, split[i].end_ns, *prices, width=settings.fine_width, brackets=brackets
            )
            split[i], empty[i] = replace(flow, large=split[i].large), False
            taken.append(within)
        if taken:
            store.say(said_of(symbol, length, taken))
    return split


def _nothing(start_us: int, end_us: int) -> Flow:
    none, nan = np.zeros(0), float("nan")
    bins, buy, brackets = none.astype(np.int64), none.astype(np.bool_), none.astype(np.int64)
    return Flow(start_us * 1000, end_us * 1000, bins, buy, brackets, none, nan, nan, nan)


def reached_since(store: Store, symbol: str, since: datetime, until: datetime) -> Since:
    """How far price went in `[since, until)`, as known at its end: by trades, else by candles that ended by then."""
    asked = nanoseconds(until)
    if "trades" in store.kinds():
        trades = store.trades_sql(symbol, since, until)
        sql = f"select min(price)::double, max(price)::double, arg_max(price, agg_trade_id)::double from ({trades})"
        ((low, high, last),) = store.connection.execute(sql).fetchall()
        if low is not None:
            return Since(asked, low, high, last)
    found = finest(store, symbol, microseconds(since), microseconds(until))
    if found is None:
        return Since(asked)
    length, candles = found
    store.say(said_of(symbol, length, [candles]))
    return Since(asked, float(candles.low.min()), float(candles.high.max()), float(candles.close[-1]))


def _chunks(dated: Sequence[BracketTable], times: Times) -> Iterator[tuple[slice, BracketTable]]:
    """Intervals to ask for at once: not too many, and all under one bracket table."""
    start = 0
    while start < len(times):
        brackets = in_force(dated, at_us(int(times[start])))
        stop = min(start + _INTERVALS_A_QUERY, len(times))
        while in_force(dated, at_us(int(times[stop - 1]))) is not brackets:
            stop = start + (stop - start + 1) // 2
        yield slice(start, stop), brackets
        start = stop


def told_between(store: Store, symbol: str, start: datetime | None, end: datetime | None) -> bool:
    """Whether anything of `[start, end)` is short enough to tell what traded between values of open interest that are
    far apart: trades, or candles of five minutes or less."""
    short = [f"klines_{name}" for name in lengths(store) if length_of(name) // TICK <= STEP_US]
    return any(store.has(kind, symbol, start, end) for kind in ("trades", *short))


def _steps(
    store: Store, symbol: str, start: datetime | None, end: datetime | None
) -> tuple[Times, Floats, npt.NDArray[np.bool_], int]:
    """Times (microseconds) and contracts of the open-interest values, and of those carried on, which are not their own;
    and the time of the one before them."""
    until = end + TICK if end else None
    history = store.open_interest(symbol, None, until)
    times = column_us(history["time"])
    contracts = history["contracts"].to_numpy()
    usual = int(np.median(np.diff(times))) if len(times) > 1 else _USUAL_STEP_US
    earliest = int(times[0]) - usual if len(times) else 0
    own = np.ones(len(times), dtype=np.bool_)
    if len(times) and told_between(store, symbol, start, end):
        times, contracts, own = carried(times, contracts, microseconds(end) if end else int(times[-1]))
    first = int(np.searchsorted(times, microseconds(start), side="right")) if start else 0
    before = int(times[first - 1]) if first else earliest
    return times[first:], contracts[first:], own[first:], before


def _query(
    store: Store, trades: str, before: int, times: Times, settings: ModelSettings, brackets: BracketTable
) -> _Groups:
    """Groups of `trades` (SQL), which happened from `before` up to the last of `times`."""
    edges = np.concatenate(([before], times))
    bucket = int(np.gcd.reduce(edges))
    parts = {
        "slots": 2 * len(brackets),
        "brackets": len(brackets),
        "bracket": _bracket_sql(brackets, *_extremes(store, trades)),
        "step": log_step(settings.fine_width),
        "tolerance": EDGE_TOLERANCE,
        "trades": trades,
    }
    if bucket % MINUTE_US == 0:
        sql = _GROUPS.format(interval=f"epoch_us(timestamp) // {bucket}", join="", **parts)
        groups = store.connection.sql(sql).to_arrow_table()
        number = groups["slot"].to_numpy().astype(np.int64) // parts["slots"]
        interval = np.searchsorted(edges, number * bucket, side="right") - 1
    else:
        numbered = pa.table({"edge": times, "number": np.arange(len(times))})
        store.connection.register("open_interest_edges", numbered)
        join = "asof join open_interest_edges as edges on epoch_us(trades.timestamp) < edges.edge"
        groups = store.connection.sql(_GROUPS.format(interval="number", join=join, **parts)).to_arrow_table()
        store.connection.unregister("open_interest_edges")
        interval = groups["slot"].to_numpy().astype(np.int64) // parts["slots"]
    return _ordered(groups, interval, len(times), len(brackets))


def _extremes(store: Store, trades: str) -> tuple[Decimal, Decimal]:
    """The lowest and the highest price, which DuckDB knows of whole blocks without reading them."""
    ((lowest, highest),) = store.connection.execute(f"select min(price), max(price) from ({trades})").fetchall()
    return lowest or Decimal(0), highest or Decimal(0)


def _bracket_sql(brackets: BracketTable, lowest: Decimal, highest: Decimal) -> str:
    """How many floors lie below the trade's notional, less one: the bracket's index.

    Most trades are so small that they are in the first bracket at any price in the range, and go no further.
    """
    floors, size = brackets.floors[1:].tolist(), brackets.contract.size
    if not floors or not highest:
        return "0"
    dearest = highest if size is None else Decimal(size) / lowest
    small = Decimal(floors[0]) / dearest * (1 - _MARGIN)
    notional = "price::double * quantity::double" if size is None else f"{size!r} / price::double * quantity::double"
    above = " + ".join(f"({notional} > {floor!r}::double)::integer" for floor in floors)
    return f"case when quantity > {small:.8f}::decimal(18, 8) then {above} else 0 end"


def _ordered(groups: pa.Table, interval: Ints, intervals: int, brackets: int) -> _Groups:
    slot, bins, last = (groups[name].to_numpy().astype(np.int64) for name in ("slot", "bin", "last_id"))
    taken = slot % (2 * brackets)
    # Where an interval has several buckets, some groups differ in these alone: threads deliver them in any order.
    order = np.lexsort((slot, taken, bins, interval))
    contracts, low, high, close = (groups[name].to_numpy()[order] for name in ("contracts", "low", "high", "close"))
    interval, bins, taken, last = interval[order], bins[order], taken[order], last[order]
    bounds = np.searchsorted(interval, np.arange(intervals + 1))
    traded = np.flatnonzero(np.diff(bounds))
    starts = bounds[traded]
    prices = np.full((3, intervals), np.nan)
    if len(traded):
        latest = np.repeat(np.maximum.reduceat(last, starts), np.diff(bounds)[traded]) == last
        prices[:, traded] = np.minimum.reduceat(low, starts), np.maximum.reduceat(high, starts), close[latest]
    keys = np.stack((interval, bins, taken))
    first = np.flatnonzero(np.any(np.diff(keys, prepend=-1) != 0, axis=0))
    if len(first) < len(order):
        contracts, (interval, bins, taken) = np.add.reduceat(contracts, first), keys[:, first]
        bounds = np.searchsorted(interval, np.arange(intervals + 1))
    return _Groups(bounds, bins, taken >= brackets, taken % brackets, contracts, *prices)


def _split(groups: _Groups, before: int, times: Times) -> Iterator[Flow]:
    starts = [before, *times[:-1].tolist()]
    bounds, prices = groups.bounds.tolist(), zip(groups.low, groups.high, groups.close, strict=True)
    for i, (start, end, (low, high, close)) in enumerate(zip(starts, times.tolist(), prices, strict=True)):
        rows = slice(bounds[i], bounds[i + 1])
        yield Flow(
            start_ns=start * 1000,
            end_ns=end * 1000,
            bins=groups.bins[rows],
            buy=groups.buy[rows],
            brackets=groups.brackets[rows],
            contracts=groups.contracts[rows],
            low=float(low),
            high=float(high),
            close=float(close),
        )
