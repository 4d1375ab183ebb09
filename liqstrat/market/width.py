"""How wide price bins should be for a market: by how far its price goes in a day, and by its tick."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from liqstrat.liquidation.grid import Floats
from liqstrat.liquidation.settings import USUAL_BIN_WIDTH, ModelSettings
from liqstrat.market.store import Store

#: Bins that a usual day's range is cut into, about.
_BINS_A_DAY = 30
_LEAST_TICKS = 2
_DAYS = timedelta(days=14)
_HOURS = 24
_STEPS = tuple(part * 10.0**power for power in (-4, -3, -2) for part in (1, 2, 5))


def automatic_bin_width(store: Store, symbol: str, before: datetime) -> float:
    """A relative bin width of 1, 2 or 5 times a power of ten, from 0.0001 to 0.05.

    A thirtieth of a usual day's range in the two weeks before `before`, and no less than two price ticks: narrower bins
    would be empty in turns. Nothing from `before` on is looked at; where there is nothing earlier, that of a usual
    market.
    """
    whole_hour = before.replace(minute=0, second=0, microsecond=0)
    hours = store.klines(symbol, whole_hour - _DAYS, whole_hour, interval="1h")
    if not len(hours):
        return USUAL_BIN_WIDTH
    high, low = (np.array(hours[name].to_pylist(), dtype=np.float64) for name in ("high", "low"))
    least = _LEAST_TICKS * _tick(store, symbol, before, hours["close"].to_pylist()) / float(low.min())
    wanted = max(_usual_range(high, low) / _BINS_A_DAY, least)
    nearest = min(_STEPS, key=lambda step: abs(np.log(step / wanted)))
    return nearest if nearest >= least else next((step for step in _STEPS if step >= least), _STEPS[-1])


def with_bin_width(store: Store, symbol: str, settings: ModelSettings, before: datetime) -> ModelSettings:
    """The settings with a bin width: where they leave it open, the market's own as known before `before`."""
    if settings.bin_width:
        return settings
    return replace(settings, bin_width=automatic_bin_width(store, symbol, before))


def _usual_range(high: Floats, low: Floats) -> float:
    """Median of the log ranges of days, counted back from the last hour; less than a day counts as if price wandered on
    as by chance, with the root of time."""
    ranges: list[float] = []
    for stop in range(len(high), 0, -_HOURS):
        part = slice(max(stop - _HOURS, 0), stop)
        hours = part.stop - part.start
        if hours == _HOURS or not ranges:
            whole_day = np.sqrt(_HOURS / hours)
            ranges.append(float(np.log(high[part].max() / low[part].min()) * whole_day))
    return float(np.median(ranges))


def _tick(store: Store, symbol: str, at: datetime, prices: list[Decimal]) -> float:
    """The price tick that was loaded for the symbol, else the last digit that `prices` use."""
    instrument = store.instrument(symbol, at)
    if instrument is not None:
        return float(instrument.price_tick)
    exponents = [price.normalize().as_tuple().exponent for price in prices]
    return 10.0 ** min(exponent for exponent in exponents if isinstance(exponent, int))
