"""The price of a simulated market: news, moods and the pressure of agents' orders, one step at a time."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from liqstrat.market.simulator.settings import Listing, SimulationSettings

DAY_MS = 86_400_000
#: Activity by hour of day (UTC): quiet before Asia wakes, busiest when the US opens.
_MORNING = (1.0, 0.95, 0.9, 0.85, 0.75, 0.7, 0.75, 0.9, 1.05, 1.0, 0.95, 0.95)
_AFTERNOON = (1.1, 1.35, 1.5, 1.45, 1.3, 1.15, 1.05, 1.0, 0.95, 0.85, 0.75, 0.8)
_HOURS = _MORNING + _AFTERNOON
_ACTIVITY_HOURS = 6.0
_HEAT_MINUTES = 12.0
_MOMENTUM_HOURS = 4.0
#: Share of a step in which price rests at the close: agents trade there, at a price that is certain.
_REST = 0.2


@dataclass(frozen=True, slots=True)
class Move:
    """The path of price in one step, in ticks: open → first extreme → second extreme → close, then at rest.

    `turns_ms` are the times of the three corners after `start_ms`; between corners price moves evenly.
    `surprise` is the move in standard deviations of the step, `activity` the volume factor (usual: 1).
    """

    start_ms: int
    length_ms: int
    open: int
    low: int
    high: int
    close: int
    low_first: bool
    turns_ms: tuple[int, int, int]
    surprise: float
    activity: float

    @property
    def end_ms(self) -> int:
        return self.start_ms + self.length_ms

    def falls_to(self, ticks: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """When (ms since epoch) price first falls to each of `ticks`, which lie from low to open."""
        first, second, _ = self.turns_ms
        if self.low_first:
            return self._crossing(ticks, self.open, self.low, 0, first)
        return self._crossing(ticks, self.high, self.low, first, second)

    def rises_to(self, ticks: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """When (ms since epoch) price first rises to each of `ticks`, which lie from open to high."""
        first, second, _ = self.turns_ms
        if self.low_first:
            return self._crossing(ticks, self.low, self.high, first, second)
        return self._crossing(ticks, self.open, self.high, 0, first)

    def _crossing(
        self, ticks: npt.NDArray[np.int64], before: int, after: int, begin_ms: int, end_ms: int
    ) -> npt.NDArray[np.int64]:
        share = (ticks - before) / (after - before) if after != before else np.zeros(len(ticks))
        return self.start_ms + begin_ms + np.ceil(share * (end_ms - begin_ms)).astype(np.int64)


class Price:
    """Log price with wandering activity, alternating trends and ranges, sudden news and the impact of agents."""

    def __init__(self, listing: Listing, settings: SimulationSettings, rng: np.random.Generator, start_ms: int) -> None:
        self._settings, self._rng, self._tick = settings, rng, listing.tick
        self.now_ms = start_ms
        self._home = self._log = self._slow = math.log(listing.price)
        self.ticks = round(listing.price / listing.tick)
        self._wandering = self._heat = self._pressure = self._stretched = 0.0
        self._shock = self._owed = self._cascade = 0.0
        self._drift, self._anchor, self._pull, self._mood_ends_ms = 0.0, self._log, 0.0, start_ms

    @property
    def momentum(self) -> float:
        """How far price is from its average of the last hours, in standard deviations of such a time."""
        return (self._log - self._slow) / (self._settings.volatility * math.sqrt(_MOMENTUM_HOURS / 24))

    def press(self, share: float) -> None:
        """Let agents' surplus of buying (positive) or selling push price; `share` of the usual open interest."""
        self._pressure += share * self._settings.impact

    def liquidated(self, share: float, seconds: int) -> None:
        """Longs (positive) or shorts were liquidated in this step, as a share of the usual open interest: after enough
        of them, price owes the way back that was planted."""
        settings = self._settings
        self._cascade = self._cascade * math.exp(-seconds / (settings.planted_within * 60)) + share
        if abs(self._cascade) >= settings.planted_after:
            self._owed += math.copysign(settings.planted, self._cascade)
            self._cascade = 0.0

    def move(self, seconds: int) -> Move:
        """Advance by one step."""
        length = seconds * 1000
        activity = self._next_activity(seconds)
        deviation = self._settings.volatility * activity * math.sqrt(length / DAY_MS)
        before = self._log
        paid = self._owed * -math.expm1(-seconds / (self._settings.planted_minutes * 60))
        self._owed -= paid
        self._log += self._news(deviation, length) + self._felt_pressure(seconds) + paid
        surprise = (self._log - before) / deviation
        self._heat = min(self._heat + 0.08 * max(abs(surprise) - 2.0, 0.0), 1.0)
        self._slow += (self._log - self._slow) * -math.expm1(-seconds / (_MOMENTUM_HOURS * 3600))
        move = self._path(before, deviation, length, surprise, activity)
        self.now_ms, self.ticks = move.end_ms, move.close
        return move

    def _next_activity(self, seconds: int) -> float:
        spread = self._settings.activity_spread
        kept = math.exp(-seconds / (_ACTIVITY_HOURS * 3600))
        self._wandering = kept * self._wandering + spread * math.sqrt(1 - kept**2) * self._rng.standard_normal()
        self._heat *= math.exp(-seconds / (_HEAT_MINUTES * 60))
        hour, minutes = divmod(self.now_ms % DAY_MS, 3_600_000)
        share = minutes / 3_600_000
        season = _HOURS[hour] * (1 - share) + _HOURS[(hour + 1) % 24] * share
        return season * math.exp(self._wandering - spread**2 / 2) * (1 + self._heat)

    def _news(self, deviation: float, length: int) -> float:
        """Drift by the mood, ordinary news, and now and then a shock that takes a minute to sink in."""
        settings, rng, days = self._settings, self._rng, length / DAY_MS
        if self.now_ms >= self._mood_ends_ms:
            self._next_mood()
        drift = self._drift + self._pull * (self._anchor - self._log) + settings.home_pull * (self._home - self._log)
        if rng.random() < settings.shocks * days:
            self._shock += settings.shock_size * rng.standard_normal()
        sinks_in = self._shock * -math.expm1(-length / 60_000)
        self._shock -= sinks_in
        return drift * days + deviation * rng.standard_normal() + sinks_in

    def _next_mood(self) -> None:
        settings, rng = self._settings, self._rng
        if rng.random() < settings.trend_share:
            self._drift, self._pull = settings.trend * rng.uniform(0.5, 1.5) * rng.choice((-1, 1)), 0.0
        else:
            self._drift, self._pull, self._anchor = 0.0, settings.range_pull, self._log
        self._mood_ends_ms = self.now_ms + round(rng.exponential(settings.mood_hours) * 3_600_000)

    def _felt_pressure(self, seconds: int) -> float:
        """Orders are felt over tens of seconds, and part of what they moved comes back over tens of minutes."""
        settings = self._settings
        felt = self._pressure * -math.expm1(-seconds / settings.impact_seconds)
        back = self._stretched * -math.expm1(-seconds / (settings.rebound_minutes * 60))
        self._pressure -= felt
        self._stretched += settings.rebound * felt - back
        return felt - back

    def _path(self, before: float, deviation: float, length: int, surprise: float, activity: float) -> Move:
        """Extremes as of a Brownian bridge from the last close to the new one."""
        rng, tick = self._rng, self._tick
        close = round(math.exp(self._log) / tick)
        middle, gap = (before + self._log) / 2, self._log - before
        down, up = (math.sqrt(gap**2 - 2 * deviation**2 * math.log(1 - rng.random())) / 2 for _ in range(2))
        low = min(math.floor(math.exp(middle - down) / tick), self.ticks, close)
        high = max(math.ceil(math.exp(middle + up) / tick), self.ticks, close)
        rest = int(length * (1 - _REST))
        first, second = sorted(1 + int(rng.random() * (rest - 1)) for _ in range(2))
        low_first = (close > self.ticks) == (rng.random() < 0.8)
        return Move(
            self.now_ms, length, self.ticks, low, high, close, low_first, (first, second, rest), surprise, activity
        )
