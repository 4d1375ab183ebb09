"""A CSV file read into a temporary table, and every cell of it checked."""

import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path

import duckdb

from liqstrat.market.archive.layout import DIGITS, LONGEST_INTEGER, Check, Column, Layout, RefusedError
from liqstrat.market.archive.plain import begin_of_rows, odd_bytes
from liqstrat.market.archive.recognise import Recognised
from liqstrat.market.connection import first_row
from liqstrat.market.selects import text

#: The temporary table; there is one file at a time in a session.
TABLE = "staged_file"

_READABLE = {
    "BIGINT": "a whole number",
    "INTEGER": "a whole number",
    "BOOLEAN": "true or false",
    "TIMESTAMP": "a time as YYYY-MM-DD HH:MM:SS",
    "VARCHAR": "a word",
}
_TRUE, _FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")
#: What programs write where they have no number; in a cell that may be blank, that is as good as blank.
_NO_NUMBER = "[+-]?(nan|NaN|NAN|inf|Inf|INF|infinity|Infinity|null|NULL|None)"
# A number that DuckDB would have to round; trailing zeros are no digits.
_MORE_DIGITS = rf"\.[0-9]{{{DIGITS}}}[0-9]*[1-9]"
_SHORTEST_WITH_MORE = DIGITS + 2
# 0.1 + 0.2 is 0.30000000000000004 to a program that counts in doubles: so near, the other digits are noise.
_NOISE = "2e-15"
_WRONG, _DIGITS, _BLANKED, _POINTS = "has_a_wrong_cell", "too_many_digits", "has_no_number", "points"
_ALL_KEPT, _NOISE_ONLY, _LOST = "0::tinyint", "1::tinyint", "2::tinyint"
_BLANK = ("", '""')
#: Bytes that are no UTF-8, as `surrogateescape` shows them.
_NO_UTF8 = re.compile("[\udc80-\udcff]")


def read(connection: duckdb.DuckDBPyConnection, csv: Path, recognised: Recognised) -> list[str]:
    """Read `csv` into the temporary table; what is worth saying of it.

    Raises `RefusedError` with the line, what was found and what was expected. Cells are read as texts and must look as
    the layout says: DuckDB alone takes `0x10`, `1_000` and `1.6` for whole numbers, rounds, and says nothing.
    """
    plain = _can_be_plain(recognised) and _read_plain(connection, csv, recognised)
    if not plain:
        _create(connection, csv, recognised, plain=False)
        _check_count(connection, csv, recognised)
    return _check_rows(connection, csv, recognised)


def refused(csv: Path, recognised: Recognised, row: int, column: str, expected: str) -> RefusedError:
    """The error for a cell of a row, counted from 0, with its line."""
    number, line = line_of(csv, recognised, row)
    return _error(recognised, number, column, _by_column(recognised, line).get(column, ""), expected)


def line_of(csv: Path, recognised: Recognised, row: int) -> tuple[int, str]:
    """The number (from 1) and the text of the line in which a row, counted from 0, stands."""
    return next(islice(_lines(csv, recognised), row, None))


def path_text(path: Path) -> str:
    """SQL: exactly this file. DuckDB takes a path with `*`, `?` or `[` for a pattern that other files may fit."""
    plain = str(path.absolute())
    try:
        plain.encode()
    except UnicodeEncodeError:
        raise RefusedError("lies in a folder whose name is not UTF-8; rename it") from None
    return text(re.sub(r"[*?\[]", r"[\g<0>]", plain))


def _can_be_plain(recognised: Recognised) -> bool:
    """Whether a file has nothing but numbers and truths, as most of the large ones."""
    used = {column.type for column in recognised.layout.columns if column.used}
    return recognised.line_end == "\n" and not {"VARCHAR", "TIMESTAMP", "DOUBLE"} & used


def _read_plain(connection: duckdb.DuckDBPyConnection, csv: Path, recognised: Recognised) -> bool:
    """Read a large file of numbers without a look at every cell; False where it has to be read again with one.

    Every line end and every letter of a truth that was read is a byte of the file. Where it has no other byte than
    these, digits and `,./`, and every point is one of a decimal, no number can be written in an odd way, and no line
    is missing. Whole numbers can still be too long to be one.
    """
    odd = odd_bytes(csv, begin_of_rows(csv, recognised.skip))
    try:
        _create(connection, csv, recognised, plain=True)
    except RefusedError:
        return False  # to be told why by a look at every cell
    truths = [column.name for column in recognised.layout.columns if column.used and column.type == "BOOLEAN"]
    letters = " + ".join(f'coalesce(sum(if("{name}", 4, 5)), 0)' for name in truths) or "0"
    whole = [f'max("{column.name}")' for column in recognised.layout.columns if _is_whole(column)]
    sums = f"count(*), {letters}, coalesce(sum({_POINTS}), 0), coalesce(greatest({', '.join(whole)}), 0)"
    ((rows, count, points, largest),) = connection.execute(f"select {sums} from {TABLE}").fetchall()
    plain = odd.count == rows - (not odd.ends_with_line_end) + count and odd.points == points
    return bool(plain and len(str(largest)) <= LONGEST_INTEGER)


def _create(connection: duckdb.DuckDBPyConnection, csv: Path, recognised: Recognised, *, plain: bool) -> None:
    columns = [column for column in recognised.layout.columns if column.used]
    wrong = " or ".join(_wrong(column, recognised.layout, plain=plain) for column in columns)
    digits = ", ".join(_digits(column, plain=plain) for column in columns if _is_exact(column))
    blanked = " or ".join(_blanked(column) for column in columns if _may_be_no_number(column)) or "false"
    values = ", ".join(f'{_value(column)} as "{column.name}"' for column in columns)
    types = ", ".join(
        f"{text(column.name)}: {text(column.type if plain and _is_whole(column) else 'VARCHAR')}"
        for column in recognised.layout.columns
    )
    decimals = [f"contains(\"{column.name}\", '.')::tinyint" for column in columns if _is_exact(column)]
    points = f", {' + '.join(decimals)} as {_POINTS}" if plain else ""
    sql = f"""
        create or replace temp table {TABLE} as
        select {values}, coalesce({wrong}, false) as {_WRONG}, greatest({digits}) as {_DIGITS},
               coalesce({blanked}, false) as {_BLANKED}{points}
        from read_csv(
            {path_text(csv)}, columns = {{{types}}}, header = false, skip = {recognised.skip}, auto_detect = false,
            delim = ',', quote = '', escape = '', nullstr = ['', '""'], compression = 'none', hive_partitioning = false
        )
    """
    try:
        connection.execute(sql)
    except duckdb.Error as error:
        raise RefusedError(_read_error(str(error), csv, recognised)) from None


def _value(column: Column) -> str:
    """SQL: the cell in the type of the column, NULL where it is none."""
    if column.type == "BOOLEAN":
        words = ", ".join(map(text, _TRUE)), ", ".join(map(text, _FALSE))
        return (
            f'case when "{column.name}" in ({words[0]}) then true when "{column.name}" in ({words[1]}) then false end'
        )
    if column.type == "VARCHAR":
        return f'"{column.name}"'
    cell = f'if({_blanked(column)}, null, "{column.name}")' if _may_be_no_number(column) else f'"{column.name}"'
    return f"try_cast({cell} as {column.type})"


def _wrong(column: Column, layout: Layout, *, plain: bool) -> str:
    """SQL: whether the cell does not look as it should; NULL where it is blank.

    In a plain file the bytes tell of all that could be odd.
    """
    name = f'"{column.name}"'
    if column.type == "BOOLEAN" or column.name == layout.symbol_column:
        return "false"
    if plain:
        return "false"
    found = f"not regexp_full_match({name}, {text(column.cell)}) or {_value(column)} is null"
    if _may_be_no_number(column):
        found = f"not {_blanked(column)} and ({found})"
    return f"{name} is not null and ({found})" if column.optional else found


def _may_be_no_number(column: Column) -> bool:
    return column.optional and column.type != "VARCHAR"


def _blanked(column: Column) -> str:
    return f'coalesce(regexp_full_match("{column.name}", {text(_NO_NUMBER)}), false)'


def _is_whole(column: Column) -> bool:
    return column.used and column.type in ("BIGINT", "INTEGER")


def _is_exact(column: Column) -> bool:
    return column.type.startswith("DECIMAL")


def _digits(column: Column, *, plain: bool) -> str:
    """SQL: what becomes of digits that the type of the column has not: there are none, they are noise, or are lost.

    Most cells are so short that nothing needs to be looked at, which is what makes it fast.
    """
    name = f'"{column.name}"'
    double = f"try_cast({name} as double)"
    off = f"abs({double} - {_value(column)}::double)"
    more = f"regexp_matches({name}, {text(_MORE_DIGITS)})"
    found = f"case when {off} > abs({double}) * {_NOISE} then {_LOST} else {_NOISE_ONLY} end"
    looked_at = f"case when {more} then {found} else {_ALL_KEPT} end"
    if plain:
        return f"case when strlen({name}) < {_SHORTEST_WITH_MORE} then {_ALL_KEPT} else {looked_at} end"
    power = f"case when {off} > abs({double}) * {_NOISE} then {_LOST} else {_ALL_KEPT} end"
    return f"case when regexp_matches({name}, '[eE]') then greatest({power}, {looked_at}) else {looked_at} end"


def _read_error(message: str, csv: Path, recognised: Recognised) -> str:
    """DuckDB's message, less its advice on how to read the file all the same."""
    layout = recognised.layout
    line = re.search(r"CSV Error on Line: (\d+)", message)
    where = f"{recognised.row} {line[1]}: " if line else ""
    columns = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message)
    if columns:
        return f"{where}has {columns[2]} columns, expected {columns[1]} ({','.join(layout.header)})"
    if "not utf-8" in message:
        return f"{where}is not UTF-8 text"
    if "invalid state" in message:
        return "has lines that end in different ways (LF, CR LF, CR), expected all alike"
    if "Maximum line size" in message:
        return f"{where}is longer than 2 MB"
    if "No files found" in message:
        return "has * ? or [ and a backslash in its path, which DuckDB cannot read; rename it"
    return f"{where}cannot be read as {layout.name}: {message.splitlines()[0][:200]}"


def _check_count(connection: duckdb.DuckDBPyConnection, csv: Path, recognised: Recognised) -> None:
    """Raise where not every line has become a row, or one is no text."""
    ((rows,),) = connection.execute(f"select count(*) from {TABLE}").fetchall()
    lines = 0
    for number, line in _lines(csv, recognised, errors="surrogateescape"):
        lines += 1
        # DuckDB does not look at columns that are not used.
        if not line.isascii() and _NO_UTF8.search(line):
            raise RefusedError(f"{recognised.row} {number:,}: is not UTF-8 text")
    if rows != lines:
        raise RefusedError(f"has {lines:,} {recognised.row}s of rows, of which {rows:,} can be read")


def _check_rows(connection: duckdb.DuckDBPyConnection, csv: Path, recognised: Recognised) -> list[str]:
    layout = recognised.layout
    needed = (column.name for column in layout.columns if column.used and not column.optional)
    cells = [_WRONG, f"{_DIGITS} = {_LOST}", *(f'"{name}" is null' for name in needed)]
    wrong = " or ".join(f"({wrong})" for wrong in (*cells, *(check.wrong for check in layout.checks)))
    counted = (f"{_DIGITS} = {_NOISE_ONLY}", _BLANKED, *(check.wrong for check in layout.leave_out))
    counts = ", ".join(f"count(*) filter ({condition})" for condition in counted)
    rows, any_wrong, noisy, blanked, *empty = connection.execute(
        f"select count(*), bool_or({wrong}), {counts} from {TABLE}"
    ).fetchall()[0]
    if any_wrong:
        raise _first_wrong(connection, csv, recognised, " or ".join(cells))
    if not rows and not layout.may_be_empty:
        raise RefusedError(f"has no row; expected rows of {layout.name}")
    remarks = []
    if noisy:
        remarks.append(f"{noisy:,} of its rows have digits behind the eighth that are noise of floating point: rounded")
    if blanked:
        remarks.append(f"{blanked:,} of its rows have nan or inf in place of a number: taken as blank")
    for check, count in zip(layout.leave_out, empty, strict=True):
        if count:
            remarks.append(_leave_out(connection, csv, recognised, check, count))
    return remarks


def _leave_out(
    connection: duckdb.DuckDBPyConnection, csv: Path, recognised: Recognised, check: Check, count: int
) -> str:
    (first,) = first_row(connection, f"select min(rowid) from {TABLE} where {check.wrong}") or (0,)
    connection.execute(f"delete from {TABLE} where {check.wrong}")
    if not first_row(connection, f"select 1 from {TABLE} limit 1"):
        raise refused(csv, recognised, first, check.column, f"{check.expected} in one row at least")
    number, _ = line_of(csv, recognised, first)
    where = f"the first in {recognised.row} {number:,}"
    return f"{count:,} of its rows were left out: {check.column} is {check.found} ({where})"


def _first_wrong(
    connection: duckdb.DuckDBPyConnection, csv: Path, recognised: Recognised, cells_wrong: str
) -> RefusedError:
    checks = recognised.layout.checks
    firsts = ", ".join(f"min(rowid) filter ({wrong})" for wrong in (cells_wrong, *(check.wrong for check in checks)))
    cell, *others = connection.execute(f"select {firsts} from {TABLE}").fetchall()[0]
    row = min(row for row in (cell, *others) if row is not None)
    if cell == row:
        return _wrong_cell(csv, recognised, row)
    check = next(check for check, found in zip(checks, others, strict=True) if found == row)
    return refused(csv, recognised, row, check.column, check.expected)


def _wrong_cell(csv: Path, recognised: Recognised, row: int) -> RefusedError:
    """What is wrong with the cells of a row."""
    number, line = line_of(csv, recognised, row)
    cells = _by_column(recognised, line)
    for column in recognised.layout.columns:
        cell = cells.get(column.name, "")
        if not column.used or (column.optional and (cell in _BLANK or re.fullmatch(_NO_NUMBER, cell))):
            continue
        expected = _READABLE.get(column.type, "a number")
        if not re.fullmatch(column.cell, cell):
            return _error(recognised, number, column.name, cell, expected)
        if _is_exact(column):
            digits, behind = (int(part) for part in re.findall(r"\d+", column.type))
            if abs(Decimal(cell)) >= 10 ** (digits - behind):
                return _error(recognised, number, column.name, cell, f"a number below {10 ** (digits - behind):,}")
            if Decimal(cell) != round(Decimal(cell), behind):
                return _error(recognised, number, column.name, cell, f"at most {behind} digits after the point")
        elif column.type == "TIMESTAMP" and not _is_moment(cell):
            return _error(recognised, number, column.name, cell, expected)
    return RefusedError(f"{recognised.row} {number}: is no row of {recognised.layout.name}: {line[:80]}")


def _is_moment(cell: str) -> bool:
    try:
        return bool(datetime.fromisoformat(cell))
    except ValueError:
        return False


def _error(recognised: Recognised, number: int, column: str, cell: str, expected: str) -> RefusedError:
    shown = "blank" if cell in _BLANK else f'"{cell[:40]}"'
    if cell not in _BLANK and cell.startswith('"') and cell.endswith('"'):
        shown, expected = f"{cell[:40]} in quotes", f"{expected} without"
    return RefusedError(f"{recognised.row} {number}: {column} is {shown}, expected {expected}")


def _lines(csv: Path, recognised: Recognised, errors: str = "replace") -> Iterator[tuple[int, str]]:
    """The lines of rows with their numbers, however they end; blank ones are none."""
    with csv.open(encoding="utf-8", errors=errors) as file:
        for number, line in enumerate(file, 1):
            if number > recognised.skip and line != "\n":
                yield number, line.rstrip("\n")


def _by_column(recognised: Recognised, line: str) -> dict[str, str]:
    """The cells of a line by the names of their columns, as they stand in the file."""
    return dict(zip(recognised.layout.header, line.removeprefix("\ufeff").split(","), strict=False))
