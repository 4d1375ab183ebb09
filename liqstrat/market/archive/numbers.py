"""Numbers out of answers of the exchange, which hostile or broken ones make of anything."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from liqstrat.market.archive.layout import DECIMAL, DIGITS, RefusedError

#: What a DECIMAL(28,8) of the tables holds.
_LARGEST = Decimal(10) ** 20
_FIRST_YEAR, _LAST_YEAR = 2017, 2100


def number(value: Any, name: str, *, below: Decimal = _LARGEST) -> Decimal:
    """An exact number not below zero with at most eight digits after the point; raises `RefusedError` by `name`."""
    text = str(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float) or not re.fullmatch(DECIMAL, text):
        raise RefusedError(f'{name} is "{text[:40]}", expected a number')
    found = Decimal(text)
    if found < 0 or found >= below:
        raise RefusedError(f'{name} is "{text[:40]}", expected from 0 to below {below:,f}')
    if found != round(found, DIGITS):
        raise RefusedError(f'{name} is "{text[:40]}", expected at most {DIGITS} digits after the point')
    return found


def above_zero(value: Any, name: str, *, below: Decimal = _LARGEST) -> Decimal:
    """As `number`, but not zero."""
    found = number(value, name, below=below)
    if not found:
        raise RefusedError(f'{name} is "{str(value)[:40]}", expected a number above 0')
    return found


def moment(value: Any, name: str) -> datetime:
    """A time in milliseconds since 1970, in UTC; raises `RefusedError` for what is none of the exchange's."""
    text = str(value)
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,15}", text):
        raise RefusedError(f'{name} is "{text[:40]}", expected milliseconds since 1970')
    try:
        found = datetime.fromtimestamp(int(text) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        found = None
    if found is None or not _FIRST_YEAR <= found.year < _LAST_YEAR:
        raise RefusedError(f'{name} is "{text[:40]}", expected milliseconds since 1970, from {_FIRST_YEAR} on')
    return found
