"""Records markets until it is stopped: streams, what is asked for besides, and the history that is made of it."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from liqstrat import __version__
from liqstrat.ending import in_good_order, note, raise_if_asked
from liqstrat.errors import LiqstratError, did_you_mean
from liqstrat.live.addresses import REST_URL, STREAM_URL
from liqstrat.live.files import Recording, recording_alone
from liqstrat.live.gaps import Gaps
from liqstrat.live.listener import After, Listener
from liqstrat.live.market import Market
from liqstrat.live.messages import is_liquidation, symbol_of
from liqstrat.live.rest import AnswerError, Rest
from liqstrat.live.stream import Frame, Streams
from liqstrat.market.ingest import ingest

#: What this computer's clock may be off, or go off further, before it is worth a word, ms; and how often that is asked.
_SKEW, _CLOCK_EVERY_SECONDS = 1_000, 600.0
_HAND_OVER_EVERY_SECONDS = 30.0
_LONGEST_ODD = 200
#: So many odd messages are shown; the rest are counted.
_ODD_SHOWN = 5
#: Symbols that are recorded for their liquidations alone come into files of this name.
_OTHERS = "ALL"


@dataclass(frozen=True)
class Settings:
    """What to record and where.

    folder: of the recordings. database: what finished days are loaded into, None where they are not. everything:
    whether liquidations of all symbols are recorded. seconds: for how long, None where until it is stopped.
    """

    symbols: Sequence[str]
    folder: Path
    database: Path | None = None
    everything: bool = False
    seconds: float | None = None
    rest_url: str = REST_URL
    stream_url: str = STREAM_URL


@dataclass
class Connection:
    """How the streams are: cuts so far, whether they bring anything, and what came that could not be right."""

    cuts: int = 0
    alive: bool = False
    odd: int = 0
    skew_ms: int = 0
    begin: float = field(default_factory=time.monotonic)


class Recorder:
    """Records as `settings` say; `say` is told what a user should know.

    listener: told of what is recorded. after: by symbol, what is known elsewhere, on which the recording is to follow.
    besides: what is to run as long as it records.
    """

    def __init__(
        self,
        settings: Settings,
        say: Callable[[str], None],
        listener: Listener | None = None,
        after: Mapping[str, After] | None = None,
        besides: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
    ) -> None:
        self.settings, self._say = settings, say
        self._listener, self._after, self._besides = listener, after or {}, besides
        self.connection = Connection()
        self.gaps = Gaps(settings.folder, say)
        self.markets: dict[str, Market] = {}
        self._others = Recording(settings.folder, _OTHERS, "forceOrder", "E")
        self._finished: list[Path] = []
        self._told_skew = 0

    def run(self, show: Callable[["Recorder"], None]) -> None:
        """Record until it is interrupted or the time is over; `show` is called each second.

        A first signal ends it in good order: what runs `besides` is cancelled once, and may send what waits.
        Raises `LiqstratError` where the exchange cannot be reached, has no such symbol, the disk cannot be written, or
        another program records there.
        """
        asked: list[int] = []
        with recording_alone(self.settings.folder, self.settings.symbols):
            try:
                asyncio.run(self._until_asked(show, asked))
            finally:
                self._close()
        for number in asked:
            note(number)
        raise_if_asked()

    async def _until_asked(self, show: Callable[["Recorder"], None], asked: list[int]) -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None, "runs in one"
        with in_good_order(lambda: loop.call_soon_threadsafe(task.cancel)) as signals:
            try:
                await self._run(show)
            except asyncio.CancelledError:
                if not signals:
                    raise
            asked += signals

    async def _run(self, show: Callable[["Recorder"], None]) -> None:
        headers = {"User-Agent": f"liqstrat/{__version__}"}
        async with aiohttp.ClientSession(headers=headers, trust_env=True) as session:
            asked = Rest(session, self.settings.rest_url, self._say)
            await self._begin(asked)
            streams = Streams(
                session,
                self.settings.stream_url,
                self._stream_names(),
                take=self._take,
                cut=self._cut,
                begun=self._begun,
                odd=self._odd,
            )
            work = [
                streams.run(),
                self._show(show),
                self._hand_over(),
                self._keep_clock(asked),
                *(one() for one in self._besides),
            ]
            for market in self.markets.values():
                work += [market.polls.run(), market.fill_gaps()]
            with suppress(TimeoutError):
                async with asyncio.timeout(self.settings.seconds):
                    await _together(work)

    async def _begin(self, asked: Rest) -> None:
        try:
            await self._look_at_clock(asked)
            listed = {entry["symbol"] for entry in (await asked.get("/fapi/v1/exchangeInfo"))["symbols"]}
        except (AnswerError, KeyError, TypeError, ValueError) as error:
            raise LiqstratError(f"{self.settings.rest_url}: cannot be asked for its markets: {error}") from None
        for symbol in self.settings.symbols:
            if symbol not in listed:
                raise LiqstratError(f'the exchange has no market "{symbol}"{did_you_mean(symbol, listed)}')
            self.markets[symbol] = Market(
                symbol, self.settings.folder, asked, self.gaps, self._say, self._listener, self._after.get(symbol)
            )
        self._tell_clock()

    async def _look_at_clock(self, asked: Rest) -> None:
        """Note how far this computer's clock is off; it may be set anew while it is recorded for weeks."""
        clock = await asked.probe("/fapi/v1/time")
        self.connection.skew_ms = round((asked.sent_at + time.time()) * 500 - int(clock["serverTime"]))

    def _tell_clock(self) -> None:
        skew = self.connection.skew_ms
        if abs(skew - self._told_skew) > _SKEW:
            self._told_skew = skew
            ahead = "ahead of" if skew > 0 else "behind"
            self._say(f"this computer's clock is {abs(skew) / 1000:,.1f} s {ahead} the exchange's")

    async def _keep_clock(self, asked: Rest) -> None:
        while True:
            await asyncio.sleep(_CLOCK_EVERY_SECONDS)
            with suppress(AnswerError, KeyError, TypeError, ValueError):
                await self._look_at_clock(asked)
                self._tell_clock()

    def _stream_names(self) -> list[str]:
        kinds = ["aggTrade", "markPrice@1s", *([] if self.settings.everything else ["forceOrder"])]
        names = [f"{symbol.lower()}@{kind}" for symbol in self.markets for kind in kinds]
        return [*names, "!forceOrder@arr"] if self.settings.everything else names

    # -- what comes ----------------------------------------------------------------------------------------------------

    async def _take(self, frame: Frame) -> None:
        market = self.markets.get(symbol_of(frame))
        if market is not None:
            right = market.take(frame)
        else:
            right = self.settings.everything and frame["e"] == "forceOrder" and is_liquidation(frame)
            if right:
                self._others.add([frame])
        if not right:
            self._odd(str(frame))

    def _odd(self, text: str) -> None:
        self.connection.odd += 1
        if self.connection.odd <= _ODD_SHOWN:
            self._say(f"a message is none that the exchange documents: {text[:_LONGEST_ODD] or '(empty)'}")

    def _cut(self, reason: str) -> None:
        if self.connection.alive or not self.connection.cuts:
            self._say(f"the streams were cut: {reason}; connecting again")
        self.connection.cuts += 1
        self.connection.alive = False
        for market in self.markets.values():
            market.lose()

    def _begun(self) -> None:
        self.connection.alive = True

    # -- what is done with it ------------------------------------------------------------------------------------------

    async def _show(self, show: Callable[["Recorder"], None]) -> None:
        while True:
            show(self)
            await asyncio.sleep(1)

    async def _hand_over(self) -> None:
        """Load days that are over into the database, again later where somebody else has it."""
        while True:
            await asyncio.sleep(_HAND_OVER_EVERY_SECONDS)
            for market in self.markets.values():
                for recording in market.recordings:
                    self._finished += recording.take_finished()
            if self._finished and self.settings.database:
                await asyncio.to_thread(self._load)

    def _load(self) -> None:
        assert self.settings.database is not None, "asked for only where there is one"
        try:
            report = ingest(self._finished, self.settings.database)
        except LiqstratError as error:
            self._say(f"not loaded yet: {error}")
            return
        self._finished = []
        for file in report.refused:
            self._say(f"{file.path.name} was refused: {file.reason}")

    def _close(self) -> None:
        for market in self.markets.values():
            self._finished += market.close()
        self._others.close()
        if self._finished and self.settings.database:
            self._load()


async def _together(work: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Run all until one fails; its error is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)
    except* LiqstratError as errors:
        raise errors.exceptions[0] from None
