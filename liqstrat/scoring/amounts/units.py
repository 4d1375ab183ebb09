"""Whether amounts and open interest can be in the unit that they are said to be in."""

from collections.abc import Iterator

import numpy as np

from liqstrat.liquidation.grid import Floats
from liqstrat.moments import DAY_US
from liqstrat.scoring.amounts.predictors import Path
from liqstrat.scoring.amounts.record import Amounts
from liqstrat.scoring.amounts.way import Way

#: No market liquidates more than it trades but where clocks differ a little, nor less than this part of what it trades.
_MORE, _LESS = 0.01, 1e-6
#: Open interest of markets that trade is one to ten days of volume at most.
_DAYS = 100


def doubts(source: Amounts, candles: Path, way: Way) -> Iterator[str]:
    """What speaks against the units of a source and of the open interest of a market, in sentences."""
    traded = _traded(candles, source)
    liquidated = source.long + source.short
    known = np.isfinite(liquidated) & (traded > 0)
    if known.any():
        more = int((liquidated[known] > traded[known]).sum())
        if more > max(_MORE * known.sum(), 1):
            yield (
                f"In {more:,} of {known.sum():,} intervals {source.venues} liquidated more than was traded, which "
                "cannot be: are the amounts in the unit, contracts or USD, that their mapping says?"
            )
        part = float(liquidated[known].sum() / traded[known].sum())
        if part < _LESS:
            yield (
                f"{source.venues} liquidated {part:.0e} of what was traded, which is nothing: are the amounts in the "
                "unit, contracts or USD, that their mapping says?"
            )
    daily = float(candles.volume.mean()) * DAY_US / candles.length_us
    held = float(np.median(way.open_interest))
    if held > _DAYS * daily > 0:
        yield f"Open interest is what trades in {held / daily:,.0f} days: is it in contracts, not in USD?"


def _traded(candles: Path, source: Amounts) -> Floats:
    """Contracts traded in each interval; 0 where candles are missing."""
    total = np.concatenate(([0.0], np.cumsum(candles.volume)))
    first = np.searchsorted(candles.closes, source.ends_us - source.length_us, side="right")
    stop = np.searchsorted(candles.closes, source.ends_us, side="right")
    whole = stop - first == source.length_us // candles.length_us
    return np.where(whole, total[stop] - total[first], 0.0)
