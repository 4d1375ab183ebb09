"""The truth about one symbol's history: what is missing, what cannot be right, and where it is whole."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np

from liqstrat.liquidation.contract import not_replayed
from liqstrat.market.inspect import is_daily, missing_days
from liqstrat.market.ledger import entries
from liqstrat.market.quality.ranges import Gap, Range, common, covered, largest, together
from liqstrat.market.quality.steps import (
    Contradiction,
    Spike,
    StepQuality,
    Still,
    examine_events,
    examine_funding,
    examine_klines,
    examine_open_interest,
)
from liqstrat.market.quality.trades import Outlier, TradeQuality, examine_trades
from liqstrat.market.recorded_candles import lengths
from liqstrat.market.store import Store
from liqstrat.moments import DAY_US, at_us
from liqstrat.progress import SILENT, Progress

#: Shorter gaps in the trades, and of a value or two in what comes in steps, leave the ranges whole.
_SHORT = timedelta(minutes=5)
_SHORT_STEPS = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class KindQuality:
    """One kind of the symbol's history. Moments and days are UTC.

    step: what its rows should be apart, None for events. gaps, missing: how many gaps there are, and how many rows
    (of trades, ids) are missing in them. largest: the gaps that miss most. days_missing: days without a row between
    the first and the last, of kinds that have some every day. twice: rows too many. without_value: rows that say
    nothing, as open interest of zero. origin: `simulated`, `archive`, or `unknown` for rows that no loaded file
    accounts for.
    """

    kind: str
    rows: int
    first: datetime
    last: datetime
    origin: str
    step: timedelta | None
    gaps: int
    missing: int
    largest: tuple[Gap, ...]
    days_missing: tuple[date, ...]
    twice: int = 0
    without_value: int = 0


@dataclass(frozen=True, slots=True)
class Quality:
    """What is to be known about one symbol's history before one trusts a result made from it.

    quiet: long silences of the trades in which no id is missing: a market at rest, or ids that were made up later.
    still: open interest that stood still for an hour or more. outliers: the first of `outlier_count` trades at prices
    far from those before and after. contradictions: moments at which open interest has different values. spikes: values
    of it that go and come back at once. levels: where trades or candles, and open interest, are there, but for short
    gaps, so that levels can be estimated. whole: where funding is there too, so that a backtest has all that it needs;
    nowhere if `not_replayed` says why no backtest can be of this market. rests_on: the kinds that levels are made of,
    each where those before it have nothing.
    """

    symbol: str
    simulated: bool
    kinds: tuple[KindQuality, ...]
    quiet: tuple[Range, ...]
    still: tuple[Still, ...]
    outliers: tuple[Outlier, ...]
    outlier_count: int
    contradictions: tuple[Contradiction, ...]
    spikes: tuple[Spike, ...]
    levels: tuple[Range, ...]
    whole: tuple[Range, ...]
    not_replayed: str
    rests_on: tuple[str, ...]

    @property
    def has_gaps(self) -> bool:
        """Whether rows, or whole days, are missing between the first and last row of a kind."""
        return any(kind.missing or kind.days_missing for kind in self.kinds)

    def to_json(self) -> dict[str, Any]:
        """The same in plain values: moments as ISO 8601, lengths of time in seconds."""
        plain: dict[str, Any] = _plain({**asdict(self), "has_gaps": self.has_gaps})
        return plain


def examine(
    store: Store,
    symbol: str,
    start: datetime | None = None,
    end: datetime | None = None,
    progress: Progress = SILENT,
) -> Quality:
    """Look through the symbol's history in `[start, end)`; all trades are read once.

    Raises `LiqstratError` for a symbol that the file does not know.
    """
    kinds = [kind for kind in store.kinds() if kind != "trades"]
    with progress.task("inspect", total=len(kinds) + 1, unit="kinds") as done:
        trades = None
        if "trades" in store.kinds():
            trades = examine_trades(store, symbol, start, end)
        done(1)
        steps: dict[str, StepQuality] = {}
        for kind in kinds:
            found = _examine(store, kind, symbol, start, end)
            if found is not None:
                steps[kind] = found
            done(1)
    origins = {entry.kind: entry.origin for entry in entries(store.connection, symbol)}
    summaries = [_of_steps(kind, found, origins.get(kind, "unknown")) for kind, found in steps.items()]
    if trades:
        summaries.insert(0, _of_trades(trades, origins.get("trades", "unknown")))
    refusal = not_replayed(symbol)
    candles = [f"klines_{length}" for length in lengths(store) if f"klines_{length}" in steps]
    levels = common(_covered_by_prices(trades, steps, candles), _covered(steps.get("open_interest"), before=1))
    return Quality(
        symbol=symbol,
        simulated=store.simulated(symbol),
        kinds=tuple(summaries),
        quiet=trades.quiet if trades else (),
        still=steps["open_interest"].still if "open_interest" in steps else (),
        outliers=trades.outliers if trades else (),
        outlier_count=trades.outlier_count if trades else 0,
        contradictions=steps["open_interest"].contradictions if "open_interest" in steps else (),
        spikes=steps["open_interest"].spikes if "open_interest" in steps else (),
        levels=tuple(levels),
        whole=() if refusal else tuple(common(levels, _covered(steps.get("funding"), before=1, after=1))),
        not_replayed=refusal,
        rests_on=(*(["trades"] if trades else []), *candles),
    )


def _examine(store: Store, kind: str, symbol: str, start: datetime | None, end: datetime | None) -> StepQuality | None:
    if kind == "open_interest":
        return examine_open_interest(store, symbol, start, end)
    if kind == "funding":
        return examine_funding(store, symbol, start, end)
    if kind.startswith("klines_"):
        return examine_klines(store, kind, symbol, start, end)
    return examine_events(store, kind, symbol, start, end)


def _of_trades(trades: TradeQuality, origin: str) -> KindQuality:
    return KindQuality(
        kind="trades",
        rows=trades.rows + trades.without_value,
        first=trades.first,
        last=trades.last,
        origin=origin,
        step=None,
        gaps=len(trades.gaps),
        missing=sum(gap.missing for gap in trades.gaps),
        largest=largest(trades.gaps),
        days_missing=tuple(missing_days(trades.days)),
        twice=trades.twice,
        without_value=trades.without_value,
    )


def _of_steps(kind: str, found: StepQuality, origin: str) -> KindQuality:
    days = np.unique(found.times // DAY_US) * DAY_US
    return KindQuality(
        kind=kind,
        rows=found.rows,
        first=at_us(found.times[0]),
        last=at_us(found.times[-1]),
        origin=origin,
        step=found.step,
        gaps=len(found.gaps),
        missing=sum(gap.missing for gap in found.gaps),
        largest=largest(found.gaps),
        days_missing=tuple(missing_days([at_us(day).date() for day in days])) if is_daily(kind) else (),
        twice=max(found.rows - len(found.times) - found.without_value - len(found.contradictions), 0),
        without_value=found.without_value,
    )


def _covered_by_prices(trades: TradeQuality | None, steps: dict[str, StepQuality], candles: list[str]) -> list[Range]:
    """Where there are trades or else candles, but for short gaps and silences that are none."""
    ranges = [_covered(steps[kind], after=1) for kind in candles]
    if trades is not None:
        ranges.insert(0, covered(trades.first, trades.last, [*trades.gaps, *trades.quiet], _SHORT))
    return together(range_ for part in ranges for range_ in part)


def _covered(found: StepQuality | None, before: int = 0, after: int = 0) -> list[Range]:
    """Where rows follow each other, and so many steps before the first and after the last that they speak for."""
    if found is None or found.step is None:
        return []
    first, last = (
        at_us(found.times[0]) - before * found.step,
        at_us(found.times[-1]) + after * found.step,
    )
    return covered(first, last, found.gaps, max(_SHORT_STEPS, 1.5 * found.step))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_plain(inner) for inner in value]
    return value
