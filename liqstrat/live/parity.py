"""A session on paper held against backtests of the same time, made of the database with its recordings in it.

Three backtests tell what differs and why: a plain one, one that knows open interest and funding when the session heard
of them, and one in which nothing is decided while the session was not there, or late. The last has all that shaped the
session, so what differs from it is a mistake, of ours or of somebody who changed strategy or recordings since.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from liqstrat.app import prepare_symbol, resolve_traders
from liqstrat.backtest.account.equity import EquityCurve, equity_curve
from liqstrat.backtest.account.ledger import Ledger
from liqstrat.backtest.measured import last_prices
from liqstrat.backtest.presence import Presence
from liqstrat.backtest.replay import Replayed, Source, SymbolData, replay
from liqstrat.config import RunFile
from liqstrat.errors import LiqstratError
from liqstrat.inputs import read_json
from liqstrat.live.heard import as_heard, source
from liqstrat.live.lines import whole_lines
from liqstrat.live.paper_begin import hash_of
from liqstrat.live.paper_journal import FILLS, FUNDING, INTENTS, KINDS, NOW, Row, intents_of, ledger_of
from liqstrat.live.session import Session
from liqstrat.live.watching import load_recordings
from liqstrat.market.store import open_store
from liqstrat.moments import MILLISECOND_NS, MINUTE_NS, at_ns, nanoseconds
from liqstrat.progress import SILENT, Progress

_SHOWN = 5
_JOURNALS = {"intents": INTENTS, "fills": FILLS, "funding": FUNDING}


@dataclass(frozen=True)
class Difference:
    """Rows that only one of two has, told by what they are and when."""

    only_first: list[Row]
    only_second: list[Row]

    @classmethod
    def of(cls, first: Sequence[Row], second: Sequence[Row]) -> "Difference":
        """Rows are equal to the last digit, or are not."""
        ours, theirs = ([tuple(sorted(_told(row).items())) for row in rows] for rows in (first, second))
        return cls(
            [row for row, key in zip(first, ours, strict=True) if key not in set(theirs)],
            [row for row, key in zip(second, theirs, strict=True) if key not in set(ours)],
        )

    def __len__(self) -> int:
        return len(self.only_first) + len(self.only_second)


@dataclass(frozen=True)
class Parity:
    """What a comparison has found.

    paper, backtest: rows by kind. equity: at the end, USDT, on paper and in the backtest. unexplained: intents and
    fills that differ from the backtest with all that shaped the session. late, absent: intents of the plain backtest
    that differ because open interest, rates or trades were heard late, and because nobody was there. lateness: of open
    interest, seconds. late_rates: see `late_rates`. moved: trades that came when their time had been worked. curves:
    equity by whose it is.
    """

    simulated: bool
    begin: datetime
    end: datetime
    paper: dict[str, list[Row]]
    backtest: dict[str, list[Row]]
    equity: tuple[float, float]
    unexplained: dict[str, Difference]
    late: Difference
    absent: Difference
    lateness: float
    late_rates: int
    moved: int
    curves: dict[str, EquityCurve]

    @property
    def equal(self) -> bool:
        """Whether nothing is unexplained."""
        return not any(len(one) for one in self.unexplained.values()) and abs(self.equity[0] - self.equity[1]) < 1e-6

    def counts(self) -> dict[str, tuple[int, int, int]]:
        """By kind: on paper, in the backtest, different."""
        return {
            kind: (len(self.paper[kind]), len(self.backtest[kind]), len(self.unexplained[kind])) for kind in self.paper
        }

    def words(self) -> list[str]:
        """What there is to say, line by line."""
        lines = [f"from {self.begin:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M:%S}"]
        lines.append(
            "equal: every intent and fill is that of the backtest"
            if self.equal
            else "NOT EQUAL: the strategy, the recordings or the program have changed, or this is a bug"
        )
        for kind, difference in self.unexplained.items():
            for whose, rows in (("on paper", difference.only_first), ("in the backtest", difference.only_second)):
                lines += [f"  only {whose}: {kind} {_shown(row)}" for row in rows[:_SHOWN]]
        lines.append(
            f"A plain backtest differs in {len(self.late):,} intents because open interest was heard "
            f"{self.lateness:.0f} s after its mark{self.also_late()}, and in {len(self.absent):,} more because nobody "
            "was there, or late"
        )
        return lines

    def also_late(self) -> str:
        """What else came late, in words."""
        rates = f"{self.late_rates:,} funding rates more than a minute after they were settled"
        trades = f"{self.moved:,} trades when their time had been worked"
        return "".join(f", {words}" for count, words in ((self.late_rates, rates), (self.moved, trades)) if count)

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "simulated": self.simulated,
            "from": self.begin.isoformat(),
            "to": self.end.isoformat(),
            "equal": self.equal,
            "equity": {"paper": self.equity[0], "backtest": self.equity[1]},
            "counts": {
                kind: dict(zip(("paper", "backtest", "differ"), counts, strict=True))
                for kind, counts in self.counts().items()
            },
            "unexplained": {
                kind: {"only_paper": one.only_first, "only_backtest": one.only_second}
                for kind, one in self.unexplained.items()
            },
            "plain_backtest": {"late": len(self.late), "absent": len(self.absent)},
            "open_interest_seconds_late": self.lateness,
            "late_trades": self.moved,
            "late_rates": self.late_rates,
        }


def compare(run: RunFile, folder: Path, progress: Progress = SILENT) -> Parity:
    """Hold the session in `folder` against backtests of `run` over its time.

    Raises `LiqstratError` where there is no session of this run, or its recordings are not in the database.
    """
    session = Session(folder)
    if not session.exists:
        raise LiqstratError(f"{folder}: holds no session, expected the folder of one (--session)")
    session.require(hash_of(run))
    start = datetime.fromisoformat(session.begin.start)
    end_ns = session.ends[-1] if session.ends and session.ends[-1] >= session.fed_ns else session.fed_ns
    if end_ns <= nanoseconds(start):
        raise LiqstratError(f"{folder}: the session has not traded yet")
    notes: list[str] = []
    load_recordings(Path(session.begin.recordings), run.data.db, run.symbols, notes.append)
    if notes:
        raise LiqstratError(notes[0])
    run = run.model_copy(update={"start": start, "end": at_ns(end_ns)})
    with open_store(run.data.db, files=run.data.allow_files) as store:
        data = {symbol: prepare_symbol(store, symbol, run, progress) for symbol in run.symbols}
    traders = resolve_traders(run)
    heard = {symbol: as_heard(session, symbol, one, run) for symbol, one in data.items()}

    def replayed(known: dict[str, SymbolData], presence: Presence | None, came: Source | None) -> Replayed:
        return replay(run, traders, known, lambda levels: None, progress, presence=presence, source=came)

    plain = replayed(data, None, None)
    late = intents_of(replayed(heard, None, source(session, run, heard)).ledger.orders)
    full = replayed(heard, session.presence, source(session, run, heard))
    paper = {kind: whole_lines(folder / name) for kind, name in _JOURNALS.items()}
    backtest = {kind: KINDS[name](full.ledger) for kind, name in _JOURNALS.items()}
    return Parity(
        session.begin.simulated,
        start,
        run.end,
        paper,
        backtest,
        (float(read_json(folder / NOW)["equity"]) if (folder / NOW).exists() else full.equity, full.equity),
        {kind: Difference.of(paper[kind], backtest[kind]) for kind in paper},
        Difference.of(intents_of(plain.ledger.orders), late),
        Difference.of(late, backtest["intents"]),
        _lateness(session),
        late_rates(session),
        sum(one.trades for moved in session.moved.values() for one in moved),
        {
            "on paper": _curve(run, heard, ledger_of(paper["fills"], paper["funding"])),
            "backtest with all that shaped the session": _curve(run, heard, full.ledger),
            "plain backtest": _curve(run, data, plain.ledger),
        },
    )


def _curve(run: RunFile, data: dict[str, SymbolData], ledger: Ledger) -> EquityCurve:
    minutes = {symbol: one.minutes for symbol, one in data.items()}
    return equity_curve(ledger, run.venue.balance, minutes, run.start, run.end, last_prices(run))


def _lateness(session: Session) -> float:
    """Seconds that open interest was usually heard after its mark."""
    late = [
        one.at_ns / 1e9 - one.time_ms / 1e3
        for (kind, _), values in session.heard.items()
        if kind == "interest"
        for one in values
    ]
    return float(np.median(late)) if late else 0.0


def late_rates(session: Session) -> int:
    """Rates that strategies knew more than a minute later than those of a plain backtest do: settled in the session, or
    last before it and not known when it began."""
    begin_ns = nanoseconds(datetime.fromisoformat(session.begin.start))
    count = 0
    for (kind, symbol), values in session.heard.items():
        if kind != "funding":
            continue
        known_ns, _ = session.begin.rates.get(symbol, (0, 0.0))
        known_ns += MINUTE_NS
        before = [one for one in values if known_ns < one.time_ms * MILLISECOND_NS < begin_ns]
        since = [one for one in values if one.time_ms * MILLISECOND_NS >= begin_ns]
        count += sum(max(one.time_ms * MILLISECOND_NS, begin_ns) + MINUTE_NS < one.at_ns for one in before[-1:] + since)
    return count


def _told(row: Row) -> Row:
    """A row without the names that the engine gives, which count what came before."""
    return {name: value for name, value in row.items() if name not in ("order_id", "number")}


def _shown(row: Row) -> str:
    moment = at_ns(row.get("submitted_ns") or row.get("time_ns") or 0)
    what = f"{row['side']} {row['quantity']} ({row['role']})" if "role" in row else f"{row['amount']} USDT"
    return f"{moment:%Y-%m-%d %H:%M:%S.%f} {row['symbol']} {what}"
