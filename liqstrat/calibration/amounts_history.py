"""Calibration by liquidated amounts, from a history file to what is recommended."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from liqstrat.calibration.amounts import COMPLETE, THINNED, UNKNOWN, Seen, fit_seen, way_by_tier
from liqstrat.calibration.apart import Together, together
from liqstrat.calibration.calibrate import AGREE, Share, shares_of
from liqstrat.calibration.evidence import History
from liqstrat.calibration.mix import starting_mix, with_mix
from liqstrat.calibration.posterior import Level, mix_of
from liqstrat.errors import LiqstratError
from liqstrat.liquidation.brackets import BracketTable
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.liquidation.kinds import new_model
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.market.flow import flows
from liqstrat.market.store import Store
from liqstrat.market.width import with_bin_width
from liqstrat.moments import HOUR_US, microseconds
from liqstrat.progress import SILENT, Progress
from liqstrat.scoring.amounts.history import amounts_and_path
from liqstrat.scoring.amounts.judge import LEAST_INTERVALS, Held, forecast, hold, strength
from liqstrat.scoring.amounts.predictors import Path, predictors
from liqstrat.scoring.amounts.record import Amounts
from liqstrat.scoring.amounts.way import Way, walk
from liqstrat.scoring.intervals import LEAST_DAYS, Estimate, estimate

#: R² for which it is worth to leave the default.
LEAST_GAIN = 0.002
#: Weeks are left out in so many groups.
_FOLDS = 5
_ROUNDS = 2
_TILTS = (0.0, -0.5, 0.5)
_UNITS = 1e5


@dataclass(frozen=True)
class AmountsCalibration:
    """What was fitted, and how much of it to believe.

    venues, record: of the amounts that were taken; `intervals` and `weeks` count those in which price went against a
    side. level: the share of the reached that is recorded, on average of the sides. explained: share of the
    variance of logarithms. apart: how far fits that started elsewhere ended from each other. adds: R² that the fitted
    maps add over the default's to the baseline of `scoring.amounts`, in weeks left out of the fit; by_side: the same of
    longs and of shorts alone. settings: those recommended. remarks: what the record leaves out, and how it was treated.
    """

    venues: str
    record: str
    start: datetime
    end: datetime
    every_hours: float
    intervals: int
    weeks: int
    shares: list[Share]
    together: list[Together]
    level: float
    explained: float
    apart: float
    adds: Estimate
    by_side: tuple[float, float]
    fitted: ModelSettings
    settings: ModelSettings
    remarks: list[str]

    @property
    def agree(self) -> bool:
        """Whether fits from several starts ended together."""
        return self.apart <= AGREE

    @property
    def better(self) -> bool:
        """Whether the fit is recommended: beyond chance, by enough, and on no side worse."""
        enough = self.adds.value is not None and self.adds.value >= LEAST_GAIN
        return self.agree and enough and self.adds.above_zero and min(self.by_side) >= 0


def calibrate_amounts(
    store: Store,
    symbol: str,
    start: datetime,
    end: datetime,
    settings: ModelSettings,
    warmup: timedelta,
    progress: Progress = SILENT,
) -> AmountsCalibration:
    """Fit the book's leverage to the amounts of intervals in `[start, end)`; up to `warmup` before fills it.

    Of several sources, and of stretches that are recorded in another way, the one that tells most is taken: complete
    before thinned, one venue before several, then the longest. Raises `LiqstratError` where there is too little.
    """
    sources, candles = amounts_and_path(store, symbol, start, end)
    settings = replace(with_bin_width(store, symbol, settings, start), kind="conserving")
    loaded = store.brackets(symbol)
    history = list(flows(store, symbol, start - warmup, end, settings, progress))
    if not history:
        raise LiqstratError(
            f"{store.path}: no open interest of {symbol} in this time: without it nothing can be fitted"
        )
    source, record = _most_telling([one for one in sources if one.length_us >= candles.length_us])
    work = _Work(history, source, record, candles, symbol, loaded, microseconds(start))
    tiers, centre = starting_mix(settings)
    fits = []
    with progress.task("leverage mix", total=len(_TILTS) * _ROUNDS + 2, unit="books") as done:
        for tilt in _TILTS:
            begin = mix_of(np.log(centre) + tilt * np.log(tiers))
            current = begin
            for _ in range(_ROUNDS):
                fit = fit_seen(work.seen(with_mix(settings, tiers, current)), tiers, begin, work.level)
                current = fit.shares
                done(1)
            fits.append(fit)
        first = fits[0]
        fitted = with_mix(settings, tiers, first.shares)
        seen = work.seen(fitted)
        done(1)
        mixes = [
            (weeks, fit_seen(seen.without(weeks), tiers, centre, work.level).shares)
            for weeks in np.array_split(np.unique(seen.week), _FOLDS)
        ]
        adds, by_side = work.held_out(settings, [(weeks, with_mix(fitted, tiers, mix)) for weeks, mix in mixes])
        done(1)
    found = AmountsCalibration(
        venues=source.venues,
        record=record,
        start=start,
        end=end,
        every_hours=source.length_us / HOUR_US,
        intervals=len(seen.outcome),
        weeks=len(np.unique(seen.week)),
        shares=shares_of(first, settings),
        together=together(tiers, first.shares, first.draws),
        level=first.level,
        explained=first.explained,
        apart=max(float(np.abs(one.shares - first.shares).sum()) / 2 for one in fits),
        adds=adds,
        by_side=by_side,
        fitted=fitted,
        settings=settings,
        remarks=[*_remarks(source, record), *store.remarks],
    )
    return replace(found, settings=fitted) if found.better else found


def _most_telling(sources: Sequence[Amounts]) -> tuple[Amounts, str]:
    """A source and its record, with the intervals that are recorded so."""
    parts = []
    for source in sources:
        told = np.array(source.record)
        for record in dict.fromkeys(source.record):
            part = source.part(told == record)
            parts.append((part, record))
    if not parts:
        raise LiqstratError("all amounts are of shorter intervals than the candles there are, expected longer ones")
    grade = {"complete": 0, "thinned": 1, "unknown": 2}
    enough = [one for one in parts if len(one[0]) >= LEAST_INTERVALS] or parts
    return min(enough, key=lambda one: (grade[one[1]], _is_several(one[0].venues), -len(one[0])))


def _is_several(venues: str) -> bool:
    return "+" in venues or venues == "several"


@dataclass(frozen=True, eq=False)
class _Work:
    """What a fit is made of: flows with open interest, amounts, and candles for the baseline."""

    history: History
    source: Amounts
    record: str
    candles: Path
    symbol: str
    loaded: Sequence[BracketTable]
    since_us: int

    @property
    def level(self) -> Level:
        """What is known beforehand of how much of the reached is recorded."""
        if _is_several(self.source.venues) or self.record == "unknown":
            return UNKNOWN
        return COMPLETE if self.record == "complete" else THINNED

    def seen(self, settings: ModelSettings) -> Seen:
        """The intervals, by a book with the mix of `settings`; raises `LiqstratError` where they are too few."""
        way = way_by_tier(self.history, settings, self.symbol, self.loaded)
        sides = self._held(way, _shares)
        order = np.argsort(np.concatenate([held.ends_us for held in sides]), kind="stable")
        rows = [np.stack(list(held.maps.values()), axis=1) for held in sides]
        return Seen(
            outcome=np.concatenate([held.outcome for held in sides])[order],
            reached=np.concatenate(rows)[order],
            side=np.repeat([0, 1], [len(held) for held in sides])[order],
            week=np.concatenate([held.week for held in sides])[order],
        )

    def held_out(
        self, default: ModelSettings, fitted: Sequence[tuple[Ints, ModelSettings]]
    ) -> tuple[Estimate, tuple[float, float]]:
        """What maps of `fitted`, each in its weeks, which it was fitted without, add over the default's."""
        models = {"default": new_model(default, self.symbol, self.loaded)}
        models |= {str(i): new_model(one, self.symbol, self.loaded) for i, (_, one) in enumerate(fitted)}
        sides = self._held(walk(self.history, models), strength)
        weeks = np.unique(np.concatenate([held.week for held in sides]))
        saved, spread = np.zeros((2, len(weeks))), np.zeros((2, len(weeks)))
        for side, held in enumerate(sides):
            composed = np.zeros(len(held))
            for i, (left_out, _) in enumerate(fitted):
                own = np.isin(held.week, left_out)
                composed[own] = held.maps[str(i)][own]
            at = np.searchsorted(weeks, held.week)
            gains = _errors(held, held.maps["default"]) - _errors(held, composed)
            saved[side] = np.bincount(at, gains, minlength=len(weeks))
            spread[side] = np.bincount(at, (held.outcome - held.outcome.mean()) ** 2, minlength=len(weeks))
        whole, weight = saved.sum(axis=0), spread.sum(axis=0)
        without = (whole.sum() - whole) / (weight.sum() - weight)
        adds = estimate(np.concatenate(([whole.sum() / weight.sum()], without)), weight)
        longs, shorts = (saved.sum(axis=1) / spread.sum(axis=1)).tolist()
        return adds, (longs, shorts)

    def _held(self, way: Way, scaled: Callable[[Floats, Floats], Floats]) -> tuple[Held, Held]:
        """Longs and shorts: the intervals in which price went against them, with what `way` says of each."""
        source = self.source
        before = way.before(source.ends_us, source.length_us)
        before[source.ends_us - source.length_us < self.since_us] = np.nan
        sides = []
        for side, amounts in enumerate((source.long, source.short)):
            known = predictors(self.candles, source.ends_us, source.length_us, long=side == 0)
            maps = {
                name: scaled(way.within(name, source.ends_us, source.length_us)[:, side], before)
                for name in way.contracts
            }
            sides.append(hold(known, source.ends_us, strength(amounts, before), maps))
        if min(len(held) for held in sides) < LEAST_INTERVALS or len(np.unique(sides[0].week)) < LEAST_DAYS:
            raise LiqstratError(
                f"{min(len(held) for held in sides)} intervals of {self.symbol} with amounts ({source.venues}, record "
                f"{self.record}), candles and open interest in which price went against a side, expected "
                f"{LEAST_INTERVALS} in {LEAST_DAYS} weeks at least: take a longer range"
            )
        return sides[0], sides[1]


def _shares(contracts: Floats, open_interest: Floats) -> Floats:
    return contracts / open_interest * _UNITS


def _errors(held: Held, strengths: Floats) -> Floats:
    """Squared errors of the baseline with a map, in weeks that were not fitted."""
    both = np.column_stack((held.baseline, strengths))
    return np.asarray((held.outcome - forecast(both, held.outcome, held.week)) ** 2)


def _remarks(source: Amounts, record: str) -> list[str]:
    said = {
        "complete": "The record is complete: what is recorded is taken to grow in proportion to what was reached.",
        "thinned": "The record is thinned to about one liquidation a second: of more at once, less is expected.",
        "unknown": "How complete the record is, is not known: of more at once, less may be recorded.",
    }[record]
    if _is_several(source.venues):
        return [said, "Amounts are of several venues and maps of one, so how much of them is the map's is left open."]
    return [said]
