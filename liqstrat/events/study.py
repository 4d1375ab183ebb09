"""An event study of one symbol, from the database to all that is printed and drawn; see the package."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from liqstrat.catalog.candles import minutes_before
from liqstrat.errors import LiqstratError
from liqstrat.events.figures import Beside, beside
from liqstrat.events.levels import Bools, Levels, Moments, known_levels, placebos
from liqstrat.events.paths import HORIZONS, Paths, followed, liquidated, paths, touched
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.maps import marks, period
from liqstrat.market.store import Store
from liqstrat.moments import DAY_NS, MINUTE_NS
from liqstrat.progress import SILENT, Progress
from liqstrat.scoring.evidence import recorded

#: Hours within which a level is reached or not.
WAITED = (1, 4, 24)
#: Bounds of distance from price.
DISTANCES = (0.0, 0.005, 0.01, 0.02, 0.05)
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
THIRDS = ("smallest third", "middle third", "largest third")
REGIMES = ("quiet day before", "usual day before", "restless day before")
_DAY, _WEEK = timedelta(days=1), timedelta(days=7)
_SHARES, _ANY = (0.0, 1.0), (-np.inf, np.inf)


@dataclass(frozen=True, eq=False)
class EventStudy:
    """Levels and placebos of a symbol, which of them were touched, and what price did then.

    `levels` and `placebos` are of maps from `start` to `end`, `every_minutes` apart. Of all of both, levels first:
    `waited` the minutes until each was reached, -1 where it was not within a day; `known` whether a day is known after
    its map. Of touches (rows `touch` of all): `paths`, and `contracts` liquidated, None where nothing is on record.
    """

    symbol: str
    simulated: bool
    start: datetime
    end: datetime
    every_minutes: int
    moments: Moments
    levels: Levels
    placebos: Levels
    waited: Ints
    known: Bools
    touch: Ints
    touch_ns: Ints
    paths: Paths
    contracts: Floats | None
    notes: list[str]

    @cached_property
    def all(self) -> Levels:
        """Levels and placebos together."""
        return _joined(self.levels, self.placebos)

    @cached_property
    def is_placebo(self) -> Bools:
        """Of all: which are none."""
        return np.arange(len(self.all)) >= len(self.levels)

    @cached_property
    def day(self) -> Ints:
        """Of all: the UTC day of the map."""
        return np.asarray(self.moments.time_ns[self.all.moment] // DAY_NS)

    @cached_property
    def weight(self) -> Floats:
        """Of all: 1, shared by the placebos of a level, so that far levels do not have more of them than near ones."""
        shared = np.bincount(self.placebos.of, minlength=len(self.levels))[self.placebos.of]
        return np.concatenate([np.ones(len(self.levels)), 1 / shared])

    @property
    def days(self) -> int:
        """Days with maps."""
        return len(np.unique(self.moments.time_ns // DAY_NS))

    @property
    def touches(self) -> int:
        """Touches of levels."""
        return int((self.touch < len(self.levels)).sum())

    def reached(self, hours: int, rows: Bools | None = None) -> Beside:
        """How often levels are reached within `hours`, of those `rows` of all."""
        chosen = self.known if rows is None else self.known & rows
        hit = (self.waited >= 0) & (self.waited < hours * 60)
        value = hit[chosen].astype(np.float64)
        return beside(value, self.day[chosen], self.is_placebo[chosen], self.weight[chosen], _SHARES)

    def at_touches(self, values: Floats, rows: Bools | None = None, within: tuple[float, float] = _ANY) -> Beside:
        """The mean of `values`, one a touch, over the touches of those `rows` of all."""
        chosen = np.ones(len(self.touch), dtype=np.bool_) if rows is None else rows[self.touch]
        at = self.touch[chosen]
        return beside(values[chosen], self.day[at], self.is_placebo[at], self.weight[at], within)

    def back(self, minutes: int, rows: Bools | None = None) -> Beside:
        """How far price is back from the level `minutes` after the touch."""
        return self.at_touches(self.paths.returns[:, HORIZONS.index(minutes)], rows)

    def liquidations(self, rows: Bools | None = None) -> Beside | None:
        """How often positions of its side are liquidated in a level's range when it is touched."""
        if self.contracts is None:
            return None
        return self.at_touches((self.contracts > 0).astype(np.float64), rows, _SHARES)

    @cached_property
    def groups(self) -> dict[str, Bools]:
        """Rows of all, by side, size and regime; a placebo belongs to where its level does, but for the regime."""
        size, restless = self.all.notional, self.moments.volatility[self.all.moment]
        found = {"all": np.ones(len(self.all), dtype=np.bool_), "long": self.all.long, "short": ~self.all.long}
        found |= dict(zip(THIRDS, _thirds(size, self.levels.notional), strict=True))
        found |= dict(zip(REGIMES, _thirds(restless, self.moments.volatility), strict=True))
        return found

    @cached_property
    def distances(self) -> dict[str, Bools]:
        """Rows of all, by distance from price."""
        away = np.abs(self.all.distance)
        return {f"{100 * low:g} – {100 * high:g} %": (away >= low) & (away < high) for low, high in pairwise(DISTANCES)}

    def rows(self) -> pa.Table:
        """One row a touch, placebos too, with the way price went: `back_60` is the return after an hour."""
        own = self.all.at(self.touch)
        columns: dict[str, Any] = {
            "time": pa.array(self.touch_ns // 1000).cast(pa.timestamp("us", "UTC")),
            "known_at": pa.array(self.moments.time_ns[own.moment] // 1000).cast(pa.timestamp("us", "UTC")),
            "placebo": self.is_placebo[self.touch],
            "side": np.where(own.long, "long", "short"),
            "price": own.price,
            "price_low": own.low,
            "price_high": own.high,
            "distance": own.distance,
            "notional": own.notional,
            "hours_away": own.away,
            "volatility": self.moments.volatility[own.moment],
        }
        if self.contracts is not None:
            columns["liquidated"] = self.contracts
        for name, values in (("back", self.paths.returns), ("mfe", self.paths.mfe), ("mae", self.paths.mae)):
            columns |= {f"{name}_{minutes}": values[:, i] for i, minutes in enumerate(HORIZONS)}
        return pa.table(columns)

    def to_json(self) -> dict[str, Any]:
        """All figures, for a program."""
        held = self.liquidations()
        return {
            "symbol": self.symbol,
            "simulated": self.simulated,
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "every_minutes": self.every_minutes,
            "days": self.days,
            "levels": len(self.levels),
            "placebos": len(self.placebos),
            "touches": self.touches,
            "reached": {str(hours): self.reached(hours).to_json() for hours in WAITED},
            "reached_in_a_day_by_distance": {
                name: self.reached(24, rows).to_json() for name, rows in self.distances.items()
            },
            "liquidated": None if held is None else held.to_json(),
            "back": {str(minutes): self.back(minutes).to_json() for minutes in HORIZONS},
            "back_quantiles": self._quantiles(),
            "mfe": self._by_horizon(self.paths.mfe),
            "mae": self._by_horizon(self.paths.mae),
            "groups": {name: self._group(rows) for name, rows in self.groups.items()},
            "notes": self.notes,
        }

    def _quantiles(self) -> dict[str, dict[str, float]]:
        """Of the returns after touches of levels."""
        own = self.paths.returns[self.touch < len(self.levels)]
        found = {}
        for minutes, values in zip(HORIZONS, own.T, strict=True):
            if (known := values[np.isfinite(values)]).size:
                found[str(minutes)] = {f"{q:g}": float(np.quantile(known, q)) for q in QUANTILES}
        return found

    def _by_horizon(self, values: Floats) -> dict[str, Any]:
        return {str(minutes): self.at_touches(values[:, i]).to_json() for i, minutes in enumerate(HORIZONS)}

    def _group(self, rows: Bools) -> dict[str, Any]:
        held = self.liquidations(rows)
        return {
            "reached_in_a_day": self.reached(24, rows).to_json(),
            "liquidated": None if held is None else held.to_json(),
            "back": {str(minutes): self.back(minutes, rows).to_json() for minutes in (60, 240)},
        }


def study_events(
    store: Store,
    symbol: str,
    start: datetime | None,
    end: datetime | None,
    settings: ModelSettings,
    *,
    warmup: timedelta,
    every_minutes: int = 15,
    seed: int = 1,
    progress: Progress = SILENT,
) -> EventStudy:
    """Study what happens when price reaches levels of maps from `start` to `end`; None is as far as history reaches.

    Raises `LiqstratError` where there are no maps, or no prices after them.
    """
    first, last = period(store, symbol, start, end, every_minutes)
    bars = minutes_before(store, symbol, first - _WEEK, last + _DAY)
    if bars is None:
        raise LiqstratError(f"{store.path}: no prices of {symbol} from {first:%Y-%m-%d %H:%M} on")
    asked = marks(first, last, every_minutes)
    moments, levels, clusters = known_levels(store, symbol, asked, settings, warmup, bars, progress)
    with progress.task("placebos", total=1, unit="studies") as done:
        others = placebos(moments, levels, clusters, bars, seed)
        done(1)
    levels, others, alone = _paired(levels, others)
    every = _joined(levels, others)
    waited = touched(bars, moments, every)
    touch = np.flatnonzero((waited >= 0) & (waited < every_minutes))
    minute = (moments.time_ns[every.moment[touch]] - bars.start_ns) // MINUTE_NS + waited[touch]
    touch_ns = bars.start_ns + minute * MINUTE_NS
    on_record = recorded(store, symbol, first, last + _DAY)
    contracts = liquidated(on_record.liquidations, touch_ns, every.at(touch)) if on_record.rows else None
    return EventStudy(
        symbol,
        store.simulated(symbol),
        first,
        last,
        every_minutes,
        moments,
        levels,
        others,
        waited,
        followed(bars, moments, every),
        touch,
        touch_ns,
        paths(bars, minute, every.long[touch]),
        contracts,
        [*_notes(levels, alone), *store.remarks],
    )


def _paired(levels: Levels, others: Levels) -> tuple[Levels, Levels, int]:
    """Without the levels that have no placebo, and how many those are."""
    kept = np.isin(levels.of, others.of)
    number = np.cumsum(kept) - 1
    return (
        replace(levels.at(kept), of=np.arange(int(kept.sum()))),
        replace(others, of=number[others.of]),
        int((~kept).sum()),
    )


def _notes(levels: Levels, alone: int) -> list[str]:
    notes = []
    if alone:
        notes.append(
            f"{alone:,} of {alone + len(levels):,} levels are left out: at all other maps clusters stand equally far, "
            "so that nothing can be held against them."
        )
    return notes


def _joined(levels: Levels, others: Levels) -> Levels:
    return Levels(*(np.concatenate(pair) for pair in zip(vars(levels).values(), vars(others).values(), strict=True)))


def _thirds(values: Floats, of: Floats) -> list[Bools]:
    """Which values lie in the lower, middle and upper third of those `of`."""
    known = of[np.isfinite(of)]
    low, high = np.quantile(known, [1 / 3, 2 / 3]) if len(known) else (np.nan, np.nan)
    return [values <= low, (values > low) & (values <= high), values > high]
