"""The account minute by minute, rebuilt from fills, funding and prices."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import numpy as np

from liqstrat.backtest.ledger import Ledger
from liqstrat.backtest.minutes import MINUTE_NS, MinuteBars
from liqstrat.liquidation.grid import Floats, Ints


@dataclass(frozen=True, eq=False)
class EquityCurve:
    """The account at `times` (nanoseconds UTC: each minute, and the end), in USDT.

    `balance` changes when profit is realized, fees or funding paid; `unrealized` is what open positions would add at
    the last price; `notional` is their size at it, negative when short.
    """

    times: Ints
    balance: Floats
    unrealized: Floats
    notional: Floats

    @property
    def equity(self) -> Floats:
        equity: Floats = self.balance + self.unrealized
        return equity


def equity_curve(
    ledger: Ledger, balance: Decimal, minutes: Mapping[str, MinuteBars], start: datetime, end: datetime
) -> EquityCurve:
    """The account over `[start, end]`, which began with `balance`. Minutes hold prices of the symbols traded."""
    first, last = round(start.timestamp() * 1e9), round(end.timestamp() * 1e9)
    times = np.unique(np.append(np.arange(first, last, MINUTE_NS, dtype=np.int64), last))
    realized, unrealized, notional = np.zeros(len(times)), np.zeros(len(times)), np.zeros(len(times))
    for payment in ledger.funding:
        realized[np.searchsorted(times, payment.time_ns) :] += float(payment.amount)
    for strategy, symbol in sorted({(fill.strategy, fill.symbol) for fill in ledger.fills}):
        held = _held(ledger, strategy, symbol)
        at = np.searchsorted(held.times, times, side="right")
        price = _prices(minutes[symbol], times)
        realized += held.realized[at]
        unrealized += held.contracts[at] * (price - held.average[at])
        notional += held.contracts[at] * price
    return EquityCurve(times, float(balance) + realized, unrealized, notional)


@dataclass(frozen=True, eq=False)
class _Held:
    """A position after each of its fills (at `times`); entry 0 of the others is before the first."""

    times: Ints
    contracts: Floats
    average: Floats
    realized: Floats


def _held(ledger: Ledger, strategy: str, symbol: str) -> _Held:
    """Follow the fills exactly: what enlarges a position moves its average price, what reduces it realizes profit."""
    contracts = average = realized = Decimal(0)
    rows = [(contracts, average, realized)]
    times = []
    for fill in ledger.fills:
        if (fill.strategy, fill.symbol) != (strategy, symbol):
            continue
        closing = min(fill.quantity, abs(contracts)) if contracts * fill.signed < 0 else Decimal(0)
        direction = 1 if contracts > 0 else -1
        realized += closing * direction * (fill.price - average) - fill.fee
        opening = fill.quantity - closing
        if opening:
            before = abs(contracts) - closing
            average = (before * average + opening * fill.price) / (before + opening)
        contracts += fill.signed
        times.append(fill.time_ns)
        rows.append((contracts, average, realized))
    columns = [np.array([float(row[i]) for row in rows]) for i in range(3)]
    return _Held(np.array(times, dtype=np.int64), *columns)


def _prices(minutes: MinuteBars, times: Ints) -> Floats:
    """The last price at each of `times`; before the first minute has ended, its open."""
    ended = np.clip((times - minutes.start_ns) // MINUTE_NS, 0, len(minutes))
    return np.where(ended > 0, minutes.close[np.maximum(ended - 1, 0)], minutes.open[0])
