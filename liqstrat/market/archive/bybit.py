"""Bybit: trades of its public archive, and what its API (version 5) answers and streams. All there is of it is here.

Trades: https://public.bybit.com/trading/BTCUSDT/BTCUSDT2024-03-01.csv.gz, one row a fill. They have no number of their
own: they are numbered by day, in order of time and of the file.

Candles: https://public.bybit.com/kline_for_metatrader4/BTCUSDT/2024/BTCUSDT_1_2024-03-01_2024-03-31.csv.gz, the length
in minutes in the name, without a header: time, open, high, low, close, volume. Their clock is UTC+3 all year, which the
files do not say.

The API, https://bybit-exchange.github.io/docs/v5: `/market/open-interest`, whose `openInterest` is the sum of both
sides (`singleOpenInterest`, where it is given, of one); `/market/kline`, candles as lists of seven values, newest
first, which do not say how long they are; `/market/funding/history`; `/market/risk-limit`, the brackets; and the
streams `allLiquidation.<symbol>` and, of one a second and deprecated, `liquidation.<symbol>`, whose side is the
position's ("Buy": a long) and whose price is the bankruptcy price.

Symbols get the venue's name behind a point, `BTCUSDT.BYBIT`, so that one database holds both venues' markets.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import Any

from liqstrat.liquidation.contract import contract_of
from liqstrat.market.archive import funding, klines, liquidations, metrics
from liqstrat.market.archive.json_format import JsonFormat, Values
from liqstrat.market.archive.layout import (
    Check,
    Layout,
    RefusedError,
    column,
    epoch_check,
    not_negative,
    positive,
    time_check,
    zero,
)
from liqstrat.market.archive.numbers import above_zero, number

SUFFIX = ".BYBIT"

_PRICE = "DECIMAL(18,8)"
_SYMBOL = r"[A-Z0-9]{2,}"
_SYMBOL_SQL = f"(symbol || '{SUFFIX}')"
_TIME = "make_timestamp(round(staged_file.timestamp::decimal(28, 8) * 1000000::decimal(8, 0))::bigint)"
#: More than any day has trades.
_A_DAY = 10**9
#: Initial margin times highest leverage is one; rates that are told in percent have a hundred.
_PERCENT = 10


def _trading(*more: str) -> Layout:
    return Layout(
        name="Bybit trading",
        kind="trades",
        columns=(
            column("timestamp", _PRICE),
            column("symbol", "VARCHAR", _SYMBOL),
            column("side", "VARCHAR"),
            column("size", _PRICE),
            column("price", _PRICE),
            column("tickdirection", "VARCHAR", used=False),
            column("trdmatchid", "VARCHAR", r"[0-9a-fA-F-]{1,64}"),
            *(
                column(name, "VARCHAR", ".*", used=False)
                for name in ("grossvalue", "homenotional", "foreignnotional", *more)
            ),
        ),
        rows={
            "agg_trade_id": (
                f"datediff('day', date '2019-01-01', {_TIME}::date) * {_A_DAY} + "
                f"row_number() over (partition by {_TIME}::date order by staged_file.timestamp, staged_file.rowid)"
            ),
            "timestamp": _TIME,
            "price": "price",
            "quantity": "size",
            "side": "lower(side)",
            "gross_value": "(price::decimal(38,8) * size)::decimal(38,8)",
        },
        checks=(
            Check("not timestamp between 1546300800 and 4102444799", "timestamp", "a time in seconds from 2019 on"),
            Check("side not in ('Buy', 'Sell')", "side", "Buy or Sell"),
            *positive("price"),
            *not_negative("size"),
        ),
        file_checks=(
            ("count(distinct trdmatchid) < count(*)", "has trades twice (trdMatchID); get it again"),
            ("count(distinct symbol) > 1", "has trades of several symbols, expected one"),
        ),
        leave_out=zero("size"),
        key=("agg_trade_id",),
        symbol_column=_SYMBOL_SQL,
    )


#: Files of the archive, known by their header; newer ones tell of retail orders too.
LAYOUTS = (_trading(), _trading("rpi"))


def _of_venue(layout: Layout) -> Layout:
    """A layout of ours that has a symbol, for symbols of Bybit."""
    columns = tuple(column("symbol", "VARCHAR", _SYMBOL) if one.name == "symbol" else one for one in layout.columns)
    return replace(layout, columns=columns, needs_header=True, symbol_column=_SYMBOL_SQL)


_INTEREST = _of_venue(metrics.HISTORY)
_FUNDING = _of_venue(funding.HISTORY)
_LIQUIDATIONS = _of_venue(liquidations.WITH_SYMBOL)
#: The end is where the next candle begins; a candle that ends after it was asked for was not over.
_KLINES = replace(
    klines.ARCHIVE,
    name="Bybit kline",
    columns=(
        column("open_time", "BIGINT"),
        column("symbol", "VARCHAR", _SYMBOL),
        *(one for one in klines.ARCHIVE.columns if one.name in ("open", "high", "low", "close", "volume")),
        column("turnover", "VARCHAR", ".*", used=False),
        column("close_time", "BIGINT", optional=True),
        column("asked", "BIGINT", optional=True),
    ),
    rows={name: sql for name, sql in klines.ARCHIVE.rows.items() if name in ("timestamp", *klines.OHLCV)},
    checks=(*(epoch_check(name) for name in ("open_time", "close_time", "asked")), *klines.CHECKS),
    leave_out=(
        Check(
            "close_time is null", "close_time", "more candles than one in an answer, which tell its length", "unknown"
        ),
        Check("close_time >= asked", "close_time", "a candle that was over when it was asked for", "yet to come"),
    ),
    file_checks=(),
    needs_header=True,
    symbol_column=_SYMBOL_SQL,
)
#: How many values a candle has in an answer.
_OF_TRADES, _OF_OTHER_PRICES = 7, 5
_NEVER = Decimal(10**15)

#: Time is that of the clock that MetaTrader shows, three hours before UTC's.
_METATRADER_CELL = r"[0-9]{4}\.[0-9]{2}\.[0-9]{2} [0-9]{2}:[0-9]{2}"
_METATRADER_TIME = "try_strptime(\"time\", '%Y.%m.%d %H:%M')"
_METATRADER = Layout(
    name="Bybit kline_for_metatrader4",
    kind="klines",
    columns=(
        column("time", "VARCHAR", ".{1,40}"),
        *(one for one in klines.ARCHIVE.columns if one.name in klines.OHLCV),
    ),
    rows={"timestamp": f"({_METATRADER_TIME} - interval 3 hours)", **{name: name for name in klines.OHLCV}},
    checks=(
        Check(
            f"not regexp_full_match(\"time\", '{_METATRADER_CELL}') or {_METATRADER_TIME} is null",
            "time",
            "a time as 2024.03.01 00:00",
        ),
        time_check(_METATRADER_TIME, "time"),
        *klines.CHECKS,
    ),
    key=("timestamp",),
    prefer="volume",
    conflict=klines.ARCHIVE.conflict,
)
_METATRADER_NAME = re.compile(
    r"(?P<symbol>[A-Z0-9]{2,})_(?P<minutes>[0-9]{1,5})(?:_[0-9]{4}-[0-9]{2}-[0-9]{2}){2}\.csv(\.gz)?"
)

_ORDER = {"Buy": "sell", "Sell": "buy"}


def candles_named(name: str) -> tuple[Layout, str, str] | None:
    """Of a file of candles for MetaTrader its layout, symbol and length ("5m"), by its name; None where it is none."""
    found = _METATRADER_NAME.fullmatch(name)
    if found is None:
        return None
    return _METATRADER, f"{found['symbol']}{SUFFIX}", klines.interval_name(int(found["minutes"]) * 60_000)


def _listed(entry: Any, kind: type) -> list[Any] | None:
    """The list of an answer whose entries are of a kind; None where it is none, or empty."""
    result = entry.get("result") if isinstance(entry, dict) and "retCode" in entry else None
    listed = result.get("list") if isinstance(result, dict) else None
    if not isinstance(listed, list) or not all(isinstance(one, kind) for one in listed):
        return None
    return listed or None


def _answer(entry: Any, *keys: str) -> list[dict[str, Any]] | None:
    """The list of an answer whose entries have `keys`; None where it is none, or empty."""
    listed = _listed(entry, dict)
    return listed if listed and all(set(keys) <= one.keys() for one in listed) else None


def _interest(entry: Any) -> list[Values] | None:
    listed = _answer(entry, "openInterest", "timestamp")
    if listed is None or not isinstance(entry["result"].get("symbol"), str):
        return None
    return [(one["timestamp"], entry["result"]["symbol"], _one_sided(one), None) for one in listed]


def _one_sided(one: dict[str, Any]) -> Any:
    if (single := one.get("singleOpenInterest")) not in (None, ""):
        return single
    return f"{number(one['openInterest'], 'openInterest') / 2:f}"


def _candles(entry: Any) -> list[Values] | None:
    listed = _listed(entry, list)
    if listed is None or not isinstance(symbol := entry["result"].get("symbol"), str):
        return None
    if entry["result"].get("category") == "spot":
        raise RefusedError("has candles of the spot market; expected those of linear or inverse contracts")
    if {len(one) for one in listed} == {_OF_OTHER_PRICES}:
        raise RefusedError(
            "has candles of mark, index or premium prices, which have no volume; expected those of trades"
        )
    if {len(one) for one in listed} != {_OF_TRADES}:
        return None
    starts = sorted({number(one[0], "start", below=_NEVER) for one in listed})
    step = min((later - start for start, later in pairwise(starts)), default=None)
    closes = {start: None if step is None else f"{start + step - 1:f}" for start in starts}
    asked = entry.get("time")
    return [(one[0], symbol, *one[1:6], None, closes[Decimal(one[0])], asked) for one in listed]


def _rates(entry: Any) -> list[Values] | None:
    listed = _answer(entry, "symbol", "fundingRate", "fundingRateTimestamp")
    keys = ("fundingRateTimestamp", "symbol", "fundingRate")
    return None if listed is None else [tuple(one[key] for key in keys) for one in listed]


def _liquidated(entry: Any) -> list[Values] | None:
    topic = entry.get("topic") if isinstance(entry, dict) else None
    if not isinstance(topic, str) or not topic.startswith(("allLiquidation.", "liquidation.")):
        return None
    data = entry.get("data")
    listed = data if isinstance(data, list) else [data]
    keys = ("s", "T", "S", "v", "p") if topic.startswith("all") else ("symbol", "updatedTime", "side", "size", "price")
    if not listed or not all(isinstance(one, dict) and set(keys) <= one.keys() for one in listed):
        return None
    return [_order(*(one[key] for key in keys)) for one in listed]


def _order(symbol: Any, time: Any, side: Any, size: Any, price: Any) -> Values:
    """As the order that closes the position, at a price that is the position's bankruptcy, not the execution's."""
    if not isinstance(side, str) or side not in _ORDER:
        raise RefusedError(f'the side of a liquidation is "{str(side)[:40]}", expected Buy or Sell')
    return symbol, time, _ORDER[side], size, price, None, None


FORMATS = (
    JsonFormat("Bybit open-interest", _INTEREST, _interest, several=True),
    JsonFormat("Bybit kline", _KLINES, _candles, several=True),
    JsonFormat("Bybit fundingRate", _FUNDING, _rates, several=True),
    JsonFormat("Bybit liquidation", _LIQUIDATIONS, _liquidated, several=True),
)


def brackets(entry: Any) -> list[dict[str, Any]] | None:
    """An answer of risk-limit in the form of leverageBracket, by symbol; None where it is none.

    What cannot be read of a symbol is told in its entry, as `unreadable`: there are hundreds of others.
    """
    listed = _answer(entry, "symbol", "riskLimitValue", "maintenanceMargin", "maxLeverage")
    if not listed:
        return None
    by_symbol: dict[str, list[dict[str, Any]]] = {}
    for one in listed:
        by_symbol.setdefault(f"{one['symbol']}{SUFFIX}", []).append(one)
    return [_entry(symbol, limits) for symbol, limits in by_symbol.items()]


def _entry(symbol: str, limits: list[dict[str, Any]]) -> dict[str, Any]:
    try:
        return {"symbol": symbol, "brackets": list(_brackets(symbol, limits))}
    except RefusedError as error:
        return {"symbol": symbol, "brackets": [], "unreadable": str(error)}


def _brackets(symbol: str, limits: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Risk limits, lowest first: each reaches from the one before."""
    bounds = ("qtyFloor", "qtyCap") if contract_of(symbol).inverse else ("notionalFloor", "notionalCap")
    floor, rate, amount = Decimal(0), Decimal(0), Decimal(0)
    for one in sorted(limits, key=lambda one: number(one["riskLimitValue"], "riskLimitValue")):
        cap, leverage = number(one["riskLimitValue"], "riskLimitValue"), above_zero(one["maxLeverage"], "maxLeverage")
        maintenance = above_zero(one["maintenanceMargin"], "maintenanceMargin")
        if number(one.get("initialMargin") or 0, "initialMargin") * leverage > _PERCENT:
            maintenance /= 100
        amount += floor * (maintenance - rate)
        told = one.get("mmDeduction")
        yield {
            bounds[0]: f"{floor:f}",
            bounds[1]: f"{cap:f}",
            "maintMarginRatio": f"{maintenance:f}",
            "cum": f"{amount:f}" if told in (None, "") else told,
            "initialLeverage": str(int(leverage)),
        }
        floor, rate = cap, maintenance
