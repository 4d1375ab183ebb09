"""Files that are no files of the exchange: tables of vendors, read by a mapping or known by their columns."""

import hashlib
import os
import re
import tempfile
from dataclasses import replace
from itertools import islice
from pathlib import Path

from liqstrat.market.archive.foreign import Rows, flat, read_csv, read_parquet, rows_of, write_kind
from liqstrat.market.archive.json_entries import JsonFile
from liqstrat.market.archive.layout import RefusedError
from liqstrat.market.archive.mapping import Mapping, export_of
from liqstrat.market.archive.names import check_symbol, symbol_inside
from liqstrat.market.archive.recognise import Recognised
from liqstrat.market.archive.unpack import Unpacked, sha256_of
from liqstrat.market.ledger import JSON_SUFFIXES
from liqstrat.market.preparing import InAlready, Known, Recorded

#: Exchanges by the letter or digit that ends a symbol of Coinalyze (`BTCUSDT_PERP.A`).
_COINALYZE = {"A": "binance", "6": "bybit", "3": "okx", "2": "deribit", "0": "bitmex", "4": "htx", "F": "bitfinex"}
_VENUES = ("binance", "bybit", "okx", "bitmex", "deribit", "htx", "bitfinex")
_SUFFIXES = (".csv", ".parquet", *JSON_SUFFIXES)


def mapped_kinds(path: Path, mapping: Mapping | None) -> list[str]:
    """What there is to be read of a file: kinds of its mapping, or of an export that is known by its columns."""
    if mapping is not None:
        return mapping.kinds
    # What is no file, or none that can be read, is told by the reader of files of the exchange; a pipe would never end.
    try:
        return ["liquidations"] if path.is_file() and _export(path) else []
    except (RefusedError, OSError):
        return []


def prepare_mapped(path: Path, kind: str, mapping: Mapping | None, known: Known, folder: Path) -> InAlready | Recorded:
    """One kind of a file as CSV in `folder`; raises `RefusedError`."""
    if path.suffix.lower() not in _SUFFIXES:
        raise RefusedError(f'ends in "{path.suffix}", expected {", ".join(_SUFFIXES)} to be read by a mapping')
    rows = _rows(path)
    vendor = ""
    if mapping is None:
        found = _export(path, rows)
        assert found is not None
        vendor, mapping = found
    symbol = _symbol(path, rows, mapping)
    check_symbol(symbol)
    sha256 = hashlib.sha256(f"{sha256_of(path)} {kind} {mapping}".encode()).hexdigest()
    if (sha256, symbol) in known:
        return InAlready(known[sha256, symbol], symbol)
    handle, target = tempfile.mkstemp(suffix=".csv", dir=folder)
    os.close(handle)
    unpacked = Unpacked(Path(target), temporary=True, simulated=False)
    try:
        layout, said = write_kind(rows, kind, mapping, symbol, unpacked.csv)
    except BaseException:
        unpacked.remove()
        raise
    if vendor:
        told = mapping.liquidations
        assert told is not None
        said.insert(0, f"read as an export of {vendor}: {told.unit} of {told.venues}")
    return Recorded(symbol, sha256, unpacked, Recognised(layout, skip=0, row="row"), "; ".join(said))


def _rows(path: Path) -> Rows:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return read_parquet(path)
    if suffix == ".csv":
        return read_csv(path)
    entries = list(flat(JsonFile(path).entries()))
    if not entries:
        raise RefusedError("holds no entry")
    return rows_of(entries)


def _export(path: Path, rows: Rows | None = None) -> tuple[str, Mapping] | None:
    """The vendor and the mapping of an export that is known by its columns, with the venues it tells of."""
    columns = rows.columns if rows else _columns(path)
    found = export_of(columns)
    if found is None:
        return None
    vendor, mapping = found
    assert mapping.liquidations is not None
    venues = _venues(path, rows, several="aggregated" in mapping.liquidations.long)
    return vendor, replace(mapping, liquidations=replace(mapping.liquidations, venues=venues))


def _columns(path: Path) -> tuple[str, ...]:
    """The columns of a file, from its begin."""
    suffix = path.suffix.lower()
    if suffix == ".csv":
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            return tuple(name.strip().strip('"') for name in file.readline(1 << 16).split(","))
    if suffix in JSON_SUFFIXES:
        first = next(islice(flat(islice(JsonFile(path).entries(), 1)), 1), None)
        return tuple(first) if first else ()
    return ()


def _venues(path: Path, rows: Rows | None, *, several: bool) -> str:
    if rows and "symbol" in rows.columns:
        last = rows.cells["symbol"][0].rpartition(".")[2]
        if last in _COINALYZE:
            return _COINALYZE[last]
    named = [venue for venue in _VENUES if venue in path.name.lower()]
    return "+".join(named) or ("several" if several else "unknown")


def _symbol(path: Path, rows: Rows, mapping: Mapping) -> str:
    if mapping.symbol:
        return mapping.symbol
    if "symbol" in rows.columns:
        told = {re.sub(r"(_PERP)?\.\w+$", "", cell) for cell in rows.cells["symbol"]}
        if len(told) > 1:
            raise RefusedError(f"is of several symbols ({', '.join(sorted(told)[:4])}), expected one")
        return told.pop()
    found = symbol_inside(path)
    if found is None:
        raise RefusedError("does not say of which symbol it is; put it into the name, as BTCUSDT, or into a --mapping")
    return found
