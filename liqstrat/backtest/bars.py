"""Bars of several lengths as a strategy may know them: closed ones, from before the run on, equal on ticks and bars."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from liqstrat.catalog.minutes import MinuteBars
from liqstrat.errors import LiqstratError
from liqstrat.inputs import minutes_of
from liqstrat.liquidation.grid import Floats
from liqstrat.moments import MINUTE_NS


@dataclass(frozen=True, eq=False)
class Bars:
    """Consecutive bars that have closed, the latest last; arrays of one entry a bar, not to be written to.

    time: when each opened (UTC). Prices in USDT, volume in contracts; a bar in which nothing traded repeats the last
    close, with volume 0.
    """

    time: npt.NDArray[np.datetime64]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def __len__(self) -> int:
        return len(self.close)


class BarHistory:
    """The minutes of one symbol from `before` a run to its end, and bars made of them.

    The last bars of a length are kept: they change when the next one closes.
    """

    def __init__(self, before: MinuteBars | None, minutes: MinuteBars, end_ns: int) -> None:
        self._before, self._run, self._until = before, minutes, end_ns
        self._count = len(minutes)
        self._minutes = _joined(before, minutes, end_ns)
        self._kept: dict[tuple[str, int], tuple[int, Bars]] = {}

    def last(self, length: str, count: int, now_ns: int) -> Bars:
        """The last `count` bars of a length that have closed at `now_ns`; less where history begins later."""
        wide = _checked(length, count) * MINUTE_NS
        closed = now_ns // wide
        if len(self._run) != self._count or now_ns > self._until:
            # Those of a market that runs grow.
            self._count, self._until = len(self._run), max(now_ns, self._until)
            self._minutes = _joined(self._before, self._run, self._until)
        kept = self._kept.get((length, count))
        if kept is None or kept[0] != closed:
            bars = self._made(wide, int(closed) - count, int(closed))
            kept = self._kept[length, count] = (int(closed), bars)
        return kept[1]

    def _made(self, wide: int, first: int, stop: int) -> Bars:
        """The bars from the `first` to before the `stop`th since 1970, as far as history has them whole."""
        minutes, size = self._minutes, wide // MINUTE_NS
        first = max(first, -(-minutes.start_ns // wide))
        begin = (first * wide - minutes.start_ns) // MINUTE_NS
        part = slice(begin, max(begin, (stop * wide - minutes.start_ns) // MINUTE_NS))
        shaped = {name: getattr(minutes, name)[part].reshape(-1, size) for name in _PRICES}
        return Bars(
            time=_locked((np.arange(first, max(first, stop)) * wide).view("datetime64[ns]")),
            open=_locked(shaped["open"][:, 0].copy()),
            high=_locked(shaped["high"].max(axis=1)),
            low=_locked(shaped["low"].min(axis=1)),
            close=_locked(shaped["close"][:, -1].copy()),
            volume=_locked(shaped["volume"].sum(axis=1)),
        )


_PRICES = ("open", "high", "low", "close", "volume")


def _checked(length: str, count: int) -> int:
    try:
        size = minutes_of(length)
    except ValueError as error:
        raise LiqstratError(f"bars: {error}") from None
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise LiqstratError(f"bars: count is {count!r}, expected a whole number above 0")
    return size


def _joined(before: MinuteBars | None, minutes: MinuteBars, end_ns: int) -> MinuteBars:
    """One row of minutes without holes, up to the end of the run."""
    parts = [minutes] if before is None or before.start_ns >= minutes.start_ns else [before, minutes]
    start = parts[0].start_ns
    count = max((end_ns - start) // MINUTE_NS, (minutes.start_ns - start) // MINUTE_NS + len(minutes))
    filled = np.full(count, -1, dtype=np.int64)
    offset = 0
    for part in parts:
        first = (part.start_ns - start) // MINUTE_NS
        filled[first : first + len(part)] = np.arange(len(part)) + offset
        offset += len(part)
    there = filled >= 0
    source = np.maximum.accumulate(filled)
    columns: dict[str, Any] = {}
    for one in fields(MinuteBars)[1:]:
        columns[one.name] = np.concatenate([getattr(part, one.name) for part in parts])[source]
    for name in ("open", "high", "low"):
        columns[name] = np.where(there, columns[name], columns["close"])
    columns["volume"] = np.where(there, columns["volume"], 0.0)
    columns["recorded"] = columns["recorded"] & there
    return MinuteBars(start, **columns)


def _locked[Kind: np.generic](array: npt.NDArray[Kind]) -> npt.NDArray[Kind]:
    array.flags.writeable = False
    return array
