"""From the history in DuckDB to a catalog that Nautilus replays: one file a day and kind, rebuilt only where needed.

The catalog is a cache: it can be deleted at any time. A manifest beside the data remembers from which rows each day was
made. A file gets its name when it is complete, so a build that was interrupted goes on where it stopped.
"""

import os
import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from nautilus_trader.model import CryptoPerpetual
from nautilus_trader.persistence import ParquetDataCatalog

from liqstrat.catalog.day_files import KINDS, Coverage, DayFiles, remove_leftovers
from liqstrat.catalog.history import DAY, DayOfHistory, History, precision_of, whole_days
from liqstrat.catalog.instruments import instrument_id
from liqstrat.catalog.manifest import Made, Manifest
from liqstrat.catalog.perpetual import Precision, finer_than, fitting, make_instrument
from liqstrat.catalog.side_by_side import side_by_side
from liqstrat.market.file_state import file_state
from liqstrat.market.instruments import seen_by
from liqstrat.market.store import Store
from liqstrat.progress import SILENT, Progress, Step


@dataclass(frozen=True)
class CatalogReport:
    """What a build did. `start` and `end` are whole days; `rows` counts what the catalog holds of them, by kind.

    notes: what somebody who trades in this catalog must know, in words.
    """

    symbol: str
    instrument_id: str
    start: datetime
    end: datetime
    price_decimals: int
    size_decimals: int
    days_written: int
    days_kept: int
    rows: dict[str, int]
    notes: tuple[str, ...]


def build_catalog(
    store: Store,
    symbol: str,
    catalog_path: Path,
    start: datetime | None = None,
    end: datetime | None = None,
    progress: Progress = SILENT,
) -> CatalogReport:
    """Bring the catalog at `catalog_path` up to the history of `symbol` for every day that `[start, end)` touches.

    Written are trades, minute bars (of the trades; where there are none, as recorded), funding rates, open interest and
    the instrument: with the limits that the exchange had by `end`, and with as many decimals as all of the history and
    the ticks that were loaded use. Days whose history has not changed are left as they are, unless the instrument needs
    other decimals than before: then every day is written anew.

    Raises `LiqstratError` where there is no history, or a price or quantity that does not fit exactly.
    """
    database = file_state(store)
    manifest = Manifest(catalog_path, symbol)
    used = manifest.digits(database) or precision_of(store, symbol)
    markets = store.instruments(symbol)
    precision, market = fitting(used, markets), seen_by(end or datetime.now(UTC), markets)
    instrument = make_instrument(precision, market)
    first, last = whole_days(store, symbol, start, end)

    manifest.learn_digits(database, used)
    manifest.require(precision)
    wanted = {first + i * DAY for i in range((last - first) // DAY)}
    days = wanted | manifest.outdated() | manifest.between(start, end)
    build = _Build(store, catalog_path, precision, manifest, database)
    catalog_path.mkdir(parents=True, exist_ok=True)
    remove_leftovers(catalog_path, symbol)
    if manifest.outdated():
        # Before the first of their files is replaced.
        manifest.save()
    try:
        written = build.bring_up(sorted(days), progress)
    finally:
        remove_leftovers(catalog_path, symbol)
        manifest.save()
    _write_instrument(catalog_path, instrument)
    return CatalogReport(
        symbol=symbol,
        instrument_id=str(instrument_id(symbol)),
        start=first,
        end=last,
        price_decimals=precision.price,
        size_decimals=precision.size,
        days_written=written,
        days_kept=len(days) - written,
        rows={kind: sum(made.rows[kind] for day in wanted if (made := manifest.made(day))) for kind in KINDS},
        notes=finer_than(market, used),
    )


class _Build:
    """One build of one symbol."""

    def __init__(
        self, store: Store, catalog_path: Path, precision: Precision, manifest: Manifest, database: str | None
    ) -> None:
        self._store = store
        self._path = catalog_path
        self._precision = precision
        self._manifest = manifest
        self._database = database
        self._coverage = Coverage(catalog_path, precision.symbol)

    def bring_up(self, days: list[datetime], progress: Progress) -> int:
        """Write those of the days that need it; returns how many."""
        symbol, written = self._precision.symbol, 0
        doubtful = [day for day in days if not self._is_as_seen(day)]
        if not doubtful:
            return 0
        history = History(self._store, symbol, doubtful, [day for day in doubtful if self._manifest.made(day)])
        with (
            progress.task(f"catalog {symbol}", total=history.trades, unit="trades") as step,
            closing(side_by_side(self._changed(history, step), self._write)) as news,
        ):
            for one in news:
                if isinstance(one, int):
                    step(one)
                    continue
                day, files = one
                self._manifest.give_up(day.start)
                files.publish()
                self._manifest.keep(day.start, Made(day.fingerprint() or "", files.rows, self._database))
                written += 1
        return written

    def _is_as_seen(self, day: datetime) -> bool:
        """Whether the day is in the catalog as the database, in which nothing has changed since, has it."""
        made = self._manifest.made(day)
        if made is None or self._database is None:
            return False
        return made.database == self._database and self._coverage.has_all(made.rows, day)

    def _changed(self, history: History, step: Step) -> Iterator[DayOfHistory]:
        """The days that must be written; the others are found to be as they were."""
        for day in history:
            made = self._manifest.made(day.start)
            if made and made.fingerprint == day.fingerprint() and self._coverage.has_all(made.rows, day.start):
                self._manifest.keep(day.start, replace(made, database=self._database))
                step(made.rows["trades"])
                continue
            self._coverage.require_own_files(day.start)
            yield day

    def _write(self, day: DayOfHistory) -> Generator[int | tuple[DayOfHistory, DayFiles]]:
        """How many trades are written, as they are; then the complete files. Runs beside others."""
        with DayFiles(self._path, self._precision.symbol, day.start) as files:
            for kind, batch in day.rows(self._store.connection, self._precision):
                if batch is None:
                    yield -files.rows[kind]
                    files.take_back(kind)
                    continue
                files.write(kind, batch)
                yield batch.num_rows if kind == "trades" else 0
            files.complete()
        yield day, files


def _write_instrument(catalog_path: Path, instrument: CryptoPerpetual) -> None:
    """By Nautilus's own writer, which refuses to write twice: so beside the catalog first, then into its place."""
    with tempfile.TemporaryDirectory(dir=catalog_path, prefix=".instrument") as aside:
        ParquetDataCatalog(aside).write_instruments([instrument])
        (source,) = Path(aside).rglob("*.parquet")
        target = catalog_path / source.relative_to(aside)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(source, target)
