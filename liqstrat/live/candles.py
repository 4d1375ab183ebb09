"""Candles of a market that runs, as they grow: what a picture of its maps is drawn under."""

from collections.abc import Sequence
from typing import Any

from liqstrat.backtest.levels.interval import Trades
from liqstrat.moments import MILLISECOND_NS, at_ns

_STEP_MS = 300_000
#: As many as maps are kept, and the one that grows.
_MOST = 289

Row = list[Any]


def candle_start(time_ms: int) -> int:
    """When the candle of a moment begins, both in milliseconds."""
    return time_ms // _STEP_MS * _STEP_MS


class GrowingCandles:
    """Five-minute candles of the trades that are taken; `[time, open, high, low, close]`, times of their begin.

    before: the trades of history of the candle that it ends in, see `candle_start`: that one goes on.
    """

    def __init__(self, before: Trades) -> None:
        self._candles: dict[int, list[float]] = {}
        self._changed: set[int] = set()
        if len(before.times):
            prices = before.price
            row = [float(price) for price in (prices[0], prices.max(), prices.min(), prices[-1])]
            self._candles[candle_start(int(before.times[-1]) // MILLISECOND_NS)] = row

    def take(self, trades: Sequence[dict[str, Any]]) -> None:
        """Count in the next trades, in the exchange's own messages."""
        for trade in trades:
            start, price = candle_start(int(trade["T"])), float(trade["p"])
            known = self._candles.get(start)
            if known is None:
                self._candles[start] = [price, price, price, price]
            else:
                known[1:] = [max(known[1], price), min(known[2], price), price]
            self._changed.add(start)
        while len(self._candles) > _MOST:
            self._candles.pop(next(iter(self._candles)))

    @property
    def all(self) -> list[Row]:
        """Those that are kept, the latest last."""
        return self._rows(sorted(self._candles))

    def changed(self) -> list[Row]:
        """Those that have changed since this was asked last."""
        rows = self._rows(sorted(self._changed & self._candles.keys()))
        self._changed.clear()
        return rows

    def _rows(self, starts: Sequence[int]) -> list[Row]:
        return [[at_ns(start * MILLISECOND_NS).isoformat(), *self._candles[start]] for start in starts]
