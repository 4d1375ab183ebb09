"""A symbol's maps over time as messages: a day of them at first, then one more after each open interest.

The last column is of now: it is sent again, under the same time, when price has taken something out of it. Candles and
liquidations go with it, since what is watched is not in the database yet.
"""

from collections import deque
from collections.abc import Sequence
from math import log1p
from typing import Any

import numpy as np

from liqstrat.backtest.levels.interval import Trades
from liqstrat.liquidation.contract import contract_of
from liqstrat.liquidation.grid import low_edge
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.live.candles import GrowingCandles
from liqstrat.live.map_feed import Message
from liqstrat.moments import MILLISECOND_NS, at_ns

#: Relative height of a cell, or that of the model's bins where those are wider.
_HEIGHT = 0.002
_MOST_COLUMNS = 288
_MOST_LIQUIDATIONS = 500
_DIGITS = 3


class HeatFeed:
    """Makes messages of one symbol's maps; `seq` as in `MapFeed`, `candle` as in `Begun`."""

    def __init__(self, symbol: str, maps: Sequence[LiquidationMap], candle: Trades, *, simulated: bool) -> None:
        self._symbol, self._simulated = symbol, simulated
        self._columns: deque[Message] = deque((_column(one, one.time_ns) for one in maps), maxlen=_MOST_COLUMNS)
        self._step = maps[-1].width if maps else 0.0
        self._merged = _merged(self._step) if maps else 1
        self.candles = GrowingCandles(candle)
        self._liquidations: deque[Message] = deque(maxlen=_MOST_LIQUIDATIONS)
        self.seq = 0

    def snapshot(self) -> Message:
        """All columns, under the number of the last message."""
        return {
            **self._head("heatmap"),
            "simulated": self._simulated,
            "quote": contract_of(self._symbol).quote,
            "columns": list(self._columns),
            "candles": self.candles.all,
            "liquidations": list(self._liquidations),
        }

    def column(self, known_ns: int, now: LiquidationMap) -> Message:
        """A message of the column of `known_ns`, the last open interest, as it is now."""
        column = _column(now, known_ns)
        if self._columns and self._columns[-1]["time"] == column["time"]:
            self._columns.pop()
        self._columns.append(column)
        self._step, self._merged = now.width, _merged(now.width)
        self.seq += 1
        return {**self._head("column"), **column}

    def candle(self, now_ns: int, trade_id: int, price: float) -> Message | None:
        """A message of the candles that have changed since the last one; None where none has."""
        changed = self.candles.changed()
        if not changed:
            return None
        self.seq += 1
        now = {"time": at_ns(now_ns).isoformat(), "trade_id": trade_id, "price": price}
        return {**self._head("candle"), **now, "candles": changed}

    def liquidation(self, notional: float, side: str, price: float, time_ms: int) -> Message:
        """A message of what was really liquidated."""
        told = {
            "time": at_ns(time_ms * MILLISECOND_NS).isoformat(),
            "price": price,
            "notional": round(notional, 2),
            "side": side,
        }
        self._liquidations.append(told)
        self.seq += 1
        return {**self._head("liquidation"), **told}

    def _head(self, kind: str) -> Message:
        return {
            "type": kind,
            "symbol": self._symbol,
            "seq": self.seq,
            "height": (1 + self._step) ** self._merged - 1,
        }


def _merged(width: float) -> int:
    return max(round(log1p(_HEIGHT) / log1p(width)), 1)


def _column(levels: LiquidationMap, time_ns: int) -> dict[str, Any]:
    """Contracts of both sides and all leverages from `price_low` up, cell by cell, each `height` higher."""
    merged = _merged(levels.width)
    total = levels.longs.sum(axis=0) + levels.shorts.sum(axis=0)
    first = levels.first_bin // merged
    cells = np.bincount((levels.first_bin + np.arange(len(total))) // merged - first, total) if len(total) else total
    return {
        "time": at_ns(time_ns).isoformat(),
        "price": levels.price,
        "open_interest": levels.open_interest,
        "price_low": float(low_edge(first * merged, levels.width)),
        "contracts": np.round(cells, _DIGITS).tolist(),
    }
