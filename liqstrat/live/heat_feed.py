"""A symbol's maps over time as messages: a day of them at first, then one more after each open interest.

The last column is of now: it is sent again, under the same time, when price has taken something out of it.
"""

from collections import deque
from collections.abc import Sequence
from math import log1p
from typing import Any

import numpy as np

from liqstrat.liquidation.grid import low_edge
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.live.map_feed import Message
from liqstrat.moments import at_ns

#: Relative height of a cell, or that of the model's bins where those are wider.
_HEIGHT = 0.002
_MOST_COLUMNS = 288
_DIGITS = 3


class HeatFeed:
    """Makes messages of one symbol's maps; `seq` as in `MapFeed`."""

    def __init__(self, symbol: str, maps: Sequence[LiquidationMap], *, simulated: bool) -> None:
        self._symbol, self._simulated = symbol, simulated
        self._columns: deque[Message] = deque((_column(one, one.time_ns) for one in maps), maxlen=_MOST_COLUMNS)
        self._step = maps[-1].width if maps else 0.0
        self._merged = _merged(self._step) if maps else 1
        self.seq = 0

    def snapshot(self) -> Message:
        """All columns, under the number of the last message."""
        return {**self._head("heatmap"), "simulated": self._simulated, "columns": list(self._columns)}

    def column(self, known_ns: int, now: LiquidationMap) -> Message:
        """A message of the column of `known_ns`, the last open interest, as it is now."""
        column = _column(now, known_ns)
        if self._columns and self._columns[-1]["time"] == column["time"]:
            self._columns.pop()
        self._columns.append(column)
        self._step, self._merged = now.width, _merged(now.width)
        self.seq += 1
        return {**self._head("column"), **column}

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
        "price_low": float(low_edge(first * merged, levels.width)),
        "contracts": np.round(cells, _DIGITS).tolist(),
    }
