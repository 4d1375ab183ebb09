"""The account minute by minute, rebuilt from fills, funding and prices."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

import numpy as np

from liqstrat.backtest.account.ledger import Ledger, follow
from liqstrat.catalog.minutes import MinuteBars
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.moments import MINUTE_NS, nanoseconds


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
    ledger: Ledger,
    balance: Decimal,
    minutes: Mapping[str, MinuteBars],
    start: datetime,
    end: datetime,
    last: Mapping[str, float] = MappingProxyType({}),
) -> EquityCurve:
    """The account over `[start, end]`, which began with `balance`. Minutes hold prices of the symbols traded, `last`
    those at the end, which may lie within a minute; where it has none, the last minute's close is taken."""
    first_ns, end_ns = nanoseconds(start), nanoseconds(end)
    times = np.append(np.arange(first_ns, end_ns, MINUTE_NS, dtype=np.int64), end_ns)
    unrealized, notional = np.zeros(len(times)), np.zeros(len(times))
    paid = np.cumsum([0.0, *(float(payment.amount) for payment in ledger.funding)])
    paid_at = np.array([payment.time_ns for payment in ledger.funding], dtype=np.int64)
    realized = paid[np.searchsorted(paid_at, times, side="right")]
    for strategy, symbol in sorted({(fill.strategy, fill.symbol) for fill in ledger.fills}):
        fills = [fill for fill in ledger.fills if (fill.strategy, fill.symbol) == (strategy, symbol)]
        at = np.searchsorted(np.array([fill.time_ns for fill in fills]), times, side="right")
        states = [(state.contracts, state.average, state.realized) for state in follow(fills)]
        contracts, average, profit = np.array(states, dtype=np.float64).T[:, at]
        price = prices_at(minutes[symbol], times)
        price[-1] = last.get(symbol, price[-1])
        realized += profit
        unrealized += contracts * (price - average)
        notional += contracts * price
    return EquityCurve(times, float(balance) + realized, unrealized, notional)


def prices_at(minutes: MinuteBars, times: Ints) -> Floats:
    """The last price at each of `times`; before the first minute has ended, its open."""
    ended: Ints = np.minimum((times - minutes.start_ns) // MINUTE_NS, len(minutes))
    return np.where(ended > 0, minutes.close[np.maximum(ended - 1, 0)], minutes.open[0])
