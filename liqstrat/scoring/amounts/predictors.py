"""What is told of an interval's liquidations without any map: the baseline to beat."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.moments import HOUR_US

#: How long ago the extremes were that price goes beyond, in hours: of the interval, and of each candle inside it.
_INTERVAL_HOURS = (6, 24, 72, 168)
_CANDLE_HOURS = (1, 6, 24, 72, 168)
_VOLATILITY_HOURS = 24
_KNOTS = (0.1, 0.3, 0.5, 0.7, 0.9)
_BASIS_POINT = 1e-4


@dataclass(frozen=True, eq=False)
class Path:
    """Candles of one length in order, one entry each: `closes` (microseconds since 1970), prices and contracts."""

    closes: Ints
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    length_us: int


@dataclass(frozen=True, eq=False)
class Predictors:
    """Of one side, one row an interval.

    excursion: how far price went against the side, as a logarithm, from the close before. hourly, path: columns of the
    baseline; `path` is what candles inside the interval tell besides, without columns where there are none.
    """

    excursion: Floats
    hourly: Floats
    path: Floats


def predictors(candles: Path, ends_us: Ints, length_us: int, *, long: bool) -> Predictors:
    """The baseline of the intervals that end at `ends_us` (each `length_us` long); rows without history have NaN."""
    # Shorts are longs of the inverse price.
    sign = 1.0 if long else -1.0
    one, other, close = (sign * np.log(prices) for prices in (candles.low, candles.high, candles.close))
    low, high = np.minimum(one, other), np.maximum(one, other)
    count = length_us // candles.length_us
    first = np.searchsorted(candles.closes, ends_us - length_us, side="right")
    stop = np.searchsorted(candles.closes, ends_us, side="right")
    rows = np.flatnonzero((stop - first == count) & (first > 0))
    first = first[rows]
    inside = first[:, np.newaxis] + np.arange(count)
    lowest = low[inside].min(axis=1)
    volume = candles.volume[inside].sum(axis=1)
    before = close[first - 1]
    excursion = np.maximum(before - lowest, 0.0)
    hours = [_beyond(low, hours * HOUR_US // candles.length_us)[0] for hours in _INTERVAL_HOURS]
    beyond = [np.maximum(extreme[first] - lowest, 0.0) for extreme in hours]
    volatility = _volatility(candles, high, low)[first - 1]
    columns = [
        *_spline(_scaled(excursion)),
        *_spline(np.log(volatility)),
        *_spline(np.log(volume + 1e-9)),
        *_steps(beyond),
        *_months(ends_us[rows]),
    ]
    path: list[Floats] = []
    if count > 1:
        fall = np.maximum(np.concatenate(([0.0], close[:-1])) - low, 0.0)
        each = [fall, *(_beyond(low, hours * HOUR_US // candles.length_us)[1] for hours in _CANDLE_HOURS)]
        path = _steps([one[inside].sum(axis=1) for one in each])
    return Predictors(
        _placed(excursion[:, np.newaxis], rows, len(ends_us))[:, 0],
        _placed(np.column_stack(columns), rows, len(ends_us)),
        _placed(np.column_stack(path) if path else np.zeros((len(rows), 0)), rows, len(ends_us)),
    )


def _beyond(low: Floats, count: int) -> tuple[Floats, Floats]:
    """The lowest of `count` candles before each, and how far each went below it; the first ones have fewer."""
    extreme: Floats = pd.Series(low).rolling(count, min_periods=1).min().shift(1, fill_value=np.inf).to_numpy()
    return extreme, np.where(np.isfinite(extreme), np.maximum(extreme - low, 0.0), 0.0)


def _volatility(candles: Path, high: Floats, low: Floats) -> Floats:
    """Root mean square range of the candles of a day up to each."""
    count = _VOLATILITY_HOURS * HOUR_US // candles.length_us
    total = np.concatenate(([0.0], np.cumsum((high - low) ** 2)))
    begin = np.maximum(np.arange(1, len(total)) - count, 0)
    return np.sqrt((total[1:] - total[begin]) / (np.arange(1, len(total)) - begin)) + _BASIS_POINT


def _scaled(distance: Floats) -> Floats:
    return np.log1p(distance / _BASIS_POINT)


def _steps(distances: Sequence[Floats]) -> list[Floats]:
    """Each distance, and whether there is any."""
    return [column for one in distances for column in (_scaled(one), (one > 0).astype(np.float64))]


def _spline(values: Floats) -> list[Floats]:
    """A linear spline with knots at quantiles."""
    knots = np.quantile(values, _KNOTS) if len(values) else np.zeros(0)
    return [values, *(np.maximum(values - knot, 0.0) for knot in knots)]


def _months(ends_us: Ints) -> list[Floats]:
    months = (ends_us.astype("datetime64[us]") - np.timedelta64(1, "us")).astype("datetime64[M]")
    return [(months == month).astype(np.float64) for month in np.unique(months)]


def _placed(values: Floats, rows: npt.NDArray[np.int64], count: int) -> Floats:
    out = np.full((count, values.shape[1]), np.nan)
    out[rows] = values
    return out
