"""All about a file that needs no database: what it is, whether it is whole, and its rows as CSV."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from liqstrat.market.archive import bybit
from liqstrat.market.archive.json_entries import JsonFile, keys_text, write_rows
from liqstrat.market.archive.json_formats import FORMATS, format_of, stranger
from liqstrat.market.archive.layout import Layout, RefusedError
from liqstrat.market.archive.names import ArchiveName, check_market, date_inside, parse_name, symbol_inside
from liqstrat.market.archive.numbers import moment
from liqstrat.market.archive.recognise import Recognised, check_end, layout_of, line_end_of, recognise
from liqstrat.market.archive.unpack import Unpacked, sha256_of, unpack, unzipped
from liqstrat.market.brackets import is_brackets
from liqstrat.market.instruments import is_exchange_info, told_on
from liqstrat.market.ledger import JSON_SUFFIXES
from liqstrat.market.reference import LARGEST_ANSWER

#: Kind by SHA-256 and symbol of the files that are in.
Known = Mapping[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class InAlready:
    kind: str
    symbol: str | None


@dataclass(frozen=True, slots=True)
class Archived:
    """A file of the archive, of one symbol."""

    name: ArchiveName
    sha256: str
    unpacked: Unpacked
    recognised: Recognised


@dataclass(frozen=True, slots=True)
class Recorded:
    """JSON made into CSV: an answer of the API or a recorded stream. symbol: the one in its name, if that tells it."""

    symbol: str | None
    sha256: str
    unpacked: Unpacked
    recognised: Recognised
    remark: str


@dataclass(frozen=True, slots=True)
class Reference:
    """What the exchange says of its markets on a day, parsed."""

    kind: Literal["brackets", "instruments"]
    document: Any
    as_of: date


Prepared = InAlready | Archived | Recorded | Reference


def prepare(path: Path, known: Known, folder: Path) -> Prepared:
    """The file at `path`, unzipped or converted into `folder` if need be; raises `RefusedError`."""
    check_file(path)
    if path.suffix.lower() in JSON_SUFFIXES:
        return _prepare_json(path, known, folder)
    layout = None if path.suffix.lower() == ".zip" else layout_of(path)
    if layout is not None:
        return _prepare_rows(path, layout, known, folder)
    if (candles := bybit.candles_named(path.name)) is not None:
        layout, symbol, interval = candles
        return _prepare_candles(path, layout, ArchiveName(symbol, None, interval), known, folder)
    if path.suffix.lower() not in (".zip", ".csv"):
        raise RefusedError(f'ends in "{path.suffix}", expected a file of an archive (.zip, .csv, .csv.gz) or JSON')
    name = parse_name(path)
    sha256 = sha256_of(path)
    if (sha256, name.symbol) in known:
        return InAlready(known[sha256, name.symbol], name.symbol)
    unpacked = unpack(path, name.symbol, folder)
    try:
        return Archived(name, sha256, unpacked, recognise(unpacked.csv, name))
    except BaseException:
        unpacked.remove()
        raise


def _prepare_rows(path: Path, layout: Layout, known: Known, folder: Path) -> Prepared:
    """A table of another venue, whose rows say of which symbol they are."""
    sha256 = sha256_of(path)
    for (old, symbol), kind in known.items():
        if old == sha256:
            return InAlready(kind, symbol)
    unpacked = unzipped(path, folder)
    try:
        check_end(unpacked.csv, layout)
    except BaseException:
        unpacked.remove()
        raise
    return Recorded(None, sha256, unpacked, Recognised(layout, skip=1, line_end=line_end_of(unpacked.csv)), "")


def _prepare_candles(path: Path, layout: Layout, name: ArchiveName, known: Known, folder: Path) -> Prepared:
    """A table without a header, whose name says of what it is."""
    sha256 = sha256_of(path)
    if (sha256, name.symbol) in known:
        return InAlready(known[sha256, name.symbol], name.symbol)
    unpacked = unzipped(path, folder)
    return Archived(name, sha256, unpacked, Recognised(layout, skip=0, line_end=line_end_of(unpacked.csv)))


def check_file(path: Path) -> None:
    """Raise for what is no file: to read from a pipe or a device can take for ever."""
    if path.is_dir():
        raise RefusedError("is a folder that cannot be read")
    if not path.exists():
        raise RefusedError("there is no such file")
    if not path.is_file():
        raise RefusedError("is a pipe or a device, expected a file")
    if not _is_text(path.name):
        raise RefusedError("has a name that is not UTF-8; rename it")


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _prepare_json(path: Path, known: Known, folder: Path) -> Prepared:
    check_market(path)
    sha256 = sha256_of(path)
    file = JsonFile(path)
    first = file.first()
    is_limits = bybit.brackets(first) is not None
    if (is_brackets(first) or is_limits) and path.stat().st_size > LARGEST_ANSWER:
        raise RefusedError(f"has brackets in more than {LARGEST_ANSWER >> 20} MB")
    if is_limits:
        told = moment(first["time"], "time").date() if first.get("time") is not None else None
        pages = [bybit.brackets(entry) for entry in file.entries()]
        if None in pages:
            raise RefusedError("has other entries besides risk limits")
        return Reference("brackets", [one for page in pages for one in page or []], _as_of(path, told))
    if is_brackets(first):
        return Reference("brackets", list(file.entries()), _as_of(path, None))
    if is_exchange_info(first):
        if len(list(islice(file.entries(), 2))) > 1:
            raise RefusedError("holds more than one answer of exchangeInfo")
        return Reference("instruments", first, _as_of(path, told_on(first)))
    format_ = format_of(first)
    if format_ is None:
        names = ", ".join([*(known.name for known in FORMATS), "leverageBracket", "exchangeInfo"])
        raise RefusedError(stranger(first) or f"has entries with {keys_text(first)}, expected those of one of {names}")
    symbol = None if format_.layout.symbol_column else symbol_inside(path)
    for (old, old_symbol), kind in known.items():
        if old == sha256 and symbol in (None, old_symbol):
            return InAlready(kind, symbol)
    handle, target = tempfile.mkstemp(suffix=".csv", dir=folder)
    os.close(handle)
    unpacked = Unpacked(Path(target), temporary=True, simulated=False)
    try:
        write_rows(file, format_, unpacked.csv)
    except BaseException:
        unpacked.remove()
        raise
    remark = "its last line is cut short and was left out" if file.cut else ""
    recognised = Recognised(format_.layout, skip=0, row="entry")
    return Recorded(symbol, sha256, unpacked, recognised, remark)


def _as_of(path: Path, told: date | None) -> date:
    day = told or date_inside(path)
    if day is None:
        raise RefusedError(
            "does not say of which day it is; put the day into its name, as in 2024-03-01.json, "
            "or load it with `liqstrat brackets --from FILE --as-of DATE`"
        )
    return day
