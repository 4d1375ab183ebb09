"""From the history in DuckDB to a catalog that Nautilus replays: one file a day and kind, rebuilt only where needed.

The catalog is a cache: it can be deleted at any time. A manifest beside the data remembers from which rows each day was
made. A file gets its name when it is complete, so a build that was interrupted goes on where it stopped.
"""

import json
import os
import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import Full, Queue
from threading import Event, Thread
from typing import Any

import pyarrow as pa
from nautilus_trader.model import CryptoPerpetual
from nautilus_trader.persistence import ParquetDataCatalog

from liqstrat.backtest.columns import Precision
from liqstrat.backtest.day_files import KINDS, Coverage, DayFiles, remove_leftovers
from liqstrat.backtest.history import DAY, History, precision_of, whole_days
from liqstrat.backtest.instruments import instrument_id, make_instrument
from liqstrat.market.store import Store
from liqstrat.progress import SILENT, Progress, Step

_VERSION = 1
_OUTDATED = ""
_END = object()


@dataclass(frozen=True)
class CatalogReport:
    """What a build did. `start` and `end` are whole days; `rows` counts what the catalog holds of them, by kind."""

    symbol: str
    instrument_id: str
    start: datetime
    end: datetime
    price_decimals: int
    size_decimals: int
    days_written: int
    days_kept: int
    rows: dict[str, int]


@dataclass
class Manifest:
    """From what each day in the catalog was made: the fingerprint of its history, and the rows by kind."""

    path: Path
    precision: Precision
    days: dict[str, dict[str, Any]]

    def of(self, day: datetime) -> dict[str, Any] | None:
        """What is remembered of a day."""
        return self.days.get(f"{day:%Y-%m-%d}")

    def keep(self, day: datetime, fingerprint: str, rows: dict[str, int]) -> None:
        """Remember a day, at once on disk."""
        self.days[f"{day:%Y-%m-%d}"] = {"fingerprint": fingerprint, "rows": rows}
        precision = {"price_decimals": self.precision.price, "size_decimals": self.precision.size}
        text = json.dumps({"version": _VERSION, **precision, "days": self.days}, indent=0, sort_keys=True)
        part = self.path.with_name(f".{self.path.name}.part")
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        os.replace(part, self.path)

    def outdated(self) -> set[datetime]:
        """Days whose files were made for other decimals than the instrument's, or by an older version."""
        return {day for day in self.between(None, None) if (self.of(day) or {})["fingerprint"] == _OUTDATED}

    def between(self, start: datetime | None, end: datetime | None) -> set[datetime]:
        """Days in the catalog that the range touches: they may come from a history that is no longer there."""
        days = {datetime.fromisoformat(day).replace(tzinfo=UTC) for day in self.days}
        return {day for day in days if (start is None or day + DAY > start) and (end is None or day < end)}


@dataclass(frozen=True)
class _Day:
    """Stands before the rows of a day in the stream; `kept` where the catalog has it already and no rows follow."""

    start: datetime
    fingerprint: str
    kept: bool


#: A day, then its rows (kind and batch, or None to begin the kind anew) and None at their end; or a day that is kept.
_Stream = Iterator[_Day | tuple[str, pa.RecordBatch | None] | None]


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
    the instrument, whose prices have as many decimals as the history uses. Days whose history has not changed are left
    as they are, unless the instrument needs other decimals than before: then every day is written anew.

    Raises `LiqstratError` where there is no history, or a price or quantity that does not fit exactly.
    """
    precision = precision_of(store, symbol)
    instrument = make_instrument(symbol, precision.price, precision.size)
    first, last = whole_days(store, symbol, start, end)
    manifest = _read_manifest(catalog_path, precision)
    wanted = {first + i * DAY for i in range((last - first) // DAY)}
    days = sorted(wanted | manifest.outdated() | manifest.between(start, end))
    history = History(store, precision, days[0], days[-1] + DAY)
    catalog_path.mkdir(parents=True, exist_ok=True)
    remove_leftovers(catalog_path, symbol)
    written = 0
    with (
        progress.task(f"catalog {symbol}", total=sum(map(history.trades, days)), unit="trades") as step,
        closing(_ahead(_read(history, days, manifest, Coverage(catalog_path, symbol)))) as stream,
    ):
        for day in stream:
            if day.kept:
                step(history.trades(day.start))
            else:
                _write_day(catalog_path, manifest, day, stream, step)
                written += 1
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
        rows={kind: sum(made["rows"][kind] for day in wanted if (made := manifest.of(day))) for kind in KINDS},
    )


def _read_manifest(catalog_path: Path, precision: Precision) -> Manifest:
    path = catalog_path / "manifest" / f"{precision.symbol}.json"
    if not path.exists():
        return Manifest(path, precision, {})
    saved = json.loads(path.read_text(encoding="utf-8"))
    days = saved["days"]
    made_for = (saved["version"], saved["price_decimals"], saved["size_decimals"])
    if made_for != (_VERSION, precision.price, precision.size):
        days = {day: {"fingerprint": _OUTDATED, "rows": dict.fromkeys(KINDS, 0)} for day in days}
    return Manifest(path, precision, days)


def _write_day(catalog_path: Path, manifest: Manifest, day: _Day, stream: Iterator[Any], step: Step) -> None:
    with DayFiles(catalog_path, manifest.precision.symbol, day.start) as files:
        for kind, batch in iter(stream.__next__, None):
            if batch is None:
                step(-files.rows[kind])
                files.take_back(kind)
                continue
            files.write(kind, batch)
            step(batch.num_rows if kind == "trades" else 0)
        files.publish()
    manifest.keep(day.start, day.fingerprint, files.rows)


def _write_instrument(catalog_path: Path, instrument: CryptoPerpetual) -> None:
    """By Nautilus's own writer, which refuses to write twice: so beside the catalog first, then into its place."""
    with tempfile.TemporaryDirectory(dir=catalog_path, prefix=".instrument") as aside:
        ParquetDataCatalog(aside).write_instruments([instrument])
        (source,) = Path(aside).rglob("*.parquet")
        target = catalog_path / source.relative_to(aside)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(source, target)


def _read(history: History, days: list[datetime], manifest: Manifest, coverage: Coverage) -> _Stream:
    for day in days:
        fingerprint, made = history.fingerprint(day), manifest.of(day)
        if made and made["fingerprint"] == fingerprint and coverage.has_all(made["rows"], day):
            yield _Day(day, fingerprint, kept=True)
            continue
        coverage.require_own_files(day)
        yield _Day(day, fingerprint, kept=False)
        yield from history.rows(day)
        yield None


def _ahead(items: _Stream) -> Generator[Any]:
    """The same items, made in a thread of their own some way ahead of the reader: DuckDB reads while Parquet packs."""
    queue: Queue[Any] = Queue(maxsize=4)
    stopped = Event()

    def put(item: object) -> None:
        while not stopped.is_set():
            with suppress(Full):
                queue.put(item, timeout=0.2)
                return

    def produce() -> None:
        try:
            for item in items:
                put((item, None))
                if stopped.is_set():
                    return
            put(_END)
        except BaseException as error:
            put((None, error))

    thread = Thread(target=produce, name="catalog-reader")
    thread.start()
    try:
        for item, error in iter(queue.get, _END):
            if error is not None:
                raise error
            yield item
    finally:
        stopped.set()
        thread.join()
