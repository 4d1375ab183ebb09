"""What no stream brings of a symbol: open interest, funding, candles. Asked for when the exchange's clock says so."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from liqstrat.live.files import Recording
from liqstrat.live.listener import After, Listener
from liqstrat.live.market_state import State
from liqstrat.live.messages import is_candle, is_interest, is_open_interest, is_settlement, is_time
from liqstrat.live.rest import AnswerError, Rest, something_else

_MINUTE, _HOUR = 60_000, 3_600_000
_MARK = 5 * _MINUTE
#: After a mark the exchange takes some seconds to publish what it closed with.
_PUBLISHED = 20_000
#: A settled rate is asked for so long after, and again so long after that.
_SETTLED = 2_000
_AGAIN_SECONDS = 5.0


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


class Polls:
    """Asks for what is due of one symbol and records it by `recording`, which takes a kind and a key of time.

    state: whose clock counts, and which is told of open interest. funding_known: whether rates of before have been
    asked for, and are written.
    """

    def __init__(
        self,
        symbol: str,
        recording: Callable[[str, str | int], Recording],
        rest: Rest,
        say: Callable[[str], None],
        listener: Listener,
        after: After,
        state: State,
    ) -> None:
        self._symbol, self._rest, self._say = symbol, rest, say
        self._listener, self._after, self._state = listener, after, state
        self._now_open = recording("openInterest", "time")
        self._interest = recording("openInterestHist", "timestamp")
        self._funding = recording("fundingRate", "fundingTime")
        self._candles = recording("1m", 0)
        #: When funding is settled next, as the stream says, and when it was last.
        self._next_settlement: int | None = None
        self._settled: int | None = None
        self._asked_for_settlement = 0
        self.funding_known = False
        self._polls = (
            _Poll(_MARK, 0, self._ask_open_interest),
            _Poll(_MARK, _PUBLISHED, self.ask_interest_history),
            _Poll(_MARK, _PUBLISHED, self._ask_candles),
            _Poll(_HOUR, _PUBLISHED, self._ask_funding),
        )

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """What `ingest` reads."""
        return self._interest, self._funding, self._candles

    @property
    def settlement_due(self) -> int | None:
        """When funding was settled of which the rate has not come, or is settled next (ms); None where not known."""
        return self._next_settlement if self._settled is None else self._settled

    def note_settlement(self, time_ms: Any) -> None:
        """The stream says when funding is settled next."""
        if not is_time(time_ms) or time_ms == self._next_settlement:
            return
        if self._next_settlement is not None and time_ms > self._next_settlement:
            self._settled = self._next_settlement
        self._next_settlement = time_ms

    def close(self) -> None:
        """Close what `ingest` does not read."""
        self._now_open.close()

    async def run(self) -> None:
        """Ask for what no stream brings whenever the exchange's clock says that it is due, for ever."""
        while True:
            clock = self._state.clock
            for poll in self._polls if clock is not None else ():
                if clock is not None and poll.is_due(clock):
                    try:
                        await poll.ask(clock)
                        poll.note(clock)
                    except AnswerError as error:
                        self._say(f"{self._symbol}: {error}")
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
        answer = await self._rest.get(path, symbol=self._symbol)
        if not is_open_interest(answer):
            raise something_else(path, answer)
        self._now_open.add([answer])

    async def ask_interest_history(self, clock: int) -> None:
        """Record the values of open interest since the last one, and tell of them."""
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
            self._state.open_interest = int(entries[-1]["timestamp"])
            self._listener.open_interest(self._symbol, entries)

    async def _ask_funding(self, clock: int) -> None:
        entries = await self._since(
            self._funding, "fundingTime", is_settlement, clock - 24 * _HOUR, "/fapi/v1/fundingRate", limit=1000
        )
        self.funding_known = True
        if entries:
            if self._settled is not None and int(entries[-1]["fundingTime"]) > self._settled - _MINUTE:
                self._settled = None
            self._listener.funding(self._symbol, entries)

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
            answer = await self._rest.get(path, symbol=self._symbol, startTime=begin, **parameters)
            if not isinstance(answer, list):
                raise something_else(path, answer)
            for entry in answer:
                if not is_right(entry):
                    raise something_else(path, entry)
            page = sorted((entry for entry in answer if int(entry[key]) >= begin), key=lambda one: int(one[key]))
            page = [entry for entry in page if before is None or int(entry[key]) <= before]
            if not page:
                return recorded
            recording.add(page)
            recorded += page
            begin = int(page[-1][key]) + 1
