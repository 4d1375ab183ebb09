"""A book filled with the history before a run, so that there are levels when it starts."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import pyarrow as pa

from liqstrat.backtest.levels.interval import Trades
from liqstrat.catalog.exact import exact
from liqstrat.catalog.kept import Answer, Kept
from liqstrat.config import RunFile
from liqstrat.liquidation.kinds import new_model
from liqstrat.liquidation.model import LiquidationModel
from liqstrat.liquidation.placebo import Placebo
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.maps import banded_book
from liqstrat.market.flow import flows
from liqstrat.market.store import Store
from liqstrat.moments import at_ns, column_ns
from liqstrat.progress import SILENT, Progress

_BOOK, _TRADES = "book_", "trades_"


@dataclass(frozen=True, eq=False)
class Warm:
    """A book at its last step before a run starts, the trades from there up to the start, and notes for the reader."""

    book: LiquidationModel
    since: Trades | None
    notes: list[str]


def warm_up(
    store: Store, symbol: str, run: RunFile, model: ModelSettings, kept: Kept, progress: Progress = SILENT
) -> Warm:
    """Step a book of `model` through up to `warmup_days` of history before the run starts, unless one is kept.

    The band of one that has one is learnt from what was liquidated by then, and stays as it is.
    """
    since = run.start - timedelta(days=run.data.warmup_days)
    book: LiquidationModel
    if run.band:
        book = banded_book(store, symbol, model, since, run.start)
    else:
        book = new_model(model, symbol, store.brackets(symbol))

    if run.control == "placebo":
        return _placebo(store, Placebo(book, run.control_seed), run, progress)

    def make() -> Answer:
        for flow, open_interest in flows(store, symbol, since, run.start, model, progress):
            book.step(flow, open_interest)
        trades = _trades(store, symbol, at_ns(book.time_ns), run.start) if book.open_interest else None
        return {
            **{f"{_BOOK}{name}": values for name, values in book.saved().items()},
            **({f"{_TRADES}{name}": values for name, values in trades._asdict().items()} if trades else {}),
        }

    asked = {"symbol": symbol, "model": asdict(model), "from": since, "to": run.start}
    answer = kept.ask("bandedbook" if run.band else "book", asked, make)
    book.restore(_part(answer, _BOOK))
    if not book.open_interest:
        return Warm(book, None, [f"{symbol}: the book starts empty, there is no history before {run.start:%Y-%m-%d}"])
    share = f"{symbol}: {book.seeded_share:.0%} of the book at the start was open when history begins"
    trades = _part(answer, _TRADES)
    return Warm(book, Trades(**trades) if trades else None, [f"{share}; where it stands is a guess"])


def _placebo(store: Store, book: Placebo, run: RunFile, progress: Progress) -> Warm:
    """A placebo, which no book that was kept has the maps for, at its last step before the run."""
    since, symbol = run.start - timedelta(days=run.data.warmup_days), book.symbol
    for flow, open_interest in flows(store, symbol, since, run.start, book.settings, progress):
        book.step(flow, open_interest)
    trades = _trades(store, symbol, at_ns(book.time_ns), run.start) if book.open_interest else None
    return Warm(book, trades, [f"{symbol}: CONTROL: the levels shown are those of other times"])


def _part(answer: Answer, prefix: str) -> Answer:
    return {name.removeprefix(prefix): values for name, values in answer.items() if name.startswith(prefix)}


def _trades(store: Store, symbol: str, start: datetime, end: datetime) -> Trades | None:
    if start >= end or "trades" not in store.kinds():
        return None
    return trades_between(store, symbol, start, end)


def trades_between(store: Store, symbol: str, start: datetime, end: datetime | None = None) -> Trades:
    """The trades of `[start, end)` as numbers."""
    table = store.trades(symbol, start, end).read_all()
    return Trades(
        times=column_ns(table["time"]),
        # Arrow's cast misses some numbers by their last bit.
        price=exact(table["price"].cast(pa.float64()).to_numpy(), table["price"].type.scale),
        contracts=exact(table["quantity"].cast(pa.float64()).to_numpy(), table["quantity"].type.scale),
        buy=table["buy"].to_numpy(),
    )
