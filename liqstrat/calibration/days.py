"""Whether the fitted map is the better one on days that the fit has not seen, by the score of `liqstrat.scoring`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from liqstrat.calibration.change import change
from liqstrat.calibration.evidence import Evidence, History
from liqstrat.calibration.maximum import maximum
from liqstrat.calibration.mix import starting_mix, with_mix
from liqstrat.calibration.posterior import Level, Posterior, mix_of
from liqstrat.liquidation.brackets import BracketTable
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.liquidation.kinds import new_model
from liqstrat.liquidation.liquidations import Liquidations
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.moments import DAY_NS, HOUR_NS
from liqstrat.scoring import figures
from liqstrat.scoring.intervals import Estimate, days_left_out, estimate
from liqstrat.scoring.reached import Reached, gather

#: Bits for which it is worth to leave the default, which was chosen where all positions are known.
LEAST_GAIN = 0.01
#: Where a fit changes the map by less (`change`), a record does not tell whether for the better: what price comes to is
#: a small part of the map, and the rest rests on the book's laws. Low mixes, with little to gain, come to .028.
LEAST_CHANGE = 0.04
#: Maps are judged by what price reaches in the six hours after them: farther away than in one, where a fit that is
#: right near price may be wrong, and before most of what is liquidated has opened since. Also, by the sign, in a day.
KNOWN_NS = 6 * HOUR_NS
#: Days are left out in at most so many groups.
_MOST_FOLDS = 5
#: With fewer days than this, half days are the unit.
_FEW_DAYS = 14


@dataclass(frozen=True)
class HeldOut:
    """Bits (see `liqstrat.scoring`) that maps half way to the fit gain over the default's on `days` that were left out
    of it, with their 95 % interval, None where days are too few. A figure of maps, not of the likelihood that was
    fitted; of what price reaches within six hours of them.

    day: the same gain within a day, which tells of what is farther still, and less surely. change: how far the fit's
    maps are from the default's, see `liqstrat.calibration.change`.
    """

    gain: float
    low: float | None
    high: float | None
    day: float
    change: float
    days: int

    @property
    def better(self) -> bool:
        """Whether it beats the default on days not seen, beyond what chance could do, and by enough on the map."""
        sure = self.low is not None and self.low > 0 and self.gain >= LEAST_GAIN
        return sure and self.day >= 0 and self.change >= LEAST_CHANGE


def folds(days: Ints) -> list[Ints]:
    """Days, each with adjacent ones, that are left out together; none where there is a single day."""
    if len(np.unique(days)) < 2:
        return []
    return [np.array(part) for part in np.array_split(np.unique(days), min(len(np.unique(days)), _MOST_FOLDS))]


def fitted_without(
    days: Ints, evidence: Evidence, tiers: Ints, centre: Floats, level: Level, overdispersion: float
) -> Floats:
    """The mix fitted to all but `days`. `evidence` was gathered with a book of the mix fitted to all; more of the days
    left out is not in the fit."""
    learnt = Posterior(evidence, tiers, centre, level, overdispersion, ~np.isin(evidence.days, days))
    return mix_of(maximum(learnt.value, learnt.gradient, learnt.start())[: len(tiers)])


def half_way(default: ModelSettings, fitted: ModelSettings) -> ModelSettings:
    """The settings between: its map is nearly the mean of both maps. Of two that are wrong in different ways the mean
    is less wrong, and where the fit is the worse one it loses less than half."""
    (tiers, one), (_, other) = starting_mix(default), starting_mix(fitted)
    flow = {name: (getattr(default, name) + getattr(fitted, name)) / 2 for name in ("turnover", "taker_weight")}
    return replace(with_mix(default, tiers, (one + other) / 2), **flow)


def held_out(
    history: History,
    liquidations: Liquidations,
    symbol: str,
    loaded: Sequence[BracketTable],
    default: ModelSettings,
    fitted: ModelSettings,
    mixes: Sequence[tuple[Ints, Floats]],
    since_ns: int,
) -> HeldOut | None:
    """Score the maps half way to `fitted`, on each group of days with the mix that was fitted without it, against
    `default`.

    mixes: the groups of days, each with that mix. None where nothing was liquidated at prices that were reached.
    """
    tiers, _ = starting_mix(default)
    settings = [half_way(default, with_mix(fitted, tiers, shares)) for _, shares in mixes]

    def gain(every_ns: int) -> tuple[Estimate, int]:
        models = {str(number): new_model(one, symbol, loaded) for number, one in enumerate([*settings, default])}
        reached = gather(history, models, every_ns, since_ns)
        return _gain(reached, liquidations, [days for days, _ in mixes])

    (found, judged), (within_day, _) = gain(KNOWN_NS), gain(DAY_NS)
    if found.value is None or within_day.value is None:
        return None
    changed = change(history, symbol, loaded, default, fitted, KNOWN_NS, since_ns)
    return HeldOut(found.value, found.low, found.high, within_day.value, changed, judged)


def _gain(reached: Reached, liquidations: Liquidations, groups: Sequence[Ints]) -> tuple[Estimate, int]:
    """Bits that the first maps gain over the last, each on its group of days; and the number of days judged."""
    reached = reached.part(np.isin(reached.day, liquidations.time_ns // DAY_NS))
    if not len(reached):
        return Estimate(None), 0
    band = reached.band_of(liquidations)
    observed = np.bincount(band[band >= 0], liquidations.contracts[band >= 0], minlength=len(reached))
    *folded, default = (contracts.sum(axis=1) for contracts in reached.maps.values())
    composed = np.zeros(len(reached))
    for days, contracts in zip(groups, folded, strict=True):
        own = np.isin(reached.day, days)
        composed[own] = contracts[own]
    places = (reached.exposure, reached.window, reached.day, observed)
    mine, other = (figures.floored_shares(one, *places) for one in (composed, default))
    judged = len(np.unique(reached.day[observed > 0]))
    unit_ns = DAY_NS if judged >= _FEW_DAYS else DAY_NS // 2
    unit = np.unique(reached.begins[reached.window] // unit_ns, return_inverse=True)[1]
    drawn = figures.draws(observed, reached.window)
    bits = figures.bits(days_left_out(int(unit[-1]) + 1), mine, other, drawn, unit)
    return estimate(bits, np.bincount(unit, drawn)), judged
