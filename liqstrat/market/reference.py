"""What the exchange says of its markets on a day: read from a file or an address, and kept by symbol and day."""

import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

import duckdb
import pyarrow as pa

from liqstrat.errors import LiqstratError
from liqstrat.market.archive.json_entries import read_document
from liqstrat.market.archive.layout import RefusedError
from liqstrat.market.merge import transaction
from liqstrat.market.schema import REFERENCE_COLUMNS, create_reference_table

_TIMEOUT = 60.0
_LARGEST_ANSWER = 64 << 20

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
            with urllib.request.urlopen(str(source), timeout=_TIMEOUT) as response:
                content = response.read(_LARGEST_ANSWER + 1)
            if len(content) > _LARGEST_ANSWER:
                raise LiqstratError(f"{source}: answers more than 64 MB, expected JSON of the exchange's API")
        else:
            content = Path(source).read_bytes()
        return read_document(content.decode("utf-8-sig"))
    except RefusedError as error:
        raise LiqstratError(f"{source}: {error}") from None
    except UnicodeDecodeError:
        raise LiqstratError(f"{source}: is not text; expected JSON") from None
    except HTTPError as error:
        raise LiqstratError(f"{source}: cannot be read: the server answers {error.code} {error.reason}") from None
    except URLError as error:
        raise LiqstratError(f"{source}: cannot be read: {error.reason}") from None
    except OSError as error:
        raise LiqstratError(f"{source}: cannot be read: {error.strerror or error}") from None


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
    (count,) = connection.execute(f"select count(*) from ({sql})").fetchone() or (0,)
    return int(count)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
