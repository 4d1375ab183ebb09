"""What a catalog remembers of its making, so that what has not changed is neither read nor written again."""

import json
import os
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from liqstrat.catalog.perpetual import Precision

_VERSION = 3
_DAY = timedelta(days=1)
#: A file under this name is not whole yet; who has the lock of the symbol may remove it.
PART = ".part"
#: To write the manifest of years takes as long as to write an hour of trades.
_SAVE_EVERY_SECONDS = 1.0


@dataclass(frozen=True)
class Made:
    """A day in the catalog: the fingerprint of its history, and by kind the rows and a checksum of the file.

    database: the state of the database in which the history was last seen to be so; None where it could not be told.
    """

    fingerprint: str
    rows: dict[str, int]
    checksums: dict[str, int]
    database: str | None


def lock_of(catalog_path: Path, symbol: str) -> Path:
    """The file whose lock whoever writes the symbol must have."""
    return catalog_path / "manifest" / f".{symbol}.lock"


class Manifest:
    """What is remembered of one symbol, in a file beside the data.

    instrument: what `instrument_file` says of it. there: days that have a file. Where nothing is remembered, or what is
    cannot be understood, they are outdated.
    """

    def __init__(self, catalog_path: Path, symbol: str, there: Iterable[datetime]) -> None:
        self._path = catalog_path / "manifest" / f"{symbol}.json"
        self._symbol = symbol
        self._saved_at = 0.0
        try:
            self._saved = self._path.read_text(encoding="utf-8")
            saved = json.loads(self._saved)
            self._known = saved.get("version") == _VERSION
            self._precision: list[int] | None = saved.get("precision")
            self._digits: dict[str, Any] = dict(saved["digits"]) if self._known else {}
            self.instrument: dict[str, Any] = dict(saved["instrument"]) if self._known else {}
            self._days: dict[str, dict[str, Any] | None] = dict(saved["days"])
            for day, made in self._days.items():
                _moment(day)
                if self._known and made is not None:
                    Made(**made)
        except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
            self._saved, self._known, self._precision, self._digits, self.instrument = "", False, None, {}, {}
            self._days = {_name(day): None for day in there}

    def digits(self, database: str | None) -> Precision | None:
        """Decimals that the history uses, as they were found in this state of the database; None where never."""
        used = self._digits.get("used")
        if database is None or self._digits.get("database") != database or not isinstance(used, list):
            return None
        return Precision(self._symbol, *used)

    def learn_digits(self, database: str | None, used: Precision) -> None:
        """Remember what `digits` asks for."""
        self._digits = {"database": database, "used": [used.price, used.size]}

    def require(self, precision: Precision) -> None:
        """Days are made for this precision from now on; those made for another, or by another version, are outdated."""
        wanted = [precision.price, precision.size]
        if not self._known or self._precision != wanted:
            self._days = dict.fromkeys(self._days)
        self._known, self._precision = True, wanted

    def made(self, day: datetime) -> Made | None:
        """What is remembered of a day; None where it is not in the catalog, or outdated."""
        saved = self._days.get(_name(day))
        return Made(**saved) if saved else None

    def outdated(self) -> set[datetime]:
        """Days whose files must be written anew."""
        return {_moment(day) for day, saved in self._days.items() if not saved}

    def between(self, start: datetime | None, end: datetime | None) -> set[datetime]:
        """Days in the catalog that the range touches: they may come from a history that is no longer there."""
        days = set(map(_moment, self._days))
        return {day for day in days if (start is None or day + _DAY > start) and (end is None or day < end)}

    def keep(self, day: datetime, made: Made) -> None:
        """Remember a day."""
        self._days[_name(day)] = asdict(made)

    def give_up(self, day: datetime) -> None:
        """Remember, at once on disk, that the files of a day are going to be replaced."""
        if self._days.get(_name(day)):
            self._days[_name(day)] = None
            self.save()

    def save_at_times(self) -> None:
        """Write what is remembered to disk, unless that was done within the second."""
        if time.monotonic() - self._saved_at > _SAVE_EVERY_SECONDS:
            self.save()

    def save(self) -> None:
        """Write what is remembered to disk, if it is not what is there."""
        told = {"version": _VERSION, "precision": self._precision, "digits": self._digits}
        told |= {"instrument": self.instrument, "days": self._days}
        text = json.dumps(told, indent=0, sort_keys=True)
        if text == self._saved:
            return
        part = self._path.with_name(f".{self._path.name}{PART}")
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        os.replace(part, self._path)
        self._saved, self._saved_at = text, time.monotonic()


def _name(day: datetime) -> str:
    return f"{day:%Y-%m-%d}"


def _moment(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)
