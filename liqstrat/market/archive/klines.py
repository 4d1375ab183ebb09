"""klines: candles, from the archive (twelve columns) and from two common exports."""

from datetime import timedelta

from liqstrat.market.archive.layout import (
    Check,
    Layout,
    RefusedError,
    column,
    epoch,
    epoch_check,
    positive,
    time_check,
    volume,
)

_PRICE = "DECIMAL(18,8)"
_VOLUME = "DECIMAL(28,8)"
_OHLC = ("open", "high", "low", "close")
#: Columns that all candles have.
OHLCV = (*_OHLC, "volume")
_LENGTHS = {
    timedelta(**{unit: count}): f"{count}{letter}"
    for unit, letter, counts in (
        ("seconds", "s", (1,)),
        ("minutes", "m", (1, 3, 5, 15, 30)),
        ("hours", "h", (1, 2, 4, 6, 8, 12)),
        ("days", "d", (1, 3)),
        ("weeks", "w", (1,)),
    )
    for count in counts
}
_MONTH_DAYS = range(28, 32)
_MS = timedelta(milliseconds=1)
_DAY_MS = 86_400_000
_LONGEST_MS = 10**14

_PRICES = tuple(column(name, _PRICE) for name in _OHLC)
#: Of the prices and the volume of a candle.
CHECKS = (
    *positive(*_OHLC),
    Check("high < greatest(open, close, low)", "high", "a high not below open, low and close"),
    Check("low > least(open, close)", "low", "a low not above open and close"),
    *volume("volume"),
)
_OPTIONAL = ("quote_volume", "taker_buy_volume", "taker_buy_quote_volume")
# A candle that was asked for while it was open is part of the finished one: that reaches as far and further.
_CONFLICT = """
    count(distinct open) > 1 or max(high) > arg_max(high, volume) or min(low) < arg_max(low, volume)
    or count(distinct volume) = 1 and count(distinct close) > 1
"""
_SAME = {name: name for name in OHLCV}

#: The API answers arrays of the same twelve values.
ARCHIVE = Layout(
    name="klines",
    kind="klines",
    columns=(
        column("open_time", "BIGINT"),
        *_PRICES,
        column("volume", _VOLUME),
        column("close_time", "BIGINT"),
        column("quote_volume", _VOLUME),
        column("count", "BIGINT"),
        column("taker_buy_volume", _VOLUME),
        column("taker_buy_quote_volume", _VOLUME),
        column("ignore", "VARCHAR", ".*", used=False),
    ),
    rows={
        "timestamp": epoch("open_time"),
        **_SAME,
        "quote_volume": "quote_volume",
        "trades": '"count"',
        "taker_buy_volume": "taker_buy_volume",
        "taker_buy_quote_volume": "taker_buy_quote_volume",
    },
    checks=(epoch_check("open_time"), epoch_check("close_time"), *CHECKS, *volume(*_OPTIONAL)),
    key=("timestamp",),
    prefer="volume",
    conflict=_CONFLICT,
    file_checks=(
        (
            'sum(volume) = 0 and sum("count") > 0',
            "no row has any volume, as in klines of mark or index prices; expected klines of trades",
        ),
    ),
    opens="open_time",
    closes="close_time",
)

LAYOUTS = (
    ARCHIVE,
    Layout(
        name="klines",
        kind="klines",
        columns=(
            column("timestamp", "BIGINT"),
            *_PRICES,
            column("volume", _VOLUME),
            column("quote_volume", _VOLUME),
            column("trades", "BIGINT"),
            column("close_time", "BIGINT"),
        ),
        rows={"timestamp": epoch("timestamp"), **_SAME, "quote_volume": "quote_volume", "trades": "trades"},
        checks=(epoch_check("timestamp"), epoch_check("close_time"), *CHECKS, *volume("quote_volume")),
        key=("timestamp",),
        prefer="volume",
        conflict=_CONFLICT,
        needs_header=True,
        opens="timestamp",
        closes="close_time",
    ),
    Layout(
        name="klines",
        kind="klines",
        columns=(column("datetime", "TIMESTAMP"), *_PRICES, column("volume", _VOLUME)),
        rows={"timestamp": "datetime", **_SAME},
        checks=(time_check("datetime"), *CHECKS),
        key=("timestamp",),
        prefer="volume",
        conflict=_CONFLICT,
        needs_header=True,
    ),
)


def interval_name(milliseconds: int) -> str:
    """The exchange's name of a candle length: "1m", "4h", "1mo"; raises `RefusedError` for one it does not have."""
    length = timedelta(milliseconds=milliseconds) if abs(milliseconds) < _LONGEST_MS else timedelta.max
    if length in _LENGTHS:
        return _LENGTHS[length]
    if is_length(milliseconds, "1mo"):
        return "1mo"
    raise RefusedError(f"its candles are {length} long, expected one of {', '.join(_LENGTHS.values())}, 1mo")


def interval_length(name: str) -> int | None:
    """Milliseconds of a candle of the interval; None for months and for what the exchange does not have."""
    return next((length // _MS for length, known in _LENGTHS.items() if known == name), None)


def is_length(milliseconds: int, name: str | None = None) -> bool:
    """Whether the exchange has candles so long; of the interval `name`, or of any."""
    if name != "1mo" and any(milliseconds == length // _MS for length in _LENGTHS):
        return True
    return milliseconds % _DAY_MS == 0 and milliseconds // _DAY_MS in _MONTH_DAYS
