"""The digits that values really use, whatever the first rows look like."""

import duckdb
import pytest

from liqstrat.market.digits import digits_used

SOURCES = {
    "whole": ("range(20000)", "i", 0),
    "one": ("range(20000)", "i / 10", 1),
    "the last row alone is finer": ("range(20000)", "if(i = 19999, 0.00000001, i / 10)", 8),
    "negative": ("range(20000)", "if(i = 19999, -0.25, i)", 2),
    "trailing zeros": ("range(20000)", "i + 0.500", 1),
}


@pytest.mark.parametrize(("rows", "value", "digits"), SOURCES.values(), ids=SOURCES)
def test_digits_of_all_rows(rows: str, value: str, digits: int) -> None:
    with duckdb.connect() as connection:
        sql = f"select cast({value} as decimal(18, 8)) as price, cast(i as decimal(28, 8)) as volume from {rows} t(i)"
        assert digits_used(connection, sql, ["price", "volume"]) == {"price": digits, "volume": 0}


def test_no_rows_have_no_digits() -> None:
    with duckdb.connect() as connection:
        rows = "select cast(1 as decimal(18, 8)) as price where false"
        assert digits_used(connection, rows, ["price"]) is None
