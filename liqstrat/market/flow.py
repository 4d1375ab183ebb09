"""Flow by SQL: what traded between two open-interest values, grouped inside DuckDB."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from liqstrat.liquidation.brackets import BracketTable, brackets_for
from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.grid import EDGE_TOLERANCE, log_step
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.market.store import Store
from liqstrat.progress import SILENT, Progress

Times = npt.NDArray[np.int64]

_US_PER_MINUTE = 60_000_000
_INTERVALS_A_QUERY = 2016
_USUAL_STEP_US = 5 * _US_PER_MINUTE

# Sums are made of DECIMALs: those of DOUBLEs depend on the order in which threads deliver their rows.
_GROUPS = """
    select {interval} as interval,
           cast(floor(ln(price::double) / {step!r} + {tolerance!r}) as bigint) as bin,
           side = 'buy' as buy,
           {bracket} as bracket,
           sum(quantity)::double as contracts,
           min(price)::double as low,
           max(price)::double as high,
           max(agg_trade_id) as last_id,
           arg_max(price, agg_trade_id)::double as close
    from ({trades}) as trades {join}
    group by all
    order by interval, bin, buy, bracket
"""


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
    None is unbounded. Trades at the very moment of a value belong to the next interval.
    """
    times, contracts, before = _steps(store, symbol, start, end)
    with progress.task("flow", total=len(times), unit="intervals") as done:
        for part, brackets in _chunks(symbol, times):
            previous = int(times[part.start - 1]) if part.start else before
            groups = _query(store, symbol, previous, times[part], settings, brackets)
            yield from zip(_split(groups, previous, times[part]), contracts[part].tolist(), strict=True)
            done(part.stop - part.start)


def _chunks(symbol: str, times: Times) -> Iterator[tuple[slice, BracketTable]]:
    """Intervals to ask for at once: not too many, and all under one bracket table."""
    start = 0
    while start < len(times):
        brackets = brackets_for(symbol, _moment(int(times[start])))
        stop = min(start + _INTERVALS_A_QUERY, len(times))
        while brackets_for(symbol, _moment(int(times[stop - 1]))) is not brackets:
            stop = start + (stop - start + 1) // 2
        yield slice(start, stop), brackets
        start = stop


def _steps(
    store: Store, symbol: str, start: datetime | None, end: datetime | None
) -> tuple[Times, npt.NDArray[np.float64], int]:
    """Times (microseconds) and contracts of the open-interest values, and the time of the one before them."""
    until = end + timedelta(microseconds=1) if end else None
    history = store.open_interest(symbol, None, until)
    times = history["time"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
    contracts = history["contracts"].to_numpy()
    first = int(np.searchsorted(times, _us(start), side="right")) if start else 0
    usual = int(np.median(np.diff(times))) if len(times) > 1 else _USUAL_STEP_US
    before = int(times[first - 1]) if first else int(times[0]) - usual if len(times) else 0
    return times[first:], contracts[first:], before


def _query(
    store: Store, symbol: str, before: int, times: Times, settings: ModelSettings, brackets: BracketTable
) -> pa.Table:
    """Groups of trades from `before` up to the last of `times`; `interval` counts from 0 in order of `times`."""
    edges = np.concatenate(([before], times))
    bucket = int(np.gcd.reduce(edges))
    on_grid = bucket % _US_PER_MINUTE == 0
    trades = store.trades_sql(symbol, _moment(before), _moment(int(times[-1])))
    names = {
        "step": log_step(settings.bin_width),
        "tolerance": EDGE_TOLERANCE,
        "bracket": _bracket_sql(brackets),
        "trades": trades,
    }
    if on_grid:
        sql = _GROUPS.format(interval=f"epoch_us(timestamp) // {bucket}", join="", **names)
        groups = store.connection.sql(sql).to_arrow_table()
        ends = groups["interval"].to_numpy() * bucket
        interval = np.searchsorted(edges, ends, side="right") - 1
    else:
        store.connection.register("open_interest_edges", pa.table({"edge": times}))
        join = "asof join open_interest_edges as edges on epoch_us(trades.timestamp) < edges.edge"
        groups = store.connection.sql(_GROUPS.format(interval="edge", join=join, **names)).to_arrow_table()
        store.connection.unregister("open_interest_edges")
        interval = np.searchsorted(times, groups["interval"].to_numpy())
    return groups.set_column(0, "interval", pa.array(interval))


def _bracket_sql(brackets: BracketTable) -> str:
    """How many floors lie below the trade's notional, less one: the bracket's index."""
    floors = [f"(price::double * quantity::double > {floor!r})::int" for floor in brackets.floors[1:].tolist()]
    return " + ".join(floors) or "0"


def _split(groups: pa.Table, before: int, times: Times) -> Iterator[Flow]:
    interval, bins, brackets, last = (
        groups[name].to_numpy().astype(np.int64) for name in ("interval", "bin", "bracket", "last_id")
    )
    contracts, low, high, close = (groups[name].to_numpy() for name in ("contracts", "low", "high", "close"))
    buy = groups["buy"].to_numpy(zero_copy_only=False) if len(groups) else np.zeros(0, dtype=np.bool_)
    bounds = np.searchsorted(interval, np.arange(len(times) + 1))
    for i, end in enumerate(times.tolist()):
        rows = slice(bounds[i], bounds[i + 1])
        empty = rows.start == rows.stop
        yield Flow(
            start_ns=(before if i == 0 else int(times[i - 1])) * 1000,
            end_ns=end * 1000,
            bins=bins[rows],
            buy=buy[rows],
            brackets=brackets[rows],
            contracts=contracts[rows],
            low=np.nan if empty else float(low[rows].min()),
            high=np.nan if empty else float(high[rows].max()),
            close=np.nan if empty else float(close[rows][last[rows].argmax()]),
        )


def _us(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)


def _moment(us: int) -> datetime:
    return datetime.fromtimestamp(us // 1_000_000, UTC) + timedelta(microseconds=us % 1_000_000)
