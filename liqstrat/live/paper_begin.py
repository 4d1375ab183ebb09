"""What a session on paper begins with: the last open interest of which all trades of before are in the database."""

import hashlib
import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from liqstrat.backtest.levels.interval import Trades
from liqstrat.backtest.levels.warmup import trades_between
from liqstrat.backtest.markets import read_rates
from liqstrat.config import RunFile
from liqstrat.errors import LiqstratError
from liqstrat.live.session import Begin
from liqstrat.market.store import Store
from liqstrat.moments import at_ns


def beginning(store: Store, run: RunFile, recordings: Path) -> Begin:
    """Where a new session of a run begins. Raises `LiqstratError` where there is no history to begin with."""
    starts, after = [], dict[str, int]()
    for symbol in run.symbols:
        spans = [store.span(symbol, kind) for kind in ("open_interest", "trades")]
        if spans[0] is None or spans[1] is None:
            raise LiqstratError(f"{store.path}: no {'open interest' if spans[1] else 'trades'} of {symbol}")
        known = store.open_interest(symbol, None, spans[1][1])["time"].to_pylist()
        if not known:
            raise LiqstratError(f"{store.path}: open interest of {symbol} begins after its trades end")
        starts.append(known[-1])
        sql = f"select max(agg_trade_id) from ({store.trades_sql(symbol)})"
        ((last,),) = store.connection.execute(sql).fetchall()
        after[symbol] = int(last)
    start = min(starts)
    simulated = any(store.simulated(symbol) for symbol in run.symbols)
    config = run.model_dump(mode="json", by_alias=True)
    rates = {symbol: read_rates(store, symbol, start, start) for symbol in run.symbols}
    known = {symbol: (int(one.times[-1]), float(one.rates[-1])) for symbol, one in rates.items() if len(one.times)}
    return Begin(config, hash_of(run), start.isoformat(), str(recordings), simulated, after, known)


def hash_of(run: RunFile) -> str:
    """Of all in a run file that shapes a session: times and places do not."""
    config = run.model_dump(mode="json", by_alias=True, exclude={"start", "end", "report"})
    config["data"] = {"warmup_days": run.data.warmup_days}
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def trades_up_to(store: Store, symbol: str, start: datetime, last_id: int) -> Trades:
    """The trades of history from `start` on, up to one."""
    sql = f"select epoch_us(max(timestamp)) from ({store.trades_sql(symbol, start)}) where agg_trade_id <= {last_id}"
    ((last,),) = store.connection.execute(sql).fetchall()
    if last is None:
        nothing = np.zeros(0)
        return Trades(nothing.astype(np.int64), nothing, nothing, nothing.astype(np.bool_))
    end = at_ns(int(last) * 1000) + timedelta(microseconds=1)
    return trades_between(store, symbol, start, end)
