"""Who is told what a watched market does."""

from collections.abc import Sequence
from typing import Any

from liqstrat.liquidation.clusters import Cluster
from liqstrat.live.map_feed import Message


class Sink:
    """Told by `Watch`, at once and in order; does nothing with it. What takes long must not be done here."""

    def map_message(self, symbol: str, message: Message) -> None:
        """A message of the map, see `map_feed`."""

    def heat_message(self, symbol: str, message: Message) -> None:
        """A message of the maps over time, see `heat_feed`."""

    def alive(self, symbol: str, message: Message) -> None:
        """The exchange is heard; once a second at most, and never where it is not."""

    def levels(self, symbol: str, price: float, clusters: Sequence[Cluster], now_ns: int) -> None:
        """What stands now; once a second, and whenever price has taken something out."""

    def signal(self, symbol: str, signal: dict[str, Any]) -> None:
        """A signal has come up."""

    def feedback(self, symbol: str, outcome: dict[str, Any]) -> None:
        """What a signal said has happened, or has not."""

    def liquidation(self, symbol: str, notional: float, side: str, time_ms: int) -> None:
        """Somebody's position of that `side` ("long" or "short") has been liquidated."""

    async def run(self) -> None:
        """Work off what takes long, for ever."""
