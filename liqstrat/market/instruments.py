"""What can be traded and in which steps: from the API's `exchangeInfo` into the history, dated."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from liqstrat.errors import LiqstratError, did_you_mean
from liqstrat.market.archive.layout import RefusedError
from liqstrat.market.connection import connect
from liqstrat.market.reference import Written, read_source, replace_rows
from liqstrat.market.schema import INSTRUMENTS, REFERENCE_COLUMNS, existing_tables
from liqstrat.market.selects import text


@dataclass(frozen=True, slots=True)
class Instrument:
    """A market as it was on the day `as_of`.

    price_tick, quantity_step: what prices and quantities (contracts) are multiples of. min_quantity, max_quantity,
    max_market_quantity: contracts an order; min_notional: USDT an order. liquidation_fee: share of the notional.
    listed: naive UTC. None is what was not said.
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


def load_instruments(symbols: Sequence[str], source: Path | str, database: Path, as_of: date | None = None) -> Written:
    """Load `symbols` (all where there are none) of an answer of `GET /fapi/v1/exchangeInfo` in a file or at an address.

    `as_of` is the day of which it is, where the answer does not tell. Raises `LiqstratError` when it cannot be read,
    is none, lacks one of the symbols, or the database cannot be written.
    """
    document = read_source(source)
    if not is_exchange_info(document):
        raise LiqstratError(f"{source}: is no answer of exchangeInfo: an object with a list of symbols")
    day = told_on(document) or as_of
    if day is None:
        raise LiqstratError(f"{source}: does not say of which day it is (serverTime)")
    known = [str(entry.get("symbol")) for entry in document["symbols"]]
    for symbol in symbols:
        if symbol not in known:
            raise LiqstratError(f"{source}: has no {symbol}{did_you_mean(symbol, known)}")
    chosen = [entry for entry in document["symbols"] if not symbols or entry.get("symbol") in symbols]
    with connect(database, read_only=False) as connection:
        try:
            return write_instruments(connection, database, {"symbols": chosen}, day)
        except RefusedError as error:
            raise LiqstratError(f"{source}: {error}") from None


def is_exchange_info(document: Any) -> bool:
    """Whether a JSON document lists markets."""
    return isinstance(document, dict) and isinstance(document.get("symbols"), list)


def told_on(document: dict[str, Any]) -> date | None:
    """The day (UTC) of which the exchange says that its answer is."""
    time = str(document.get("serverTime", ""))
    return datetime.fromtimestamp(int(time) // 1000, UTC).date() if time.isdecimal() else None


def write_instruments(connection: duckdb.DuckDBPyConnection, database: Path, document: Any, as_of: date) -> Written:
    """Write the perpetuals of a parsed answer; raises `RefusedError` where it has none, or is of another market."""
    entries: list[dict[str, Any]] = document["symbols"]
    if entries and not any("contractType" in entry for entry in entries):
        raise RefusedError("lists no contracts (contractType), as the spot market; expected USDⓈ-M futures")
    if any("contractSize" in entry for entry in entries):
        raise RefusedError("lists contracts of a size (contractSize), as COIN-M; expected USDⓈ-M futures")
    by_symbol = {str(entry["symbol"]): [_row(entry)] for entry in entries if "symbol" in entry}
    if not by_symbol:
        raise RefusedError("lists no symbol")
    changed = replace_rows(connection, INSTRUMENTS, as_of, by_symbol)
    return Written(as_of, tuple(sorted(by_symbol)), changed, "")


def read_instruments(connection: duckdb.DuckDBPyConnection, symbol: str) -> list[Instrument]:
    """The symbol's market on each day on which it was seen, oldest first."""
    if INSTRUMENTS not in existing_tables(connection):
        return []
    columns = ", ".join(REFERENCE_COLUMNS[INSTRUMENTS])
    sql = f"select {columns} from {INSTRUMENTS} where symbol = {text(symbol)} order by as_of"
    return [Instrument(*row) for row in connection.execute(sql).fetchall()]


def seen_by(at: datetime, seen: Sequence[Instrument]) -> Instrument | None:
    """Of a market, oldest first, the one last seen by `at`, else first seen after; None where there is none."""
    day = at.astimezone(UTC).date()
    return next((one for one in reversed(seen) if one.as_of <= day), seen[0] if seen else None)


def _row(entry: dict[str, Any]) -> tuple[Any, ...]:
    filters = {f.get("filterType"): f for f in _dicts(entry.get("filters"))}
    price, lot, market = (filters.get(name, {}) for name in ("PRICE_FILTER", "LOT_SIZE", "MARKET_LOT_SIZE"))
    tick, step = price.get("tickSize"), lot.get("stepSize")
    if not tick or not step:
        raise RefusedError(f"{entry['symbol']} has no tickSize (PRICE_FILTER) or no stepSize (LOT_SIZE)")
    onboard = str(entry.get("onboardDate", ""))
    return (
        entry.get("contractType"),
        entry.get("status"),
        entry.get("baseAsset"),
        entry.get("quoteAsset"),
        datetime.fromtimestamp(int(onboard) / 1000, UTC).replace(tzinfo=None) if onboard.isdecimal() else None,
        tick,
        step,
        lot.get("minQty"),
        lot.get("maxQty"),
        market.get("maxQty"),
        filters.get("MIN_NOTIONAL", {}).get("notional"),
        entry.get("liquidationFee"),
    )


def _dicts(values: Any) -> Iterable[dict[str, Any]]:
    return (value for value in values or () if isinstance(value, dict))
