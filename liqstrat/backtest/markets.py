"""What a strategy may know of a symbol of the run, its own or another one."""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from math import nan
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from liqstrat.backtest.bars import BarHistory, Bars
from liqstrat.backtest.levels.indicator import LiquidationLevels
from liqstrat.errors import LiqstratError, did_you_mean
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.market.store import Store
from liqstrat.moments import SECOND_NS, column_ns

#: Funding is settled at least that often.
_SETTLED_WITHIN = timedelta(days=1)


@dataclass(eq=False)
class FundingRates:
    """Funding rates of one symbol: `times` when each was settled (nanoseconds, ascending), and `rates`."""

    times: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    rates: Floats = field(default_factory=lambda: np.zeros(0))

    def known(self, now_ns: int) -> float:
        """The last rate that was settled by then; NaN before the first."""
        number = bisect_right(self.times, now_ns)
        return float(self.rates[number - 1]) if number else nan


def read_rates(store: Store, symbol: str, start: datetime, end: datetime) -> FundingRates:
    """The rates of `[start, end)`, and the last before."""
    found = store.funding(symbol, start - _SETTLED_WITHIN, end)
    times = column_ns(found["time"])
    return FundingRates(times, found["rate"].cast(pa.float64()).to_numpy())


class Market:
    """One symbol as it is now. levels: its liquidation levels, see `LiquidationLevels`."""

    def __init__(
        self,
        symbol: str,
        levels: LiquidationLevels,
        history: BarHistory,
        rates: FundingRates,
        now: Callable[[], int],
    ) -> None:
        self.symbol = symbol
        self.levels = levels
        self._history, self._rates, self._now = history, rates, now

    def __repr__(self) -> str:
        return f"<Market {self.symbol} {self.price:.10g}>"

    @property
    def price(self) -> float:
        """The last price, USDT; NaN before the first."""
        return self.levels.price

    @property
    def price_age(self) -> float:
        """Seconds of market time since something traded; with bars, since the last one that traded has closed."""
        return (self._now() - self.levels.price_time_ns) / SECOND_NS

    @property
    def open_interest(self) -> float:
        """Contracts open (base asset) as last known; NaN before the first value."""
        return self.levels.open_interest

    @property
    def funding(self) -> float:
        """The last funding rate that was settled, as a share of notional; NaN before the first."""
        return self._rates.known(self._now())

    def bars(self, length: str, count: int) -> Bars:
        """The last `count` bars of a length ("1m", "5m", "15m", "30m", "1h", "4h", "1d") that have closed, in arrays.

        There are bars of before the run, as far as `data.warmup_days` and history reach; fewer where they do not.
        """
        return self._history.last(length, count, self._now())


class Known(NamedTuple):
    """What a run knows of one symbol."""

    levels: LiquidationLevels
    history: BarHistory
    rates: FundingRates


@dataclass(frozen=True, eq=False)
class Markets:
    """All symbols of a run."""

    known: Mapping[str, Known]

    def of(self, symbol: str, now: Callable[[], int]) -> Market:
        """One of them; `LiqstratError` with the nearest right name for another."""
        if symbol not in self.known:
            raise LiqstratError(
                f'market: "{symbol}" is not a symbol of the run{did_you_mean(symbol, self.known)}; expected one of '
                f"{', '.join(self.known)}"
            )
        return Market(symbol, *self.known[symbol], now)

    @cached_property
    def settle(self) -> Callable[[int], None]:
        """Says that all market data stamped up to and at a moment (nanoseconds) has arrived."""
        each = [one.levels.settle for one in self.known.values()]

        def settle(time_ns: int) -> None:
            for one in each:
                one(time_ns)

        return each[0] if len(each) == 1 else settle
