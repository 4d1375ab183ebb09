"""What the engine is fed in a session on paper: the recordings as they grow, slice by slice, in the market's time.

A slice reaches up to where every symbol's trades are known to be complete. What is published after its time (open
interest) comes when it is heard, and so does everything again when a killed session goes on. A slice that comes late
counts as one in which nobody was there: nothing is decided on what has long passed.
"""

import time
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from liqstrat.backtest.levels.feeds import OpenInterestSeries
from liqstrat.backtest.stream import open_interest_items
from liqstrat.catalog.instruments import instrument_id
from liqstrat.live.heard import HeardRates, funding_items
from liqstrat.live.minutes import GrowingMinutes
from liqstrat.live.news import News
from liqstrat.live.paper_stream import PaperStream
from liqstrat.live.session import Heard, Session
from liqstrat.live.tail import Tail
from liqstrat.moments import HOUR_NS, MILLISECOND_NS, MINUTE_NS

_LOOK_SECONDS = 0.5
#: A settled rate is waited for so long, ms; then it counts from when it comes.
_FUNDING_PATIENCE = 60_000
#: How long positions are closed for, and how long orders under way are waited for at the end.
_LEAVE_NS, _LAST_SECONDS = 10 * MINUTE_NS, 15.0

Slice = tuple[list[Any], list[Any], bool]


class PaperFeed:
    """Iterate over it for slices; `end_ns` is where the last one ended.

    news: of the recorder. late_ms: what is older than that when it comes is late. settles: whether funding is paid.
    closing: whether positions are closed at the end. check_ns: a moment at which a slice is to end when all is done
    again. unfinished: whether orders are under way, or positions still to be closed, to be set after each slice.
    """

    def __init__(
        self,
        session: Session,
        streams: Mapping[str, PaperStream],
        minutes: Mapping[str, GrowingMinutes],
        rates: Mapping[str, HeardRates],
        tails: Mapping[tuple[str, str], Tail],
        news: News,
        start_ns: int,
        *,
        late_ms: int,
        settles: bool,
        closing: bool,
    ) -> None:
        self._session, self._streams, self._minutes, self._rates = session, streams, minutes, rates
        self._tails, self._news, self._late_ms = tails, news, late_ms
        self._settles, self._closing = settles, closing
        self._start_ns = self.end_ns = start_ns
        self._replayed = session.fed_ns
        self._rates_known: dict[str, bool] = {}
        self._settled_rates: dict[str, list[Heard]] = {}
        self._begin = time.monotonic()
        self._interest: deque[Any] = deque()
        self._funding: deque[Any] = deque()
        self._fresh: dict[tuple[str, str], deque[Any]] = {key: deque() for key in tails}
        self._last_heard: dict[tuple[str, str], int] = {}
        for (kind, symbol), values in session.heard.items():
            for heard in values:
                self._put(kind, symbol, heard)
        self._quiet_until: dict[str, int | None] = {}
        self.unfinished = False
        self.late_slices = self.check_ns = 0
        self._ending_since: float | None = None

    def __iter__(self) -> Iterator[Slice]:
        while not self._is_over():
            self._hear()
            until = self._bound()
            if until is None or until <= self.end_ns:
                self._news.wait(_LOOK_SECONDS)
                continue
            yield self._slice(until)
        yield [], [], True

    @property
    def lag_seconds(self) -> float:
        """How far the exchange's clock is ahead of what has been worked."""
        clock = self._news.clock_ms
        return 0.0 if clock is None else max(clock / 1000 - self.end_ns / 1e9, 0.0)

    @property
    def late_trades(self) -> int:
        """Trades that came when their time had been worked."""
        return sum(stream.late for stream in self._streams.values())

    @property
    def is_replaying(self) -> bool:
        """Whether what comes has been worked before, in an earlier run of this session."""
        return self.end_ns < self._replayed

    def _is_over(self) -> bool:
        if self._news.over:
            return True
        if not self._news.stopping or self.is_replaying:
            return False
        if self._ending_since is None:
            self._ending_since = time.monotonic()
            if self._closing:
                self._session.leave(self.end_ns, self.end_ns + _LEAVE_NS)
            else:
                self._session.be_absent(self.end_ns, self.end_ns + _LEAVE_NS, "stopped")
            return False
        done = not self.unfinished or time.monotonic() - self._ending_since > _LAST_SECONDS
        if done:
            self._session.be_absent(self.end_ns, self.end_ns + 1, "stopped")
            self._session.end(self.end_ns)
        return done

    # -- what comes ----------------------------------------------------------------------------------------------------

    def _hear(self) -> None:
        # Asked before anything is read, as below.
        self._rates_known = {symbol: self._news.funding_known(symbol) for symbol in self._streams}
        for symbol, stream in self._streams.items():
            # Asked before it is read: what came up to then has been written by now.
            heard = None if self._news.behind(symbol) else self._news.heard_ms(symbol)
            self._quiet_until[symbol] = None if stream.read() or heard is None else heard - self._late_ms // 2
        for key, tail in self._tails.items():
            self._fresh[key].extend(tail.read())

    def _bound(self) -> int | None:
        """Up to where everything is here."""
        if self.is_replaying:
            bound = min(self._replayed, *(stream.newest_ns for stream in self._streams.values()))
            return self.check_ns if self.end_ns < self.check_ns < bound else bound
        if (clock := self._news.clock_ms) is None:
            return None
        bound = min(self._known(symbol) for symbol in self._streams)
        if self._settles:
            bound = min(bound, *(self._settlement(symbol, clock, bound) for symbol in self._streams))
        return bound

    def _known(self, symbol: str) -> int:
        """Up to where nothing of a symbol is missing: its last trade; where it is quiet, half of `late_ms` ago."""
        newest, quiet = self._streams[symbol].newest_ns, self._quiet_until.get(symbol)
        return newest if quiet is None else max(newest, quiet * MILLISECOND_NS)

    def _settlement(self, symbol: str, clock: int, bound: int) -> int:
        """The next settlement's time, as long as its rate is waited for; `bound` where none is. Before it has been
        asked for rates, there may be one at any full hour."""
        hour = -(-self.end_ns // HOUR_NS) * HOUR_NS
        if not self._rates_known[symbol] and hour < bound and not self._has_waited:
            return hour
        due = self._news.settlement_ms(symbol)
        if due is None or clock > due + _FUNDING_PATIENCE or not self.end_ns <= due * MILLISECOND_NS < bound:
            return bound
        known = max(
            [self._last_heard.get(("funding", symbol), 0), *(e["fundingTime"] for e in self._fresh["funding", symbol])]
        )
        return bound if known >= due else due * MILLISECOND_NS

    @property
    def _has_waited(self) -> bool:
        return time.monotonic() - self._begin > _FUNDING_PATIENCE / 1000

    def _slice(self, until: int) -> Slice:
        begin, self.end_ns = self.end_ns, until
        if not self._replays(begin):
            self._note(begin, until)
        for one in self._minutes.values():
            one.complete(until)
        market = [item for stream in self._streams.values() for item in stream.take(until)]
        market += _before(self._funding, until)
        return market, _before(self._interest, until), False

    def _replays(self, begin: int) -> bool:
        return begin < self._replayed

    def _note(self, begin: int, until: int) -> None:
        """Write down what is new before it is acted upon."""
        for (kind, symbol), entries in self._fresh.items():
            while entries:
                self._take(kind, symbol, entries.popleft(), begin)
        clock = self._news.clock_ms
        late = begin if clock is None else min((clock - self._late_ms) * MILLISECOND_NS, until)
        if late > begin:
            self.late_slices += 1
            self._session.be_absent(begin, late, "late")
        self._session.note_fed(until, {symbol: one.last_before(until) for symbol, one in self._streams.items()})

    def _take(self, kind: str, symbol: str, entry: dict[str, Any], begin: int) -> None:
        time_ms = int(entry["timestamp" if kind == "interest" else "fundingTime"])
        before = kind == "interest" and time_ms * MILLISECOND_NS < self._start_ns
        if before or time_ms <= self._last_heard.get((kind, symbol), 0):
            return
        value = entry["sumOpenInterest"] if kind == "interest" else entry["fundingRate"]
        at_ns = max(begin, time_ms * MILLISECOND_NS) if kind == "interest" else max(begin, _settled(time_ms))
        heard = Heard(at_ns, time_ms, value)
        if kind == "interest":
            self._session.hear("interest", symbol, heard)
        else:
            self._session.hear("funding", symbol, heard)
        self._put(kind, symbol, heard)

    def _put(self, kind: str, symbol: str, heard: Heard) -> None:
        self._last_heard[kind, symbol] = heard.time_ms
        name = instrument_id(symbol)
        if kind == "interest":
            series = OpenInterestSeries(
                name,
                np.array([heard.time_ms * MILLISECOND_NS]),
                np.array([float(heard.value)]),
                np.array([heard.at_ns]),
            )
            self._interest.extend(open_interest_items(series))
            return
        self._rates[symbol].hear(heard.known_ns, float(heard.value))
        # What was settled before the session has been paid by nobody here.
        if self._settles and heard.time_ms * MILLISECOND_NS >= self._start_ns:
            known = self._settled_rates.setdefault(symbol, [])
            known.append(heard)
            self._funding.extend(list(funding_items(symbol, known[-2:]))[-1:])


def _settled(time_ms: int) -> int:
    """The full hour at which a rate was settled that is stamped within a minute of it."""
    hour = (time_ms * MILLISECOND_NS + HOUR_NS // 2) // HOUR_NS * HOUR_NS
    return hour if abs(hour - time_ms * MILLISECOND_NS) <= MINUTE_NS else time_ms * MILLISECOND_NS


def _before(waiting: deque[Any], until_ns: int) -> list[Any]:
    ready = [one for one in waiting if one.ts_init < until_ns]
    for one in ready:
        waiting.remove(one)
    return sorted(ready, key=lambda one: one.ts_init)
