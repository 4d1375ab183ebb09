"""Does a model know the future? Cut the data at random moments and compare what was known.

A map stamped with a moment says what could have been known then. So it must be the same, to the last bit, whether the
model was given the whole history or only what had happened by that moment.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from liqstrat.liquidation.brackets import BracketTable
from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.grid import Floats, low_edge
from liqstrat.liquidation.kinds import new_model
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.liquidation.model import LiquidationModel
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.moments import at_ns
from liqstrat.progress import SILENT, Progress

Flows = Iterable[tuple[Flow, float]]
#: The history that had happened by a moment (nanoseconds), or all of it: intervals that had ended by then.
Source = Callable[[int | None], Flows]
#: Makes maps of intervals, stamped (`time_ns`) with when they could have been known, in that order.
MapMaker = Callable[[Flows], Iterator[LiquidationMap]]

_SIDES = ("longs", "shorts", "long_hours", "short_hours")
_TOTALS = ("price", "open_interest", "seeded_share")


@dataclass(frozen=True)
class Difference:
    """The first map that is not the same: stamped `time_ns`, with the data cut at `cut_ns`.

    what: the part of the map that differs. price: of the first bin that does, USDT, None where it is no matter of bins.
    known: its amount as known by then. told: the amount in the map made of the whole history. None for no map at all.
    """

    cut_ns: int
    time_ns: int
    what: str
    price: float | None
    known: float | None
    told: float | None

    def __str__(self) -> str:
        where = f" at {self.price:,.2f}" if self.price is not None else ""
        return (
            f"look-ahead: the map of {_text(self.time_ns)} UTC tells {self.what}{where} {_amount(self.told)}, "
            f"but of what had happened by {_text(self.cut_ns)} it is {_amount(self.known)}"
        )


def maps_after_each_step(model: Callable[[], LiquidationModel]) -> MapMaker:
    """The maps of a model, new from `model`, after every interval."""

    def make(flows: Flows) -> Iterator[LiquidationMap]:
        stepped = model()
        for flow, open_interest in flows:
            stepped.step(flow, open_interest)
            yield stepped.map()

    return make


def model_maker(settings: ModelSettings, symbol: str, loaded: Sequence[BracketTable] = ()) -> MapMaker:
    """The maps of a shipped model."""
    return maps_after_each_step(lambda: new_model(settings, symbol, loaded))


def find_lookahead(
    maker: MapMaker,
    source: Source,
    span: tuple[int, int],
    *,
    cuts: int = 3,
    maps: int = 24,
    seed: int = 1,
    progress: Progress = SILENT,
) -> Difference | None:
    """Compare the last `maps` maps before each of `cuts` random moments in `span` (nanoseconds); the first difference.

    None where there is none: every map stamped by then is the same without what came after.
    """
    moments = np.sort(np.random.default_rng(seed).integers(*span, cuts)).tolist()
    with progress.task("look-ahead", total=cuts + 1, unit="runs") as done:
        whole = _last_before(maker(source(None)), moments, maps)
        done(1)
        for cut in moments:
            known = _last_before(maker(source(cut)), [cut], maps)[cut]
            found = _first_difference(cut, known, whole[cut])
            if found is not None:
                return found
            done(1)
    return None


def _last_before(maps: Iterator[LiquidationMap], moments: Sequence[int], most: int) -> dict[int, list[LiquidationMap]]:
    """The last maps stamped by each moment."""
    kept: dict[int, list[LiquidationMap]] = {moment: [] for moment in moments}
    for one in maps:
        for moment in moments:
            if one.time_ns <= moment:
                kept[moment] = [*kept[moment][-most + 1 :], one]
    return kept


def _first_difference(cut: int, known: list[LiquidationMap], told: list[LiquidationMap]) -> Difference | None:
    by_time = {one.time_ns: one for one in known}
    for whole in told:
        part = by_time.pop(whole.time_ns, None)
        if part is None:
            return Difference(
                cut, whole.time_ns, "contracts in all", None, None, float(whole.longs.sum() + whole.shorts.sum())
            )
        found = _compare(cut, part, whole)
        if found is not None:
            return found
    if by_time:
        first = min(by_time)
        amount = float(by_time[first].longs.sum() + by_time[first].shorts.sum())
        return Difference(cut, first, "contracts in all", None, amount, None)
    return None


def _compare(cut: int, known: LiquidationMap, told: LiquidationMap) -> Difference | None:
    for name in _TOTALS:
        totals = [float(getattr(one, name)) for one in (known, told)]
        if not np.array_equal(totals[:1], totals[1:], equal_nan=True):
            return Difference(cut, told.time_ns, name.replace("_", " "), None, *totals)
    first = min(known.first_bin, told.first_bin)
    last = max(one.first_bin + one.longs.shape[1] for one in (known, told))
    for name in _SIDES:
        a, b = (_window(one, name, first, last) for one in (known, told))
        differs = a != b
        if differs.any():
            column = int(np.flatnonzero(differs.any(axis=0))[0])
            row = int(np.flatnonzero(differs[:, column])[0])
            price = float(low_edge(first + column, told.width))
            what = f"{name.replace('_', ' ')} of {told.tiers[row]}x"
            return Difference(cut, told.time_ns, what, price, float(a[row, column]), float(b[row, column]))
    return None


def _window(levels: LiquidationMap, name: str, first: int, last: int) -> Floats:
    values: Floats = getattr(levels, name)
    window = np.zeros((values.shape[0], last - first))
    window[:, levels.first_bin - first : levels.first_bin - first + values.shape[1]] = values
    return window


def _amount(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.12g}"


def _text(time_ns: int) -> str:
    return f"{at_ns(time_ns):%Y-%m-%d %H:%M:%S}"
