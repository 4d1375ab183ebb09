"""The results folder of a run: what a report needs, in JSON and Parquet, the same bytes for the same run.

Money is in USDT, quantities in base asset, times in UTC; numbers are for display, the exact ones stay in the ledger.
"""

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from liqstrat.backtest.account.equity import EquityCurve
from liqstrat.backtest.account.known import level_row
from liqstrat.backtest.account.ledger import Fill, Funding, Ledger, OrderRecord, RoundTrip
from liqstrat.backtest.account.trades import Course
from liqstrat.backtest.sketch import Sketch
from liqstrat.backtest.ticket import Refusal
from liqstrat.catalog.minutes import MinuteBars
from liqstrat.config import RunFile
from liqstrat.liquidation.grid import Ints
from liqstrat.moments import MINUTE_NS

MOST_CANDLES = 3000
_CANDLE_MINUTES = (1, 2, 3, 5, 10, 15, 30, 60, 120, 240, 480, 720, 1440)
_KINDS = {"t": pa.timestamp("us", "UTC"), "s": pa.string(), "f": pa.float64(), "b": pa.bool_(), "i": pa.int32()}


def schema(columns: str) -> pa.Schema:
    """A schema from `name:kind` words; kinds are t(ime), s(tring), f(loat), b(ool), i(nteger)."""
    pairs = (column.split(":") for column in columns.split())
    return pa.schema([(name, _KINDS[kind]) for name, kind in pairs])


EQUITY = schema("time:t equity:f balance:f unrealized:f notional:f")
ORDERS = schema(
    "order_id:s strategy:s symbol:s side:s type:s quantity:f price:f trigger_price:f status:s filled:f"
    " average_price:f reduce_only:b role:s time_submitted:t time_closed:t reason:s times:i"
)
FILLS = schema("time:t order_id:s strategy:s symbol:s side:s quantity:f price:f fee:f liquidity:s role:s slippage:f")
POSITIONS = schema(
    "position_id:s strategy:s symbol:s side:s opened:t closed:t quantity:f entry_price:f exit_price:f pnl:f fees:f"
    " funding:f return:f exit_role:s level_side:s level_low:f level_high:f level_contracts:f level_notional:f reason:s"
    " mae:f mfe:f risk:f r:f level_strength:f level_age_hours:f level_leverage:f level_high_leverage:f"
    " level_distance:f level_touched:i level_seeded:f level_least:f level_most:f"
)
FUNDING = schema("time:t strategy:s symbol:s amount:f")
CANDLES = schema("symbol:s time:t open:f high:f low:f close:f volume:f")
LEVELS = schema("time:t symbol:s side:s price_low:f price_high:f leverage:i contracts:f")
PLOTS = schema("time:t strategy:s symbol:s name:s value:f")
NOTES = schema("time:t strategy:s symbol:s price:f text:s")
MAP = schema("symbol:s side:s price_low:f price_high:f leverage:i contracts:f price:f")
BANDED_MAP = schema("symbol:s side:s price_low:f price_high:f leverage:i contracts:f price:f low:f high:f")


def versions() -> dict[str, str]:
    """What the results were made with."""
    names = ("liqstrat", "nautilus_trader", "duckdb", "numpy")
    return {**{name: version(name) for name in names}, "python": platform.python_version()}


def config_hash(run: RunFile) -> str:
    """SHA-256 of all in the run file that shapes the results; where the data lies does not."""
    config = run.model_dump(mode="json", by_alias=True)
    config["data"] = {"warmup_days": run.data.warmup_days}
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON that is easy to read and to compare; NaN in it is a mistake."""
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def write_table(path: Path, columns: Mapping[str, Any], columns_schema: pa.Schema) -> None:
    """Write arrays or lists, by column name, as Parquet."""
    pq.write_table(pa.table(dict(columns), schema=columns_schema), path, compression="zstd")


def write_account(folder: Path, ledger: Ledger, curve: EquityCurve, courses: Sequence[Course]) -> None:
    """Write equity, orders, fills, positions with their courses, and funding."""
    equity = {"time": times(curve.times), "equity": curve.equity, "balance": curve.balance}
    equity |= {"unrealized": curve.unrealized, "notional": curve.notional}
    write_table(folder / "equity.parquet", equity, EQUITY)
    orders = [*map(_order_row, ledger.orders), *map(_refusal_row, ledger.refusals)]
    orders.sort(key=lambda row: row["time_submitted"] or 0)
    _write_rows(folder / "orders.parquet", orders, ORDERS)
    _write_rows(folder / "fills.parquet", map(_fill_row, ledger.fills), FILLS)
    positions = ({**_position_row(trip), **vars(course)} for trip, course in zip(ledger.trips, courses, strict=True))
    _write_rows(folder / "positions.parquet", positions, POSITIONS)
    _write_rows(folder / "funding.parquet", map(_funding_row, ledger.funding), FUNDING)


def write_candles(folder: Path, minutes: Mapping[str, MinuteBars], start_ns: int, end_ns: int) -> None:
    """Write the candles of `[start_ns, end_ns)`, as short as at most `MOST_CANDLES` a symbol allow."""
    length = (end_ns - start_ns) / MINUTE_NS
    size = next((m for m in _CANDLE_MINUTES if length / m <= MOST_CANDLES), _CANDLE_MINUTES[-1])
    tables = [candles(symbol, bars, start_ns, end_ns, size) for symbol, bars in minutes.items()]
    pq.write_table(pa.concat_tables(tables), folder / "candles.parquet", compression="zstd")


def write_sketch(folder: Path, sketch: Sketch) -> None:
    """Write what strategies plotted, by time, null where a line is broken, and their notes."""
    tables = [PLOTS.empty_table()]
    for (strategy, symbol, name), series in sketch.series.items():
        value = pa.array(np.array(series.values), from_pandas=True)
        columns = {"time": times(np.array(series.times)), "strategy": [strategy] * len(value)}
        columns |= {"symbol": [symbol] * len(value), "name": [name] * len(value), "value": value}
        tables.append(pa.table(columns, schema=PLOTS))
    plots = pa.concat_tables(tables)
    order = np.argsort(plots["time"].cast(pa.int64()).to_numpy(), kind="stable")
    pq.write_table(plots.take(order), folder / "plots.parquet", compression="zstd")
    rows = ({**note._asdict(), "time": _us(note.time_ns), "price": _finite(note.price)} for note in sketch.notes)
    _write_rows(folder / "notes.parquet", rows, NOTES)


def candles(symbol: str, bars: MinuteBars, start_ns: int, end_ns: int, size: int) -> pa.Table:
    """Candles of `size` minutes, beginning at multiples of it."""
    first = max((start_ns - bars.start_ns) // MINUTE_NS, 0)
    stop = min(-(-(end_ns - bars.start_ns) // MINUTE_NS), len(bars))
    opened = bars.start_ns + np.arange(first, stop, dtype=np.int64) * MINUTE_NS
    group = opened // (size * MINUTE_NS)
    at = np.flatnonzero(np.diff(group, prepend=-1))
    last = np.append(at[1:], len(group)) - 1 if len(at) else at
    part = slice(first, stop)
    columns = {
        "symbol": [symbol] * len(at),
        "time": times(group[at] * size * MINUTE_NS),
        "open": bars.open[part][at],
        "high": np.maximum.reduceat(bars.high[part], at) if len(at) else [],
        "low": np.minimum.reduceat(bars.low[part], at) if len(at) else [],
        "close": bars.close[part][last],
        "volume": np.add.reduceat(bars.volume[part], at) if len(at) else [],
    }
    return pa.table(columns, schema=CANDLES)


def times(nanoseconds: Ints) -> pa.Array:
    """Nanoseconds since 1970 as the results' times."""
    return pa.array(nanoseconds // 1000, type=pa.int64()).cast(_KINDS["t"])


def _write_rows(path: Path, rows: Iterable[Mapping[str, Any]], columns_schema: pa.Schema) -> None:
    pq.write_table(pa.Table.from_pylist(list(rows), schema=columns_schema), path, compression="zstd")


def _order_row(order: OrderRecord) -> dict[str, Any]:
    numbers = {name: _float(getattr(order, name)) for name in ("quantity", "price", "trigger_price", "filled")}
    moments = {"time_submitted": _us(order.submitted_ns), "time_closed": _us(order.closed_ns)}
    return {**vars(order), **numbers, **moments, "average_price": _float(order.average_price), "times": 1}


def _refusal_row(refusal: Refusal) -> dict[str, Any]:
    """An entry that was never sent; several in a row for the same reason are one."""
    return {
        **vars(refusal),
        "order_id": "",
        "type": "market",
        "quantity": float(refusal.quantity),
        "status": "refused",
        "filled": 0.0,
        "reduce_only": False,
        "role": "entry",
        "time_submitted": _us(refusal.time_ns),
        "reason": f"{refusal.reason}: {refusal.detail}" if refusal.detail else refusal.reason,
    }


def _fill_row(fill: Fill) -> dict[str, Any]:
    numbers = {name: _float(getattr(fill, name)) for name in ("quantity", "price", "fee", "slippage")}
    liquidity = "maker" if fill.maker else "taker"
    return {**vars(fill), **numbers, "time": _us(fill.time_ns), "liquidity": liquidity}


def _funding_row(payment: Funding) -> dict[str, Any]:
    return {**vars(payment), "time": _us(payment.time_ns), "amount": _float(payment.amount)}


def _position_row(trip: RoundTrip) -> dict[str, Any]:
    numbers = {name: _float(getattr(trip, name)) for name in ("quantity", "pnl", "fees", "funding")}
    moments = {"opened": _us(trip.opened_ns), "closed": _us(trip.closed_ns)}
    row = {**vars(trip), **numbers, **moments, "return": trip.result}
    return {**row, **level_row(trip), "reason": trip.entry.reason if trip.entry else ""}


def _us(nanoseconds: int | None) -> int | None:
    return None if nanoseconds is None else nanoseconds // 1000


def _float(value: Any) -> float | None:
    return None if value is None else float(value)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
