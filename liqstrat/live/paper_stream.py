"""The trades of a session on paper for the engine: from history up to where it ends, from the recordings from there."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from nautilus_trader.model import AggressorSide, CryptoPerpetual, Price, Quantity, TradeId, TradeTick

from liqstrat.backtest.levels.interval import Trades, join
from liqstrat.backtest.stream import Batch, MarketStream
from liqstrat.errors import LiqstratError
from liqstrat.liquidation.grid import Ints
from liqstrat.live.minutes import GrowingMinutes
from liqstrat.live.session import Moved
from liqstrat.live.tail import Tail
from liqstrat.moments import MILLISECOND_NS


class PaperStream(MarketStream):
    """Trades as they are recorded. Whoever needs the next one waits for it, see `wait`: false when there is no more.

    A trade that comes when its time has been worked counts from then on, as one that happens now; `late` counts them.
    Which ones these are is noted in `moved` by `move`, so that they do so again when all is done again.

    first: of history. after_id: the last one of these. taken: up to which time (ns) the market has been worked, and the
    last trade of that. newest_ns: time of the last that was read.
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
        taken: tuple[int, int] | None = None,
        moved: Sequence[Moved] = (),
        move: Callable[[Moved], None] = lambda moved: None,
    ) -> None:
        super().__init__(symbol, iter(()))
        self._instrument, self._tail, self._minutes, self._wait = instrument, tail, minutes, wait
        self._readers: list[_Tap] = []
        self._last_id, self._count = after_id, 0
        self._taken_ns, self.taken_id = taken or (0, after_id)
        self._moved, self._move = moved, move
        self.newest_ns, self.late, self.last_price = start_ns, 0, math.nan
        if len(first.times):
            self._add(first, np.full(len(first.times), after_id))

    def take(self, until_ns: int | None) -> list[Any]:
        """The engine's objects of all that is stamped before `until_ns`."""
        items = super().take(until_ns)
        self._taken_ns = max(self._taken_ns, until_ns or 0)
        if items:
            self.last_price = float(self._playing.prices[-1])
        return items

    def last_before(self, time_ns: int) -> int:
        """Id of the last trade of before that moment."""
        for batch in reversed(self._ahead):
            if stop := int(batch.times.searchsorted(time_ns)):
                return int(batch.rows["id"][stop - 1].as_py())
        return self.taken_id

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
            ids = np.array([one["a"] for one in trades], dtype=np.int64)
            times = np.array([one["T"] for one in trades], dtype=np.int64) * MILLISECOND_NS
            self._note_late(ids, times)
            self._add(
                Trades(
                    times=moved_times(ids, times, self._moved),
                    price=np.array([float(one["p"]) for one in trades]),
                    contracts=np.array([float(one["q"]) for one in trades]),
                    buy=np.array([not one["m"] for one in trades], dtype=np.bool_),
                ),
                ids,
            )
        return bool(entries)

    def _note_late(self, ids: Ints, times: Ints) -> None:
        """Note trades that come when their time has been worked, but for those that are noted."""
        noted = max((one.last_id for one in self._moved), default=0)
        late = ids[(times < self._taken_ns) & (ids > max(self.taken_id, noted))]
        if len(late):
            self._move(Moved(int(late[0]), int(late[-1]), max(self._taken_ns, self.newest_ns)))
        self.late = sum(one.trades for one in self._moved)

    def _add(self, trades: Trades, ids: Ints) -> None:
        self._check(trades)
        rows = pa.record_batch({"time": trades.times, "price": trades.price, "size": trades.contracts, "id": ids})
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
        for time_ns, price, size, id_ in zip(*(column.to_pylist() for column in rows.columns), strict=True):
            self._count, self.taken_id = self._count + 1, max(self.taken_id, id_)
            number = TradeId(str(self._count))
            made.append(TradeTick(name, Price(price, digits), Quantity(size, steps), nobody, number, time_ns, time_ns))
        return made


def moved_times(ids: Ints, times: Ints, moved: Iterable[Moved]) -> Ints:
    """Times of trades with ids in order, of which some count from later on."""
    times = times.copy()
    for one in moved:
        times[int(ids.searchsorted(one.first_id)) : int(ids.searchsorted(one.last_id, side="right"))] = one.at_ns
    return times


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
