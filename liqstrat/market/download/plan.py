"""Which files of the public archive hold a range of days.

Layout of data.binance.vision, USDⓈ-M futures; COIN-M's, as BTCUSD_PERP, lie in `futures/cm` alike. Every file has its
SHA-256 beside it, as `<name>.zip.CHECKSUM`:

    data/futures/um/daily/aggTrades/BTCUSDT/BTCUSDT-aggTrades-2024-03-01.zip
    data/futures/um/daily/metrics/BTCUSDT/BTCUSDT-metrics-2024-03-01.zip
    data/futures/um/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2024-03-01.zip
    data/futures/um/daily/liquidationSnapshot/BTCUSDT/BTCUSDT-liquidationSnapshot-2024-03-01.zip
    data/futures/um/monthly/aggTrades/BTCUSDT/BTCUSDT-aggTrades-2024-03.zip
    data/futures/um/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-03.zip
    data/futures/um/monthly/fundingRate/BTCUSDT/BTCUSDT-fundingRate-2024-03.zip

A day appears some hours after it has ended, a month some days after. liquidationSnapshot of USDⓈ-M stops at 2024-03-31,
and the exchange has since taken these files away: they are asked for and, as a rule, missing. COIN-M's reach from
2023-06-25 to 2024-10-14.
"""

import calendar
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from liqstrat.errors import LiqstratError, did_you_mean
from liqstrat.liquidation.contract import contract_of

#: What can be asked for, and in which files the archive has it.
KINDS: dict[str, tuple[str, ...]] = {
    "aggTrades": ("monthly", "daily"),
    "metrics": ("daily",),
    "fundingRate": ("monthly",),
    "klines": ("monthly", "daily"),
    "liquidationSnapshot": ("daily",),
}
#: Lengths of klines that the archive has by month and by day.
INTERVALS = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d")

_ROOT = "data/futures"
_MARKET_OPENED = date(2019, 9, 1)
_SYMBOL = re.compile(r"[A-Z0-9]+(_[A-Z0-9]+)*")
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """A zip of the archive: `path` below the archive's address and below the target folder, the first day it holds
    and how many. `instead`: the daily files of the same days, for a month that the archive does not have (yet)."""

    symbol: str
    kind: str
    path: str
    first: date
    days: int
    instead: tuple["ArchiveFile", ...] = ()

    @property
    def last(self) -> date:
        return self.first + (self.days - 1) * _ONE_DAY


def plan(
    symbols: Sequence[str],
    start: date,
    end: date,
    kinds: Sequence[str] = tuple(KINDS),
    interval: str = "1m",
    held: Callable[[ArchiveFile], bool] = lambda file: False,
) -> list[ArchiveFile]:
    """The files that hold the days from `start` up to but without `end`, by symbol, kind and time.

    Whole months come as one file where the kind has such files. `held` says what is there already: a month that is
    held serves any of its days, and a month of which some days are held is completed by day. So no day is
    ever taken twice. fundingRate has months only, which may reach beyond the range.

    Raises LiqstratError for a symbol, kind, interval or range that cannot be.
    """
    _check(symbols, start, end, kinds, interval)
    return [
        file
        for symbol in dict.fromkeys(symbols)
        for kind in dict.fromkeys(kinds)
        for first, last in _months(start, end - _ONE_DAY)
        for file in _of_month(symbol, kind, interval, first, last, held)
    ]


def _of_month(
    symbol: str, kind: str, interval: str, first: date, last: date, held: Callable[[ArchiveFile], bool]
) -> list[ArchiveFile]:
    days = [_day(symbol, kind, interval, day) for day in _days(first, last)] if "daily" in KINDS[kind] else []
    if "monthly" not in KINDS[kind]:
        return days
    month = _month(symbol, kind, interval, first, tuple(days))
    whole = (last - first).days + 1 == month.days
    if not days or held(month) or (whole and not any(held(day) for day in days)):
        return [month]
    return days


def _day(symbol: str, kind: str, interval: str, day: date) -> ArchiveFile:
    return ArchiveFile(symbol, kind, _path("daily", symbol, kind, interval, day.isoformat()), day, 1)


def _month(symbol: str, kind: str, interval: str, day: date, days: tuple[ArchiveFile, ...]) -> ArchiveFile:
    length = calendar.monthrange(day.year, day.month)[1]
    path = _path("monthly", symbol, kind, interval, f"{day:%Y-%m}")
    return ArchiveFile(symbol, kind, path, day.replace(day=1), length, instead=days)


def _path(cadence: str, symbol: str, kind: str, interval: str, period: str) -> str:
    root = f"{_ROOT}/{'cm' if contract_of(symbol).inverse else 'um'}/{cadence}/{kind}/{symbol}"
    if kind == "klines":
        return f"{root}/{interval}/{symbol}-{interval}-{period}.zip"
    return f"{root}/{symbol}-{kind}-{period}.zip"


def _days(first: date, last: date) -> Iterator[date]:
    for offset in range((last - first).days + 1):
        yield first + offset * _ONE_DAY


def _months(first: date, last: date) -> Iterator[tuple[date, date]]:
    """First and last day within the range, of every month it touches."""
    while first <= last:
        end = first.replace(day=calendar.monthrange(first.year, first.month)[1])
        yield first, min(end, last)
        first = end + _ONE_DAY


def _check(symbols: Sequence[str], start: date, end: date, kinds: Sequence[str], interval: str) -> None:
    if isinstance(symbols, str) or isinstance(kinds, str):
        raise TypeError("symbols and kinds are sequences of names, not one name")
    if not symbols or not kinds:
        raise LiqstratError("nothing to download: expected at least one symbol and one kind")
    for symbol in symbols:
        if not _SYMBOL.fullmatch(symbol):
            hint = f' (did you mean "{symbol.upper()}"?)' if _SYMBOL.fullmatch(symbol.upper()) else ""
            raise LiqstratError(f'symbol "{symbol}": expected capital letters, digits and _, as BTCUSDT{hint}')
    for kind in kinds:
        if kind not in KINDS:
            raise LiqstratError(f'kind "{kind}": expected one of {", ".join(KINDS)}{did_you_mean(kind, KINDS)}')
    if interval not in INTERVALS:
        raise LiqstratError(f'interval "{interval}": expected one of {", ".join(INTERVALS)}')
    for name, day in (("start", start), ("end", end)):
        if isinstance(day, datetime) or not isinstance(day, date):
            raise TypeError(f"{name} is {day!r}, expected a date")
    if start < _MARKET_OPENED:
        raise LiqstratError(f"range starts at {start}, expected a day from {_MARKET_OPENED} on, when the market opened")
    if end <= start:
        raise LiqstratError(f"range from {start} up to {end} holds no day; its end is not included")
