"""Leverage brackets of any symbol: from the API's `leverageBracket` into the history, dated."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb

from liqstrat.errors import LiqstratError
from liqstrat.liquidation.brackets import BracketTable, bracket_table
from liqstrat.market.archive.layout import RefusedError
from liqstrat.market.archive.numbers import above_zero, number
from liqstrat.market.connection import connect
from liqstrat.market.reference import Written, read_source, replace_rows, sort_out
from liqstrat.market.schema import BRACKETS, existing_tables
from liqstrat.market.selects import text

_KEYS = ("notionalFloor", "notionalCap", "maintMarginRatio", "cum", "initialLeverage")
_CENT = Decimal("0.01")
_HIGHEST_LEVERAGE = 1000

_Bracket = tuple[Decimal, Decimal, Decimal, Decimal, int]


def load_brackets(source: Path | str, as_of: date, database: Path) -> Written:
    """Load the answer of `GET /fapi/v1/leverageBracket` in a file or at an address, as it was on the day `as_of`.

    Raises `LiqstratError` when it cannot be read, is none, or the database cannot be written.
    """
    document = read_source(source)
    with connect(database, read_only=False) as connection:
        try:
            return write_brackets(connection, database, document, as_of)
        except RefusedError as error:
            raise LiqstratError(f"{source}: {error}") from None


def is_brackets(entry: Any) -> bool:
    """Whether a JSON entry is one symbol's brackets."""
    return isinstance(entry, dict) and isinstance(entry.get("brackets"), list)


def write_brackets(connection: duckdb.DuckDBPyConnection, database: Path, document: Any, as_of: date) -> Written:
    """Write the brackets of a parsed answer; raises `RefusedError` where no symbol has any that make sense.

    A symbol whose brackets cannot be right is left out and named in the remark: there are hundreds of others.
    """
    entries = document if isinstance(document, list) else [document]
    if not any(is_brackets(entry) for entry in entries):
        raise RefusedError("is no answer of leverageBracket: a list of symbols with their brackets")
    sorted_out = sort_out(entries, is_brackets, lambda symbol, entry: _rows(symbol, as_of, entry))
    by_symbol, remark = sorted_out.rows, sorted_out.remark
    if not by_symbol:
        raise RefusedError(remark)
    changed = replace_rows(connection, BRACKETS, as_of, by_symbol)
    return Written(as_of, tuple(sorted(by_symbol)), changed, remark)


def read_brackets(connection: duckdb.DuckDBPyConnection, path: Path, symbol: str) -> list[BracketTable]:
    """The tables of a symbol that the history has, oldest first; raises `LiqstratError` for one that has holes."""
    if BRACKETS not in existing_tables(connection):
        return []
    sql = f"""
        select as_of, floor, cap, rate, max_leverage from {BRACKETS} where symbol = {text(symbol)} order by as_of, floor
    """
    rows = connection.execute(sql).fetchall()
    try:
        return [
            bracket_table(symbol, as_of, [row[1:] for row in days]) for as_of, days in groupby(rows, lambda row: row[0])
        ]
    except ValueError as error:
        raise LiqstratError(f"{path}: table {BRACKETS}: {error}") from None


def _rows(symbol: str, as_of: date, entry: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The table's rows, lowest bracket first; raises where the brackets contradict each other."""
    coefficient = entry.get("notionalCoef")
    if coefficient is not None and number(coefficient, "notionalCoef") != 1:
        raise RefusedError(f"brackets of one account, times {coefficient}; expected those of everyone")
    brackets = sorted(_brackets(entry["brackets"]))
    table = bracket_table(symbol, as_of, [(floor, cap, rate, most) for floor, cap, rate, _, most in brackets])
    for bracket, amount in zip(brackets, table.amounts.tolist(), strict=True):
        if abs(bracket[3] - Decimal(amount)) > max(_CENT, abs(bracket[3]) / 1_000_000):
            raise RefusedError(f"cum is {bracket[3]} from {bracket[0]} USDT on, expected {amount:.2f} by the rates")
    return [(number, *bracket) for number, bracket in enumerate(brackets, 1)]


def _brackets(listed: list[Any]) -> Iterator[_Bracket]:
    if not listed:
        raise RefusedError("has no bracket")
    for bracket in listed:
        if not isinstance(bracket, dict) or any(key not in bracket for key in _KEYS):
            raise RefusedError(f"a bracket without one of {', '.join(_KEYS)}")
        floor, cap, _, amount, leverage = (number(bracket[key], key) for key in _KEYS)
        rate = above_zero(bracket["maintMarginRatio"], "maintMarginRatio", below=Decimal(1))
        if leverage != int(leverage) or not 1 <= leverage <= _HIGHEST_LEVERAGE:
            raise RefusedError(f"initialLeverage is {leverage}, expected a whole number from 1 to {_HIGHEST_LEVERAGE}")
        if cap <= floor:
            raise RefusedError(f"notionalCap is {cap}, expected more than notionalFloor ({floor})")
        yield floor, cap, rate, amount, int(leverage)
