"""What a format of the archive is: its columns, what must hold in each row, and how it becomes a row of ours."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from liqstrat.errors import LiqstratError

INTEGER = r"\d+"
DECIMAL = r"-?\d+(\.\d+)?([eE][-+]?\d+)?"
TRUTH = r"[Tt]rue|TRUE|[Ff]alse|FALSE"
DATETIME = r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?"
WORD = r"[^\W\d]\w*"
SYMBOL = r"\w+"

#: Prices, quantities and rates; what is given with more digits is refused, not rounded.
DIGITS = 8
EXACT = f"DECIMAL(18,{DIGITS})"

_FIRST_MS, _LAST_MS = 1_546_300_800_000, 4_102_444_800_000  # 2019-01-01, before the market opened; 2100-01-01
_TIME_EXPECTED = "a time in milliseconds from 2019 on"


class RefusedError(LiqstratError):
    """A file that is not loaded, and why; the message leaves out the file's own name."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a file: its name in the header, the DuckDB type to read, and the pattern that its cells have.

    A column that is not `used` is not read at all; one that is not `optional` may not be blank.
    """

    name: str
    type: str
    cell: str
    used: bool = True
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """A condition (SQL) under which a row cannot be right, the column to blame and what was expected of it."""

    wrong: str
    column: str
    expected: str


@dataclass(frozen=True, slots=True)
class Layout:
    """A format of the archive.

    rows: SQL expressions for the columns of ours, but for symbol and exchange, over the columns that are used.
    key: which of ours tell rows apart; of several rows with one key, the one whose `prefer` (a column of ours) is
    largest stays, and without `prefer` they must be equal.
    file_checks: SQL over all rows of a file under which it is not what it seems, and what it is then.
    candle_ms: SQL for the length of a row's candle, where the columns tell it.
    """

    name: str
    kind: str
    columns: tuple[Column, ...]
    rows: Mapping[str, str]
    checks: tuple[Check, ...]
    key: tuple[str, ...]
    prefer: str | None = None
    needs_header: bool = False
    may_be_empty: bool = False
    symbol_column: str | None = None
    file_checks: tuple[tuple[str, str], ...] = ()
    candle_ms: str | None = None

    @property
    def header(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def fits(self, cells: Sequence[str]) -> bool:
        """Whether `cells` could be a row of this layout."""
        return len(cells) == len(self.columns) and all(
            (column.optional and not cell) or re.fullmatch(column.cell, cell)
            for column, cell in zip(self.columns, cells, strict=True)
        )


def column(name: str, type_: str, cell: str | None = None, *, used: bool = True, optional: bool = False) -> Column:
    """A column whose cells look as its type says, unless `cell` says otherwise."""
    usual = {"BIGINT": INTEGER, "INTEGER": INTEGER, "BOOLEAN": TRUTH, "TIMESTAMP": DATETIME, "VARCHAR": WORD}
    return Column(name, type_, cell or usual.get(type_, DECIMAL), used, optional)


def positive(*names: str, what: str = "a number above 0") -> tuple[Check, ...]:
    return tuple(Check(f"{name} <= 0", name, what) for name in names)


def not_negative(*names: str) -> tuple[Check, ...]:
    return tuple(Check(f"{name} < 0", name, "a number not below 0") for name in names)


def epoch_check(name: str, *, microseconds: bool = False) -> Check:
    """The epoch time is in milliseconds or, where that is allowed, in microseconds; they differ by magnitude."""
    allowed = f"{name} >= {_FIRST_MS} and {name} < {_LAST_MS}"
    if microseconds:
        allowed += f" or {name} >= {_FIRST_MS}000 and {name} < {_LAST_MS}000"
    return Check(f"not ({allowed})", name, _TIME_EXPECTED)


def time_check(name: str) -> Check:
    return Check(f"{name} < timestamp '2019-01-01' or {name} >= timestamp '2100-01-01'", name, "a time from 2019 on")


def epoch(name: str) -> str:
    """SQL: the timestamp of an epoch time in milliseconds or microseconds."""
    return f"make_timestamp(if({name} >= {_FIRST_MS}000, {name}, {name} * 1000))"
