"""Trades for the levels straight from the catalog, in place of a call from the engine for each.

To hand a trade to Python costs as much as to replay it. In a backtest there is no need: the clock says which trades
have happened, and the catalog has them in the same order as the engine. So a replay by tape is faster than one in
which a strategy does nothing but count trades, and its levels are the same.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from liqstrat.backtest.levels.interval import Trades, join
from liqstrat.catalog import day_files
from liqstrat.catalog.exact import exact, floats_of
from liqstrat.liquidation.brackets import BracketTable
from liqstrat.liquidation.flow import Flow, flow_from_trades
from liqstrat.liquidation.large import LargeRule
from liqstrat.moments import nanoseconds

_COLUMNS = ["ts_event", "price", "size", "aggressor_side"]
_FEW = 100
_NOTHING = Trades(np.zeros(0, np.int64), np.zeros(0), np.zeros(0), np.zeros(0, np.bool_))


def read_tape(catalog_path: Path, symbol: str, start: datetime, end: datetime) -> Iterator[Trades]:
    """The catalog's trades of `[start, end)` in order, some ten thousand at a time."""
    bounds = [nanoseconds(start), nanoseconds(end)]
    folder = day_files.folder(catalog_path, symbol, "trades")
    for first_second, last_second, name in sorted(day_files.spans(folder)):
        if last_second < start or first_second >= end:
            continue
        with pq.ParquetFile(folder / name) as file:
            decimals = [int(file.schema_arrow.metadata[name]) for name in (b"price_precision", b"size_precision")]
            for batch in file.iter_batches(columns=_COLUMNS):
                trades = _trades(batch, *decimals)
                first, last = np.searchsorted(trades.times, bounds).tolist()
                if first < last:
                    yield trades.part(slice(first, last))


def last_price(catalog_path: Path, symbol: str, start: datetime, end: datetime) -> float | None:
    """The price of the last trade in `[start, end)`; None where nothing trades on its last day."""
    found = None
    for trades in read_tape(catalog_path, symbol, max(start, end - timedelta(days=1)), end):
        found = float(trades.price[-1])
    return found


def _trades(batch: pa.RecordBatch, price_decimals: int, size_decimals: int) -> Trades:
    sides = batch["aggressor_side"]
    return Trades(
        times=batch["ts_event"].cast(pa.int64()).to_numpy(),
        price=exact(floats_of(batch["price"]), price_decimals),
        contracts=exact(floats_of(batch["size"]), size_decimals),
        buy=sides.indices.to_numpy() == sides.dictionary.to_pylist().index("BUY"),
    )


class TapeInterval:
    """Trades since the last open-interest value, read from `tape` as far as the clock has come.

    Known is what happened before `now()`, to be set when there is a clock. Trades of this very moment may still be on
    their way, one by one, so they count only once somebody who comes after all of them has said so by `settle`.
    """

    def __init__(self, tape: Iterator[Trades]) -> None:
        self.now: Callable[[], int] = lambda: 0
        self._tape = tape
        self.clear()

    def clear(self) -> None:
        """Forget what was read; the tape goes on where it is."""
        self._held, self._seen, self._next_ns = _NOTHING, 0, 0
        self._settled_ns = 0
        self.low, self.high, self.last, self.time_ns = np.inf, -np.inf, np.nan, 0

    def put_before(self, trades: Trades) -> None:
        """Add trades of this interval that happened before the first on the tape."""
        if len(trades.price):
            self._held = join([trades, self._held])
            self._take(len(trades.price))

    def settle(self, time_ns: int) -> None:
        """All trades up to and at `time_ns` have happened."""
        self._settled_ns = time_ns

    def look(self) -> bool:
        """Wind on to the present."""
        limit = max(self.now() - 1, self._settled_ns)
        if limit < self._next_ns:
            return False
        while not len(self._held.times) or self._held.times[-1] <= limit:
            more = next(self._tape, None)
            if more is None:
                break
            self._held = join([self._held, more])
        seen = self._seen
        self._take(int(self._held.times.searchsorted(limit, side="right")))
        return self._seen > seen

    def close(
        self, start_ns: int, end_ns: int, *, width: float, brackets: BracketTable, large: LargeRule | None = None
    ) -> Flow:
        """The flow of `[start_ns, end_ns)`; trades at `end_ns` or later, already known, stay for the next."""
        trades = self._ended(end_ns)
        return flow_from_trades(
            start_ns, end_ns, trades.price, trades.contracts, trades.buy, width=width, brackets=brackets, large=large
        )

    def pass_over(self, end_ns: int) -> None:
        """Begin the interval that starts at `end_ns`."""
        self._ended(end_ns)

    def _ended(self, end_ns: int) -> Trades:
        """The trades of the interval that ends at `end_ns`; from now on it is the next one's that count."""
        self.look()
        ended = min(int(self._held.times.searchsorted(end_ns)), self._seen)
        trades = self._held.part(slice(0, ended))
        self._held, known = self._held.part(slice(ended, None)), self._seen - ended
        self._seen, self.low, self.high = 0, np.inf, -np.inf
        self._take(known)
        return trades

    def _take(self, count: int) -> None:
        """Of what is held, the first `count` trades have happened."""
        if count > self._seen:
            new = self._held.price[self._seen : count]
            # Few numbers are compared sooner by Python, and mostly there are few since the last look.
            low, high = (new.min(), new.max()) if len(new) > _FEW else (min(few := new.tolist()), max(few))
            self.low, self.high = min(self.low, float(low)), max(self.high, float(high))
            self.last, self.time_ns = new.item(-1), self._held.times.item(count - 1)
        self._seen = count
        self._next_ns = self._held.times.item(count) if count < len(self._held.times) else 0
