"""What became of signals: each says something that happens within an hour, or does not.

    AVOID, WAIT, WITH   price comes to the level's densest price
    REVERSAL            price goes on by `turn` from where it was, the way that was told, before it is back at the
                        extreme of the sweep

Where both ends of a REVERSAL lie within one stretch of prices, it counts as not happened.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from liqstrat.liquidation.signals import Signal, SignalRules
from liqstrat.moments import HOUR_NS, MILLISECOND_NS

HORIZON_NS = HOUR_NS


@dataclass(frozen=True)
class Told:
    """A signal when it came up: its name, when (nanoseconds), and the last price then (USDT)."""

    signal_id: str
    symbol: str
    signal: Signal
    time_ns: int
    price: float


@dataclass(frozen=True)
class Outcome:
    """Whether what a signal said has happened, and when that was known (nanoseconds)."""

    told: Told
    happened: bool
    time_ns: int


@dataclass(frozen=True)
class _Open:
    told: Told
    goal: float
    #: Infinite, on the side that price does not come to, where nothing ends it but time.
    end: float
    up: bool

    def after(self, low: float, high: float) -> bool | None:
        """Whether it has happened when price went from `low` to `high`; None where that is still open."""
        ended = low <= self.end if self.up else high >= self.end
        reached = high >= self.goal if self.up else low <= self.goal
        return False if ended else True if reached else None


class Outcomes:
    """Follows the signals that were told."""

    def __init__(self, rules: SignalRules) -> None:
        self._turn = rules.turn
        self._open: list[_Open] = []

    def add(self, told: Told) -> None:
        """Follow one more."""
        self._open.append(self._opened(told))

    @property
    def open(self) -> list[Told]:
        """Those that nothing is known of yet."""
        return [one.told for one in self._open]

    def touched(self, time_ns: int, low: float, high: float) -> bool:
        """Whether `look` would find something."""
        return any(time_ns > one.told.time_ns + HORIZON_NS or one.after(low, high) is not None for one in self._open)

    def look(self, time_ns: int, low: float, high: float) -> list[Outcome]:
        """Price went from `low` to `high` up to `time_ns`: what is known now."""
        found, left = [], []
        for one in self._open:
            if time_ns > one.told.time_ns + HORIZON_NS:
                found.append(Outcome(one.told, False, one.told.time_ns + HORIZON_NS))
            elif (happened := one.after(low, high)) is not None:
                found.append(Outcome(one.told, happened, time_ns))
            else:
                left.append(one)
        self._open = left
        return found

    def _opened(self, told: Told) -> _Open:
        signal, price = told.signal, told.price
        if signal.kind == "REVERSAL" and signal.swept is not None:
            up = signal.way == "long"
            goal = price * (1 + self._turn) if up else price * (1 - self._turn)
            return _Open(told, goal, signal.swept.extreme, up)
        up = signal.level.price > price
        return _Open(told, signal.level.price, float("-inf") if up else float("inf"), up)


class Names:
    """Which of the signals that stand are new: one goes on as long as it stands, and for a while after."""

    #: A signal that comes and goes as price does is one.
    PATIENCE_NS = HOUR_NS // 4

    def __init__(self, symbol: str) -> None:
        self._symbol = symbol
        self._standing: list[tuple[Told, int]] = []

    def new(self, signals: Iterable[Signal], now_ns: int, price: float) -> list[Told]:
        """Of the signals at `now_ns`, those that were not there before."""
        kept = [(told, seen) for told, seen in self._standing if now_ns - seen <= self.PATIENCE_NS]
        found = []
        for signal in signals:
            place = next((n for n, (told, _) in enumerate(kept) if _goes_on(told.signal, signal)), None)
            if place is not None:
                kept[place] = (kept[place][0], now_ns)
                continue
            told = Told(_name(self._symbol, signal, now_ns), self._symbol, signal, now_ns, price)
            kept.append((told, now_ns))
            found.append(told)
        self._standing = kept
        return found

    @property
    def standing(self) -> list[tuple[Told, int]]:
        """Those that stand or stood lately, and when each was seen last (nanoseconds)."""
        return list(self._standing)

    def keep(self, standing: Iterable[tuple[Told, int]]) -> None:
        """Take over what stood before."""
        self._standing = list(standing)


def _goes_on(before: Signal, now: Signal) -> bool:
    """Levels move by a bin when open interest comes; those that overlap are one."""
    if (before.kind, before.way) != (now.kind, now.way):
        return False
    return before.level.price_low <= now.level.price_high and now.level.price_low <= before.level.price_high


def _name(symbol: str, signal: Signal, now_ns: int) -> str:
    return f"{symbol}-{now_ns // MILLISECOND_NS}-{signal.kind}-{signal.way}-{signal.level.price:.6g}"
