"""One symbol as it is recorded: what its streams bring, in order and checked, and the trades that they lose."""

import asyncio
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from liqstrat.live.files import Recording
from liqstrat.live.gaps import Gaps
from liqstrat.live.listener import After, Listener
from liqstrat.live.market_state import State
from liqstrat.live.messages import is_liquidation, is_mark, is_time, is_trade
from liqstrat.live.polls import Polls
from liqstrat.live.rest import AnswerError, RefusedError, Rest, something_else
from liqstrat.live.trades import TradeOrder

_PAGE = 1000
#: Liquidations that are held against one that comes: a stream may send one twice, at once or after a cut.
_REMEMBERED = 200
#: Frames of a moment ago may still come in another order; seconds.
_REORDERED = 0.5
_AGAIN_SECONDS = 5.0
_PATIENCE, _YET_SECONDS = 5, 1.0


class Market:
    """Records one symbol into `folder`.

    listener: told of what has been recorded. after: what is known elsewhere already, so that what comes follows on it.
    """

    def __init__(
        self,
        symbol: str,
        folder: Path,
        rest: Rest,
        gaps: Gaps,
        say: Callable[[str], None],
        listener: Listener | None = None,
        after: After | None = None,
    ) -> None:
        self.symbol, self.state = symbol, State()
        self._rest, self._gaps, self._say = rest, gaps, say
        self._listener, after = listener or Listener(), after or After()

        def recording(kind: str, time_key: str | int) -> Recording:
            return Recording(folder, symbol, kind, time_key)

        self._trades = recording("aggTrades", "T")
        self._liquidations = recording("forceOrder", "E")
        self._marks = recording("markPrice", "E")
        self.polls = Polls(symbol, recording, rest, say, self._listener, after, self.state)
        last = self._trades.last()
        known = [number for number in (int(last["a"]) if last else None, after.trade_id) if number is not None]
        self._order = TradeOrder(max(known, default=None))
        self.state.last_trade = int(last["T"]) if last else None
        mark = self._marks.last()
        self._alive_until: int | None = int(mark["E"]) if mark else None
        self._marked = self._alive_until or 0
        self._seen: deque[dict[str, Any]] = deque(maxlen=_REMEMBERED)
        if order := self._liquidations.last():
            self._seen.append(order["o"])
        self._sure = False
        #: How often trades that the exchange does not have yet are asked for once more.
        self._patience = _PATIENCE
        #: Trades that are not missing any more are being written: another thread may ask meanwhile.
        self._writing = False
        self._wake = asyncio.Event()

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """What `ingest` reads."""
        return self._trades, self._liquidations, *self.polls.recordings

    @property
    def duplicates(self) -> int:
        """Trades that came more than once."""
        return self._order.duplicates

    @property
    def behind(self) -> int:
        """Trades that are known to be missing still."""
        missing = self._order.missing
        return missing.last - missing.first + 1 if missing else 0

    @property
    def is_complete(self) -> bool:
        """Whether all trades up to the clock are here and written: none is missing, and after a cut one has come that
        would show if any were."""
        return not self._writing and not self.behind and self._sure

    # -- what comes ----------------------------------------------------------------------------------------------------

    def take(self, frame: dict[str, Any]) -> bool:
        """Record a frame; False where it is none that can be right."""
        if not is_time(frame.get("E")):
            return False
        if frame["e"] == "aggTrade" and is_trade(frame):
            self._record_trades([frame])
            self._sure = True
        elif frame["e"] == "forceOrder" and is_liquidation(frame):
            self._record_liquidation(frame)
        elif frame["e"] == "markPriceUpdate" and is_mark(frame):
            self._after_silence(int(frame["E"]))
            self.polls.note_settlement(frame.get("T"))
            if int(frame["E"]) > self._marked:
                self._marked = int(frame["E"])
                self._marks.add([frame])
        else:
            return False
        clock = int(frame["E"])
        if clock > (self.state.clock or 0):
            self.state.clock = clock
            self._listener.clock(self.symbol, clock)
        return True

    def lose(self) -> None:
        """The streams have been cut: what came between cannot be asked for, but for trades."""
        self._alive_until = self._alive_until or self.state.clock
        self._sure = False

    def close(self) -> list[Path]:
        """Close all files; those that `ingest` reads."""
        self._marks.close()
        self.polls.close()
        return [path for recording in self.recordings if (path := recording.close())]

    def _after_silence(self, now: int) -> None:
        if self._alive_until is not None:
            self._gaps.note(self.symbol, "forceOrder", self._alive_until, now, "the stream was not received")
            self._alive_until = None

    def _record_liquidation(self, frame: dict[str, Any]) -> None:
        # Those of one moment are told apart by what they are of: they have no number.
        if frame["o"] not in self._seen:
            self._seen.append(frame["o"])
            self._liquidations.add([frame])
            self.state.liquidations += 1
            self._listener.liquidation(self.symbol, frame)

    def _record_trades(self, trades: list[dict[str, Any]]) -> int:
        self._writing = True
        ready = self._order.offer(trades)
        self._keep(ready)
        self._writing = False
        if self._order.missing:
            self._wake.set()
        return len(ready)

    def _keep(self, trades: list[dict[str, Any]]) -> None:
        """Record trades that are next."""
        if trades:
            self._trades.add(trades)
            self.state.trades += len(trades)
            if self.state.open_interest is not None:
                self.state.late += sum(int(trade["T"]) < self.state.open_interest for trade in trades)
            self.state.last_trade, self.state.price = int(trades[-1]["T"]), trades[-1]["p"]
            self._listener.trades(self.symbol, trades)

    # -- what is lost --------------------------------------------------------------------------------------------------

    async def fill_gaps(self) -> None:
        """Ask for the trades that a stream has lost, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await asyncio.sleep(_REORDERED)
            while self._order.missing:
                try:
                    await self._fill()
                except AnswerError as error:
                    self._say(f"{self.symbol}: trades that are missing cannot be had now: {error}")
                    await asyncio.sleep(_AGAIN_SECONDS)

    async def _fill(self) -> None:
        missing = self._order.missing
        assert missing is not None, "asked for just now"
        path = "/fapi/v1/aggTrades"
        try:
            answer = await self._rest.get(path, symbol=self.symbol, fromId=missing.first, limit=_PAGE)
        except RefusedError as error:
            self._give_up(str(error))
            return
        if not isinstance(answer, list):
            raise something_else(path, answer)
        found = [trade for trade in answer if is_trade(trade) and missing.first <= int(trade["a"]) <= missing.last]
        self.state.backfilled += len(found)
        if not answer and self._patience:
            # It may not have them yet: trades are published by its streams first.
            self._patience -= 1
            await asyncio.sleep(_YET_SECONDS)
            return
        self._patience = _PATIENCE
        if not found or int(found[0]["a"]) > missing.first:
            # The exchange has them no more, or has only later ones.
            self._order.offer(found)
            self._give_up("the exchange does not have them any more")
        else:
            self._record_trades(found)

    def _give_up(self, reason: str) -> None:
        begin = self.state.last_trade
        self._writing = True
        gone, after = self._order.give_up()
        if gone is not None:
            end = int(after[0]["T"]) if after else self.state.clock
            self._gaps.note(self.symbol, "aggTrades", begin, end, reason, ids=(gone.first, gone.last))
            self._keep(after)
        self._writing = False
