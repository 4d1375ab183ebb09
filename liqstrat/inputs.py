"""Values as people write them: times, lengths and paths."""

import json
import re
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from liqstrat.errors import LiqstratError
from liqstrat.moments import SECOND_NS

DEFAULT_DATABASE = Path("catalog/market.duckdb")
DEFAULT_CATALOG = Path("catalog/nautilus")

#: Of what can be asked about. Lengths of time can be added to these, and taken from them, without a second thought.
_FIRST_YEAR, _LAST_YEAR = 1970, 2200
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "1d": 1440}


def parse_time(value: object) -> datetime:
    """A moment in UTC from a date, a datetime or ISO text; without a zone it is UTC already."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f'"{str(value)[:80]}" is not a time, expected YYYY-MM-DD or YYYY-MM-DDTHH:MM') from None
    if isinstance(value, date) and not _FIRST_YEAR <= value.year < _LAST_YEAR:
        raise ValueError(f'"{value.isoformat()}" is not a time from {_FIRST_YEAR} to {_LAST_YEAR}')
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    raise ValueError(f"{str(value)[:80]!r} is not a time, expected YYYY-MM-DD or YYYY-MM-DDTHH:MM")


def minutes_of(length: str) -> int:
    """Minutes of a length like "15m" or "1h"; raises `ValueError` with the lengths there are."""
    if length not in _MINUTES:
        raise ValueError(f'"{length}" is not a length, expected one of {", ".join(_MINUTES)}')
    return _MINUTES[length]


def nanoseconds_of(duration: object) -> int:
    """Nanoseconds of a duration like "90s", "30m", "4h" or "2d"; raises `ValueError` for anything else."""
    found = re.fullmatch(r"([1-9][0-9]{0,6})([smhd])", duration) if isinstance(duration, str) else None
    if found is None:
        raise ValueError(f'{duration!r}, expected a duration such as "90s", "30m", "4h" or "2d"')
    return int(found[1]) * _SECONDS[found[2]] * SECOND_NS


def local_path(value: object) -> Path:
    """A path of the file system; raises `ValueError` for an address, which would become a folder called `s3:`."""
    if "://" in str(value):
        raise ValueError(f'"{value}" is an address, expected a path; storage that is mounted as a file system will do')
    if not str(value).isprintable():
        raise ValueError(f"{str(value)!r} has characters that no path should have")
    return Path(str(value))


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of a results folder; raises `LiqstratError` by the file's name."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LiqstratError(f"{path}: cannot be read as JSON: {error}") from None
    if not isinstance(content, dict):
        raise LiqstratError(f"{path}: holds a {type(content).__name__}, expected a JSON object")
    return content
