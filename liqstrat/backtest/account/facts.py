"""What there is, and what is missing, of the history that a run asks for."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from liqstrat.catalog.candles import candle_kinds
from liqstrat.catalog.minutes import MinuteBars
from liqstrat.config import RunFile
from liqstrat.errors import LiqstratError
from liqstrat.liquidation.grid import Ints
from liqstrat.market.connection import first_row
from liqstrat.market.quality import largest, missing_trades
from liqstrat.market.store import Store
from liqstrat.moments import HOUR_NS, MINUTE_NS, at_ns, at_us, column_us

#: Silence of the trades that is worth a note.
QUIET_MINUTES = 30
_MOST_GAPS = 5

Span = tuple[datetime, datetime] | None


def require_history(store: Store, run: RunFile) -> None:
    """Raise `LiqstratError`, telling what the database has, where history does not reach over the run.

    It must have prices from the run's first day to its last, and open interest for at least a part. Gaps between are
    noted, see `gaps`.
    """
    prices = ["trades"] if run.bar_minutes is None else ["trades", *candle_kinds(store)]
    for symbol in run.symbols:
        spans = {kind: store.span(symbol, kind) for kind in (*prices, "open_interest")}
        if not any(_covers(spans[kind], run) for kind in prices):
            raise _nothing(store, symbol, prices, run, spans)
        if not _overlaps(spans["open_interest"], run.start - timedelta(days=run.data.warmup_days), run.end):
            raise _nothing(store, symbol, ["open_interest"], run, spans)


def data_facts(store: Store, run: RunFile) -> list[dict[str, Any]]:
    """Rows and range, by symbol and kind, of what the run uses between its start and end."""
    kinds = [kind for kind in ("trades", *candle_kinds(store), "open_interest", "funding") if kind in store.kinds()]
    return [fact for symbol in run.symbols for kind in kinds if (fact := _fact(store, symbol, kind, run))]


def gaps(symbol: str, bars: MinuteBars, open_interest: Ints, start_ns: int, end_ns: int) -> list[str]:
    """Notes on stretches of the run without trades or without open interest."""
    minute = start_ns + np.arange(max((end_ns - start_ns) // MINUTE_NS, 0), dtype=np.int64) * MINUTE_NS
    index = (minute - bars.start_ns) // MINUTE_NS
    inside = (index >= 0) & (index < len(bars))
    traded = np.zeros(len(minute), dtype=np.bool_)
    traded[inside] = bars.volume[index[inside]] > 0
    longest = max(QUIET_MINUTES, 2 * bars.minutes_a_bar)
    quiet = _stretches(np.append(minute[traded], end_ns), start_ns, longest * MINUTE_NS)
    usual = int(np.median(np.diff(open_interest))) if len(open_interest) > 1 else 5 * MINUTE_NS
    missing = _stretches(np.append(open_interest, end_ns), start_ns, usual + usual // 2)
    return [
        *_notes(symbol, "no trades", quiet),
        *_notes(symbol, "no open interest, levels rest on the last value", missing),
    ]


def lost_trades(store: Store, symbol: str, start: datetime, end: datetime) -> list[str]:
    """Notes on ids (`agg_trade_id`) that are missing among the trades of `[start, end)`, the largest gaps by name.

    Such trades happened and are not in the history: prices may have been reached, and positions opened, unseen.
    """
    if store.span(symbol, "trades") is None:
        return []
    missing = missing_trades(store, symbol, start, end)
    named = largest(missing, _MOST_GAPS)
    notes = [
        f"{symbol}: {gap.missing:,} trades are missing (agg_trade_id) between {gap.start:%Y-%m-%d %H:%M:%S} "
        f"and {gap.end:%Y-%m-%d %H:%M:%S}"
        for gap in named
    ]
    if len(missing) > len(named):
        rest = sum(gap.missing for gap in missing) - sum(gap.missing for gap in named)
        notes.append(f"{symbol}: {rest:,} trades are missing in {len(missing) - len(named):,} more gaps")
    return notes


def _stretches(times: Ints, start_ns: int, longest: int) -> list[tuple[int, int]]:
    """Where two neighbouring times (the start counts as one) are more than `longest` apart."""
    edges = np.concatenate(([start_ns], times))
    wide = np.flatnonzero(np.diff(edges) > longest)
    return [(int(edges[i]), int(edges[i + 1])) for i in wide]


def _notes(symbol: str, what: str, stretches: list[tuple[int, int]]) -> Iterator[str]:
    for start, end in stretches[:_MOST_GAPS]:
        yield f"{symbol}: {what} from {_moment(start)} to {_moment(end)}"
    if len(stretches) > _MOST_GAPS:
        rest = sum(end - start for start, end in stretches[_MOST_GAPS:]) / HOUR_NS
        yield f"{symbol}: {what} in {len(stretches) - _MOST_GAPS} more stretches, {rest:.1f} hours in all"


def _moment(ns: int) -> str:
    return f"{at_ns(ns):%Y-%m-%d %H:%M}"


def _fact(store: Store, symbol: str, kind: str, run: RunFile) -> dict[str, Any] | None:
    if kind == "trades":
        rows = store.trades_sql(symbol, run.start, run.end)
        sql = f"select count(*), epoch_us(min(timestamp)), epoch_us(max(timestamp)) from ({rows})"
        count, first, last = first_row(store.connection, sql) or (0, None, None)
    else:
        if kind in ("open_interest", "funding"):
            read = {"open_interest": store.open_interest, "funding": store.funding}[kind]
            table = read(symbol, run.start, run.end)
        else:
            table = store.klines(symbol, run.start, run.end, kind.removeprefix("klines_"))
        time = column_us(table["time"])
        count = len(time)
        first, last = time[[0, -1]].tolist() if count else (None, None)
    if not count:
        return None
    return {"symbol": symbol, "kind": kind, "rows": count, "start": _iso(first), "end": _iso(last)}


def _iso(us: int) -> str:
    return at_us(us).isoformat()


def _covers(span: Span, run: RunFile) -> bool:
    """Whether there is something on the first day and on the last."""
    if span is None:
        return False
    first, last = (moment.replace(hour=0, minute=0, second=0, microsecond=0) for moment in span)
    return first <= run.start and run.end <= last + timedelta(days=1)


def _overlaps(span: Span, start: datetime, end: datetime) -> bool:
    return span is not None and span[0] < end and span[1] >= start


def _nothing(store: Store, symbol: str, wanted: list[str], run: RunFile, spans: dict[str, Span]) -> LiqstratError:
    there = [f"{kind} {span[0]:%Y-%m-%d %H:%M} to {span[1]:%Y-%m-%d %H:%M}" for kind, span in spans.items() if span]
    candles = [kind for kind in candle_kinds(store) if wanted == ["trades"] and _covers(store.span(symbol, kind), run)]
    hint = f'. There are {", ".join(candles)}: set resolution = "1m" to replay candles' if candles else ""
    return LiqstratError(
        f"{store.path}: history of {symbol} ({' or '.join(wanted)}) does not cover "
        f"{run.start:%Y-%m-%d %H:%M} to {run.end:%Y-%m-%d %H:%M}; "
        f"it has {', '.join(there) or 'none of either'} (UTC){hint}"
    )
