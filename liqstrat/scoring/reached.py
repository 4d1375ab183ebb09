"""The price bands that were really reached, with the exposure of each and what models knew to stand there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.grid import Floats, Ints, bin_of, log_step, middle
from liqstrat.liquidation.liquidations import Liquidations
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.liquidation.model import LiquidationModel
from liqstrat.moments import DAY_NS
from liqstrat.scoring.last_seen import LastSeen
from liqstrat.scoring.volume_profile import VolumeProfile

Bools = npt.NDArray[np.bool_]

#: A band whose edge price only touched still has some exposure, so that what was liquidated at the edge has a place.
_LEAST_EXPOSURE = 1e-3


@dataclass(frozen=True, eq=False)
class Reached:
    """Reached bands, arrays of one entry each; windows are numbered from 0 and begin at `begins` (nanoseconds).

    Bands of one window and side stand together, lowest first, and are one `group`; groups `2 * window` are longs,
    `2 * window + 1` shorts. `distance` is that of the band's middle from the price when the window began, a fraction.
    `age` are the hours since price was in the band, when the window began; infinite where it never was in history.
    `exposure` is the part of the band that was run through. `volume` is the volume profile there. `maps[model]` are
    contracts a whole band, `[band, tier]`, and `tiers[model]` the leverages.
    """

    begins: Ints
    ends: Ints
    group: Ints
    bin: Ints
    distance: Floats
    age: Floats
    exposure: Floats
    volume: Floats
    maps: Mapping[str, Floats]
    tiers: Mapping[str, Ints]
    width: float

    def __len__(self) -> int:
        return len(self.bin)

    @property
    def long(self) -> Bools:
        return np.asarray(self.group % 2 == 0)

    @property
    def window(self) -> Ints:
        """The number of each band's window."""
        return self.group // 2

    @property
    def day(self) -> Ints:
        """UTC day of each band's window, counted from 1970."""
        return self.begins[self.window] // DAY_NS

    def part(self, rows: Bools) -> "Reached":
        """Some of the bands; windows keep their numbers."""
        names = ("group", "bin", "distance", "age", "exposure", "volume")
        maps = {name: contracts[rows] for name, contracts in self.maps.items()}
        return replace(self, maps=maps, **{name: getattr(self, name)[rows] for name in names})

    def band_of(self, liquidations: Liquidations) -> Ints:
        """The band in which each liquidation happened, -1 where that was in none."""
        window = np.searchsorted(self.begins, liquidations.time_ns, side="right") - 1
        known = (window >= 0) & (liquidations.time_ns < self.ends[np.maximum(window, 0)])
        group = np.where(known, 2 * window + ~liquidations.long, -1)
        first = np.searchsorted(self.group, group)
        after = np.searchsorted(self.group, group, side="right")
        row = first + bin_of(liquidations.price, self.width) - self.bin[np.minimum(first, len(self) - 1)]
        return np.where(known & (row >= first) & (row < after), row, -1)


@dataclass(eq=False)
class _Window:
    """A window that is still open: what was known when it began, and what price did since."""

    begin_ns: int
    price: float
    maps: Mapping[str, LiquidationMap]
    volume: VolumeProfile
    seen: LastSeen
    end_ns: int = 0
    low: float = np.inf
    high: float = -np.inf

    def add(self, flow: Flow) -> None:
        self.end_ns = flow.end_ns
        if flow.volume > 0:
            self.low, self.high = min(self.low, flow.low), max(self.high, flow.high)

    def reaches(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Prices from and to, of longs and of shorts."""
        return (min(self.low, self.price), self.price), (self.price, max(self.high, self.price))


def gather(
    flows: Iterable[tuple[Flow, float]], models: Mapping[str, LiquidationModel], every_ns: int, start_ns: int = 0
) -> Reached:
    """Step `models` through `flows` (each with the open interest at its end) and note the bands of every window.

    Windows begin at multiples of `every_ns`, at `start_ns` or later; what comes before fills the models.
    """
    gathered = _Gathered(models)
    window: _Window | None = None
    settings = next(iter(models.values())).settings
    volume, seen = VolumeProfile(settings.bin_parts), LastSeen(settings.width)
    price, last_ns = np.nan, 0
    for flow, open_interest in flows:
        if window is not None and flow.start_ns // every_ns > window.begin_ns // every_ns:
            gathered.close(window)
            window = None
        if window is None and flow.start_ns >= start_ns and last_ns and price > 0:
            window = _Window(flow.start_ns, price, _maps(models, flow.start_ns), volume.copy(), seen.copy())
        if window is not None:
            window.add(flow)
        for model in models.values():
            model.step(flow, open_interest)
        volume.add(flow)
        seen.add(flow)
        price, last_ns = flow.close if flow.volume > 0 else price, flow.end_ns
    if window is not None:
        gathered.close(window)
    return gathered.reached()


def _maps(models: Mapping[str, LiquidationModel], now_ns: int) -> dict[str, LiquidationMap]:
    maps = {name: model.map() for name, model in models.items()}
    for name, levels in maps.items():
        if levels.time_ns > now_ns:
            raise ValueError(f"the map of {name} is of {levels.time_ns}, later than its window's begin {now_ns}")
    return maps


@dataclass(eq=False)
class _Gathered:
    models: Mapping[str, LiquidationModel]
    windows: list[tuple[int, int]] = field(default_factory=list)
    columns: list[tuple[npt.NDArray[np.float64 | np.int64], ...]] = field(default_factory=list)
    maps: list[dict[str, Floats]] = field(default_factory=list)

    def close(self, window: _Window) -> None:
        width = next(iter(self.models.values())).settings.width
        for side, (low, high) in enumerate(window.reaches()):
            if not high > low:
                continue
            first, last = bin_of([low, high], width).tolist()
            bins = np.arange(first, last + 1)
            edges = np.log([low, high]) / log_step(width)
            run_through = np.minimum(edges[1], bins + 1) - np.maximum(edges[0], bins)
            self.columns.append(
                (
                    np.full(len(bins), 2 * len(self.windows) + side),
                    bins,
                    np.abs(middle(bins, width) / window.price - 1),
                    window.seen.hours(first, last + 1, window.begin_ns),
                    np.clip(run_through, _LEAST_EXPOSURE, 1.0),
                    window.volume.at(first, last + 1),
                )
            )
            self.maps.append({name: _cut(levels, side, first, last + 1) for name, levels in window.maps.items()})
        self.windows.append((window.begin_ns, window.end_ns))

    def reached(self) -> Reached:
        empty = tuple(np.zeros(0, dtype) for dtype in (np.int64, np.int64, *[np.float64] * 4))
        group, bins, distance, age, exposure, volume = (
            np.concatenate(parts) for parts in zip(empty, *self.columns, strict=True)
        )
        tiers = {name: model.tiers for name, model in self.models.items()}
        maps = {
            name: np.concatenate([np.zeros((0, len(tiers[name]))), *(one[name] for one in self.maps)])
            for name in self.models
        }
        times = np.array(self.windows, dtype=np.int64).reshape(-1, 2)
        width = next(iter(self.models.values())).settings.width
        return Reached(times[:, 0], times[:, 1], group, bins, distance, age, exposure, volume, maps, tiers, width)


def _cut(levels: LiquidationMap, side: int, first: int, stop: int) -> Floats:
    """Contracts `[bin, tier]` of a side on the bins from `first` up to `stop`."""
    contracts = (levels.longs, levels.shorts)[side]
    part = np.zeros((stop - first, len(levels.tiers)))
    low, high = max(first, levels.first_bin), min(stop, levels.first_bin + contracts.shape[1])
    if high > low:
        part[low - first : high - first] = contracts[:, low - levels.first_bin : high - levels.first_bin].T
    return part
