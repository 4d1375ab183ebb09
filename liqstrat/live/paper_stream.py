"""The trades of a session on paper for the engine: from history up to where it ends, from the recordings from there."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from nautilus_trader.model import AggressorSide, CryptoPerpetual, Price, Quantity, TradeId, TradeTick

from liqstrat.backtest.levels.interval import Trades, join
from liqstrat.backtest.stream import Batch, MarketStream
from liqstrat.errors import LiqstratError
from liqstrat.live.minutes import GrowingMinutes
from liqstrat.live.tail import Tail

_MILLISECOND_NS = 1_000_000


class PaperStream(MarketStream):
    """Trades as they are recorded. Whoever needs the next one waits for it, see `wait`: false when there is no more.

    first: of history. after_id: the last one of these. newest_ns: time of the last that was read.
    """

    def __init__(
        self,
        symbol: str,
        instrument: CryptoPerpetual,
        first: Trades,
        after_id: int,
        tail: Tail,
        minutes: GrowingMinutes,
        start_ns: int,
        wait: Callable[[], bool],
    ) -> None:
        super().__init__(symbol, iter(()))
        self._instrument, self._tail, self._minutes, self._wait = instrument, tail, minutes, wait
        self._readers: list[_Tap] = []
        self._last_id, self._count = after_id, 0
        self.newest_ns = start_ns
        if len(first.times):
            self._add(first)

    def tape(self) -> Iterator[Trades]:
        """What has been read, once, for who reads along: it ends for now where no more is there."""
        tap = _Tap([Trades(*batch[:4]) for batch in self._ahead])
        self._readers.append(tap)
        return tap

    def _pull(self) -> bool:
        while not self.read():
            if not self._wait():
                return False
        return True

    def read(self) -> bool:
        """Read a part of what is there now; whether there was anything."""
        entries = self._tail.read()
        trades = [one for one in entries if one["a"] > self._last_id]
        if trades:
            self._last_id = trades[-1]["a"]
            self._add(
                Trades(
                    times=np.array([one["T"] for one in trades], dtype=np.int64) * _MILLISECOND_NS,
                    price=np.array([float(one["p"]) for one in trades]),
                    contracts=np.array([float(one["q"]) for one in trades]),
                    buy=np.array([not one["m"] for one in trades], dtype=np.bool_),
                )
            )
        return bool(entries)

    def _add(self, trades: Trades) -> None:
        self._check(trades)
        rows = pa.record_batch({"time": trades.times, "price": trades.price, "size": trades.contracts})
        self._ahead.append(Batch(*trades, rows))
        self._minutes.take(trades)
        self.newest_ns = int(trades.times[-1])
        for tap in self._readers:
            tap.waiting.append(trades)

    def _check(self, trades: Trades) -> None:
        one = self._instrument
        for name, values, digits in (
            ("prices", trades.price, one.price_precision),
            ("quantities", trades.contracts, one.size_precision),
        ):
            if not np.array_equal(np.rint(values * 10.0**digits) / 10.0**digits, values):
                raise LiqstratError(
                    f"{self.symbol}: {name} have more than {digits} decimals, as the history had when the session "
                    "began; begin a new one (--session)"
                )

    def _make(self, rows: pa.RecordBatch) -> list[Any]:
        one, made = self._instrument, []
        name, digits, steps = one.id, one.price_precision, one.size_precision
        nobody = AggressorSide.NO_AGGRESSOR
        for time_ns, price, size in zip(*(column.to_pylist() for column in rows.columns), strict=True):
            self._count += 1
            number = TradeId(str(self._count))
            made.append(TradeTick(name, Price(price, digits), Quantity(size, steps), nobody, number, time_ns, time_ns))
        return made


class _Tap:
    """Parts of what was read; another `next` may find more where one found none."""

    def __init__(self, waiting: list[Trades]) -> None:
        self.waiting = waiting

    def __iter__(self) -> "_Tap":
        return self

    def __next__(self) -> Trades:
        if not self.waiting:
            raise StopIteration
        found, self.waiting = join(self.waiting), []
        return found
