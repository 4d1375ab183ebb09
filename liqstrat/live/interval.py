"""Trades as they arrive, between two values of open interest: what the levels ask of the market that runs."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import numpy as np

from liqstrat.backtest.levels.interval import Trades
from liqstrat.liquidation.brackets import BracketTable
from liqstrat.liquidation.flow import Flow, flow_from_trades
from liqstrat.liquidation.large import LargeRule
from liqstrat.moments import MILLISECOND_NS


class Arrived:
    """An `Interval` of the exchange's own messages. All that has arrived is known; `trade_id`: of the last one."""

    def __init__(self) -> None:
        self.trade_id = 0
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._times: list[int] = []
        self._prices: list[float] = []
        self._contracts: list[float] = []
        self._buys: list[bool] = []
        self._seen = 0
        self.low, self.high, self.last, self.time_ns = np.inf, -np.inf, np.nan, 0

    def put_before(self, trades: Trades) -> None:
        """Add trades that happened before the first message."""
        if len(trades.times):
            self._extend(*(column.tolist() for column in trades))

    def receive(self, trades: Sequence[dict[str, Any]]) -> None:
        """Add the next messages, in order."""
        prices = [float(trade["p"]) for trade in trades]
        times = [int(trade["T"]) * MILLISECOND_NS for trade in trades]
        self._extend(times, prices, [float(trade["q"]) for trade in trades], [not trade["m"] for trade in trades])
        self.trade_id = int(trades[-1]["a"])

    def settle(self, time_ns: int) -> None:
        """Nothing to do: what has arrived is here."""

    def look(self) -> bool:
        """Whether anything has come since the last look."""
        new = len(self._times) > self._seen
        self._seen = len(self._times)
        return new

    def close(
        self, start_ns: int, end_ns: int, *, width: float, brackets: BracketTable, large: LargeRule | None = None
    ) -> Flow:
        """The flow of `[start_ns, end_ns)`; what came at `end_ns` or later, and is here already, stays for the next."""
        ended = bisect_left(self._times, end_ns)
        price, contracts = np.array(self._prices[:ended]), np.array(self._contracts[:ended])
        buy = np.array(self._buys[:ended], dtype=np.bool_)
        for column in (self._times, self._prices, self._contracts, self._buys):
            del column[:ended]
        self._seen = len(self._times)
        self.low, self.high = min(self._prices, default=np.inf), max(self._prices, default=-np.inf)
        return flow_from_trades(start_ns, end_ns, price, contracts, buy, width=width, brackets=brackets, large=large)

    def _extend(self, times: list[int], prices: list[float], contracts: list[float], buys: list[bool]) -> None:
        self._times += times
        self._prices += prices
        self._contracts += contracts
        self._buys += buys
        self.low, self.high = min(self.low, *prices), max(self.high, *prices)
        self.last, self.time_ns = prices[-1], times[-1]
