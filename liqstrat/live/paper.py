"""Trading on paper: strategies of a run file on the market as it runs; orders go to the exchange that a backtest
simulates, and to no other.

The engine is that of a backtest, fed with what the recorder writes. So a session is a function of its run file, its
recordings and what it heard when: one that was killed does it all again, quickly, and goes on.
"""

import asyncio
import hashlib
import json
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from liqstrat.app import prepare_symbol, resolve_traders
from liqstrat.backtest.levels.interval import Trades
from liqstrat.backtest.levels.warmup import trades_between
from liqstrat.backtest.markets import FundingRates
from liqstrat.backtest.replay import Replayed, Source, SymbolData, replay
from liqstrat.backtest.strategy import LevelStrategy
from liqstrat.catalog.instruments import money_of
from liqstrat.config import RunFile
from liqstrat.ending import note, on_signal
from liqstrat.errors import LiqstratError
from liqstrat.live.listener import After
from liqstrat.live.minutes import GrowingMinutes
from liqstrat.live.news import News
from liqstrat.live.paper_feed import PaperFeed
from liqstrat.live.paper_journal import PaperJournal
from liqstrat.live.paper_stream import PaperStream
from liqstrat.live.recorder import Recorder, Settings
from liqstrat.live.session import Begin, Session
from liqstrat.live.tail import Tail
from liqstrat.live.watching import load_recordings, require_same_kind
from liqstrat.market.store import Store, open_store
from liqstrat.moments import at_ns, microseconds, nanoseconds
from liqstrat.progress import SILENT, Progress

#: A run that does not end by itself.
_END = datetime(2199, 1, 1, tzinfo=UTC)
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
    """One session, begun or gone on with. `now` tells where it is, for who shows it."""

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
        load_recordings(folder, run.data.db, names, say)
        with open_store(run.data.db, files=run.data.allow_files) as store:
            require_same_kind(store, wanted.recording)
            if self.session.exists:
                self.session.require(hash_of(run))
            else:
                self._open(store)
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
            {symbol: one.rates for symbol, one in self._data.items()},
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

    def _open(self, store: Store) -> None:
        """Begin where the database ends: at the last open interest of which all trades before are there."""
        run, starts = self._wanted.run, []
        for symbol in run.symbols:
            spans = [store.span(symbol, kind) for kind in ("open_interest", "trades")]
            if spans[0] is None or spans[1] is None:
                raise LiqstratError(f"{store.path}: no {'open interest' if spans[1] else 'trades'} of {symbol}")
            known = store.open_interest(symbol, None, spans[1][1])["time"].to_pylist()
            if not known:
                raise LiqstratError(f"{store.path}: open interest of {symbol} begins after its trades end")
            starts.append(known[-1])
        after = {}
        for symbol in run.symbols:
            ((last,),) = store.connection.execute(
                f"select max(agg_trade_id) from ({store.trades_sql(symbol)})"
            ).fetchall()
            after[symbol] = int(last)
        simulated = any(store.simulated(symbol) for symbol in run.symbols)
        begin = Begin(
            run.model_dump(mode="json", by_alias=True),
            hash_of(run),
            min(starts).isoformat(),
            str(self._wanted.recording.folder),
            simulated,
            after,
        )
        self.session.open(begin)

    def _stream(self, store: Store, symbol: str) -> PaperStream:
        data, after = self._data[symbol], self.session.begin.after[symbol]
        rates: Any = FundingRates(data.rates.times.tolist(), data.rates.rates.tolist())  # type: ignore[arg-type]
        minutes = GrowingMinutes(data.minutes)
        self._data[symbol] = replace(data, minutes=minutes, rates=rates, funding=True)
        first, start = _up_to(store, symbol, self.run.start, after), nanoseconds(self.run.start)
        tail = Tail(self._wanted.recording.folder, symbol, "aggTrades", start // 1_000_000)
        return PaperStream(symbol, data.instrument, first, after, tail, minutes, start, self.news.more)

    # -- how it runs ---------------------------------------------------------------------------------------------------

    def trade(self, show: Callable[["Paper"], None]) -> Replayed:
        """Trade until it is stopped; `show` is called about once a second.

        Raises `LiqstratError` where the recorder cannot go on, and `StrategyError` for a strategy's.
        """
        failed: list[BaseException] = []
        thread = threading.Thread(target=self._record, args=(failed,), name="recorder")
        with self._stopping() as asked:
            thread.start()
            try:
                replayed = replay(
                    self.run,
                    self._traders,
                    self._data,
                    lambda levels: None,
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
        for number in asked:
            note(number)
        if failed:
            raise failed[0]
        return replayed

    def stop(self) -> None:
        """Let it end, with positions closed or kept."""
        self.news.stopping = True
        self.news.wake()

    def _look(self, engine: Any, strategies: Sequence[LevelStrategy], show: Callable[["Paper"], None]) -> None:
        waiting = any(one.in_transit for one in strategies)
        self.feed.unfinished = waiting or (self._wanted.closing and not all(one.flat for one in strategies))
        self.journal.look(engine, strategies, self.feed.end_ns, at_once=self.news.stopping)
        show(self)

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

    @contextmanager
    def _stopping(self) -> Iterator[list[int]]:
        """A first signal ends the session in good order, a second one at once."""
        asked: list[int] = []

        def hear(number: int, frame: FrameType | None) -> None:
            if asked:
                on_signal(number, frame)
            asked.append(number)
            self.stop()

        if threading.current_thread() is not threading.main_thread():
            yield asked
            return
        before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield asked
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _OverError(LiqstratError):
    """Ends the recorder with the session."""


def hash_of(run: RunFile) -> str:
    """Of all in a run file that shapes a session: times and places do not."""
    config = run.model_dump(mode="json", by_alias=True, exclude={"start", "end", "report"})
    config["data"] = {"warmup_days": run.data.warmup_days}
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def _growing(data: SymbolData) -> GrowingMinutes:
    assert isinstance(data.minutes, GrowingMinutes), "made so"
    return data.minutes


def _up_to(store: Store, symbol: str, start: datetime, last_id: int) -> Trades:
    """The trades of history from `start` on, up to one."""
    sql = f"select epoch_us(max(timestamp)) from ({store.trades_sql(symbol, start)}) where agg_trade_id <= {last_id}"
    ((last,),) = store.connection.execute(sql).fetchall()
    if last is None:
        nothing = np.zeros(0)
        return Trades(nothing.astype(np.int64), nothing, nothing, nothing.astype(np.bool_))
    end = at_ns(int(last) * 1000) + timedelta(microseconds=1)
    return trades_between(store, symbol, start, end)
