"""What tells whether five minutes are labelled by their start or their end: a file's midnights, or its neighbours."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Literal

from liqstrat.market.archive.layout import RefusedError
from liqstrat.market.archive.names import symbol_of
from liqstrat.market.archive.unpack import unpack
from liqstrat.moments import DAY_US, MINUTE_US, microseconds

Meaning = Literal["ends", "starts"]

PERIOD_US = 5 * MINUTE_US
#: A day of metrics is 30 KB; what is far larger is something else.
_LARGEST = 1_000_000
#: How far to look where days are missing.
_DAYS = 7


@dataclass(frozen=True, slots=True)
class Neighbour:
    """The file of another day, and what its times are."""

    name: str
    meaning: Meaning


def meanings(first: int, last: int, period: tuple[date, date] | None) -> set[Meaning]:
    """What the first and the last time (µs) of a file say; nothing, one meaning or, where it changes inside, both.

    Ends go from 00:05 to the midnight after, starts from 00:00 to 23:55. period: the day it is named for, if it is.
    """
    begin, end = first - first % DAY_US, last + -last % DAY_US
    if period and (period[1] - period[0]).days == 1:
        begin, end = (_us(day) for day in period)
    by_first: dict[int, Meaning] = {begin: "starts", begin + PERIOD_US: "ends"}
    by_last: dict[int, Meaning] = {end: "ends", end - PERIOD_US: "starts"}
    return {said for said in (by_first.get(first), by_last.get(last)) if said}


def neighbour(path: Path, period: tuple[date, date] | None) -> Neighbour | None:
    """The file beside `path` that tells its meaning, if one does.

    The archive went from ends to starts once, so what was starts before is starts still, and what is ends later was
    ends already.
    """
    if not period or (period[1] - period[0]).days != 1:
        return None
    for days in range(1, _DAYS + 1):
        for step, telling in ((-days, "starts"), (days, "ends")):
            try:
                day = period[0] + timedelta(days=step)
            except OverflowError:
                continue
            for beside in _beside(path, period[0], day):
                if _meaning(beside, day) == telling:
                    return Neighbour(beside.name, telling)
    return None


def _beside(path: Path, day: date, other: date) -> Iterator[Path]:
    stem = path.name.split(".", 1)[0]
    if not stem.endswith(f"{day}"):
        return
    stem = f"{stem.removesuffix(f'{day}')}{other}"
    for suffix in (".csv", ".zip"):
        beside = path.with_name(stem + suffix)
        if beside.is_file() and beside.stat().st_size <= _LARGEST:
            yield beside


def _meaning(path: Path, day: date) -> Meaning | None:
    try:
        with tempfile.TemporaryDirectory() as folder:
            csv = unpack(path, symbol_of(path) or "", Path(folder)).csv
            lines = csv.read_text(encoding="utf-8-sig").splitlines() if csv.stat().st_size <= _LARGEST else []
    except (OSError, ValueError, RefusedError):
        return None
    times = [moment for line in lines if (moment := _moment(line)) is not None]
    if not times:
        return None
    said = meanings(min(times), max(times), (day, day + timedelta(days=1)))
    return said.pop() if len(said) == 1 else None


def _moment(line: str) -> int | None:
    try:
        return microseconds(datetime.fromisoformat(line.split(",", 1)[0].strip()).replace(tzinfo=UTC))
    except ValueError:
        return None


def _us(day: date) -> int:
    return microseconds(datetime.combine(day, time(), UTC))
