"""What data a result was made from, in one hash: exact sums over rows, the same in whatever order they are read."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import duckdb

from liqstrat.liquidation.brackets import BracketTable
from liqstrat.market.connection import first_row
from liqstrat.market.schema import columns_of

_SCALE = 100_000_000
# Milliseconds since 2019: small enough for the products of many rows to stay inside 128 bits.
_TIME = "(epoch_ms(timestamp) - 1546300800000)"

_SMALL = "9000000"
_SMALL_FACTOR = "(agg_trade_id % 1021)::smallint"


def fingerprint(
    connection: duckdb.DuckDBPyConnection, symbol: str, selects: dict[str, str], brackets: Sequence[BracketTable] = ()
) -> str:
    """SHA-256 (hex) over counts and sums of `selects`: SQL by kind, in the columns of the schema; and over `brackets`.

    Every column is summed alone and times a number of its row, so that values which change places show. All of it is
    in integers and decimals: floating sums depend on their order, and hash functions of a database on its version.
    A kind without rows is as good as one that is not there.
    """
    sums = {kind: _sums(connection, kind, rows) for kind, rows in selects.items()}
    told: dict[str, Any] = {"symbol": symbol}
    told |= {kind: values for kind, values in sums.items() if values["rows"] != "0"}
    if brackets:
        told["brackets"] = [_told(table) for table in brackets]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _told(table: BracketTable) -> list[Any]:
    columns = (table.floors, table.caps, table.rates, table.max_leverage)
    return [table.as_of.isoformat(), *([repr(value) for value in column.tolist()] for column in columns)]


def _sums(connection: duckdb.DuckDBPyConnection, kind: str, rows: str) -> dict[str, str]:
    terms = _trade_terms() if kind == "trades" else _terms(kind)
    source = rows if kind == "trades" else f"select distinct * from ({rows})"
    values = first_row(connection, f"select {', '.join(terms.values())} from ({source})") or ()
    return {name: str(value or 0) for name, value in zip(terms, values, strict=True)}


def _trade_terms() -> dict[str, str]:
    """Billions of rows: arithmetic in 64 bits wherever the values allow it, an order of magnitude faster."""
    bought = "filter (side = 'buy')"
    return {
        "rows": "count(*)",
        "ids": "sum(agg_trade_id)",
        "times": "sum(epoch_us(timestamp))",
        "times_by_id": f"sum(epoch_us(timestamp) * {_SMALL_FACTOR})",
        "buys": f"count(*) {bought}",
        "buys_by_id": f"sum({_SMALL_FACTOR}) {bought}",
        **{name: f"sum({name})" for name in ("price", "quantity")},
        **{f"{name}_by_id": _by_id(name) for name in ("price", "quantity")},
    }


def _by_id(name: str) -> str:
    """Products that would not fit into a DECIMAL(18,8), of which there are next to none, are made in a wider one."""
    small = f"sum(if({name} < {_SMALL}, {name}, 0) * {_SMALL_FACTOR})"
    large = f"sum(if({name} < {_SMALL}, 0, {name}::decimal(38,8) * {_SMALL_FACTOR}))"
    return f"{small} + {large}"


def _terms(kind: str) -> dict[str, str]:
    terms = {"rows": "count(*)"}
    for name, type_ in columns_of(kind).items():
        if name != "symbol":
            whole = _integer(name, type_)
            terms[name] = f"sum({whole})"
            terms[f"{name}_known"] = f"count({name})"
            terms[f"{name}_by_time"] = f"sum({whole} * {_TIME})"
    return terms


def _integer(name: str, type_: str) -> str:
    """A column as HUGEINT, exactly: decimals times 10^8, times in microseconds, words by their letters."""
    if type_ == "TIMESTAMP":
        return f"epoch_us({name})::hugeint"
    if type_ == "VARCHAR":
        return f"(ascii({name}) * 1000 + length({name}))::hugeint"
    if type_ == "DOUBLE":
        # Beyond what fits, no ratio is one.
        return f"(try_cast({name} as decimal(38,8)) * {_SCALE})::hugeint"
    if type_.startswith("DECIMAL"):
        return f"({name}::decimal(38,8) * {_SCALE})::hugeint"
    return f"{name}::hugeint"
