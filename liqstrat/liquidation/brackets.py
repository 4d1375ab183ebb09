"""Leverage brackets of the exchange: maintenance margin and highest leverage by position notional, dated."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from importlib import resources
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from liqstrat.liquidation.contract import KNOWN_QUOTES, LINEAR, Contract, contract_of

Floats = npt.NDArray[np.float64]

#: The schedule of symbols that have none of their own: typical of a mid-sized perpetual in late 2024.
DEFAULT_SYMBOL = "DEFAULT"
_ANY_SIZE = 1e12


@dataclass(frozen=True, eq=False)
class BracketTable:
    """The brackets of one symbol as they stood on one day; arrays of one entry a bracket, lowest first.

    A position belongs to bracket `i` while `floors[i] < notional <= caps[i]`, in the currency of its margin (USDT; of
    an inverse contract the coin, see `Contract.held`); its maintenance margin is `notional * rates[i] - amounts[i]`.
    The amounts (Binance: "cum") follow from the rest, so that the margin is continuous:
    `amounts[i] = amounts[i-1] + floors[i] * (rates[i] - rates[i-1])`.

    `as_of` is the day on which the table was seen; the exchange does not publish the day of the change.
    `contract` is what the market trades in.
    """

    symbol: str
    as_of: date
    floors: Floats
    caps: Floats
    rates: Floats
    amounts: Floats
    max_leverage: npt.NDArray[np.int64]
    contract: Contract = LINEAR

    def __len__(self) -> int:
        return len(self.floors)

    def index_of(self, notional: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """The bracket of each position notional; above the highest cap, the highest bracket."""
        return np.maximum(np.searchsorted(self.floors, notional) - 1, 0)

    def maintenance_margin(self, notional: npt.ArrayLike) -> Floats:
        """Margin below which a position of `notional` is liquidated."""
        notional = np.asarray(notional, dtype=np.float64)
        bracket = self.index_of(notional)
        return notional * self.rates[bracket] - self.amounts[bracket]

    def most_notional(self, leverage: int) -> float:
        """The largest position that the exchange allows at `leverage`; 0 where it allows none."""
        allowed = self.caps[self.max_leverage >= leverage]
        return float(allowed.max()) if len(allowed) else 0.0


def bracket_table(symbol: str, as_of: date, rows: Iterable[tuple[Decimal, Decimal, Decimal, int]]) -> BracketTable:
    """Build a table from `(floor, cap, maintenance rate, highest leverage)` rows, lowest bracket first.

    Raises `ValueError` where floors and caps leave a hole or the rates do not rise.
    """
    floors, caps, rates, leverages = (list(column) for column in zip(*rows, strict=True))
    if floors[0] != 0 or any(floor != cap for floor, cap in zip(floors[1:], caps[:-1], strict=True)):
        raise ValueError(f"brackets of {symbol} as of {as_of} leave a hole between floors and caps")
    if any(b <= a for a, b in pairwise(rates)):
        raise ValueError(f"maintenance rates of {symbol} as of {as_of} do not rise with the bracket")
    amounts = [Decimal(0)]
    for i in range(1, len(floors)):
        amounts.append(amounts[-1] + floors[i] * (rates[i] - rates[i - 1]))
    return BracketTable(
        symbol,
        as_of,
        floors=np.array(floors, dtype=np.float64),
        caps=np.array(caps, dtype=np.float64),
        rates=np.array(rates, dtype=np.float64),
        amounts=np.array(amounts, dtype=np.float64),
        max_leverage=np.array(leverages, dtype=np.int64),
        contract=contract_of(symbol),
    )


def brackets_for(symbol: str, at: datetime, loaded: Sequence[BracketTable] = ()) -> BracketTable:
    """The table in force for `symbol` at `at`, of those shipped and those `loaded` besides."""
    return in_force(dated_brackets(symbol, loaded), at)


def dated_brackets(symbol: str, loaded: Sequence[BracketTable] = ()) -> Sequence[BracketTable]:
    """All tables of `symbol`, oldest first: shipped ones, and `loaded` ones, which win where they are of the same day.

    A symbol without a table of its own gets those of the same coin in USDT at Binance, else the `DEFAULT_SYMBOL`
    schedule; the table's `symbol` says which. Its floors are US dollars: of an inverse contract, whose brackets are in
    coins, it is the lowest one for positions of any size.
    """
    shipped = known_brackets()
    by_day = {table.as_of: table for table in (*shipped.get(symbol, ()), *loaded)}
    return [by_day[day] for day in sorted(by_day)] or _assumed(symbol, contract_of(symbol))


@cache
def _assumed(symbol: str, contract: Contract) -> list[BracketTable]:
    """The schedule that a market in such contracts is taken to have, whatever it is called."""
    name, _, _ = symbol.partition(".")
    coin = name.removesuffix("PERP" if name.endswith("PERP") else contract.quote)
    if contract.quote in KNOWN_QUOTES and (like := known_brackets().get(f"{coin}{KNOWN_QUOTES[0]}")):
        return [replace(table, contract=contract) for table in like]
    tables = [replace(table, contract=contract) for table in known_brackets()[DEFAULT_SYMBOL]]
    if not contract.inverse:
        return tables
    lowest = {name: getattr(tables[0], name)[:1] for name in ("floors", "rates", "amounts", "max_leverage")}
    return [replace(tables[0], caps=np.array([_ANY_SIZE]), **lowest)]


def in_force(dated: Sequence[BracketTable], at: datetime) -> BracketTable:
    """The latest of the tables (oldest first) seen by `at`, else the earliest."""
    day = at.astimezone(UTC).date()
    return next((table for table in reversed(dated) if table.as_of <= day), dated[0])


@cache
def known_brackets() -> dict[str, list[BracketTable]]:
    """Every table shipped with the package, by symbol, oldest first."""
    grouped: dict[tuple[str, date], list[tuple[Decimal, Decimal, Decimal, int]]] = {}
    with resources.files(__package__).joinpath("brackets.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            key = (row["symbol"], date.fromisoformat(row["as_of"]))
            cap = Decimal(row["cap"] or "Infinity")
            grouped.setdefault(key, []).append((Decimal(row["floor"]), cap, Decimal(row["rate"]), int(row["leverage"])))
    tables: dict[str, list[BracketTable]] = {}
    for (symbol, as_of), rows in sorted(grouped.items()):
        tables.setdefault(symbol, []).append(bracket_table(symbol, as_of, rows))
    return tables
