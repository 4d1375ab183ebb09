"""What of a model's levels stood in price's way, step by step."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.liquidation.model import LiquidationModel, Since

#: Kinds of model whose steps say all that price ran through; others are asked for maps, which takes longer.
_TELL = ("conserving", "oi_candle")


@dataclass(frozen=True, eq=False)
class Way:
    """Steps in order: `ends_us` (microseconds since 1970), open interest at their end, and `contracts[step, side]` of
    each model (longs, shorts), by its levels as they were known before the step."""

    ends_us: Ints
    open_interest: Floats
    contracts: Mapping[str, Floats]

    def within(self, name: str, ends_us: Ints, length_us: int) -> Floats:
        """Sums `[interval, side]` over the steps inside each interval; NaN where none lie or one reaches out of it."""
        total = np.concatenate((np.zeros((1, 2)), np.cumsum(self.contracts[name], axis=0)))
        first = np.searchsorted(self.ends_us, ends_us - length_us, side="right")
        stop = np.searchsorted(self.ends_us, ends_us, side="right")
        found = total[stop] - total[first]
        edges = np.concatenate((self.ends_us, [0]))
        whole = (stop > first) & (edges[first - 1] == ends_us - length_us) & (edges[stop - 1] == ends_us)
        found[~whole] = np.nan
        return np.maximum(found, 0.0)

    def before(self, ends_us: Ints, length_us: int) -> Floats:
        """Open interest as known at each interval's begin; NaN before the first."""
        at = np.searchsorted(self.ends_us, ends_us - length_us, side="right") - 1
        return np.where(at >= 0, self.open_interest[np.maximum(at, 0)], np.nan)


def walk(history: Iterable[tuple[Flow, float]], models: Mapping[str, LiquidationModel]) -> Way:
    """Step `models` through flows, each with the open interest at its end."""
    ends: list[int] = []
    held: list[float] = []
    contracts: dict[str, list[tuple[float, float]]] = {name: [] for name in models}
    for flow, open_interest in history:
        ends.append(flow.end_ns // 1000)
        held.append(open_interest)
        for name, model in models.items():
            contracts[name].append(_step(model, flow, open_interest))
    found = {name: np.array(one).reshape(-1, 2) for name, one in contracts.items()}
    return Way(np.array(ends, dtype=np.int64), np.array(held), found)


def _step(model: LiquidationModel, flow: Flow, open_interest: float) -> tuple[float, float]:
    """Step a model; longs at or above the low, and shorts at or below the high, that stood there before."""
    if model.settings.kind in _TELL:
        taken = model.step(flow, open_interest)
        return float(taken.longs.sum()), float(taken.shorts.sum())
    reached = 0.0, 0.0
    if flow.volume > 0 and model.open_interest > 0 and model.reaches(flow.low, flow.high):
        before, after = model.map(), model.map(Since(low=flow.low, high=flow.high))
        reached = float(before.longs.sum() - after.longs.sum()), float(before.shorts.sum() - after.shorts.sum())
    model.step(flow, open_interest)
    return reached
