"""What a format of the archive is: its columns, what must hold in each row, and how it becomes a row of ours."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from liqstrat.errors import LiqstratError

# Patterns of whole cells, which mean the same to Python and to DuckDB (RE2). Numbers are short: none takes long.
#: Digits of the longest whole number that any column holds.
LONGEST_INTEGER = 18
INTEGER = rf"[0-9]{{1,{LONGEST_INTEGER}}}"
DECIMAL = r"-?([0-9]{1,40}(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][-+]?[0-9]{1,3})?"
TRUTH = r"[Tt]rue|TRUE|[Ff]alse|FALSE"
DATETIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
WORD = r"[A-Za-z_][A-Za-z0-9_]*"
#: Only for Python: some symbols have letters beyond ASCII.
SYMBOL = r"\w+"

#: Prices, quantities and rates; what is given with more digits is refused, not rounded.
DIGITS = 8

_FIRST_MS, _LAST_MS = 1_546_300_800_000, 4_102_444_800_000  # 2019-01-01, before the market opened; 2100-01-01
_TIME_EXPECTED = "a time in milliseconds from 2019 on"
#: Contracts and USDT of an interval: what is more would overflow in sums over years, and is no market's.
LARGEST_VOLUME = 10**13


class RefusedError(LiqstratError):
    """A file that is not loaded, and why; the message leaves out the file's own name, and is one line."""

    def __init__(self, message: str) -> None:
        super().__init__("".join(one if one.isprintable() else repr(one)[1:-1] for one in message))


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
    """A condition (SQL) under which a row cannot be right, the column to blame and what was expected of it.

    found: what to say of the column where such rows are left out.
    """

    wrong: str
    column: str
    expected: str
    found: str = "0"


@dataclass(frozen=True, slots=True)
class Layout:
    """A format of the archive.

    rows: SQL expressions for the columns of ours, but for symbol and exchange, over the columns that are used.
    key: which of ours tell rows apart; of several rows with one key, the one whose `prefer` (a column of ours) is
    largest stays, unless the SQL `conflict` is true of them: then none does. Without `prefer` they must be equal.
    leave_out: what rows may have that say nothing; they are left out and counted, the others go in.
    file_checks: SQL over all rows of a file under which it is not what it seems, and what it is then.
    opens, closes: the columns with the first and last millisecond of a row's candle, where there are such.
    labels: whether the time of a row may be the start of its five minutes as well as their end, see `labels`.
    """

    name: str
    kind: str
    columns: tuple[Column, ...]
    rows: Mapping[str, str]
    checks: tuple[Check, ...]
    key: tuple[str, ...]
    leave_out: tuple[Check, ...] = ()
    prefer: str | None = None
    conflict: str | None = None
    needs_header: bool = False
    may_be_empty: bool = False
    symbol_column: str | None = None
    file_checks: tuple[tuple[str, str], ...] = ()
    opens: str | None = None
    closes: str | None = None
    labels: bool = False

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


def zero(*names: str) -> tuple[Check, ...]:
    """To leave out: rows in which nothing was traded."""
    return tuple(Check(f"{name} = 0", name, "a number above 0") for name in names)


def volume(*names: str) -> tuple[Check, ...]:
    return (*not_negative(*names), *(Check(f"{n} >= {LARGEST_VOLUME}", n, f"below {LARGEST_VOLUME:,}") for n in names))


def not_negative(*names: str) -> tuple[Check, ...]:
    return tuple(Check(f"{name} < 0", name, "a number not below 0") for name in names)


def epoch_check(name: str, *, microseconds: bool = False) -> Check:
    """The epoch time is in milliseconds or, where that is allowed, in microseconds; they differ by magnitude."""
    allowed = f"{name} >= {_FIRST_MS} and {name} < {_LAST_MS}"
    if microseconds:
        allowed += f" or {name} >= {_FIRST_MS}000 and {name} < {_LAST_MS}000"
    return Check(f"not ({allowed})", name, _TIME_EXPECTED)


def time_check(time: str, name: str | None = None) -> Check:
    """SQL of a time, and the column to blame where that is called otherwise."""
    wrong = f"{time} < timestamp '2019-01-01' or {time} >= timestamp '2100-01-01'"
    return Check(wrong, name or time, "a time from 2019 on")


def epoch(name: str) -> str:
    """SQL: the timestamp of an epoch time in milliseconds or microseconds."""
    return f"make_timestamp(if({name} >= {_FIRST_MS}000, {name}, {name} * 1000))"
