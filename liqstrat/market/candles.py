"""Candles by SQL: as recorded, from shorter candles, or from trades."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from liqstrat.errors import LiqstratError
from liqstrat.market.selects import moment

_UNITS = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week"}
_COLUMNS = ("open", "high", "low", "close", "volume", "taker_buy_volume")


def length_of(interval: str) -> timedelta:
    """How long an interval like "1m", "15m", "4h" or "1d" is; raises `LiqstratError` for any other text."""
    unit = _UNITS.get(interval[-1:])
    if unit is None or not interval[:-1].isdecimal() or int(interval[:-1]) == 0:
        raise LiqstratError(f'"{interval}" is not a candle length, expected for example 1m, 15m, 4h or 1d')
    return int(interval[:-1]) * timedelta(**{f"{unit}s": 1})


def shorter(interval: str, there: Iterable[str]) -> list[str]:
    """Those of the intervals `there` that candles of `interval` can be built from, a minute first, then long ones."""
    wanted = length_of(interval)
    lengths = {name: length_of(name) for name in there if name[:-1].isdecimal() and name[-1] in _UNITS}
    fitting = [name for name, length in lengths.items() if length < wanted and not wanted % length]
    return sorted(fitting, key=lambda name: (name != "1m", -lengths[name]))


def whole_end(end: datetime | None, interval: str) -> datetime | None:
    """A bound for the rows that a candle which opens before `end` may be made of."""
    return None if end is None else end + length_of(interval)


def as_recorded(klines: str) -> str:
    """SQL: candles of a klines select, one for each open time: of several the one with the most volume."""
    columns = ", ".join(f"arg_max({name}, volume) as {name}" for name in _COLUMNS)
    return f"select timestamp as time, {columns} from ({klines}) group by all order by time"


def from_candles(klines: str, interval: str, start: datetime | None, end: datetime | None) -> str:
    """SQL: candles of `interval` that open in `[start, end)`, from shorter ones."""
    values = """
        arg_min(open, time) as open, max(high) as high, min(low) as low, arg_max(close, time) as close,
        sum(volume) as volume,
        case when count(taker_buy_volume) = count(*) then sum(taker_buy_volume) end as taker_buy_volume
    """
    return _grouped(f"select *, time as timestamp from ({as_recorded(klines)})", values, interval, start, end)


def from_trades(trades: str, interval: str, start: datetime | None, end: datetime | None) -> str:
    """SQL: candles of `interval` that open in `[start, end)`; the first and last trade are so by id."""
    values = """
        arg_min(price, agg_trade_id) as open, max(price) as high, min(price) as low,
        arg_max(price, agg_trade_id) as close,
        sum(quantity) as volume, coalesce(sum(quantity) filter (side = 'buy'), 0) as taker_buy_volume
    """
    return _grouped(trades, values, interval, start, end)


def _grouped(rows: str, values: str, interval: str, start: datetime | None, end: datetime | None) -> str:
    """Only candles whose open lies in the range: one that opens before would be half of a candle."""
    length = int(length_of(interval).total_seconds())
    bounds = [f"opened {sign} {moment(bound)}" for sign, bound in ((">=", start), ("<", end)) if bound]
    where = f"where {' and '.join(bounds)}" if bounds else ""
    return f"""
        select opened as time, {values}
        from (select *, time_bucket(interval '{length} seconds', timestamp) as opened from ({rows}))
        {where} group by opened order by opened
    """
