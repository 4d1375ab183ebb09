"""What has traded since the last open-interest value, gathered at next to no cost a trade.

Nautilus calls an indicator once a trade. All that happens then is `list.append`; prices and sizes are read out in one
go when somebody looks.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from nautilus_trader.model import AggressorSide, Bar, Price, Quantity, TradeTick

from liqstrat.catalog.exact import exact
from liqstrat.liquidation.brackets import BracketTable
from liqstrat.liquidation.flow import Flow, flow_from_bars, flow_from_trades
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.liquidation.large import LargeRule

_TIME = attrgetter("ts_event")
_PRICE = attrgetter("price")
_SIZE = attrgetter("size")
_SIDE = attrgetter("aggressor_side")
_IS_BUY = AggressorSide.BUY.__eq__

#: Trades are held as engine objects (some 300 bytes each) up to this many, then as arrays.
MOST_OBJECTS = 250_000


class Interval(Protocol):
    """What `LiquidationLevels` asks of trades or bars.

    `low`, `high` (infinite when nothing traded yet), `last` (NaN before the first of all) and its time `time_ns`, in
    USDT and nanoseconds, are as of the last `look`, which is false when nothing new came. `settle` says that all data
    up to a moment has arrived.
    """

    low: float
    high: float
    last: float
    time_ns: int

    def clear(self) -> None: ...

    def put_before(self, trades: "Trades") -> None: ...

    def settle(self, time_ns: int) -> None: ...

    def look(self) -> bool: ...

    def close(
        self, start_ns: int, end_ns: int, *, width: float, brackets: BracketTable, large: LargeRule | None = None
    ) -> Flow: ...


class Tape(Interval, Protocol):
    """An interval that reads by itself what has happened by `now()`, to be set when there is a clock."""

    now: Callable[[], int]

    def pass_over(self, end_ns: int) -> None:
        """Begin the interval that starts at `end_ns`, as `close` does, where nobody asks for the flow."""


class Trades(NamedTuple):
    """One entry a trade, in time order: nanoseconds since 1970, USDT, base asset, and whether the taker bought."""

    times: Ints
    price: Floats
    contracts: Floats
    buy: npt.NDArray[np.bool_]

    def part(self, rows: slice) -> "Trades":
        return Trades(self.times[rows], self.price[rows], self.contracts[rows], self.buy[rows])


class TradeInterval:
    """Single trades since the last open-interest value; `receive` takes the next one."""

    def __init__(self) -> None:
        self._trades: list[TradeTick] = []
        self._prices: list[float] = []
        self._older: list[Trades] = []
        self.receive: Callable[[TradeTick], None] = self._trades.append
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        for held in (self._trades, self._prices, self._older):
            held.clear()
        self.low, self.high, self.last, self.time_ns = np.inf, -np.inf, np.nan, 0

    def put_before(self, trades: Trades) -> None:
        """Add trades of this interval that happened before the first one received."""
        if len(trades.price):
            self._older.append(trades)
            self.last, self.time_ns = float(trades.price[-1]), int(trades.times[-1])
            self._measure()

    def settle(self, time_ns: int) -> None:
        """Nothing to do: what has arrived is here."""

    def look(self) -> bool:
        """Read the prices of the trades received since the last look."""
        seen = len(self._prices)
        if seen == len(self._trades):
            return False
        new = list(map(Price.as_double, map(_PRICE, self._trades[seen:])))
        self._prices += new
        last = self._trades[-1]
        precision, self.time_ns = last.price.precision, last.ts_event
        self.low = min(self.low, round(min(new), precision))
        self.high = max(self.high, round(max(new), precision))
        self.last = round(new[-1], precision)
        if len(self._trades) >= MOST_OBJECTS:
            times = np.fromiter(map(_TIME, self._trades), dtype=np.int64, count=len(self._trades))
            self._older.append(self._arrays(len(self._trades))._replace(times=times))
            self._forget(len(self._trades))
        return True

    def close(
        self, start_ns: int, end_ns: int, *, width: float, brackets: BracketTable, large: LargeRule | None = None
    ) -> Flow:
        """The flow of `[start_ns, end_ns)`; what came at `end_ns` or later, and is here already, stays for the next."""
        self.look()
        ended = bisect_left(self._trades, end_ns, key=_TIME)
        trades = self._arrays(ended)
        self._forget(ended)
        if self._older:
            trades = self._after_older(trades, end_ns)
        self._measure()
        return flow_from_trades(
            start_ns, end_ns, trades.price, trades.contracts, trades.buy, width=width, brackets=brackets, large=large
        )

    def _arrays(self, count: int) -> Trades:
        """The first `count` trades, without times."""
        trades = self._trades[:count] if count < len(self._trades) else self._trades
        if not count:
            return Trades(np.zeros(0, np.int64), np.zeros(0), np.zeros(0), np.zeros(0, np.bool_))
        sizes = np.fromiter(map(Quantity.as_double, map(_SIZE, trades)), dtype=np.float64, count=count)
        return Trades(
            times=np.zeros(0, np.int64),
            price=exact(np.array(self._prices[:count]), trades[0].price.precision),
            contracts=exact(sizes, trades[0].size.precision),
            buy=np.fromiter(map(_IS_BUY, map(_SIDE, trades)), dtype=np.bool_, count=count),
        )

    def _after_older(self, trades: Trades, end_ns: int) -> Trades:
        """Older trades that ended before `end_ns`, then `trades`."""
        older = join(self._older)
        ended = int(np.searchsorted(older.times, end_ns))
        self._older = [older.part(slice(ended, None))] if ended < len(older.times) else []
        return join([older.part(slice(0, ended)), trades])

    def _forget(self, count: int) -> None:
        del self._trades[:count]
        del self._prices[:count]

    def _measure(self) -> None:
        """Low and high of all that is held."""
        self.low = float(min([*self._prices, *(part.price.min() for part in self._older)], default=np.inf))
        self.high = float(max([*self._prices, *(part.price.max() for part in self._older)], default=-np.inf))


class BarInterval:
    """Bars since the last open-interest value; `receive` takes the next one. A bar is known when it has closed."""

    def __init__(self) -> None:
        self._bars: list[Bar] = []
        self.receive: Callable[[Bar], None] = self._bars.append
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._bars.clear()
        self._seen = 0
        self.low, self.high, self.last, self.time_ns = np.inf, -np.inf, np.nan, 0

    def put_before(self, trades: Trades) -> None:
        """Of trades before the first bar only the last price is taken."""
        if len(trades.price):
            self.last, self.time_ns = float(trades.price[-1]), int(trades.times[-1])

    def settle(self, time_ns: int) -> None:
        """Nothing to do: what has arrived is here."""

    def look(self) -> bool:
        """Take notice of the bars received since the last look."""
        new = self._bars[self._seen :]
        for bar in new:
            self.low = min(self.low, bar.low.as_double())
            self.high = max(self.high, bar.high.as_double())
            self.last = round(bar.close.as_double(), bar.close.precision)
            self.time_ns = bar.ts_init
        self._seen = len(self._bars)
        return bool(new)

    def close(
        self, start_ns: int, end_ns: int, *, width: float, brackets: BracketTable, large: LargeRule | None = None
    ) -> Flow:
        """The flow of the bars that closed in `(start_ns, end_ns]`."""
        self.look()
        ended = bisect_right(self._bars, end_ns, key=attrgetter("ts_init"))
        bars = self._bars[:ended]
        flow = flow_from_bars(
            start_ns,
            end_ns,
            np.array([bar.high.as_double() for bar in bars]),
            np.array([bar.low.as_double() for bar in bars]),
            np.array([bar.close.as_double() for bar in bars]),
            np.array([bar.volume.as_double() for bar in bars]),
            width=width,
            brackets=brackets,
        )
        del self._bars[:ended]
        self._seen = len(self._bars)
        self.low = min((bar.low.as_double() for bar in self._bars), default=np.inf)
        self.high = max((bar.high.as_double() for bar in self._bars), default=-np.inf)
        return flow


def join(parts: Sequence[Trades]) -> Trades:
    """Trades of several parts after one another."""
    return Trades(
        np.concatenate([part.times for part in parts]),
        np.concatenate([part.price for part in parts]),
        np.concatenate([part.contracts for part in parts]),
        np.concatenate([part.buy for part in parts]),
    )
