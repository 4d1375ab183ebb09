"""Numbers, times and lengths as people read them."""

import math
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

ABSENT = "–"
_MINUS = "\u2212"
#: A number without any of them is zero as it is written.
_DIGITS = frozenset("123456789")
_SIZES = ((1e9, "B"), (1e6, "M"), (1e3, "K"))


def evenly(count: int, most: int) -> npt.NDArray[np.int64]:
    """Places of `most` of `count` values at most, evenly apart, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, most).astype(np.int64))


def number(value: float | None, decimals: int = 2, *, signed: bool = False) -> str:
    """With thousands separators and a real minus sign; `signed` puts a plus before gains."""
    if value is None:
        return ABSENT
    text = f"{abs(value):,.{decimals}f}"
    if _DIGITS.isdisjoint(text):
        return text
    return (_MINUS if value < 0 else "+" if signed else "") + text


def percent(share: float | None, decimals: int = 2, *, signed: bool = False) -> str:
    """A share (0.012) as a percentage (1.20%)."""
    return ABSENT if share is None else number(100 * share, decimals, signed=signed) + "%"


def price(value: float | None) -> str:
    """A price with as many decimals as its size deserves, at least five digits that say something."""
    if value is None:
        return ABSENT
    small = max(6, 4 - math.floor(math.log10(abs(value)))) if value and math.isfinite(value) else 6
    return number(value, 1 if abs(value) >= 10_000 else 2 if abs(value) >= 100 else 4 if abs(value) >= 1 else small)


def quantity(value: float | None) -> str:
    """Contracts, with at most four decimals and no trailing zeros."""
    if value is None:
        return ABSENT
    text = number(value, 4)
    return text.rstrip("0").rstrip(".") if "." in text else text


def amount(value: float | None, *, trimmed: bool = False) -> str:
    """A large amount to three digits in thousands (K), millions (M) or billions (B); `trimmed` of trailing zeros."""
    if value is None:
        return ABSENT
    size, letter = next(((size, f" {letter}") for size, letter in _SIZES if abs(value) >= size * 0.9995), (1.0, ""))
    scaled = abs(value) / size
    text = number(value / size, 0 if scaled >= 99.95 or not letter else 1 if scaled >= 9.995 else 2)
    return (text.rstrip("0").rstrip(".") if trimmed and "." in text else text) + letter


def moment(value: datetime | None, *, seconds: bool = False) -> str:
    """`2024-03-01 12:05` in UTC."""
    if value is None:
        return ABSENT
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def length(seconds: float | None) -> str:
    """A length of time in its two largest units: `3 d 4 h`, `2 h 5 min`, `45 s`."""
    if seconds is None:
        return ABSENT
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes = round(seconds / 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min"


def doubles(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """A numeric column (decimals too) as float64, NaN where it is null."""
    return np.asarray(pc.fill_null(column.cast(pa.float64()), float("nan")), dtype=np.float64)


def milliseconds(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """A timestamp column as milliseconds since 1970, which is how Plotly counts; NaN where it is null."""
    return doubles(column.cast(pa.timestamp("us", "UTC")).cast(pa.int64())) / 1000.0
