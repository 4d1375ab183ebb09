"""All open positions of a simulated market, and what each waits for."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from liqstrat.market.simulator.price import Move

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: One position: `lots` are quantity steps, `entry` is in ticks, `liquidation` in USDT, `opened` in ms since epoch.
POSITION = np.dtype(
    [
        ("id", np.int64),
        ("side", np.int8),
        ("leverage", np.int16),
        ("lots", np.int64),
        ("entry", np.int64),
        ("liquidation", np.float64),
        ("opened", np.int64),
    ]
)


class Exit(IntEnum):
    """Why a position closed."""

    LIQUIDATED = 0
    STOPPED = 1
    TARGET = 2
    EXPIRED = 3
    ABSORBED = 4


@dataclass(frozen=True, slots=True, eq=False)
class Newcomers:
    """Positions about to open (arrays of one entry each), with the price ticks that end them: `lower` and `upper`,
    infinite where none, `protected` where the losing one is a stop and not liquidation, and `expires` in ms."""

    records: npt.NDArray[np.void]
    lower: Floats
    upper: Floats
    protected: npt.NDArray[np.bool_]
    expires: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Leavers:
    """Positions about to close: their slots, why, and at which price tick and time (ms)."""

    slots: Ints
    reasons: Ints
    ticks: Ints
    times_ms: Ints

    def __add__(self, other: "Leavers") -> "Leavers":
        if not len(other.slots):
            return self
        pairs = zip(self._arrays(), other._arrays(), strict=True)
        return Leavers(*(np.concatenate(pair) for pair in pairs))

    def _arrays(self) -> tuple[Ints, Ints, Ints, Ints]:
        return self.slots, self.reasons, self.ticks, self.times_ms


NOBODY = Leavers(*(np.empty(0, dtype=np.int64) for _ in range(4)))
#: How many neighbouring slots are asked at once who would close.
_SEEN = 64


class PositionBook:
    """Open positions in slots of arrays, an empty slot having no lots.

    `signed` are lots by slot, longs positive; `longs` and `shorts` are their sums, kept as positions come and go.
    """

    def __init__(self, capacity: int = 1024) -> None:
        self.longs = self.shorts = 0
        self._next_id = 1
        self._capacity = 0
        self._free = np.empty(0, dtype=np.int64)
        self.records = np.zeros(0, dtype=POSITION)
        self.signed = np.empty(0, dtype=np.int64)
        self.lower = self.upper = self.expires = np.empty(0)
        self.protected = np.empty(0, dtype=np.bool_)
        self._grow(capacity)

    @property
    def capacity(self) -> int:
        return self._capacity

    def open_positions(self) -> npt.NDArray[np.void]:
        """A copy of all open positions, oldest first."""
        held = self.records[np.flatnonzero(self.signed)]
        return held[np.argsort(held["id"])]

    def touched(self, move: Move, rng: np.random.Generator) -> Leavers:
        """Positions whose liquidation price, stop or target lies on the path, and those whose time is up.

        A position that would lose and win in the same step is taken to lose.
        """
        low, high = move.low, move.high
        slots = np.flatnonzero((self.lower >= low) | (self.upper <= high) | (self.expires <= move.end_ms))
        if not len(slots):
            return NOBODY
        lower, upper = self.lower[slots], self.upper[slots]
        long = self.signed[slots] > 0
        falls, rises = lower >= low, upper <= high
        falls &= long | ~rises
        rises &= ~falls
        loses = np.where(long, falls, rises)
        reasons = np.full(len(slots), Exit.EXPIRED)
        reasons[falls | rises] = Exit.TARGET
        reasons[loses] = np.where(self.protected[slots[loses]], Exit.STOPPED, Exit.LIQUIDATED)
        ticks = np.full(len(slots), move.close)
        times = at_rest(move, len(slots), rng)
        ticks[falls], ticks[rises] = lower[falls].astype(np.int64), upper[rises].astype(np.int64)
        times[falls], times[rises] = move.falls_to(ticks[falls]), move.rises_to(ticks[rises])
        return Leavers(slots, reasons, ticks, times)

    def profitable(self, side: int, lots: int, move: Move, rng: np.random.Generator) -> Leavers:
        """Some holders of `side`, by chance, who are in profit and own at most `lots` together: they close."""
        if not lots:
            return NOBODY
        seen = np.arange(_SEEN) + int(rng.random() * (self._capacity - _SEEN))
        gain = (move.close - self.records["entry"][seen]) * side
        waits = (self.lower[seen] < move.low) & (self.upper[seen] > move.high) & (self.expires[seen] > move.end_ms)
        slots = seen[(self.signed[seen] * side > 0) & (gain > 0) & waits]
        slots = slots[np.cumsum(np.abs(self.signed[slots])) <= lots]
        close = np.full(len(slots), move.close)
        return Leavers(slots, np.full(len(slots), Exit.ABSORBED), close, at_rest(move, len(slots), rng))

    def add(self, new: Newcomers) -> None:
        count = len(new.records)
        while len(self._free) < count:
            self._grow(self._capacity * 5 // 4)
        slots, self._free = self._free[:count], self._free[count:]
        new.records["id"] = np.arange(self._next_id, self._next_id + count)
        self._next_id += count
        self.records[slots] = new.records
        self.signed[slots] = signed = new.records["side"] * new.records["lots"]
        self.lower[slots], self.upper[slots] = new.lower, new.upper
        self.protected[slots], self.expires[slots] = new.protected, new.expires
        self._count(signed, +1)

    def remove(self, slots: Ints) -> npt.NDArray[np.void]:
        """Close the positions in `slots`; their records as they were."""
        gone = self.records[slots]
        self._count(self.signed[slots], -1)
        self.signed[slots] = 0
        self.lower[slots], self.upper[slots], self.expires[slots] = -np.inf, np.inf, np.inf
        self._free = np.concatenate((slots, self._free))
        return gone

    def _count(self, signed: Ints, sign: int) -> None:
        net, gross = int(signed.sum()), int(np.abs(signed).sum())
        self.longs += sign * (gross + net) // 2
        self.shorts += sign * (gross - net) // 2

    def _grow(self, capacity: int) -> None:
        more = capacity - self._capacity
        self.records = np.concatenate((self.records, np.zeros(more, dtype=POSITION)))
        self.signed = np.concatenate((self.signed, np.zeros(more, dtype=np.int64)))
        self.lower = np.concatenate((self.lower, np.full(more, -np.inf)))
        self.upper = np.concatenate((self.upper, np.full(more, np.inf)))
        self.expires = np.concatenate((self.expires, np.full(more, np.inf)))
        self.protected = np.concatenate((self.protected, np.zeros(more, dtype=np.bool_)))
        self._free = np.concatenate((self._free, np.arange(self._capacity, capacity)))
        self._capacity = capacity


def at_rest(move: Move, count: int, rng: np.random.Generator) -> Ints:
    """Random times (ms) while price rests at the close of `move`."""
    rest_ms = move.start_ms + move.turns_ms[2]
    return rest_ms + (rng.random(count) * (move.end_ms - rest_ms)).astype(np.int64)
