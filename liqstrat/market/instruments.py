"""What can be traded and in which steps: from the API's `exchangeInfo` into the history, dated."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from liqstrat.errors import LiqstratError, did_you_mean
from liqstrat.market.archive.layout import RefusedError
from liqstrat.market.archive.numbers import above_zero, moment, number
from liqstrat.market.connection import connect
from liqstrat.market.reference import Written, read_source, replace_rows, sort_out
from liqstrat.market.schema import INSTRUMENTS, REFERENCE_COLUMNS, existing_columns, existing_tables
from liqstrat.market.selects import text

_WORD = re.compile(r"\w{1,40}")
#: What the columns of the table hold.
_LARGEST_PRICE, _LARGEST_LIMIT = Decimal(10) ** 10, Decimal(10) ** 20


@dataclass(frozen=True, slots=True)
class Instrument:
    """A market as it was on the day `as_of`.

    price_tick, quantity_step: what prices and quantities (contracts) are multiples of. min_quantity, max_quantity,
    max_market_quantity: contracts an order; min_notional: an order's, in the quote asset. liquidation_fee: share of the
    notional. listed: naive UTC. contract_size: of an inverse contract, in the quote asset. None is what was not said.
    """

    symbol: str
    as_of: date
    contract_type: str | None
    status: str | None
    base_asset: str | None
    quote_asset: str | None
    listed: datetime | None
    price_tick: Decimal
    quantity_step: Decimal
    min_quantity: Decimal | None
    max_quantity: Decimal | None
    max_market_quantity: Decimal | None
    min_notional: Decimal | None
    liquidation_fee: Decimal | None
    margin_asset: str | None = None
    contract_size: Decimal | None = None


def load_instruments(symbols: Sequence[str], source: Path | str, database: Path, as_of: date | None = None) -> Written:
    """Load `symbols` (all where there are none) of an answer of `GET /fapi/v1/exchangeInfo` (`/dapi/v1/…`) in a file or
    at an address.

    `as_of` is the day of which it is, where the answer does not tell. Raises `LiqstratError` when it cannot be read,
    is none, lacks one of the symbols, or the database cannot be written.
    """
    document = read_source(source)
    if not is_exchange_info(document):
        raise LiqstratError(f"{source}: is no answer of exchangeInfo: an object with a list of symbols")
    try:
        day = told_on(document) or as_of
    except RefusedError as error:
        raise LiqstratError(f"{source}: {error}") from None
    if day is None:
        raise LiqstratError(f"{source}: does not say of which day it is (serverTime)")
    listed = document["symbols"]
    known = [entry["symbol"] for entry in _dicts(listed) if isinstance(entry.get("symbol"), str)]
    for symbol in symbols:
        if symbol not in known:
            raise LiqstratError(f"{source}: has no {symbol}{did_you_mean(symbol, known)}")
    chosen = [entry for entry in _dicts(listed) if entry.get("symbol") in symbols] if symbols else listed
    with connect(database, read_only=False) as connection:
        try:
            return write_instruments(connection, database, {"symbols": chosen}, day)
        except RefusedError as error:
            raise LiqstratError(f"{source}: {error}") from None


def is_exchange_info(document: Any) -> bool:
    """Whether a JSON document lists markets."""
    return isinstance(document, dict) and isinstance(document.get("symbols"), list)


def told_on(document: dict[str, Any]) -> date | None:
    """The day (UTC) of which the exchange says that its answer is; raises `RefusedError` where it says nonsense."""
    time = document.get("serverTime")
    return None if time is None else moment(time, "serverTime").date()


def write_instruments(connection: duckdb.DuckDBPyConnection, database: Path, document: Any, as_of: date) -> Written:
    """Write the markets of a parsed answer; raises `RefusedError` where it has none, or is of another market.

    One that cannot be right, or is being prepared and has no steps yet, is left out and named in the remark.
    """
    entries: list[Any] = document["symbols"]
    markets = list(_dicts(entries))
    if markets and not any("contractType" in entry for entry in markets):
        raise RefusedError("lists no contracts (contractType), as the spot market; expected USDⓈ-M futures")
    sorted_out = sort_out(entries, lambda entry: isinstance(entry, dict), lambda _, entry: [_row(entry)])
    if not sorted_out.rows:
        raise RefusedError(sorted_out.remark or "lists no symbol")
    changed = replace_rows(connection, INSTRUMENTS, as_of, sorted_out.rows)
    return Written(as_of, tuple(sorted(sorted_out.rows)), changed, sorted_out.remark)


def read_instruments(connection: duckdb.DuckDBPyConnection, symbol: str) -> list[Instrument]:
    """The symbol's market on each day on which it was seen, oldest first."""
    if INSTRUMENTS not in existing_tables(connection):
        return []
    found = existing_columns(connection, INSTRUMENTS)
    columns = ", ".join(name if name in found else f"null as {name}" for name in REFERENCE_COLUMNS[INSTRUMENTS])
    sql = f"select {columns} from {INSTRUMENTS} where symbol = {text(symbol)} order by as_of"
    return [Instrument(*row) for row in connection.execute(sql).fetchall()]


def seen_by(at: datetime, seen: Sequence[Instrument]) -> Instrument | None:
    """Of a market, oldest first, the one last seen by `at`, else first seen after; None where there is none."""
    day = at.astimezone(UTC).date()
    return next((one for one in reversed(seen) if one.as_of <= day), seen[0] if seen else None)


def _row(entry: dict[str, Any]) -> tuple[Any, ...]:
    filters = {str(f.get("filterType")): f for f in _dicts(entry.get("filters"))}
    price, lot, market, least = (
        filters.get(name, {}) for name in ("PRICE_FILTER", "LOT_SIZE", "MARKET_LOT_SIZE", "MIN_NOTIONAL")
    )
    if price.get("tickSize") is None or lot.get("stepSize") is None:
        raise RefusedError("has no tickSize (PRICE_FILTER) or no stepSize (LOT_SIZE)")
    listed = entry.get("onboardDate")
    status = "contractStatus" if "contractStatus" in entry else "status"
    return (
        *(_word(entry.get(name), name) for name in ("contractType", status, "baseAsset", "quoteAsset")),
        moment(listed, "onboardDate").replace(tzinfo=None) if str(listed or "0") != "0" else None,
        above_zero(price["tickSize"], "tickSize", below=_LARGEST_PRICE),
        above_zero(lot["stepSize"], "stepSize", below=_LARGEST_PRICE),
        _limit(lot.get("minQty"), "minQty", _LARGEST_PRICE),
        _limit(lot.get("maxQty"), "maxQty"),
        _limit(market.get("maxQty"), "maxQty"),
        _limit(least.get("notional"), "notional", _LARGEST_PRICE),
        _limit(entry.get("liquidationFee"), "liquidationFee", Decimal(1)),
        _word(entry.get("marginAsset"), "marginAsset"),
        _size(entry.get("contractSize")),
    )


def _size(value: Any) -> Decimal | None:
    return None if value is None else above_zero(value, "contractSize", below=_LARGEST_PRICE)


def _limit(value: Any, name: str, below: Decimal = _LARGEST_LIMIT) -> Decimal | None:
    return None if value is None else number(value, name, below=below)


def _word(value: Any, name: str) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise RefusedError(f'{name} is "{str(value)[:40]}", expected a word')
    return value


def _dicts(values: Any) -> Iterable[dict[str, Any]]:
    return (value for value in values if isinstance(value, dict)) if isinstance(values, list) else ()
