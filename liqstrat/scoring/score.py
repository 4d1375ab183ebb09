"""Models and baselines through the same figures on the same bands; see the package for what is estimated."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np

from liqstrat.errors import LiqstratError
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.liquidation.liquidations import Liquidations
from liqstrat.progress import SILENT, Progress
from liqstrat.scoring import baselines, figures
from liqstrat.scoring.baselines import DISTANCE, DISTANCES, SHUFFLED, UNIFORM, VOLUME, Forecast
from liqstrat.scoring.bootstrap import Estimate, day_weights, estimate
from liqstrat.scoring.figures import Ranks
from liqstrat.scoring.reached import NS_PER_DAY, Bools, Reached
from liqstrat.scoring.tables import Reliability, Tier, reliability_of, tiers_of
from liqstrat.scoring.verdict import Verdict, overall, verdict_on

BASELINES = (UNIFORM, DISTANCE, VOLUME, SHUFFLED)
#: Part of the days that baselines are fitted on, the first ones.
TRAINING = 1 / 3
_LEVEL = 0.95
_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    """The figures of one forecast on one group of bands ("all", "long", "short" or a range of distance).

    `bits` are over uniform, `bits_over_distance` over distance alone; of a part of the distances they are what the
    contracts liquidated there contribute. `baseline_of` names the model whose map was shuffled.
    """

    name: str
    baseline: bool
    baseline_of: str | None
    group: str
    bands: int
    contracts: float
    lift: Estimate
    lift_at_equal_distance: Estimate
    rank: Estimate
    bits: Estimate
    bits_over_distance: Estimate


@dataclass(frozen=True)
class Score:
    """Everything that `score` found. Times are UTC, amounts contracts.

    `start` to `judged_from` trained the baselines; `days` are judged, `silent_days` of the whole had
    nothing on record. `liquidated` are all contracts recorded from `judged_from` on,
    `outside` the share of them that fell in no reached band; `empty[model]` is the share of the rest in bands where
    the map had nothing; `ratio[model]` is realised over predicted contracts.
    """

    start: datetime
    judged_from: datetime
    end: datetime
    every_hours: float
    days: int
    silent_days: int
    days_with_liquidations: int
    effective_days: float
    bands: int
    liquidations: int
    liquidated: float
    outside: float
    rows: list[Row]
    bits_over: dict[str, dict[str, Estimate]]
    tiers: dict[str, list[Tier]]
    reliability: dict[str, list[Reliability]]
    ratio: dict[str, float | None]
    empty: dict[str, float]
    verdicts: dict[str, Verdict]
    overall: Verdict

    def to_json(self) -> dict[str, Any]:
        """Plain data; times as ISO text."""
        return {**asdict(self), **{name: getattr(self, name).isoformat() for name in ("start", "judged_from", "end")}}


def score(
    reached: Reached,
    liquidations: Liquidations,
    *,
    judged_from_ns: int | None = None,
    whole: bool = True,
    seed: int = 1,
    progress: Progress = SILENT,
) -> Score:
    """Score every model in `reached` against `liquidations`.

    judged_from_ns: begin of the part that is judged, by default after the first third of the days. whole: figures of
    parts, tiers and reliability too, not only what the verdict needs. Days without any liquidation on record are left
    out: nobody knows whether there was none or nobody looked. Raises `LiqstratError` where there is nothing to judge.
    """
    silent = len(np.unique(reached.day))
    reached = reached.part(np.isin(reached.day, liquidations.time_ns // NS_PER_DAY))
    silent -= len(np.unique(reached.day))
    border = judged_from_ns if judged_from_ns is not None else _border(reached)
    band = reached.band_of(liquidations)
    observed = np.bincount(band[band >= 0], liquidations.contracts[band >= 0], minlength=len(reached))
    training = reached.begins[reached.window] < border
    after = (liquidations.time_ns >= border) & (liquidations.time_ns < reached.ends[-1])
    recorded = float(liquidations.contracts[after].sum())
    if not observed[~training].sum() > 0:
        raise LiqstratError(
            f"{int(after.sum())} liquidations were recorded in the judged part, from {_moment(border)} on, "
            "none of them at a price that was reached there"
        )
    trial = _Trial(reached, observed, training, seed)
    judged = trial.judged
    models = list(reached.maps)
    bits_over = {name: trial.bits_over(name) for name in models}
    days = trial.days_with
    verdicts = {name: verdict_on(trial.estimates(over, days), days) for name, over in bits_over.items()}
    shared = 1 - (1 - _LEVEL) / len(models)
    at_shared = [verdict_on(trial.estimates(over, days, shared), days, shared) for over in bits_over.values()]
    groups = trial.groups() if whole else {"all": np.ones(len(judged), dtype=np.bool_)}
    with progress.task("figures", total=len(groups), unit="groups") as done:
        rows = []
        for group, part in groups.items():
            rows += trial.rows(group, part, baselines_too=whole)
            done(1)
    predicted = {name: float((judged.maps[name].sum(axis=1) * judged.exposure).sum()) for name in models}
    return Score(
        start=_moment(int(reached.begins[0])),
        judged_from=_moment(border),
        end=_moment(int(reached.ends[-1])),
        every_hours=float(np.median(reached.ends - reached.begins)) / 3.6e12,
        days=trial.weights.shape[1],
        silent_days=silent,
        days_with_liquidations=days,
        effective_days=trial.effective_days,
        bands=len(judged),
        liquidations=int(after.sum()),
        liquidated=recorded,
        outside=1 - float(trial.observed.sum()) / recorded,
        rows=rows,
        bits_over={name: trial.estimates(over, days) for name, over in bits_over.items()},
        tiers={name: tiers_of(judged, name, trial.observed, trial.day, trial.weights) for name in models if whole},
        reliability={
            name: reliability_of(judged, name, trial.observed, trial.day, trial.weights) for name in models if whole
        },
        ratio={name: float(trial.observed.sum()) / total if total > 0 else None for name, total in predicted.items()},
        empty={name: trial.empty(name) for name in models},
        verdicts=verdicts,
        overall=overall(at_shared, models, days),
    )


@dataclass(frozen=True, eq=False)
class _Entry:
    """A forecast on the judged bands: density, and shares within each window."""

    density: Floats
    share: Floats


class _Trial:
    """The judged bands, what was liquidated in them, and all forecasts of it."""

    def __init__(self, reached: Reached, observed: Floats, training: Bools, seed: int) -> None:
        self.judged = reached.part(~training)
        self.observed = observed[~training]
        days, self.day = np.unique(self.judged.day, return_inverse=True)
        self.weights = day_weights(len(days), seed)
        by_day = np.bincount(self.day, self.observed)
        self.days_with = int((by_day > 0).sum())
        self.effective_days = float(by_day.sum() ** 2 / (by_day**2).sum())

        def entry(forecast: Forecast) -> _Entry:
            within = forecast.within
            columns = (within[training], reached.exposure[training], reached.window[training], observed[training])
            floor = figures.fitted_floor(*columns)
            share = figures.shares(within[~training], self.judged.exposure, self.judged.window, floor)
            return _Entry(forecast.density[~training], share)

        alone = [baselines.uniform(reached), baselines.distance_alone(reached, training, observed)]
        self._alone = {one.name: entry(one) for one in [*alone, baselines.volume_profile(reached)]}
        self._models, self._shuffled = {}, {}
        for name, contracts in reached.maps.items():
            density = contracts.sum(axis=1)
            self._models[name] = entry(Forecast(name, density, density))
            mixed = baselines.shuffled(reached, training, density, seed)
            self._shuffled[name] = [entry(one) for one in mixed]

    def bits_over(self, model: str) -> dict[str, Floats]:
        """Of a model, bits over each baseline in each resample."""
        own = self._models[model].share
        others = {**{name: [one] for name, one in self._alone.items()}, SHUFFLED: self._shuffled[model]}
        return {
            name: np.mean(
                [figures.bits(self.weights, own, one.share, self.observed, self.day) for one in entries], axis=0
            )
            for name, entries in others.items()
        }

    def estimates(self, figures_by_name: Mapping[str, Floats], days: int, level: float = _LEVEL) -> dict[str, Estimate]:
        return {name: estimate(values, days, level) for name, values in figures_by_name.items()}

    def groups(self) -> dict[str, Bools]:
        """The parts that figures are given for."""
        band, long = baselines.distance_band(self.judged.distance), self.judged.long
        names = distance_names()
        return {
            "all": np.ones(len(long), dtype=np.bool_),
            "long": long,
            "short": ~long,
            **{name: band == i for i, name in enumerate(names)},
        }

    def rows(self, group: str, part: Bools, *, baselines_too: bool = True) -> list[Row]:
        """The figures of all forecasts on a part of the bands."""
        days = self.weights.shape[1]
        realised = Ranks.of((self.observed / self.judged.exposure)[part], self.day[part], days)
        rows = [self._row(name, [one], group, part, realised, baseline=False) for name, one in self._models.items()]
        if not baselines_too:
            return rows
        rows += [self._row(name, [one], group, part, realised, baseline=True) for name, one in self._alone.items()]
        for model, mixed in self._shuffled.items():
            rows.append(self._row(SHUFFLED, mixed, group, part, realised, baseline=True, baseline_of=model))
        return rows

    def empty(self, model: str) -> float:
        """Share of what was liquidated in bands where the map had nothing."""
        nothing = self._models[model].density <= 0
        return float(self.observed[nothing].sum() / self.observed.sum())

    def _row(
        self,
        name: str,
        entries: list[_Entry],
        group: str,
        part: Bools,
        realised: Ranks,
        *,
        baseline: bool,
        baseline_of: str | None = None,
    ) -> Row:
        exposure, observed, day = self.judged.exposure[part], self.observed[part], self.day[part]
        if not observed.sum() > 0:
            return Row(name, baseline, baseline_of, group, int(part.sum()), 0.0, *[Estimate(None)] * 5)
        stratum = baselines.stratum_of(self.judged)[part]
        even, distance = (self._alone[one].share[part] for one in (UNIFORM, DISTANCE))
        found: list[list[Floats]] = []
        for one in entries:
            density, share = one.density[part], one.share[part]
            predicted = Ranks.of(density, day, self.weights.shape[1])
            found.append(
                [
                    figures.lift(self.weights, density, exposure, observed, day),
                    figures.lift(self.weights, density, exposure, observed, day, stratum),
                    figures.rank_correlation(self.weights, predicted, realised, day),
                    figures.bits(self.weights, share, even, observed, day),
                    figures.bits(self.weights, share, distance, observed, day),
                ]
            )
        days = len(np.unique(day[observed > 0]))
        values = [estimate(np.mean(each, axis=0), days) for each in zip(*found, strict=True)]
        return Row(name, baseline, baseline_of, group, int(part.sum()), float(observed.sum()), *values)


def distance_names() -> list[str]:
    """What the bands of distance are called."""
    edges = [f"{100 * edge:g}" for edge in DISTANCES]
    between = [f"{low}–{high} %" for low, high in pairwise(edges)]
    return [f"< {edges[0]} %", *between, f"> {edges[-1]} %"]


def _border(reached: Reached) -> int:
    """The midnight after the first third of the days."""
    days: Ints = np.unique(reached.day)
    if len(days) < 2:
        raise LiqstratError(
            f"there are maps and recorded liquidations together on {len(days)} day{'s' if len(days) != 1 else ''}, "
            "expected at least 2: one to fit the baselines on and one to judge"
        )
    first = days[max(round(TRAINING * len(days)), 1)]
    return int(first) * (86_400 * 10**9)


def _moment(ns: int) -> datetime:
    return _EPOCH + timedelta(microseconds=ns // 1000)
