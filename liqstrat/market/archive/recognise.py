"""Which layout a file has: decided by its header or first row, and held against its name."""

import gzip
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from liqstrat.market.archive import agg_trades, amounts, bybit, funding, klines, liquidations, metrics
from liqstrat.market.archive.layout import Layout, RefusedError
from liqstrat.market.archive.names import ArchiveName
from liqstrat.market.archive.strangers import stranger

LAYOUTS: tuple[Layout, ...] = (
    *agg_trades.LAYOUTS,
    *metrics.LAYOUTS,
    *funding.LAYOUTS,
    *klines.LAYOUTS,
    *liquidations.LAYOUTS,
    *amounts.LAYOUTS,
)

#: Of other venues: known by their header alone, whatever they are called.
_FOREIGN: tuple[Layout, ...] = (*bybit.LAYOUTS,)

_LONGEST_LINE = 1 << 16
_LINE_END = re.compile(r"\r\n|\n|\r")
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Recognised:
    """skip: lines before the first row. line_end: how the first line ends. row: what a row is called in messages."""

    layout: Layout
    skip: int
    line_end: str = "\n"
    row: str = "line"


def recognise(path: Path, name: ArchiveName) -> Recognised:
    """The layout of the CSV file at `path`; raises `RefusedError` with what was found and expected."""
    lines, line_end = _head(path)
    filled = [number for number, line in enumerate(lines) if line]
    first, second = (_cells(lines[number]) for number in (*filled, -1, -1)[:2])
    header = tuple(cell.lower() for cell in first) if _is_header(first) else ()
    row = second if header else first
    layout = _by_header(header) if header else _by_row(row, name)
    if layout is None:
        raise RefusedError(_unknown(filled[0] + 1, first, row, header, name))
    _hold_against(name, layout)
    if row == [""] and not layout.may_be_empty:
        raise RefusedError(f"has a header and no row; expected rows of {layout.name}")
    return Recognised(layout, skip=filled[0] + bool(header), line_end=line_end)


def layout_of(path: Path) -> Layout | None:
    """The layout of a table of another venue, plain or packed by gzip, by its header; None where it is none."""
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            first = file.readline(_LONGEST_LINE).decode("utf-8-sig", errors="replace").strip("\r\n")
    except (OSError, EOFError, zlib.error) as error:
        if path.suffix.lower() == ".gz":
            raise RefusedError(f"is not a whole gzip file ({error or type(error).__name__}); get it again") from None
        raise
    header = tuple(cell.lower() for cell in _cells(first))
    return next((layout for layout in _FOREIGN if layout.header == header), None)


def line_end_of(path: Path) -> str:
    """How the first line of a file ends."""
    return _head(path)[1]


def check_end(path: Path, layout: Layout) -> None:
    """Raise `RefusedError` when the last cell was cut short: "t" for "true" is a value to a reader."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _LONGEST_LINE))
        end = file.read().decode(errors="replace").rstrip()
    last = _cells(_LINE_END.split(end)[-1])
    cell, column = last[-1], layout.columns[-1]
    if len(last) != len(layout.columns):
        return  # That is told with its line.
    if cell and not re.fullmatch(column.cell, cell) and cell.lower() != column.name:
        raise RefusedError(f'ends in the middle of a row: {column.name} is "{cell[:_SHOWN]}" in its last line')


def _head(path: Path) -> tuple[list[str], str]:
    """The first lines, followed by a blank one, and how they end."""
    with path.open("rb") as file:
        head = file.read(2 * _LONGEST_LINE)
    if b"\0" in head:
        raise RefusedError("is not text; expected a CSV file")
    text = head.decode("utf-8-sig", errors="replace")
    if not text.strip():
        raise RefusedError("is empty" if len(head) < 2 * _LONGEST_LINE else "begins with nothing but blanks")
    line_end = _LINE_END.search(text)
    return [*_LINE_END.split(text), ""], line_end[0] if line_end else "\n"


def _cells(line: str) -> list[str]:
    """No format here has a comma inside a cell."""
    return [cell.strip().strip('"') for cell in line.split(",")]


def _hold_against(name: ArchiveName, layout: Layout) -> None:
    fits_format = any(other.name == name.format and other.kind == layout.kind for other in LAYOUTS)
    if name.format and not fits_format:
        raise RefusedError(f"is named {name.format}, but its columns are those of {layout.name}")
    if name.interval and layout.kind not in ("klines", "open_interest"):
        raise RefusedError(f"is named as klines of {name.interval}, but its columns are those of {layout.name}")


def _is_header(cells: Sequence[str]) -> bool:
    return all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_ ]*", cell) for cell in cells)


def _by_header(header: Sequence[str]) -> Layout | None:
    return next((layout for layout in LAYOUTS if layout.header == tuple(header)), None)


def _by_row(row: Sequence[str], name: ArchiveName) -> Layout | None:
    """The layout whose patterns the row has, else the one that the name says if the number of columns is right.

    The latter finds the broken cell later, with its line.
    """
    layouts = [layout for layout in LAYOUTS if not layout.needs_header]
    fitting = next((layout for layout in layouts if layout.fits(row)), None)
    if fitting or stranger(row, ()):
        return fitting
    said = name.format or ("klines" if name.interval else None)
    return next((known for known in layouts if known.name == said and len(known.columns) == len(row)), None)


def _unknown(number: int, first: Sequence[str], row: Sequence[str], header: Sequence[str], name: ArchiveName) -> str:
    known = stranger(row, header)
    if known:
        return known
    expected = [layout for layout in LAYOUTS if layout.name == name.format] or list(LAYOUTS)
    forms = " or ".join(f"{len(layout.columns)} ({','.join(layout.header)})" for layout in expected)
    if name.format is None:
        forms = "those of one of " + ", ".join(dict.fromkeys(layout.name for layout in LAYOUTS))
    return f'line {number} has {len(first)} columns ("{_shown(first)}"), expected {forms}'


def _shown(cells: Sequence[str]) -> str:
    text = ",".join(cells)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
