"""How many digits after the point the values of a table really use."""

from collections.abc import Sequence

import duckdb

_DECIMALS = 8
_SAMPLE = 10_000


def digits_used(connection: duckdb.DuckDBPyConnection, rows: str, columns: Sequence[str]) -> dict[str, int] | None:
    """Digits after the point that the DECIMAL `columns` of `rows` (SQL) use, at most eight; None where no row is.

    All rows are looked at, since a sample could miss the one value that needs a digit more: but once, to see that none
    needs more than the first rows do. Only a column in which that fails is tested digit by digit.
    """
    some = {name: _tested(connection, f"select {name} from ({rows}) limit {_SAMPLE}", name) for name in columns}
    found = {name: digits for name, digits in some.items() if digits is not None}
    if not found:
        return None
    tests = ", ".join(f"max(abs({name} % {_unit(digits)})) > 0" for name, digits in found.items())
    (needs_more,) = connection.execute(f"select {tests} from ({rows})").fetchall()
    return {
        name: (_tested(connection, rows, name) or 0) if more else digits
        for (name, digits), more in zip(found.items(), needs_more, strict=True)
    }


def _tested(connection: duckdb.DuckDBPyConnection, rows: str, column: str) -> int | None:
    """Of a column, by its different fractions: there are few, and only they are tested digit by digit."""
    tests = ", ".join(f"bool_or(part != round(part, {digits}))" for digits in range(_DECIMALS))
    (uses_more,) = connection.execute(
        f"select {tests} from (select distinct {column} % 1 as part from ({rows}))"
    ).fetchall()
    return None if uses_more[0] is None else sum(uses_more)


def _unit(digits: int) -> str:
    """The last of so many digits, in the type of the values: the remainder is then one of integers."""
    return f"cast({10.0**-digits:.{digits}f} as decimal(18, {_DECIMALS}))"
