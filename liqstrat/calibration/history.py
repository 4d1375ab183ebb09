"""Calibration from a history file: what it reads, and nothing else."""

from datetime import datetime, timedelta

import numpy as np

from liqstrat.calibration.calibrate import Calibration, Recorded, Source, calibrate
from liqstrat.errors import LiqstratError
from liqstrat.liquidation.liquidations import Liquidations
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.market.flow import flows
from liqstrat.market.store import Store
from liqstrat.market.width import with_bin_width
from liqstrat.moments import nanoseconds
from liqstrat.progress import SILENT, Progress
from liqstrat.scoring.evidence import recorded as recorded_in


def calibrate_history(
    store: Store,
    symbol: str,
    start: datetime,
    end: datetime,
    settings: ModelSettings,
    warmup: timedelta,
    *,
    recorded: Recorded | None = None,
    source: Source | None = None,
    progress: Progress = SILENT,
) -> Calibration:
    """Fit the book to `[start, end)` of a symbol; up to `warmup` before fills it, and nothing at or after `end` counts.

    `recorded` None: all liquidations are there where the history is simulated, else some. `source` None: liquidations
    where any are recorded, else open interest. Raises `LiqstratError` where there is too little to fit to.
    """
    span = store.span(symbol, "open_interest")
    if span is None:
        raise LiqstratError(f"{store.path}: no open interest of {symbol}: without it nothing can be fitted")
    if end <= start:
        raise LiqstratError(f"--to is {end:%Y-%m-%d %H:%M}, expected a time after --from ({start:%Y-%m-%d %H:%M})")
    if end <= span[0] or start >= span[1]:
        raise LiqstratError(
            f"{store.path}: open interest of {symbol} reaches from {span[0]:%Y-%m-%d %H:%M} to "
            f"{span[1]:%Y-%m-%d %H:%M} UTC, asked for {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}"
        )
    known = _liquidations(store, symbol, start, end, source)
    settings = with_bin_width(store, symbol, settings, start)
    history = list(flows(store, symbol, start - warmup, end, settings, progress))
    return calibrate(
        history,
        known,
        symbol,
        settings,
        loaded=store.brackets(symbol),
        since_ns=nanoseconds(start),
        recorded=recorded or ("all" if store.simulated(symbol) else "some"),
        progress=progress,
    )


def _liquidations(store: Store, symbol: str, start: datetime, end: datetime, source: Source | None) -> Liquidations:
    """Those on record, at the prices they happened at; where only a bankruptcy price is told, the last traded one."""
    known = recorded_in(store, symbol, start, end).liquidations
    if source == "open interest":
        return known.only(np.zeros(len(known.price), dtype=np.bool_))
    if source == "liquidations" and not len(known.price):
        raise LiqstratError(
            f"{store.path}: no liquidations of {symbol} from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC; "
            "without --by, it is fitted to the falls of open interest"
        )
    return known
