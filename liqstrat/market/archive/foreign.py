"""Foreign tables, CSV, Parquet or JSON of vendors, written as CSV in our layouts by a mapping."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from liqstrat.errors import did_you_mean
from liqstrat.market.archive import amounts, klines, metrics
from liqstrat.market.archive.layout import DIGITS, Layout, RefusedError
from liqstrat.market.archive.mapping import Mapping
from liqstrat.moments import microseconds

#: Epoch times are told apart by their size: seconds, milliseconds, microseconds, nanoseconds.
_FIRST_SECOND, _LAST_SECOND = 1_546_300_800, 4_102_444_800
_SMALLEST = Decimal(1).scaleb(-DIGITS)
_BLANK = {"", "nan", "null", "none", "na", "n/a"}
_KLINES = next(layout for layout in klines.LAYOUTS if layout.header[0] == "open_time")
_US = 1_000_000
#: What stands between columns where it is no comma.
_OTHER_MARKS = (";", "\t", "|")


@dataclass(frozen=True, slots=True)
class Rows:
    """A table: its columns, and cells by column as texts ("" where blank). `row`: what a row is called in messages."""

    columns: tuple[str, ...]
    cells: dict[str, list[str]]
    row: str
    first: int

    def __len__(self) -> int:
        return len(next(iter(self.cells.values()), []))

    def of(self, name: str) -> list[str]:
        """A column; raises `RefusedError` with the nearest name where there is none."""
        if name not in self.cells:
            raise RefusedError(f"has no column {name}{did_you_mean(name, self.columns)}; it has {_few(self.columns)}")
        return self.cells[name]

    def moments(self, name: str) -> npt.NDArray[np.int64]:
        """A column of times in microseconds since 1970."""
        return _times(self, name)

    def floats(self, name: str, rows: Sequence[int]) -> npt.NDArray[np.float64]:
        """Some rows of a column of numbers, NaN where blank."""
        cells = self.of(name)
        found = np.full(len(rows), np.nan)
        for at, i in enumerate(rows):
            try:
                found[at] = float(cells[i]) if cells[i] else np.nan
            except ValueError:
                raise self.refused(i, name, "a number") from None
        return found

    def refused(self, at: int, name: str, expected: str) -> RefusedError:
        found = self.cells[name][at][:40]
        return RefusedError(f'{self.row} {self.first + at}: {name} is "{found}", expected {expected}')


def read_csv(path: Path) -> Rows:
    """A CSV file with a header; raises `RefusedError`."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [line for line in csv.reader(file) if line]
    except (UnicodeDecodeError, csv.Error) as error:
        raise RefusedError(f"is not CSV: {error}") from None
    if len(lines) < 2:
        raise RefusedError("has no rows below a header")
    header = tuple(name.strip() for name in lines[0])
    if len(header) == 1 and (mark := next((one for one in _OTHER_MARKS if one in header[0]), None)):
        raise RefusedError(f'has "{mark}" between its columns, expected commas: {header[0][:80]!r}')
    for number, line in enumerate(lines[1:], 2):
        if len(line) != len(header):
            raise RefusedError(f"line {number}: has {len(line)} columns, expected {len(header)} ({_few(header)})")
    columns = ([_plain(cell) for cell in one] for one in zip(*lines[1:], strict=True))
    return Rows(header, dict(zip(header, columns, strict=True)), "line", 2)


def read_parquet(path: Path) -> Rows:
    """A Parquet file; raises `RefusedError`."""
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise RefusedError(f"is not Parquet: {str(error).splitlines()[0][:200]}") from None
    cells = {}
    for name in table.column_names:
        column = table[name]
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("us")).cast(pa.int64())
        cells[name] = [_plain("" if value is None else str(value)) for value in column.to_pylist()]
    return Rows(tuple(table.column_names), cells, "row", 1)


def rows_of(entries: Sequence[dict[str, Any]]) -> Rows:
    """Objects of JSON, all with the keys of the first."""
    names = tuple(entries[0])
    cells: dict[str, list[str]] = {name: [] for name in names}
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict) or not entry.keys() >= set(names):
            raise RefusedError(f"entry {number}: lacks keys of the first ({_few(names)})")
        for name in names:
            cells[name].append(_plain("" if entry[name] is None else str(entry[name])))
    return Rows(names, cells, "entry", 1)


def write_kind(rows: Rows, kind: str, mapping: Mapping, symbol: str, target: Path) -> tuple[Layout, list[str]]:
    """Write one kind of what the mapping names to the CSV file `target`; its layout, and what is worth saying.

    Raises `RefusedError` with the row, what was found and what was expected.
    """
    times = _times(rows, mapping.time)
    step = (mapping.step or _usual(times)) * _US
    starts = times - step if mapping.times_are == "end" else times
    if kind == "klines":
        layout, columns, said = _klines(rows, mapping, starts, step)
    elif kind == "open_interest":
        layout, columns, said = _open_interest(rows, mapping, starts, step, symbol)
    else:
        layout, columns, said = _liquidations(rows, mapping, starts, step, symbol)
    with target.open("w", encoding="utf-8", newline="") as file:
        for line in zip(*columns, strict=True):
            if line[0]:
                file.write(",".join(line) + "\n")
    return layout, said


def _klines(rows: Rows, mapping: Mapping, starts: Any, step: int) -> tuple[Layout, list[Iterable[str]], list[str]]:
    names = mapping.klines or {}
    cells = {name: _numbers(rows, theirs) for name, theirs in names.items()}
    keep = [all(cells[name][i] for name in names if name != "taker_buy_volume") for i in range(len(rows))]
    nothing = [""] * len(rows)
    columns: list[Iterable[str]] = [
        [str(us // 1000) if there else "" for us, there in zip(starts.tolist(), keep, strict=True)],
        *(cells[name] for name in ("open", "high", "low", "close", "volume")),
        [str((us + step) // 1000 - 1) for us in starts.tolist()],
        nothing,
        nothing,
        cells.get("taker_buy_volume", nothing),
        nothing,
        nothing,
    ]
    optional = ("quote_volume", "count", "taker_buy_volume", "taker_buy_quote_volume")
    layout = replace(
        _KLINES,
        columns=tuple(replace(one, optional=one.optional or one.name in optional) for one in _KLINES.columns),
        file_checks=(),
    )
    return layout, columns, _left_out(keep, "candles without prices")


def _open_interest(
    rows: Rows, mapping: Mapping, starts: Any, step: int, symbol: str
) -> tuple[Layout, list[Iterable[str]], list[str]]:
    assert mapping.open_interest is not None
    contracts, value, known = mapping.open_interest
    amount = _numbers(rows, contracts)
    keep = [bool(cell) and Decimal(cell) > 0 for cell in amount]
    at = starts + step if known == "end" else starts
    columns: list[Iterable[str]] = [
        [str(us // 1000) if there else "" for us, there in zip(at.tolist(), keep, strict=True)],
        [symbol] * len(rows),
        amount,
        _numbers(rows, value) if value else [""] * len(rows),
    ]
    return metrics.HISTORY, columns, _left_out(keep, "values of open interest that are blank or 0")


def _liquidations(
    rows: Rows, mapping: Mapping, starts: Any, step: int, symbol: str
) -> tuple[Layout, list[Iterable[str]], list[str]]:
    told = mapping.liquidations
    assert told is not None
    long, short = (_numbers(rows, name, least=0) for name in (told.long, told.short))
    for name, cells in ((told.long, long), (told.short, short)):
        if not any(cells):
            raise RefusedError(f"{name} is blank in all {len(rows):,} rows, expected amounts of both sides")
    keep = [bool(one) and bool(other) for one, other in zip(long, short, strict=True)]
    nothing = [""] * len(rows)
    pair = [long, short]
    columns: list[Iterable[str]] = [
        [str(us // 1000) if there else "" for us, there in zip(starts.tolist(), keep, strict=True)],
        [symbol] * len(rows),
        [str(step // _US)] * len(rows),
        *(pair if told.unit == "contracts" else [nothing, nothing]),
        *(pair if told.unit == "usd" else [nothing, nothing]),
        [told.venues] * len(rows),
        [told.record or "unknown"] * len(rows),
    ]
    return amounts.LAYOUT, columns, _left_out(keep, "amounts that are blank")


def _times(rows: Rows, name: str) -> npt.NDArray[np.int64]:
    """Microseconds since 1970, one a row."""
    cells = rows.of(name)
    found = np.empty(len(cells), dtype=np.int64)
    for i, cell in enumerate(cells):
        us = _moment_us(cell)
        if us is None:
            raise rows.refused(i, name, "a moment from 2019 on, as an epoch time or 2024-03-01 12:00:00")
        found[i] = us
    return found


def _moment_us(cell: str) -> int | None:
    if re.fullmatch(r"\d{10,19}(\.0)?", cell):
        whole = int(cell.removesuffix(".0"))
        for us in (whole * _US, whole * 1000, whole, whole // 1000):
            if _FIRST_SECOND * _US <= us < _LAST_SECOND * _US:
                return us
        return None
    try:
        moment = datetime.fromisoformat(cell)
        us = microseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except ValueError:
        return None
    return us if _FIRST_SECOND * _US <= us < _LAST_SECOND * _US else None


def _usual(times: Any) -> int:
    """The most common distance of rows, in seconds."""
    steps = np.diff(np.unique(times)) // _US
    if not len(steps):
        raise RefusedError("has one row, which does not tell how long its interval is; say it: step in a --mapping")
    values, counts = np.unique(steps, return_counts=True)
    return int(values[counts.argmax()])


def _numbers(rows: Rows, name: str, least: float = -inf) -> list[str]:
    """A column of numbers, none below `least`, with no more digits than the tables have."""
    cells, out = rows.of(name), []
    for i, cell in enumerate(cells):
        if not cell:
            out.append("")
            continue
        try:
            value = Decimal(cell)
        except InvalidOperation:
            value = Decimal("nan")
        if not value.is_finite():
            raise rows.refused(i, name, "a number")
        if value < least:
            raise rows.refused(i, name, f"a number not below {least:g}")
        exponent = value.as_tuple().exponent
        short = isinstance(exponent, int) and exponent >= -DIGITS
        out.append(f"{value if short else value.quantize(_SMALLEST):f}")
    return out


def _left_out(keep: Sequence[bool], what: str) -> list[str]:
    gone = len(keep) - sum(keep)
    if gone == len(keep):
        raise RefusedError(f"has nothing but {what}")
    return [f"{gone:,} {what} were left out"] if gone else []


def _plain(cell: str) -> str:
    text = cell.strip()
    return "" if text.lower() in _BLANK else text


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:12]) + (", …" if len(names) > 12 else "")


def flat(entries: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """The rows of a vendor's answer, which Coinalyze has in `history`, CryptoQuant in `result.data`, or `data`."""
    for entry in entries:
        if not isinstance(entry, dict):
            raise RefusedError("has entries that are no objects")
        inner = entry.get("history", entry.get("data"))
        if isinstance(entry.get("result"), dict):
            inner = entry["result"].get("data")
        if isinstance(inner, list):
            carried = {"symbol": entry["symbol"]} if isinstance(entry.get("symbol"), str) else {}
            for one in inner:
                if isinstance(one, dict):
                    yield {**carried, **one}
        else:
            yield entry
