"""Moments: datetimes for people; for tables and the engine, whole numbers since 1970 in UTC.

Names say what is counted: `_ns` nanoseconds, `_us` microseconds.
"""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MILLISECOND_NS = 1_000_000
SECOND_NS = 1000 * MILLISECOND_NS
MINUTE_NS = 60 * SECOND_NS
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS
SECOND_US, MINUTE_US, HOUR_US, DAY_US = (length // 1000 for length in (SECOND_NS, MINUTE_NS, HOUR_NS, DAY_NS))

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: The shortest time that a datetime can tell.
TICK = timedelta(microseconds=1)


def nanoseconds(moment: datetime) -> int:
    """Nanoseconds since 1970 of an aware datetime."""
    return microseconds(moment) * 1000


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime."""
    return (moment - _EPOCH) // TICK


def microseconds_in(length: timedelta) -> int:
    """How many microseconds a length of time has."""
    return length // TICK


def at_ns(count: "int | np.integer[Any]") -> datetime:
    """The moment that many nanoseconds after 1970; what is below a microsecond is cut off."""
    return at_us(count // 1000)


def at_us(count: "int | np.integer[Any]") -> datetime:
    """The moment that many microseconds after 1970."""
    return _EPOCH + timedelta(microseconds=int(count))


def column_us(column: Any) -> "npt.NDArray[np.int64]":
    """A timestamp column of Arrow, of whatever unit, as microseconds since 1970."""
    # What a command says of itself is said without Arrow.
    import pyarrow as pa

    counted: npt.NDArray[np.int64] = (
        column.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy(zero_copy_only=False)
    )
    return counted


def column_ns(column: Any) -> "npt.NDArray[np.int64]":
    """A timestamp column of Arrow, of whatever unit, as nanoseconds since 1970, exact to the microsecond."""
    return column_us(column) * 1000
