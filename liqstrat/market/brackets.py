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
#: COIN-M has its bounds in coins, as quantities; "qtylFloor" is how one of its answers spells it.
_IN_COINS = {"qtyFloor": "notionalFloor", "qtylFloor": "notionalFloor", "qtyCap": "notionalCap"}
#: By how much an amount may miss what follows from the rates: in US dollars, and in coins.
_CENT, _DUST = Decimal("0.01"), Decimal("0.000001")
_HIGHEST_LEVERAGE = 1000

_Bracket = tuple[Decimal, Decimal, Decimal, Decimal, int]


def load_brackets(source: Path | str, as_of: date, database: Path) -> Written:
    """Load the answer of `GET /fapi/v1/leverageBracket` in a file or at an address, as it was on the day `as_of`.

    COIN-M answers at `/dapi/v2/leverageBracket`.

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
    if "symbol" not in entry:
        raise RefusedError("brackets of a pair of COIN-M, as /dapi/v1 answers; expected /dapi/v2/leverageBracket")
    if "unreadable" in entry:
        raise RefusedError(str(entry["unreadable"]))
    coefficient = entry.get("notionalCoef")
    if coefficient is not None and number(coefficient, "notionalCoef") != 1:
        raise RefusedError(f"brackets of one account, times {coefficient}; expected those of everyone")
    brackets = sorted(_brackets(entry["brackets"]))
    table = bracket_table(symbol, as_of, [(floor, cap, rate, most) for floor, cap, rate, _, most in brackets])
    if table.contract.inverse != any("qtyCap" in bracket for bracket in entry["brackets"]):
        expected = "quantities (qtyCap), as COIN-M has" if table.contract.inverse else "notional (notionalCap)"
        raise RefusedError(f"has its bounds in another unit, expected {expected}")
    least = _DUST if table.contract.inverse else _CENT
    for bracket, amount in zip(brackets, table.amounts.tolist(), strict=True):
        if abs(bracket[3] - Decimal(amount)) > max(least, abs(bracket[3]) / 1_000_000):
            told = f"cum is {bracket[3]} from {bracket[0]} {table.contract.margin} on"
            raise RefusedError(f"{told}, expected {amount:.{6 if table.contract.inverse else 2}f} by the rates")
    return [(number, *bracket) for number, bracket in enumerate(brackets, 1)]


def _brackets(listed: list[Any]) -> Iterator[_Bracket]:
    if not listed:
        raise RefusedError("has no bracket")
    for bracket in listed:
        if isinstance(bracket, dict):
            bracket = {_IN_COINS.get(key, key): value for key, value in bracket.items()}
        if not isinstance(bracket, dict) or any(key not in bracket for key in _KEYS):
            raise RefusedError(f"a bracket without one of {', '.join(_KEYS)}")
        floor, cap, _, amount, leverage = (number(bracket[key], key) for key in _KEYS)
        rate = above_zero(bracket["maintMarginRatio"], "maintMarginRatio", below=Decimal(1))
        if leverage != int(leverage) or not 1 <= leverage <= _HIGHEST_LEVERAGE:
            raise RefusedError(f"initialLeverage is {leverage}, expected a whole number from 1 to {_HIGHEST_LEVERAGE}")
        if cap <= floor:
            raise RefusedError(f"notionalCap is {cap}, expected more than notionalFloor ({floor})")
        yield floor, cap, rate, amount, int(leverage)
