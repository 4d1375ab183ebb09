"""The market of a backtest as a session on paper had it: what it knew when, and trades that came too late."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from nautilus_trader.model import FundingRateUpdate

from liqstrat.backtest.markets import FundingRates
from liqstrat.backtest.replay import Source, SymbolData, history
from liqstrat.backtest.stream import Batch, catalog_stream
from liqstrat.catalog.instruments import instrument_id
from liqstrat.catalog.minutes import MinuteBars
from liqstrat.config import RunFile
from liqstrat.live.minutes import GrowingMinutes, minutes_until
from liqstrat.live.paper_stream import moved_times
from liqstrat.live.session import Heard, Moved, Session
from liqstrat.moments import MILLISECOND_NS, nanoseconds

#: Between two settlements, where there was none before.
_USUAL_MINUTES = 480
Changed = Callable[[Batch], Batch]


def as_heard(session: Session, symbol: str, data: SymbolData, run: RunFile) -> SymbolData:
    """What a session knew of open interest and funding when it did, and minutes with late trades where it had them."""
    heard = session.heard["interest", symbol]
    series = replace(
        data.open_interest,
        times=np.array([one.time_ms for one in heard], dtype=np.int64) * MILLISECOND_NS,
        contracts=np.array([float(one.value) for one in heard]),
        known=np.array([one.at_ns for one in heard], dtype=np.int64),
    )
    changed = as_came(session, run).get(symbol)
    minutes = data.minutes if changed is None else _minutes(run, symbol, data.minutes, changed)
    rates = known_at_begin(session, symbol)
    for one in session.heard["funding", symbol]:
        rates.hear(one.known_ns, float(one.value))
    return replace(data, open_interest=series, minutes=minutes, rates=rates)


class HeardRates(FundingRates):
    """Funding rates of which more are heard, by when they were."""

    def hear(self, known_ns: int, rate: float) -> None:
        """One more is known from then on."""
        self.times, self.rates = np.append(self.times, known_ns), np.append(self.rates, rate)


def known_at_begin(session: Session, symbol: str) -> HeardRates:
    """The last funding rate that was known when a session began, not what has been loaded since."""
    rates = HeardRates()
    if symbol in session.begin.rates:
        rates.hear(*session.begin.rates[symbol])
    return rates


def source(session: Session, run: RunFile, data: dict[str, SymbolData]) -> Source:
    """The catalog's data of the run, late trades when they came, and rates when they were heard."""
    start = datetime.fromisoformat(session.begin.start)
    heard = {symbol: settled_since(start, session.heard["funding", symbol]) for symbol in run.symbols}
    rates = [rate for symbol, values in heard.items() if run.venue.funding for rate in funding_items(symbol, values)]
    return history(run, data, as_came(session, run), [rate for rate in rates if rate.ts_init < nanoseconds(run.end)])


def settled_since(start: datetime, heard: Sequence[Heard]) -> list[Heard]:
    """What was settled before a session has been paid by nobody there."""
    return [one for one in heard if one.time_ms * MILLISECOND_NS >= nanoseconds(start)]


def funding_items(symbol: str, heard: Sequence[Heard]) -> Iterator[FundingRateUpdate]:
    """The engine's objects of settled rates, from when each was heard."""
    for one, before in zip(heard, [None, *heard], strict=False):
        minutes = round((one.time_ms - before.time_ms) / 60_000) if before else _USUAL_MINUTES
        rate, at = Decimal(one.value), one.at_ns
        yield FundingRateUpdate(instrument_id(symbol), rate, at, at, minutes, at)


def as_came(session: Session, run: RunFile) -> dict[str, Changed]:
    """By symbol, what is done to its trades; nothing where none was late."""
    end_ns = nanoseconds(run.end)
    return {symbol: partial(_moved, moved, end_ns) for symbol, moved in session.moved.items() if moved}


def _moved(moved: list[Moved], end_ns: int, batch: Batch) -> Batch:
    ids = pc.cast(batch.rows["trade_id"], pa.int64()).to_numpy()
    times = moved_times(ids, batch.times, moved)
    column, rows = pa.array(times).cast(pa.timestamp("ns", "UTC")), batch.rows
    for name in ("ts_event", "ts_init"):
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(place, rows.schema.field(place), column)
    return batch._replace(times=times, rows=rows).part(0, int(times.searchsorted(end_ns)))


def _minutes(run: RunFile, symbol: str, minutes: MinuteBars, changed: Changed) -> MinuteBars:
    growing = GrowingMinutes(minutes_until(minutes, nanoseconds(run.start)))
    stream = catalog_stream(run.data.catalog, symbol, run.start, run.end, bars=False, changed=changed)
    for trades in stream.tape():
        growing.take(trades)
    growing.complete(nanoseconds(run.end))
    return growing
