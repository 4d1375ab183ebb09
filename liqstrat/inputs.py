"""Values as people write them: times, lengths and paths."""

from datetime import UTC, date, datetime, time
from pathlib import Path

DEFAULT_DATABASE = Path("catalog/market.duckdb")
DEFAULT_CATALOG = Path("catalog/nautilus")

_MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "1d": 1440}


def parse_time(value: object) -> datetime:
    """A moment in UTC from a date, a datetime or ISO text; without a zone it is UTC already."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f'"{value}" is not a time, expected YYYY-MM-DD or YYYY-MM-DDTHH:MM') from None
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    raise ValueError(f"{value!r} is not a time, expected YYYY-MM-DD or YYYY-MM-DDTHH:MM")


def minutes_of(length: str) -> int:
    """Minutes of a length like "15m" or "1h"; raises `ValueError` with the lengths there are."""
    if length not in _MINUTES:
        raise ValueError(f'"{length}" is not a length, expected one of {", ".join(_MINUTES)}')
    return _MINUTES[length]


def local_path(value: object) -> Path:
    """A path of the file system; raises `ValueError` for an address, which would become a folder called `s3:`."""
    if "://" in str(value):
        raise ValueError(f'"{value}" is an address, expected a path; storage that is mounted as a file system will do')
    return Path(str(value))
