"""Liquidated amounts as they are recorded, and what their sources leave out."""

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt

from liqstrat.errors import LiqstratError
from liqstrat.liquidation.contract import Contract
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.market.store import Store
from liqstrat.scoring.amounts.predictors import Path

#: From when on an exchange tells only a part: its stream has at most one liquidation of a symbol a second, or the like.
_THINNED_FROM = {"binance": "2021-04-27", "bybit": "2021-10-01"}
WHERE_FROM = (
    "Coinalyze, CryptoQuant, Coinglass and others offer them by side and interval; `liqstrat ingest` loads their "
    "exports, and any table by a --mapping"
)


@dataclass(frozen=True, eq=False)
class Amounts:
    """Of one source, one entry an interval in order: `ends_us` (microseconds since 1970) and contracts by side.

    venues: names with `+` between. record: "complete", "thinned", or "unknown", of every interval.
    """

    venues: str
    length_us: int
    ends_us: Ints
    long: Floats
    short: Floats
    record: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ends_us)

    def part(self, chosen: npt.NDArray[np.bool_]) -> "Amounts":
        """Some of the intervals."""
        record = tuple(np.array(self.record)[chosen].tolist())
        ends, long, short = self.ends_us[chosen], self.long[chosen], self.short[chosen]
        return replace(self, ends_us=ends, long=long, short=short, record=record)


def recorded_amounts(store: Store, symbol: str, start: datetime, end: datetime, candles: Path) -> list[Amounts]:
    """Amounts of intervals that begin in `[start, end)`, by venues and length, the longest record first.

    What is in USD becomes contracts at the last price of its interval. Raises `LiqstratError` where
    none are recorded.
    """
    rows = store.rows_sql("liquidation_amounts", symbol, start, end)
    found = []
    if rows is not None:
        kinds = f"select venues, seconds from ({rows}) group by all order by count(*) desc, venues, seconds"
        for venues, seconds in store.connection.execute(kinds).fetchall():
            found.append(_read(store, rows, venues, seconds, candles, store.contract(symbol)))
    if not found:
        raise LiqstratError(
            f"{store.path}: no amounts of liquidations of {symbol} from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} "
            f"UTC. {WHERE_FROM}"
        )
    return found


def _read(store: Store, rows: str, venues: str, seconds: int, candles: Path, contract: Contract) -> Amounts:
    sides = ", ".join(
        f"max({side}_contracts)::double as {side}, max({side}_value)::double as {side}_value"
        for side in ("long", "short")
    )
    sql = f"""
        select epoch_us(timestamp) + {seconds * 1_000_000} as ends, max(record) as record, {sides}
        from ({rows}) where venues = '{venues}' and seconds = {seconds} group by timestamp order by timestamp
    """
    table = store.connection.sql(sql).to_arrow_table()
    ends: Ints = table["ends"].to_numpy()
    amounts = {}
    price = None
    for side in ("long", "short"):
        contracts = table[side].to_numpy(zero_copy_only=False)
        if np.isnan(contracts).any():
            price = _prices(candles, ends) if price is None else price
            value = table[f"{side}_value"].to_numpy(zero_copy_only=False)
            contracts = np.where(np.isnan(contracts), value / contract.worth(price), contracts)
        amounts[side] = contracts
    told = table["record"].to_pylist()
    record = [one or _record(venues, us) for one, us in zip(told, ends.tolist(), strict=True)]
    return Amounts(venues, seconds * 1_000_000, ends, amounts["long"], amounts["short"], tuple(record))


def _prices(candles: Path, ends: Ints) -> Floats:
    """The last price known at each end; NaN before the first."""
    at = np.searchsorted(candles.closes, ends, side="right") - 1
    return np.where(at >= 0, candles.close[np.maximum(at, 0)], np.nan)


def _record(venues: str, us: int) -> str:
    begin = _THINNED_FROM.get(venues)
    if begin is None:
        return "unknown"
    return "complete" if us <= np.datetime64(begin, "us").astype(np.int64) else "thinned"
