"""What the exchange says of its markets on a day: read from a file or an address, and kept by symbol and day."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

import duckdb
import pyarrow as pa

from liqstrat.errors import LiqstratError
from liqstrat.market.archive.json_entries import read_document
from liqstrat.market.archive.layout import RefusedError
from liqstrat.market.archive.names import check_symbol
from liqstrat.market.connection import first_row
from liqstrat.market.http import opener, read_at_most
from liqstrat.market.merge import transaction
from liqstrat.market.schema import REFERENCE_COLUMNS, create_reference_table

_TIMEOUT = 60.0
#: A parsed document takes up to thirty times the memory of its text.
LARGEST_ANSWER = 16 << 20
#: Letters of a name, and of what is wrong with it, that are shown.
_LONGEST_NAME, _LONGEST_REASON = 40, 200
_MOST_NAMED = 20

#: By symbol, its rows, each in the order of the table's columns after `symbol` and `as_of`.
RowsBySymbol = Mapping[str, Sequence[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a document. symbols: all that are in now; rows: how many of theirs were new or other than before.

    remark: what is worth saying, such as symbols that were left out and why.
    """

    as_of: date
    symbols: tuple[str, ...]
    rows: int
    remark: str


def read_source(source: Path | str) -> Any:
    """The JSON document in a file or at an http(s) address, its numbers as texts; raises `LiqstratError`."""
    try:
        if str(source).startswith(("http://", "https://")):
            with opener().open(str(source), timeout=_TIMEOUT) as response:
                content = read_at_most(response, LARGEST_ANSWER + 1, _TIMEOUT)
        elif Path(source).exists() and not Path(source).is_file():
            raise LiqstratError(f"{source}: is no file; expected JSON of the exchange's API")
        else:
            with Path(source).open("rb") as file:
                content = file.read(LARGEST_ANSWER + 1)
        if len(content) > LARGEST_ANSWER:
            size = f"{LARGEST_ANSWER >> 20} MB"
            raise LiqstratError(f"{source}: holds more than {size}, expected JSON of the exchange's API")
        return read_document(content.decode("utf-8-sig"))
    except RefusedError as error:
        raise LiqstratError(f"{source}: {error}") from None
    except UnicodeDecodeError:
        raise LiqstratError(f"{source}: is not text; expected JSON") from None
    except HTTPError as error:
        raise LiqstratError(f"{source}: cannot be read: the server answers {error.code} {error.reason}") from None
    except URLError as error:
        raise LiqstratError(f"{source}: cannot be read: {error.reason}") from None
    except (HTTPException, ValueError) as error:
        raise LiqstratError(f"{source}: cannot be read: {error or type(error).__name__}") from None
    except OSError as error:
        raise LiqstratError(f"{source}: cannot be read: {error.strerror or error}") from None


@dataclass(frozen=True, slots=True)
class SortedOut:
    """The rows of the symbols that make sense, and what is to be said of the others."""

    rows: dict[str, list[tuple[Any, ...]]]
    remark: str


def sort_out(
    entries: Sequence[Any], is_one: Callable[[Any], bool], rows_of: Callable[[str, Any], list[tuple[Any, ...]]]
) -> SortedOut:
    """What `rows_of` makes of each symbol and its entry. Those that cannot be right are left out by name: there are
    hundreds of others. So are symbols with two different entries."""
    rows: dict[str, list[tuple[Any, ...]]] = {}
    left_out: dict[str, str] = {}
    for number, entry in enumerate(entries, 1):
        symbol = f"entry {number}"
        try:
            if not is_one(entry):
                raise RefusedError("is none of a symbol")
            symbol = _symbol_of(entry)
            check_symbol(symbol)
            found = rows_of(symbol, entry)
            if rows.get(symbol, found) != found:
                raise RefusedError("stands twice, with different values")
            rows[symbol] = found
        except (RefusedError, ValueError) as error:
            left_out[symbol] = str(error)
    for symbol in left_out:
        rows.pop(symbol, None)
    told = [f"{symbol[:_LONGEST_NAME]} ({reason[:_LONGEST_REASON]})" for symbol, reason in left_out.items()]
    more = f" and {len(told) - _MOST_NAMED} more" if len(told) > _MOST_NAMED else ""
    return SortedOut(rows, f"left out {', '.join(told[:_MOST_NAMED])}{more}" if told else "")


def _symbol_of(entry: dict[str, Any]) -> str:
    symbol = entry.get("symbol") or entry.get("pair")
    if not isinstance(symbol, str):
        raise RefusedError("has no symbol")
    return symbol


def replace_rows(connection: duckdb.DuckDBPyConnection, table: str, as_of: date, by_symbol: RowsBySymbol) -> int:
    """Let these be the symbols' rows of that day, in one transaction; how many rows are other than before."""
    columns = list(REFERENCE_COLUMNS[table])
    rows = [(symbol, as_of, *row) for symbol, rows in by_symbol.items() for row in rows]
    texts = {name: [_text(row[i]) for row in rows] for i, name in enumerate(columns)}
    connection.register("reference_texts", pa.table(texts, schema=pa.schema([(name, pa.string()) for name in columns])))
    types = ", ".join(f"{name}::{type_} as {name}" for name, type_ in REFERENCE_COLUMNS[table].items())
    new = f"select {types} from reference_texts"
    old = f"""
        select {", ".join(columns)} from {table}
        where as_of = date '{as_of}' and symbol in (select symbol from reference_texts)
    """
    try:
        with transaction(connection):
            create_reference_table(connection, table)
            changed = max(_count(connection, f"{new} except all {old}"), _count(connection, f"{old} except all {new}"))
            if changed:
                connection.execute(
                    f"delete from {table} where as_of = date '{as_of}' "
                    "and symbol in (select symbol from reference_texts)"
                )
                connection.execute(f"insert into {table} ({', '.join(columns)}) {new}")
            return changed
    except duckdb.Error as error:
        raise RefusedError(f"cannot be written to {table}: {error}") from None
    finally:
        connection.unregister("reference_texts")


def _count(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    (count,) = first_row(connection, f"select count(*) from ({sql})") or (0,)
    return int(count)


def _text(value: Any) -> str | None:
    return f"{value:f}" if isinstance(value, Decimal) else None if value is None else str(value)
