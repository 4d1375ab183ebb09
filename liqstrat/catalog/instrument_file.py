"""The instrument's file in a catalog, written only where it is another one."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from nautilus_trader.model import CryptoPerpetual
from nautilus_trader.persistence import ParquetDataCatalog

from liqstrat.catalog.day_files import checksum


def has_instrument(catalog_path: Path, remembered: dict[str, Any], instrument: CryptoPerpetual) -> bool:
    """Whether the catalog has the instrument's file, as `write_instrument` has written and said of it."""
    if remembered.get("told") != _told(instrument):
        return False
    try:
        return checksum(catalog_path / str(remembered.get("file"))) == remembered.get("checksum")
    except OSError:
        return False


def write_instrument(catalog_path: Path, instrument: CryptoPerpetual) -> dict[str, Any]:
    """Put the instrument into its place; returns what `has_instrument` asks for.

    By Nautilus's own writer, which refuses to write twice: so elsewhere first.
    """
    with tempfile.TemporaryDirectory() as aside:
        ParquetDataCatalog(aside).write_instruments([instrument])
        (source,) = Path(aside).rglob("*.parquet")
        file, content = source.relative_to(aside), source.read_bytes()
    target = catalog_path / file
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    try:
        part.write_bytes(content)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return {"told": _told(instrument), "file": str(file), "checksum": checksum(target)}


def _told(instrument: CryptoPerpetual) -> str:
    return json.dumps(instrument.to_dict(), sort_keys=True, default=str)
