"""What the recorder, which runs in a thread of its own, lets a session on paper know."""

import threading
import time
from collections.abc import Sequence
from typing import Any

from liqstrat.live.listener import Listener
from liqstrat.live.recorder import Recorder

_LOOK_SECONDS = 0.5
#: How long prints are waited for at the end.
_LAST_SECONDS = 10.0


class News(Listener):
    """Wakes who waits for something new. recorder: to be set. stopping: whether the session is to end; over: whether
    nothing comes any more."""

    recorder: Recorder

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = self._seen = 0
        self._heard: dict[str, int] = {}
        self.stopping = self.over = False
        self._stopping_since: float | None = None

    @property
    def clock_ms(self) -> int | None:
        """The exchange's clock; None before anything has been heard of each market."""
        markets = self.recorder.markets
        if not markets or any(market.state.clock is None for market in markets.values()):
            return None
        here = round(time.time() * 1000) - self.recorder.connection.skew_ms
        return max(here, *(market.state.clock or 0 for market in markets.values()))

    def behind(self, symbol: str) -> bool:
        """Whether trades of it are known to be missing, or it is not connected."""
        market = self.recorder.markets.get(symbol)
        return market is None or not market.is_complete or not self.recorder.connection.alive

    def heard_ms(self, symbol: str) -> int | None:
        """The exchange's clock by the last message of a market."""
        market = self.recorder.markets.get(symbol)
        return None if market is None else market.state.clock

    def settlement_ms(self, symbol: str) -> int | None:
        """When funding was last settled, or is next, whichever is not known to be past and paid."""
        market = self.recorder.markets.get(symbol)
        return None if market is None else market.polls.settlement_due

    def funding_known(self, symbol: str) -> bool:
        """Whether rates of before have been asked for, and are written."""
        market = self.recorder.markets.get(symbol)
        return market is not None and market.polls.funding_known

    def wait(self, seconds: float) -> bool:
        """Wait for something new; False where nothing comes any more."""
        with self._changed:
            if self._count == self._seen and not self.over:
                self._changed.wait(seconds)
            self._seen = self._count
        return not self.over

    def more(self) -> bool:
        """Wait for another trade; false where none is to be waited for: not for long when the session is to end."""
        if self.stopping and self._stopping_since is None:
            self._stopping_since = time.monotonic()
        if self._stopping_since is not None and time.monotonic() - self._stopping_since > _LAST_SECONDS:
            return False
        return self.wait(_LOOK_SECONDS)

    def wake(self) -> None:
        """Let who waits look."""
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def trades(self, symbol: str, trades: Sequence[dict[str, Any]]) -> None:
        self.wake()

    def open_interest(self, symbol: str, entries: Sequence[dict[str, Any]]) -> None:
        self.wake()

    def funding(self, symbol: str, entries: Sequence[dict[str, Any]]) -> None:
        self.wake()

    def clock(self, symbol: str, clock_ms: int) -> None:
        self.wake()
