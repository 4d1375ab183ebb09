"""What of a catalog is not as the history has it, and how that is written."""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from nautilus_trader.model import CryptoPerpetual

from liqstrat.catalog.day_files import KINDS, Coverage, DayFiles, remove_leftovers
from liqstrat.catalog.history import DAY, DayOfHistory, History
from liqstrat.catalog.instrument_file import has_instrument, write_instrument
from liqstrat.catalog.manifest import Made, Manifest
from liqstrat.catalog.perpetual import Precision
from liqstrat.catalog.side_by_side import side_by_side
from liqstrat.errors import LiqstratError
from liqstrat.market.store import Store
from liqstrat.progress import Progress, Step


@dataclass(frozen=True)
class Wanted:
    """What a catalog shall hold: the days from `first` up to `last`, around the range that was asked for.

    used: decimals of the history; precision: those of the catalog.
    """

    first: datetime
    last: datetime
    start: datetime | None
    end: datetime | None
    used: Precision
    precision: Precision
    instrument: CryptoPerpetual

    def days(self) -> set[datetime]:
        """Their midnights."""
        return {self.first + i * DAY for i in range((self.last - self.first) // DAY)}


class Upkeep:
    """One look at a catalog, and what comes of it. days: all that are to be as the history has them.

    database: its state, None where that cannot be told.
    """

    def __init__(self, store: Store, path: Path, wanted: Wanted, database: str | None) -> None:
        self.path, self.symbol = path, wanted.precision.symbol
        self._store, self._wanted, self._database = store, wanted, database
        self._coverage = Coverage(path, self.symbol)
        self._manifest = Manifest(path, self.symbol, self._coverage.days())
        self._manifest.learn_digits(database, wanted.used)
        self._manifest.require(wanted.precision)
        self.days = wanted.days() | self._manifest.outdated() | self._manifest.between(wanted.start, wanted.end)
        seen = [(day, made) for day in self.days if (made := self._manifest.made(day)) and made.database == database]
        self._doubtful = sorted(self.days - (self._coverage.whole(seen) if database else set()))

    def again(self) -> "Upkeep":
        """Another look."""
        return Upkeep(self._store, self.path, self._wanted, self._database)

    def is_done(self) -> bool:
        """Whether all is there already and, as the files alone tell, as the history has it."""
        return not self._doubtful and self._has_instrument()

    def rows(self) -> dict[str, int]:
        """How many rows the wanted days have, by kind."""
        made = [self._manifest.made(day) for day in self._wanted.days()]
        return {kind: sum(one.rows[kind] for one in made if one) for kind in KINDS}

    def bring_up(self, progress: Progress) -> int:
        """Write what is to be written, and return how many days that were; only for who has the lock."""
        self.path.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self.path, self.symbol)
        if self._manifest.outdated():
            # Before the first of their files is replaced.
            self._manifest.save()
        days = 0
        try:
            with closing(self._news(progress)) as news:
                for day, files in news:
                    self._manifest.give_up(day.start)
                    files.publish()
                    made = Made(day.fingerprint() or "", files.rows, files.checksums, self._database)
                    self._manifest.keep(day.start, made)
                    self._manifest.save_at_times()
                    days += 1
            if not self._has_instrument():
                self._manifest.instrument = write_instrument(self.path, self._wanted.instrument)
        finally:
            remove_leftovers(self.path, self.symbol)
            self._manifest.save()
        return days

    def require_nothing(self, progress: Progress, reason: str) -> None:
        """Raise `LiqstratError` where something is to be written, which cannot be."""
        cannot = f"{self.path}: cannot be written ({reason}), and"
        if self._doubtful:
            history = self._history()
            with progress.task(f"catalog {self.symbol}", total=history.trades, unit="trades") as step:
                for day in self._changed(history, step):
                    raise LiqstratError(f"{cannot} {day.start:%Y-%m-%d} is not in it as {self._store.path} has it")
        if not self._has_instrument():
            raise LiqstratError(f"{cannot} it has not the instrument that is wanted")

    def _has_instrument(self) -> bool:
        return has_instrument(self.path, self._manifest.instrument, self._wanted.instrument)

    def _news(self, progress: Progress) -> Generator[tuple[DayOfHistory, DayFiles]]:
        """The days that are to be written, and their complete files."""
        if not self._doubtful:
            return
        history = self._history()
        with (
            progress.task(f"catalog {self.symbol}", total=history.trades, unit="trades") as step,
            closing(side_by_side(self._changed(history, step), self._write)) as news,
        ):
            for one in news:
                if isinstance(one, int):
                    step(one)
                else:
                    yield one

    def _history(self) -> History:
        made = [day for day in self._doubtful if self._manifest.made(day)]
        return History(self._store, self.symbol, self._doubtful, made)

    def _changed(self, history: History, step: Step) -> Iterator[DayOfHistory]:
        """The days that must be written; the others are found to be as they were."""
        for day in history:
            made = self._manifest.made(day.start)
            if made and made.fingerprint == day.fingerprint() and self._coverage.whole([(day.start, made)]):
                self._manifest.keep(day.start, replace(made, database=self._database))
                step(made.rows["trades"])
                continue
            self._coverage.require_own_files(day.start)
            yield day

    def _write(self, day: DayOfHistory) -> Generator[int | tuple[DayOfHistory, DayFiles]]:
        """How many trades are written, as they are; then the complete files. Runs beside others."""
        with DayFiles(self.path, self.symbol, day.start) as files:
            for kind, batch in day.rows(self._store.connection, self._wanted.precision):
                if batch is None:
                    yield -files.rows[kind]
                    files.take_back(kind)
                    continue
                files.write(kind, batch)
                yield batch.num_rows if kind == "trades" else 0
            files.complete()
        yield day, files
