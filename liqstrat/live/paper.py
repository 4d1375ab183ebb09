"""Trading on paper: strategies of a run file on the market as it runs; orders go to the exchange that a backtest
simulates, and to no other.

The engine is that of a backtest, fed with what the recorder writes. So a session is a function of its run file, its
recordings and what it heard when: one that was killed does it all again, quickly, and goes on.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from math import isnan
from pathlib import Path
from typing import Any

from liqstrat.app import prepare_symbol, resolve_traders
from liqstrat.backtest.account.equity import equity_curve
from liqstrat.backtest.levels.record import LevelsRecord
from liqstrat.backtest.replay import Replayed, Source, SymbolData, replay
from liqstrat.backtest.strategy import LevelStrategy
from liqstrat.catalog.instruments import money_of
from liqstrat.config import RunFile
from liqstrat.ending import in_good_order
from liqstrat.errors import LiqstratError
from liqstrat.live.files import recording_alone
from liqstrat.live.heard import HeardRates, known_at_begin
from liqstrat.live.listener import After
from liqstrat.live.minutes import GrowingMinutes
from liqstrat.live.news import News
from liqstrat.live.paper_begin import beginning, hash_of, trades_up_to
from liqstrat.live.paper_feed import PaperFeed
from liqstrat.live.paper_journal import PaperJournal
from liqstrat.live.paper_page import Shown, write_paper_page
from liqstrat.live.paper_report import LEVELS, write_paper_report
from liqstrat.live.paper_stream import PaperStream
from liqstrat.live.recorder import Recorder, Settings
from liqstrat.live.session import Session
from liqstrat.live.tail import Tail
from liqstrat.live.watching import load_recordings, require_same_kind
from liqstrat.market.store import Store, open_store
from liqstrat.moments import MILLISECOND_NS, MINUTE_NS, at_ns, microseconds, nanoseconds
from liqstrat.progress import SILENT, Progress
from liqstrat.report import numbers

#: A run that does not end by itself.
_END = datetime(2199, 1, 1, tzinfo=UTC)
#: How often a map is kept for the report: each open interest; and how often the page is drawn.
_MAPS_EVERY_NS, _DRAW_EVERY_SECONDS = 5 * MINUTE_NS, 2.0
_KINDS = {"interest": "openInterestHist", "funding": "fundingRate"}


@dataclass(frozen=True)
class Wanted:
    """A session: its run file and folder, how to record, what is late (ms), and whether positions are closed at the
    end."""

    run: RunFile
    folder: Path
    recording: Settings
    late_ms: int = 10_000
    closing: bool = False


class Paper:
    """One session, begun or gone on with. asked: signals that have ended it, which whoever runs it is to note."""

    def __init__(self, wanted: Wanted, say: Callable[[str], None], progress: Progress = SILENT) -> None:
        run = wanted.run
        if run.bar_minutes is not None:
            raise LiqstratError(
                f'resolution is "{run.resolution}", a session on paper trades on single trades: expected "tick"; '
                "--set resolution=tick"
            )
        self._wanted, self._say, self.news = wanted, say, News()
        self.session = Session(wanted.folder)
        self._traders = resolve_traders(run)
        folder, names = wanted.recording.folder, run.symbols
        if self.session.exists:
            self.session.require(hash_of(run))
        with recording_alone(folder, names):
            load_recordings(folder, run.data.db, names, say)
        with open_store(run.data.db, files=run.data.allow_files) as store:
            require_same_kind(store, wanted.recording)
            if not self.session.exists:
                self.session.open(beginning(store, run, wanted.recording.folder))
            start = datetime.fromisoformat(self.session.begin.start)
            self.run = run.model_copy(update={"start": start, "end": start})
            self._data = {symbol: prepare_symbol(store, symbol, self.run, progress) for symbol in names}
            self._streams = {symbol: self._stream(store, symbol) for symbol in names}
        self.run = self.run.model_copy(update={"end": _END})
        after = {symbol: After(one, None) for symbol, one in self.session.begin.after.items()}
        interest = {symbol: After(one.trade_id, microseconds(start) // 1000) for symbol, one in after.items()}
        self.recorder = Recorder(replace(wanted.recording, seconds=None), say, self.news, interest, [self._until_over])
        self.news.recorder = self.recorder
        self.feed = PaperFeed(
            self.session,
            self._streams,
            {symbol: _growing(one) for symbol, one in self._data.items()},
            {symbol: _heard(one) for symbol, one in self._data.items()},
            {
                (kind, symbol): Tail(folder, symbol, name, microseconds(start) // 1000)
                for kind, name in _KINDS.items()
                for symbol in names
            },
            self.news,
            nanoseconds(start),
            late_ms=wanted.late_ms,
            settles=run.venue.funding,
            closing=wanted.closing,
        )
        self.journal = PaperJournal(wanted.folder, money_of(wanted.run.symbols[0]))
        self.feed.check_ns = self.journal.check_ns
        self._draw_at, self._links = 0.0, list[tuple[str, str]]()
        self.asked: list[int] = []

    def _stream(self, store: Store, symbol: str) -> PaperStream:
        data, after = self._data[symbol], self.session.begin.after[symbol]
        rates, minutes = known_at_begin(self.session, symbol), GrowingMinutes(data.minutes)
        self._data[symbol] = replace(data, minutes=minutes, rates=rates, funding=True)
        first, start = trades_up_to(store, symbol, self.run.start, after), nanoseconds(self.run.start)
        tail = Tail(self._wanted.recording.folder, symbol, "aggTrades", start // MILLISECOND_NS)
        session = self.session
        return PaperStream(
            symbol,
            data.instrument,
            first,
            after,
            tail,
            minutes,
            start,
            self.news.more,
            taken=(session.fed_ns, session.fed_ids[symbol]),
            moved=session.moved[symbol],
            move=partial(session.move, symbol),
        )

    # -- how it runs ---------------------------------------------------------------------------------------------------

    def trade(self, show: Callable[["Paper"], None]) -> Replayed:
        """Trade until it is stopped; `show` is called about once a second.

        Raises `LiqstratError` where the recorder cannot go on, and `StrategyError` for a strategy's.
        """
        failed: list[BaseException] = []
        thread = threading.Thread(target=self._record, args=(failed,), name="recorder")
        levels = self._wanted.folder / LEVELS
        with in_good_order(self.stop) as asked, LevelsRecord(levels, _MAPS_EVERY_NS, self.run.report.span) as record:
            thread.start()
            try:
                replayed = replay(
                    self.run,
                    self._traders,
                    self._data,
                    record,
                    presence=self.session.presence,
                    source=Source(
                        dict(self._streams),
                        self.feed,
                        lambda: self.feed.end_ns,
                        ahead=False,
                        looked=lambda engine, strategies: self._look(engine, strategies, show),
                    ),
                )
            finally:
                self.news.over = True
                self.news.wake()
                thread.join()
        self.asked = asked
        self._draw(running=False)
        if failed:
            raise failed[0]
        return replayed

    def report(self, replayed: Replayed, progress: Progress = SILENT) -> Path:
        """Write the report of a session that has been stopped; see `write_paper_report`."""
        end = at_ns(self.feed.end_ns)
        absent = numbers.length(self.session.presence.absent_ns(self.feed.end_ns) / 1e9)
        facts = {
            "Nobody was there, or late:": absent,
            "Trades that came too late:": f"{self.feed.late_trades:,}",
            "Positions at the end:": "closed" if self._wanted.closing else "kept",
        }
        path = write_paper_report(
            self.run.model_copy(update={"end": end}),
            self._wanted.folder,
            self._wanted.recording.folder,
            self._data,
            self._traders,
            replayed,
            self._last_prices(),
            facts,
            progress,
        )
        self._links = [("report", path.relative_to(self._wanted.folder).as_posix())]
        self._draw(running=False)
        return path

    def stop(self) -> None:
        """Let it end, with positions closed or kept."""
        self.news.stopping = True
        self.news.wake()

    def _look(self, engine: Any, strategies: Sequence[LevelStrategy], show: Callable[["Paper"], None]) -> None:
        waiting = any(one.in_transit for one in strategies)
        self.feed.unfinished = waiting or (self._wanted.closing and not all(one.flat for one in strategies))
        last = self._last_prices()
        if self.journal.look(engine, strategies, self.feed.end_ns, last, at_once=self.news.stopping):
            self._draw_in_time()
        show(self)

    # -- what is shown -------------------------------------------------------------------------------------------------

    def _last_prices(self) -> dict[str, float]:
        return {symbol: stream.last_price for symbol, stream in self._streams.items()}

    def _facts(self) -> dict[str, str]:
        return {
            "Absent or late": numbers.length(self.session.presence.absent_ns(self.feed.end_ns) / 1e9),
            "Late trades": f"{self.feed.late_trades:,}",
            "Cuts": f"{self.recorder.connection.cuts:,}",
        }

    def _draw_in_time(self) -> None:
        """Draw the page, but not so often that it takes more than a twentieth of the time."""
        begin = time.monotonic()
        if begin >= self._draw_at:
            self._draw(running=True)
            took = time.monotonic() - begin
            self._draw_at = begin + max(_DRAW_EVERY_SECONDS, 20 * took)

    def _draw(self, *, running: bool) -> None:
        now, ledger = self.journal.now, self.journal.ledger
        if not now or ledger is None:
            return
        start, balance = datetime.fromisoformat(self.session.begin.start), self.run.venue.balance
        minutes = {symbol: one.minutes for symbol, one in self._data.items()}
        end, last = datetime.fromisoformat(now["time"]), {k: v for k, v in self._last_prices().items() if not isnan(v)}
        shown = Shown(
            self.run.name,
            self.session.begin.simulated,
            self.run.symbols,
            self._state() if running else "stopped",
            running,
            start,
            now,
            equity_curve(ledger, balance, minutes, start, end, last) if end > start else None,
            float(balance),
            self.feed.lag_seconds,
            self._facts(),
            self._links,
        )
        write_paper_page(self._wanted.folder, shown)

    def _state(self) -> str:
        if self.news.stopping:
            return "stopping"
        if self.feed.is_replaying:
            return "does again what it did before"
        if not self.recorder.connection.alive:
            return "NOT CONNECTED"
        late = self.feed.lag_seconds * 1000 > self._wanted.late_ms
        return "catching up, decides nothing" if late else "trading"

    def _record(self, failed: list[BaseException]) -> None:
        try:
            self.recorder.run(lambda _: None)
        except _OverError:
            pass
        except BaseException as error:
            failed.append(error)
        finally:
            self.news.over = True
            self.news.wake()

    async def _until_over(self) -> None:
        length = self._wanted.recording.seconds
        begin = asyncio.get_running_loop().time()
        while not self.news.over:
            await asyncio.sleep(0.1)
            if length is not None and asyncio.get_running_loop().time() - begin > length:
                self.stop()
        raise _OverError("the session is over")


class _OverError(LiqstratError):
    """Ends the recorder with the session."""


def _growing(data: SymbolData) -> GrowingMinutes:
    assert isinstance(data.minutes, GrowingMinutes), "made so"
    return data.minutes


def _heard(data: SymbolData) -> HeardRates:
    assert isinstance(data.rates, HeardRates), "made so"
    return data.rates
