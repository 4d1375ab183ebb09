"""A CSV file read into a temporary table, and every row of it checked."""

import csv as csv_module
import re
from itertools import islice
from pathlib import Path

import duckdb

from liqstrat.market.archive.layout import DIGITS, EXACT, Column, RefusedError
from liqstrat.market.archive.recognise import Recognised
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
# A number that DuckDB would have to round; blanks and trailing zeros are none.
_TOO_FINE = rf"\.\d{{{DIGITS}}}\d*[1-9]"
_SHORTEST_TOO_FINE = DIGITS + 2
_TOO_FINE_COLUMN = "has_too_many_digits"


def read(connection: duckdb.DuckDBPyConnection, csv: Path, recognised: Recognised) -> None:
    """Read `csv` into the temporary table; raises `RefusedError` with the line, what was found and what was expected.

    Numbers that must be exact are read as text: DuckDB rounds what has more digits than its type, and says nothing.
    """
    layout = recognised.layout
    exact = [column for column in layout.columns if _as_text(column)]
    types = ", ".join(
        f"{text(column.name)}: {text('VARCHAR' if column in exact else column.type)}" for column in layout.columns
    )
    used = [
        f'try_cast("{column.name}" as {column.type}) as "{column.name}"' if column in exact else f'"{column.name}"'
        for column in layout.columns
        if column.used
    ]
    too_fine = " or ".join(_too_fine(column) for column in exact) or "false"
    sql = f"""
        create or replace temp table {TABLE} as
        select {", ".join(used)}, {too_fine} as {_TOO_FINE_COLUMN} from read_csv(
            {text(str(csv))}, columns = {{{types}}}, header = {recognised.has_header},
            auto_detect = false, delim = ',', quote = '"', escape = '"', nullstr = ''
        )
    """
    try:
        connection.execute(sql)
    except duckdb.Error as error:
        raise RefusedError(_read_error(str(error), recognised)) from None
    _check_rows(connection, csv, recognised)


def _as_text(column: Column) -> bool:
    return column.used and column.type == EXACT and not column.optional


def _too_fine(column: Column) -> str:
    """SQL; most cells are so short that nothing needs to be looked at."""
    name = f'"{column.name}"'
    looked_at = f"regexp_matches({name}, {text(_TOO_FINE)})"
    return f"case when strlen({name}) >= {_SHORTEST_TOO_FINE} then {looked_at} else false end"


def _read_error(message: str, recognised: Recognised) -> str:
    """DuckDB's message, less its advice on how to read the file all the same."""
    layout = recognised.layout
    line = re.search(r"CSV Error on Line: (\d+)", message)
    where = f"{recognised.row} {line[1]}: " if line else ""
    cell = re.search(r'Error when converting column "([^"]+)". Could not convert string "(.*?)" to', message, re.DOTALL)
    if cell:
        type_ = next((column.type for column in layout.columns if column.name == cell[1]), "")
        return f'{where}{cell[1]} is "{cell[2][:40]}", expected {_READABLE.get(type_, "a number")}'
    columns = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message)
    if columns:
        return f"{where}has {columns[2]} columns, expected {columns[1]} ({','.join(layout.header)})"
    return f"{where}cannot be read as {layout.name}: {message.splitlines()[-1 if not line else 0][:200]}"


def _check_rows(connection: duckdb.DuckDBPyConnection, csv: Path, recognised: Recognised) -> None:
    layout = recognised.layout
    checks = [(f'"{c.name}" is null', c.name, _expected(c)) for c in layout.columns if c.used and not c.optional]
    checks += [(check.wrong, check.column, check.expected) for check in layout.checks]
    checks.append((_TOO_FINE_COLUMN, "", f"at most {DIGITS} digits after the point"))
    any_wrong = " or ".join(f"({wrong})" for wrong, _, _ in checks)
    if not connection.execute(f"select bool_or({any_wrong}) from {TABLE}").fetchall()[0][0]:
        return
    firsts = ", ".join(f"min(rowid) filter ({wrong})" for wrong, _, _ in checks)
    found = connection.execute(f"select {firsts} from {TABLE}").fetchall()[0]
    row, column, expected = min((row, *check[1:]) for row, check in zip(found, checks, strict=True) if row is not None)
    cells = dict(zip(layout.header, _cells(csv, row + recognised.has_header), strict=True))
    column = column or next(name for name, cell in cells.items() if re.search(_TOO_FINE, cell))
    shown = f'"{cells[column][:40]}"' if cells[column] else "blank"
    number = row + 1 + recognised.has_header
    raise RefusedError(f"{recognised.row} {number}: {column} is {shown}, expected {expected}")


def _cells(csv: Path, line: int) -> list[str]:
    """The cells of a line, counted from 0, as they stand in the file."""
    with csv.open(encoding="utf-8", errors="replace", newline="") as file:
        return next(csv_module.reader(islice(file, line, None)))


def _expected(column: Column) -> str:
    return _READABLE.get(column.type, "a number")
