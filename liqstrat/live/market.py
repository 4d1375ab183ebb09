"""One symbol as it is recorded: what its streams bring, in order and checked, and what is asked for besides."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from liqstrat.live.files import Recording
from liqstrat.live.gaps import Gaps
from liqstrat.live.listener import After, Listener
from liqstrat.live.messages import (
    is_candle,
    is_interest,
    is_liquidation,
    is_mark,
    is_open_interest,
    is_settlement,
    is_time,
    is_trade,
)
from liqstrat.live.rest import AnswerError, RefusedError, Rest
from liqstrat.live.trades import TradeOrder

_MINUTE, _HOUR = 60_000, 3_600_000
_MARK = 5 * _MINUTE
#: After a mark the exchange takes some seconds to publish what it closed with.
_PUBLISHED = 20_000
#: A settled rate is asked for so long after, and again so long after that.
_SETTLED = 2_000
_PAGE = 1000
#: Liquidations that are held against one that comes: a stream may send one twice, at once or after a cut.
_REMEMBERED = 200
#: Frames of a moment ago may still come in another order; seconds.
_REORDERED = 0.5
_AGAIN_SECONDS = 5.0
_PATIENCE, _YET_SECONDS = 5, 1.0


@dataclass
class State:
    """What is known of a market's recording. Times in milliseconds of the exchange's clock, None before the first.

    late: trades that came when the open interest at the end of their interval was there already.
    """

    trades: int = 0
    late: int = 0
    backfilled: int = 0
    liquidations: int = 0
    clock: int | None = None
    last_trade: int | None = None
    open_interest: int | None = None
    price: str = ""


@dataclass
class _Poll:
    """A request that is due each `every` ms of the exchange's clock, `after` ms later."""

    every: int
    after: int
    ask: Callable[[int], Awaitable[None]]
    done: int = field(default=-1)

    def is_due(self, clock: int) -> bool:
        return (clock - self.after) // self.every > self.done

    def note(self, clock: int) -> None:
        self.done = (clock - self.after) // self.every


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
        self._listener, self._after = listener or Listener(), after or After()

        def recording(kind: str, time_key: str | int) -> Recording:
            return Recording(folder, symbol, kind, time_key)

        self._trades = recording("aggTrades", "T")
        self._liquidations = recording("forceOrder", "E")
        self._marks = recording("markPrice", "E")
        self._now_open = recording("openInterest", "time")
        self._interest = recording("openInterestHist", "timestamp")
        self._funding = recording("fundingRate", "fundingTime")
        self._candles = recording("1m", 0)
        last = self._trades.last()
        known = [number for number in (int(last["a"]) if last else None, self._after.trade_id) if number is not None]
        self._order = TradeOrder(max(known, default=None))
        self.state.last_trade = int(last["T"]) if last else None
        mark = self._marks.last()
        self._alive_until: int | None = int(mark["E"]) if mark else None
        self._marked = self._alive_until or 0
        self._seen: deque[dict[str, Any]] = deque(maxlen=_REMEMBERED)
        if order := self._liquidations.last():
            self._seen.append(order["o"])
        #: When funding is settled next, as the stream says, and when it was last.
        self._next_settlement: int | None = None
        self._settled: int | None = None
        self._asked_for_settlement = 0
        self._sure = self.funding_known = False
        #: How often trades that the exchange does not have yet are asked for once more.
        self._patience = _PATIENCE
        #: Trades that are not missing any more are being written: another thread may ask meanwhile.
        self._writing = False
        self._wake = asyncio.Event()
        self._polls = (
            _Poll(_MARK, 0, self._ask_open_interest),
            _Poll(_MARK, _PUBLISHED, self._ask_interest_history),
            _Poll(_MARK, _PUBLISHED, self._ask_candles),
            _Poll(_HOUR, _PUBLISHED, self._ask_funding),
        )

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """What `ingest` reads."""
        return self._trades, self._liquidations, self._interest, self._funding, self._candles

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

    @property
    def settlement_due(self) -> int | None:
        """When funding was settled of which the rate has not come, or is settled next (ms); None where not known."""
        return self._next_settlement if self._settled is None else self._settled

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
            self._note_settlement(frame.get("T"))
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
        for other in (self._marks, self._now_open):
            other.close()
        return [path for recording in self.recordings if (path := recording.close())]

    def _after_silence(self, now: int) -> None:
        if self._alive_until is not None:
            self._gaps.note(self.symbol, "forceOrder", self._alive_until, now, "the stream was not received")
            self._alive_until = None

    def _note_settlement(self, time_ms: Any) -> None:
        if not is_time(time_ms) or time_ms == self._next_settlement:
            return
        if self._next_settlement is not None and time_ms > self._next_settlement:
            self._settled = self._next_settlement
        self._next_settlement = time_ms

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

    # -- what is asked for ---------------------------------------------------------------------------------------------

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
            raise _else(path, answer)
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

    async def poll(self) -> None:
        """Ask for what no stream brings whenever the exchange's clock says that it is due, for ever."""
        while True:
            clock = self.state.clock
            for poll in self._polls if clock is not None else ():
                if clock is not None and poll.is_due(clock):
                    try:
                        await poll.ask(clock)
                        poll.note(clock)
                    except AnswerError as error:
                        self._say(f"{self.symbol}: {error}")
                        await asyncio.sleep(_AGAIN_SECONDS)
            if clock is not None and self._settled is not None:
                await self._ask_for_settlement(clock, self._settled)
            await asyncio.sleep(0.2)

    async def _ask_for_settlement(self, clock: int, settled: int) -> None:
        """A rate that has been settled is there some seconds later."""
        if clock < max(settled, self._asked_for_settlement) + _SETTLED:
            return
        self._asked_for_settlement = clock
        with suppress(AnswerError):
            await self._ask_funding(clock)

    async def _ask_open_interest(self, clock: int) -> None:
        path = "/fapi/v1/openInterest"
        answer = await self._rest.get(path, symbol=self.symbol)
        if not is_open_interest(answer):
            raise _else(path, answer)
        self._now_open.add([answer])

    async def _ask_interest_history(self, clock: int) -> None:
        entries = await self._since(
            self._interest,
            "timestamp",
            is_interest,
            clock - _HOUR,
            "/futures/data/openInterestHist",
            known=self._after.interest_ms,
            period="5m",
            limit=500,
        )
        if entries:
            self.state.open_interest = int(entries[-1]["timestamp"])
            self._listener.open_interest(self.symbol, entries)

    async def _ask_funding(self, clock: int) -> None:
        entries = await self._since(
            self._funding, "fundingTime", is_settlement, clock - 24 * _HOUR, "/fapi/v1/fundingRate", limit=1000
        )
        self.funding_known = True
        if entries:
            if self._settled is not None and int(entries[-1]["fundingTime"]) > self._settled - _MINUTE:
                self._settled = None
            self._listener.funding(self.symbol, entries)

    async def _ask_candles(self, clock: int) -> None:
        begin = (clock // _MINUTE - 10) * _MINUTE
        await self._since(
            self._candles, 0, is_candle, begin, "/fapi/v1/klines", before=clock - _MINUTE, interval="1m", limit=1500
        )

    async def _since(
        self,
        recording: Recording,
        key: str | int,
        is_right: Callable[[Any], bool],
        begin: int,
        path: str,
        before: int | None = None,
        known: int | None = None,
        **parameters: str | int,
    ) -> list[Any]:
        """Record what the exchange has after the last entry, or from `begin` on where there is none; page by page.

        is_right: whether an entry is what was asked for. before: entries that begin later are not over yet.
        known: entries up to then are had already.
        """
        last = recording.last()
        there = [time for time in (int(last[key]) if last else None, known) if time is not None]
        begin = max(there) + 1 if there else begin
        recorded: list[Any] = []
        while True:
            answer = await self._rest.get(path, symbol=self.symbol, startTime=begin, **parameters)
            if not isinstance(answer, list):
                raise _else(path, answer)
            for entry in answer:
                if not is_right(entry):
                    raise _else(path, entry)
            page = sorted((entry for entry in answer if int(entry[key]) >= begin), key=lambda one: int(one[key]))
            page = [entry for entry in page if before is None or int(entry[key]) <= before]
            if not page:
                return recorded
            recording.add(page)
            recorded += page
            begin = int(page[-1][key]) + 1


def _else(path: str, answer: Any) -> AnswerError:
    return AnswerError(f"{path}: answers something else: {str(answer)[:80]}")
