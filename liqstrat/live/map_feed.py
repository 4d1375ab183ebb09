"""A symbol's map as messages: whole after each open interest, and what price takes out of it in between.

A message has a number `seq`, one more than that of the message before. Whoever has a `map` and all `gone` after it has
the map that stands; its `clusters` are those of the last message that has any.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from liqstrat.liquidation.clusters import Cluster
from liqstrat.liquidation.contract import contract_of
from liqstrat.liquidation.grid import Floats, low_edge
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.live.levels import LiveLevels
from liqstrat.moments import at_ns

Message = dict[str, Any]

#: How far from price a map reaches at first.
SPAN = 0.2
#: Digits behind the point of contracts.
_DIGITS = 6


class MapFeed:
    """Makes messages of one symbol's levels."""

    def __init__(self, live: LiveLevels) -> None:
        self._live = live
        self.seq = 0
        self._first, self._longs, self._shorts = 0, np.zeros((0, 0)), np.zeros((0, 0))
        self._low, self._high = np.inf, -np.inf
        self._price = np.nan
        self._clusters: Sequence[Cluster] | None = None

    def whole(self) -> Message | None:
        """A message of the whole map; None as long as there is none. To be sent after each new open interest."""
        if not self._live.levels.initialized:
            return None
        found = self._live.map(SPAN)
        self._keep(found)
        self.seq += 1
        return self.snapshot()

    def snapshot(self) -> Message:
        """The map as the last message left it, under that one's number."""
        return {
            **self._head("map"),
            "simulated": self._live.simulated,
            "quote": contract_of(self._live.symbol).quote,
            "open_interest": self._live.levels.open_interest,
            "width": self._width,
            "leverages": [int(tier) for tier in self._tiers],
            "first_bin": self._first,
            "price_low": np.round(low_edge(self._first + np.arange(self._longs.shape[1] + 1), self._width), 8).tolist(),
            "long": _rows(self._longs),
            "short": _rows(self._shorts),
            "clusters": [asdict(one) for one in self._clusters or ()],
        }

    @property
    def reaches_on(self) -> bool:
        """Whether price has gone farther than at the last message, so that it may have taken something out."""
        arrived = self._live.arrived
        return arrived.low < self._low or arrived.high > self._high

    def change(self) -> Message | None:
        """What price has taken out since the last message, or that it is another one; None where nothing is new."""
        arrived = self._live.arrived
        if not self.reaches_on:
            if arrived.last == self._price:
                return None
            self.seq += 1
            self._price = arrived.last
            return self._head("price")
        found = self._live.map()
        longs, shorts = self._part(found, found.longs), self._part(found, found.shorts)
        gone = {"long": _changed(self._longs, longs), "short": _changed(self._shorts, shorts)}
        self._longs, self._shorts = longs, shorts
        self._low, self._high, self._price = arrived.low, arrived.high, arrived.last
        self.seq += 1
        if not any(gone.values()):
            return self._head("price")
        return {**self._head("gone"), **gone, **self._new_clusters()}

    def _new_clusters(self) -> Message:
        """The clusters, where they are others than those of the last message that had any."""
        before, self._clusters = self._clusters, self._live.levels.clusters()
        if self._clusters is before:
            return {}
        return {"clusters": [asdict(one) for one in self._clusters]}

    def _keep(self, found: LiquidationMap) -> None:
        self._width, self._tiers, self._first = found.width, found.tiers, found.first_bin
        self._longs, self._shorts = np.round(found.longs, _DIGITS), np.round(found.shorts, _DIGITS)
        self._clusters = self._live.levels.clusters()
        arrived = self._live.arrived
        self._low, self._high, self._price = arrived.low, arrived.high, arrived.last

    def _part(self, found: LiquidationMap, contracts: Floats) -> Floats:
        """Of another map, the bins of the kept one."""
        part = np.zeros_like(self._longs)
        first, stop = max(found.first_bin, self._first), min(found.first_bin + contracts.shape[1], self._stop)
        if first < stop:
            part[:, first - self._first : stop - self._first] = contracts[
                :, first - found.first_bin : stop - found.first_bin
            ]
        return np.round(part, _DIGITS)

    @property
    def _stop(self) -> int:
        return self._first + self._longs.shape[1]

    def _head(self, kind: str) -> Message:
        live = self._live
        return {
            "type": kind,
            "symbol": live.symbol,
            "seq": self.seq,
            "time": at_ns(live.now_ns).isoformat(),
            "trade_id": live.arrived.trade_id,
            "known_at": at_ns(live.levels.known_at).isoformat(),
            "price": live.levels.price,
        }


def _rows(contracts: Floats) -> list[list[float]]:
    """`[leverage's place, bin, contracts]` of all that hold something; bins count from the first."""
    return _at(contracts, contracts > 0)


def _changed(before: Floats, after: Floats) -> list[list[float]]:
    return _at(after, after != before)


def _at(contracts: Floats, where: Any) -> list[list[float]]:
    tiers, bins = np.nonzero(where)
    return [[int(t), int(b), float(c)] for t, b, c in zip(tiers, bins, contracts[tiers, bins], strict=True)]
