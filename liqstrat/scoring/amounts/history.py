"""Score models against liquidated amounts, from the database to all that is printed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from liqstrat.errors import LiqstratError
from liqstrat.liquidation.grid import Floats
from liqstrat.liquidation.kinds import new_model
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.market.candles import length_of
from liqstrat.market.flow import flows
from liqstrat.market.recorded_candles import lengths
from liqstrat.market.store import Store
from liqstrat.market.width import with_bin_width
from liqstrat.moments import at_us, column_us, microseconds_in
from liqstrat.progress import SILENT, Progress
from liqstrat.scoring.amounts.judge import LEAST_INTERVALS, Gain, Held, gain, hold, strength
from liqstrat.scoring.amounts.predictors import Path, predictors
from liqstrat.scoring.amounts.record import Amounts, recorded_amounts
from liqstrat.scoring.amounts.units import doubts
from liqstrat.scoring.amounts.way import Way, walk
from liqstrat.scoring.intervals import LEAST_DAYS
from liqstrat.scoring.verdict import BETTER, TOO_LITTLE

#: Shorter candles say little more of an interval's path.
_SHORTEST_PATH = timedelta(minutes=5)
#: Before the first interval, for the extremes that price goes beyond.
_LOOK_BACK = timedelta(days=8)
_SIDES = ("longs", "shorts")


@dataclass(frozen=True)
class Part:
    """What was judged together: the intervals of one source in a stretch of time (UTC), and how complete they are.

    gains: by model, then by side ("longs", "shorts"). strict: whether the baseline knows the path inside an interval.
    """

    name: str
    venues: str
    record: str
    start: datetime
    end: datetime
    strict: bool
    gains: Mapping[str, Mapping[str, Gain]]


@dataclass(frozen=True)
class AmountsScore:
    """Models held against liquidated amounts. path: length of the candles that the baseline knows."""

    symbol: str
    simulated: bool
    path: str
    every_hours: float
    parts: list[Part]
    remarks: list[str]

    def words(self) -> dict[str, str]:
        """What can be said of each model, by its whole stretches (not their halves)."""
        whole = [part for part in self.parts if part.name == "all"]
        models = whole[0].gains if whole else {}
        return {model: _words([part.gains[model] for part in whole]) for model in models}

    def to_json(self) -> dict[str, Any]:
        """Plain data; times as ISO text."""
        told = {**asdict(self), "words": self.words()}
        for part in told["parts"]:
            part.update(start=part["start"].isoformat(), end=part["end"].isoformat())
        return told


def score_amounts(
    store: Store,
    symbol: str,
    start: datetime | None,
    end: datetime | None,
    models: Mapping[str, ModelSettings],
    *,
    warmup: timedelta,
    progress: Progress = SILENT,
) -> AmountsScore:
    """Score `models` on all intervals from `start` to `end`; None is as far as amounts are on record.

    Books are filled with up to `warmup` of history before; where history begins later, so much of its begin is left
    out. Raises `LiqstratError` where there is nothing to score with.
    """
    first, last = _range(store, symbol, start, end)
    name, candles = path_of(store, symbol, first - _LOOK_BACK, last)
    sources = recorded_amounts(store, symbol, first, last, candles)
    settings = {model: with_bin_width(store, symbol, one, first) for model, one in models.items()}
    rule = next((one for one in settings.values() if one.large_rule), next(iter(settings.values())))
    loaded = store.brackets(symbol)
    running = {model: new_model(one, symbol, loaded) for model, one in settings.items()}
    way = walk(flows(store, symbol, first - warmup, last, rule, progress), running)
    if not len(way.ends_us):
        raise LiqstratError(f"{store.path}: no open interest of {symbol} in this time: without it there are no maps")
    filled = int(way.ends_us[0]) + microseconds_in(warmup)
    parts: list[Part] = []
    with progress.task("judge", total=len(sources), unit="sources") as done:
        for source in sources:
            parts += _judged(source, candles, way, filled)
            done(1)
    doubted = dict.fromkeys(said for source in sources for said in doubts(source, candles, way))
    if not parts:
        raise LiqstratError(
            f"{store.path}: fewer than {LEAST_INTERVALS} intervals with amounts, candles and open interest of {symbol} "
            f"in which price went against a side, after {warmup.days} days that fill the book"
        )
    return AmountsScore(
        symbol,
        store.simulated(symbol),
        name,
        sources[0].length_us / 3.6e9,
        parts,
        [*_remarks(parts), *doubted, *store.remarks],
    )


def recorded_by(store: Store, symbol: str) -> Literal["prices", "amounts"]:
    """What there is of liquidations: single ones before amounts."""
    if store.span(symbol, "liquidations") is None and store.span(symbol, "liquidation_amounts") is not None:
        return "amounts"
    return "prices"


def amounts_and_path(
    store: Store, symbol: str, start: datetime | None, end: datetime | None
) -> tuple[list[Amounts], Path]:
    """What was liquidated, by source, from `start` to `end`, and the candles that the baseline knows."""
    first, last = _range(store, symbol, start, end)
    _, candles = path_of(store, symbol, first - _LOOK_BACK, last)
    return recorded_amounts(store, symbol, first, last, candles), candles


def path_of(store: Store, symbol: str, start: datetime, end: datetime) -> tuple[str, Path]:
    """The candles that the baseline knows: of five minutes, or the shortest there are; raises `LiqstratError`."""
    there = ["5m", *(name for name in lengths(store) if length_of(name) > _SHORTEST_PATH)]
    for name in there:
        table = store.klines(symbol, start, end, name)
        if len(table):
            high, low, close, volume = (
                pc.cast(table[one], pa.float64()).to_numpy() for one in ("high", "low", "close", "volume")
            )
            length = microseconds_in(length_of(name))
            return name, Path(column_us(table["time"]) + length, high, low, close, volume, length)
    raise LiqstratError(f"{store.path}: neither trades nor candles of {symbol} in this time, expected some")


def _range(store: Store, symbol: str, start: datetime | None, end: datetime | None) -> tuple[datetime, datetime]:
    span = store.span(symbol, "liquidation_amounts")
    if span is None:
        raise LiqstratError(f"{store.path}: no amounts of liquidations of {symbol} to score levels with")
    first, last = start or span[0], end or span[1] + timedelta(days=1)
    if last <= first:
        raise LiqstratError(f"--to is {last:%Y-%m-%d %H:%M}, expected a time after --from ({first:%Y-%m-%d %H:%M})")
    return first, last


def _judged(source: Amounts, candles: Path, way: Way, filled_us: int) -> Iterator[Part]:
    """All of a source, each stretch that is recorded alike, and the first and second half of each of these."""
    if source.length_us < candles.length_us:
        return
    before = way.before(source.ends_us, source.length_us)
    before[source.ends_us - source.length_us < filled_us] = np.nan
    sides: dict[str, Held] = {}
    for side, name in enumerate(_SIDES):
        known = predictors(candles, source.ends_us, source.length_us, long=side == 0)
        maps = {
            model: strength(way.within(model, source.ends_us, source.length_us)[:, side], before)
            for model in way.contracts
        }
        outcome = strength((source.long, source.short)[side], before)
        sides[name] = hold(known, source.ends_us, outcome, maps)
    strict = source.length_us > candles.length_us
    for record, begin, end in _stretches(source):
        middle = _middle(sides, begin, end)
        halves = [("first half", begin, middle), ("second half", middle, end)]
        for part, since, until in [("all", begin, end), *halves]:
            chosen = {name: held.part((held.ends_us > since) & (held.ends_us <= until)) for name, held in sides.items()}
            if min(len(held) for held in chosen.values()) < LEAST_INTERVALS:
                continue
            gains = {model: {name: gain(held, model) for name, held in chosen.items()} for model in way.contracts}
            ends = np.concatenate([held.ends_us for held in chosen.values()])
            yield Part(
                part, source.venues, record, at_us(ends.min() - source.length_us), at_us(ends.max()), strict, gains
            )


def _stretches(source: Amounts) -> Iterator[tuple[str, int, int]]:
    """Where the record is alike: how complete it is, and the ends of the interval before and of the last."""
    record: npt.NDArray[np.str_] = np.array(source.record)
    changes = np.flatnonzero(np.concatenate(([True], record[1:] != record[:-1], [True])))
    for first, stop in zip(changes[:-1].tolist(), changes[1:].tolist(), strict=True):
        yield str(record[first]), int(source.ends_us[first]) - 1, int(source.ends_us[stop - 1])


def _middle(sides: Mapping[str, Held], begin: int, end: int) -> int:
    """The end of the interval in the middle of those that can be judged."""
    ends: Floats = np.sort(np.concatenate([held.ends_us for held in sides.values()]))
    ends = ends[(ends > begin) & (ends <= end)]
    return int(ends[len(ends) // 2]) if len(ends) else end


def _words(whole: Sequence[Mapping[str, Gain]]) -> str:
    gains = [one for sides in whole for one in sides.values()]
    above = sum(one.adds.above_zero for one in gains)
    if above == len(gains):
        return f"{BETTER}, on both sides of {'every stretch' if len(whole) > 1 else 'the record'}"
    if any(one.adds.low is None for one in gains):
        return f"{TOO_LITTLE}: there are fewer than {LEAST_DAYS} weeks"
    if above:
        return f"{BETTER} in {above} of {len(gains)} (stretches and sides)"
    return f"{TOO_LITTLE}: no interval lies above zero"


def _remarks(parts: list[Part]) -> list[str]:
    said = []
    records = {part.record for part in parts}
    if "thinned" in records:
        said.append(
            "Thinned: the exchange tells of a part, Binance since 2021-04-27 of about one liquidation a second and "
            "symbol: in cascades amounts are a smaller part."
        )
    if any("+" in part.venues or part.venues == "several" for part in parts):
        said.append("Amounts of several venues together are held against maps of one.")
    if not all(part.strict for part in parts):
        said.append(
            "There are no candles inside the intervals, so the baseline does not know the path there: what a map adds "
            "may in part be that."
        )
    return said
