"""The judged bands, what was liquidated in them, and the figures of all forecasts of it."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise

import numpy as np

from liqstrat.liquidation.grid import Floats
from liqstrat.scoring import baselines, figures
from liqstrat.scoring.baselines import DISTANCE, DISTANCES, RECENCY, SHUFFLED, VOLUME, Baselines
from liqstrat.scoring.figures import Ranks
from liqstrat.scoring.intervals import Estimate, days_left_out, estimate
from liqstrat.scoring.reached import Bools, Reached
from liqstrat.scoring.verdict import Added, days_needed

LEVEL = 0.95
WITH_VOLUME = "distance, recency and volume profile"
#: Of more days, adjacent ones are taken together when they are left out.
_MOST_BLOCKS = 120
#: Least and greatest of lift, lift at equal distance, rank, bits and what is added.
_WITHIN = ((0.0, 1 / figures.DENSEST), (0.0, 1 / figures.DENSEST), (-1.0, 1.0), *[(-np.inf, np.inf)] * 2)


@dataclass(frozen=True)
class Row:
    """The figures of one forecast on one group of bands ("all", "long", "short" or a range of distance).

    `bits` are over uniform; `adds` is what the forecast, joined with distance and recency, has over these alone. Of a
    part of the distances they are those of what was liquidated there. `baseline_of` names the model whose map was
    shuffled.
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
    adds: Estimate


@dataclass(frozen=True, eq=False)
class _Entry:
    """A forecast on the judged bands: density, shares within each window, and the same joined with distance and
    recency, None where that is of no interest."""

    density: Floats
    share: Floats
    joined: Floats | None = None


class Trial:
    """Models and baselines on the bands of `reached` that are `chosen`; the days before are learnt from.

    `observed` are contracts liquidated in each band of `reached`. `block` is the day of each judged band, as a number
    from 0, or the block of adjacent days.
    """

    def __init__(self, reached: Reached, observed: Floats, chosen: Bools, seed: int, *, whole: bool) -> None:
        self.judged, self.observed, self._chosen = reached.part(chosen), observed[chosen], chosen
        self.drawn = figures.draws(self.observed, self.judged.window)
        days, day = np.unique(self.judged.day, return_inverse=True)
        self.days, self.by_day = days, np.bincount(day, self.observed)
        self._day, self.block = day, day // -(-len(days) // _MOST_BLOCKS)
        self._weights = days_left_out(int(self.block[-1]) + 1)
        self._baselines = Baselines(reached, observed)
        self._alone = {
            one.name: _Entry(one.density[chosen], one.share[chosen]) for one in self._baselines.every(whole=whole)
        }
        volume = self._baselines.joined(reached.volume)[chosen]
        if whole:
            self._alone[VOLUME] = replace(self._alone[VOLUME], joined=volume)
        self._over = {RECENCY: self._alone[RECENCY].share, WITH_VOLUME: volume}
        self._maps = {name: contracts.sum(axis=1) for name, contracts in reached.maps.items()}
        self._models = {name: self._entry(density) for name, density in self._maps.items()}
        self._shuffled = {
            name: [self._entry(mixed) for mixed in baselines.shuffled(reached, density, seed)]
            for name, density in self._maps.items()
            if whole
        }

    def _entry(self, density: Floats) -> _Entry:
        forecast, joined = self._baselines.of("", density), self._baselines.joined(density)
        return _Entry(density[self._chosen], forecast.share[self._chosen], joined[self._chosen])

    @property
    def days_with(self) -> int:
        """Days on which something was liquidated."""
        return int((self.by_day > 0).sum())

    @property
    def effective_days(self) -> float:
        """As how many equal days they weigh by their contracts."""
        return float(self.by_day.sum() ** 2 / (self.by_day**2).sum())

    def recency(self) -> Estimate:
        """What recency adds to distance."""
        return self._gain(self._alone[RECENCY].share, self._alone[DISTANCE].share, self.drawn)

    def added(self, model: str, level: float) -> Added:
        """What the map of a model adds."""
        joined = self._models[model].joined
        assert joined is not None
        over = {name: self._gain(joined, share, self.drawn, level) for name, share in self._over.items()}
        with_map = self._baselines.joined(self._maps[model], recency=False)[self._chosen]
        to_distance = self._gain(with_map, self._alone[DISTANCE].share, self.drawn, level)
        beyond, alone = over[RECENCY].value, to_distance.value
        largest = int(self.by_day.argmax())
        others = np.where(self._day == largest, 0.0, self.drawn)
        rest = [self._gain(joined, share, others, level) for share in self._over.values()]
        found = Added(
            over=over,
            to_both=over[RECENCY],
            to_distance=to_distance,
            explained=1 - beyond / alone if alone and beyond is not None and alone > 0 else None,
            largest_day=f"{date(1970, 1, 1) + timedelta(days=int(self.days[largest]))}",
            largest_share=float(self.by_day[largest] / self.by_day.sum()),
            without_largest=min(rest, key=lambda one: -np.inf if one.low is None else one.low),
            by_contracts=self._gain(joined, self._alone[RECENCY].share, self.observed, level),
            days_needed=None,
        )
        return replace(found, days_needed=days_needed(found.least[1], self.days_with, level))

    def losses(self) -> dict[str, Floats]:
        """By model and day with liquidations: bits that each, joined with distance and recency, falls short of what was
        liquidated, the days weighing as in all figures."""
        some = self._by_block(self.drawn) > 0
        found = {}
        for name, entry in self._models.items():
            assert entry.joined is not None
            found[name] = self._by_block(-self.drawn * np.log2(entry.joined))[some]
        return found

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
        realised = Ranks.of((self.observed / self.judged.exposure)[part], self.block[part], len(self._weights) - 1)
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

    def _gain(self, share: Floats, other: Floats, drawn: Floats, level: float = LEVEL) -> Estimate:
        """Bits of one forecast over another."""
        bits = figures.bits(self._weights, share, other, drawn, self.block)
        return estimate(bits, self._by_block(drawn), level)

    def _by_block(self, amounts: Floats, part: Bools | slice = slice(None)) -> Floats:
        found: Floats = np.bincount(self.block[part], amounts, minlength=len(self._weights) - 1)
        return found

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
        exposure, observed, block = self.judged.exposure[part], self.observed[part], self.block[part]
        weights, drawn = self._weights, self.drawn[part]
        if not observed.sum() > 0:
            return Row(name, baseline, baseline_of, group, int(part.sum()), 0.0, *[Estimate(None)] * 5)
        stratum = baselines.stratum_of(self.judged)[part]
        even = figures.shares(np.ones(len(self.judged)), self.judged.exposure, self.judged.window, 0.0)[part]
        known, nothing = self._alone[RECENCY].share[part], np.full(len(weights), np.nan)
        found: list[list[Floats]] = []
        for one in entries:
            density, joined = one.density[part], one.joined
            predicted = Ranks.of(density, block, len(weights) - 1)
            found.append(
                [
                    figures.lift(weights, density, exposure, observed, block),
                    figures.lift(weights, density, exposure, observed, block, stratum),
                    figures.rank_correlation(weights, predicted, realised, block),
                    figures.bits(weights, one.share[part], even, drawn, block),
                    nothing if joined is None else figures.bits(weights, joined[part], known, drawn, block),
                ]
            )
        means = [np.mean(each, axis=0) for each in zip(*found, strict=True)]
        amounts = [*[self._by_block(observed, part)] * 3, *[self._by_block(drawn, part)] * 2]
        values = [estimate(*each[:2], LEVEL, each[2]) for each in zip(means, amounts, _WITHIN, strict=True)]
        return Row(name, baseline, baseline_of, group, int(part.sum()), float(observed.sum()), *values)


def distance_names() -> list[str]:
    """What the bands of distance are called."""
    edges = [f"{100 * edge:g}" for edge in DISTANCES]
    between = [f"{low}–{high} %" for low, high in pairwise(edges)]
    return [f"< {edges[0]} %", *between, f"> {edges[-1]} %"]
