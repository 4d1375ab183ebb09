"""What a map adds to the baseline: R² in weeks that were not fitted."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from liqstrat.liquidation.agreement import agreement
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.moments import DAY_US
from liqstrat.scoring.amounts.predictors import Predictors
from liqstrat.scoring.intervals import Estimate, estimate

#: Intervals in which price went less against a side say nothing of levels.
LEAST_EXCURSION = 0.001
#: With fewer intervals there are nearly as many columns in the baseline.
LEAST_INTERVALS = 400
_SCALE = 1e5
_WEEK_US = 7 * DAY_US
_EQUAL_DISTANCES = 20


@dataclass(frozen=True, eq=False)
class Held:
    """One side of the intervals in which price went against it: what was liquidated and what is known of it.

    week: numbers of weeks since 1970. outcome: `strength` of what was liquidated. maps: by model, `strength` of what
    stood in price's way.
    """

    ends_us: Ints
    week: Ints
    outcome: Floats
    baseline: Floats
    excursion: Floats
    maps: Mapping[str, Floats]

    def __len__(self) -> int:
        return len(self.outcome)

    def part(self, chosen: npt.NDArray[np.bool_]) -> "Held":
        """Some of the intervals."""
        names = ("ends_us", "week", "outcome", "baseline", "excursion")
        maps = {name: values[chosen] for name, values in self.maps.items()}
        return replace(self, maps=maps, **{name: getattr(self, name)[chosen] for name in names})


@dataclass(frozen=True)
class Gain:
    """Of one side and model. baseline: its R². adds: what the map adds to that, with an interval over weeks.

    rank: rank correlation of the map with the outcome at equal distance: among intervals of like excursion.
    """

    intervals: int
    weeks: int
    baseline: float
    adds: Estimate
    rank: float | None


def strength(contracts: Floats, open_interest: Floats) -> Floats:
    """Amounts as they are compared: the logarithm of the share of open interest, in units of 1e-5, plus one."""
    return np.log1p(contracts / open_interest * _SCALE)


def hold(known: Predictors, ends_us: Ints, outcome: Floats, maps: Mapping[str, Floats]) -> Held:
    """The intervals that can be judged."""
    baseline = np.column_stack((known.hourly, known.path))
    chosen = np.isfinite(baseline).all(axis=1) & (known.excursion > LEAST_EXCURSION) & np.isfinite(outcome)
    for values in maps.values():
        chosen &= np.isfinite(values)
    return Held(ends_us, ends_us // _WEEK_US, outcome, baseline, known.excursion, maps).part(chosen)


def gain(held: Held, name: str, level: float = 0.95) -> Gain:
    """What the map `name` adds to the baseline."""
    before = (held.outcome - forecast(held.baseline, held.outcome, held.week)) ** 2
    both = np.column_stack((held.baseline, held.maps[name]))
    after = (held.outcome - forecast(both, held.outcome, held.week)) ** 2
    spread = (held.outcome - held.outcome.mean()) ** 2
    _, week = np.unique(held.week, return_inverse=True)
    saved, weight = np.bincount(week, before - after), np.bincount(week, spread)
    whole = saved.sum() / weight.sum()
    without = (saved.sum() - saved) / (weight.sum() - weight)
    return Gain(
        intervals=len(held),
        weeks=len(weight),
        baseline=float(1 - before.sum() / spread.sum()),
        adds=estimate(np.concatenate(([whole], without)), weight, level),
        rank=_rank_at_equal_distance(held, name),
    )


def forecast(columns: Floats, outcome: Floats, week: Ints) -> Floats:
    """Least squares of every other week, told of the weeks between, both ways."""
    told = np.empty_like(outcome)
    for part in (0, 1):
        fitted = week % 2 == part
        centre, spread = columns[fitted].mean(axis=0), columns[fitted].std(axis=0)
        scaled = (columns - centre) / np.where(spread > 0, spread, 1.0)
        mean = outcome[fitted].mean()
        # A ridge of one interval keeps columns apart that say the same, as months without any fitted week.
        gram = scaled[fitted].T @ scaled[fitted] + np.eye(columns.shape[1])
        told[~fitted] = mean + scaled[~fitted] @ np.linalg.solve(gram, scaled[fitted].T @ (outcome[fitted] - mean))
    return told


def _rank_at_equal_distance(held: Held, name: str) -> float | None:
    """Mean over groups of like excursion, in which distance alone says nothing."""
    order = np.argsort(held.excursion, kind="stable")
    found = [
        agreement(held.maps[name][part], held.outcome[part]).rank
        for part in np.array_split(order, _EQUAL_DISTANCES)
        if len(part) > 1
    ]
    known = [one for one in found if np.isfinite(one)]
    return float(np.mean(known)) if known else None
