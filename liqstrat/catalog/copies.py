"""Whether a copy of a catalog, elsewhere, has what a run is replayed from as the catalog itself has it."""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from liqstrat.catalog.day_files import Coverage
from liqstrat.catalog.manifest import Made, Manifest
from liqstrat.errors import LiqstratError

_DAY = timedelta(days=1)


def catalog_print(catalog: Path, symbols: Iterable[str], start: datetime, end: datetime) -> str:
    """SHA-256 of what the manifest says of the files of each day that `[start, end)` touches; none is read."""
    told = [
        [symbol, f"{day:%Y-%m-%d}", made and made.checksums]
        for symbol in symbols
        for day, made in _days(catalog, symbol, start, end)
    ]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def require_copy(catalog: Path, symbols: Iterable[str], start: datetime, end: datetime, wanted: str) -> None:
    """Read the files of `[start, end)`; raise `LiqstratError` where they are not those of the print `wanted`."""
    names = list(symbols)
    for symbol in names:
        days = [(day, made) for day, made in _days(catalog, symbol, start, end) if made is not None]
        if not days:
            raise LiqstratError(
                f"{catalog}: is no catalog with {symbol} from {start:%Y-%m-%d} on: copy or mount the catalog's folder, "
                "and set LIQSTRAT_CATALOG where the worker is started, if it lies elsewhere there"
            )
        whole = Coverage(catalog, symbol).whole(days)
        if broken := next((day for day, _ in days if day not in whole), None):
            raise LiqstratError(f"{catalog}: the files of {symbol} on {broken:%Y-%m-%d} are not whole: copy it again")
    if catalog_print(catalog, names, start, end) != wanted:
        raise LiqstratError(f"{catalog}: is not the catalog as it is where the study was started: copy it again")


def _days(catalog: Path, symbol: str, start: datetime, end: datetime) -> Iterable[tuple[datetime, Made | None]]:
    manifest = Manifest(catalog, symbol, ())
    day = start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    while day < end:
        yield day, manifest.made(day)
        day += _DAY
