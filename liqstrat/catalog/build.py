"""From the history in DuckDB to a catalog that Nautilus replays: one file a day and kind, rebuilt only where needed.

The catalog is a cache: it can be deleted at any time. A manifest beside the data remembers from which rows each day was
made. A file gets its name when it is complete, so a build that was interrupted goes on where it stopped. Any number of
processes may build and read one catalog; one at a time writes a symbol.
"""

import errno
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from nautilus_trader.model import CryptoPerpetual

from liqstrat.catalog.history import precision_of, whole_days
from liqstrat.catalog.instruments import instrument_id
from liqstrat.catalog.manifest import Manifest, lock_of
from liqstrat.catalog.perpetual import finer_than, fitting, make_instrument
from liqstrat.catalog.upkeep import Upkeep, Wanted
from liqstrat.held import alone, why, written
from liqstrat.market.file_state import file_state
from liqstrat.market.instruments import seen_by
from liqstrat.market.store import Store
from liqstrat.progress import SILENT, Progress
from liqstrat.remarks import remark

_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


@dataclass(frozen=True)
class CatalogReport:
    """What a build did. `start` and `end` are whole days; `rows` counts what the catalog holds of them, by kind.

    instrument: with the limits that the exchange had by the end that was asked for. In the catalog it is that of the
    last build, which may be another's. notes: what somebody who trades in this catalog must know, in words.
    """

    symbol: str
    instrument_id: str
    instrument: CryptoPerpetual
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
    other decimals than before, then every day is written anew, or their files are not as they were made.

    Where nothing is to be written, nothing is, so that the catalog may be read-only. Raises `LiqstratError` where there
    is no history, a price or quantity does not fit exactly, or what is to be written cannot be.
    """
    database, markets = file_state(store), store.instruments(symbol)
    market = seen_by(end or datetime.now(UTC), markets)
    used = Manifest(catalog_path, symbol, ()).digits(database) or precision_of(store, symbol)
    precision = fitting(used, markets)
    instrument = make_instrument(precision, market)
    wanted = Wanted(*whole_days(store, symbol, start, end), start, end, used, precision, instrument)
    upkeep = Upkeep(store, catalog_path, wanted, database)
    days_written = 0
    if not upkeep.is_done():
        upkeep, days_written = _brought_up(upkeep, progress)
    return CatalogReport(
        symbol=symbol,
        instrument_id=str(instrument_id(symbol)),
        instrument=instrument,
        start=wanted.first,
        end=wanted.last,
        price_decimals=precision.price,
        size_decimals=precision.size,
        days_written=days_written,
        days_kept=len(upkeep.days) - days_written,
        rows=upkeep.rows(),
        notes=finer_than(market, used),
    )


def _brought_up(upkeep: Upkeep, progress: Progress) -> tuple[Upkeep, int]:
    """What is to be written written, and how many days that were."""
    symbol = upkeep.symbol
    with written(upkeep.path):
        try:
            with alone(
                lock_of(upkeep.path, symbol),
                lambda process: remark(
                    f"the catalog of {symbol} is being written by process {process}; waiting for it"
                ),
            ):
                # Another may have written meanwhile.
                upkeep = upkeep.again()
                return upkeep, 0 if upkeep.is_done() else upkeep.bring_up(progress)
        except OSError as error:
            if error.errno not in _READ_ONLY:
                raise
            upkeep.require_nothing(progress, why(error))
            return upkeep, 0
