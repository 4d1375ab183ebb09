"""One step of a simulated market: price moves, agents leave and come, and their orders press on price."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from liqstrat.liquidation.brackets import BracketTable
from liqstrat.market.simulator.crowd import Crowd
from liqstrat.market.simulator.positions import POSITION, Exit, Leavers, Newcomers, PositionBook
from liqstrat.market.simulator.price import Move, Price
from liqstrat.market.simulator.settings import Listing, SimulationSettings

_FIVE_MINUTES_MS, _HOUR_MS, _EIGHT_HOURS_MS = 300_000, 3_600_000, 28_800_000

#: How a position closed: when (ms), at which price tick, and the `Exit`.
CLOSED = np.dtype([("time", np.int64), ("price", np.int64), ("reason", np.int8)])


@dataclass(frozen=True, slots=True)
class Measure:
    """What the exchange measures every five minutes, at `time_ms`: lots and price tick, and ratios of the crowd."""

    time_ms: int
    lots: int
    ticks: int
    top_accounts: float
    top_positions: float
    accounts: float


@dataclass
class DayLog:
    """What happened in one day: every step's move, records of positions that opened, and that closed with how."""

    moves: list[Move] = field(default_factory=list)
    opened: list[npt.NDArray[np.void]] = field(default_factory=list)
    closed: list[tuple[npt.NDArray[np.void], npt.NDArray[np.void]]] = field(default_factory=list)
    measures: list[Measure] = field(default_factory=list)
    funding: list[tuple[int, float]] = field(default_factory=list)
    held: list[tuple[int, npt.NDArray[np.void]]] = field(default_factory=list)

    def all_opened(self) -> npt.NDArray[np.void]:
        return joined(self.opened, POSITION)

    def all_closed(self) -> tuple[npt.NDArray[np.void], npt.NDArray[np.void]]:
        """Records of `POSITION`, and of `CLOSED` for the same positions."""
        return joined((gone for gone, _ in self.closed), POSITION), joined((ends for _, ends in self.closed), CLOSED)


def joined(parts: Iterable[npt.NDArray[np.void]], dtype: np.dtype[np.void]) -> npt.NDArray[np.void]:
    """One array of many small ones; much faster than `np.concatenate` for records."""
    return np.frombuffer(b"".join(part.tobytes() for part in parts), dtype=dtype)


class Market:
    """A market of one symbol. Longs and shorts are equal at all times, in lots; market makers hold nothing."""

    def __init__(
        self,
        listing: Listing,
        settings: SimulationSettings,
        brackets: BracketTable,
        seeds: np.random.SeedSequence,
        start_ms: int,
    ) -> None:
        price_seed, crowd_seed, choice_seed = seeds.spawn(3)
        self._settings = settings
        self.price = Price(listing, settings, np.random.default_rng(price_seed), start_ms)
        self.crowd = Crowd(listing, settings, brackets, np.random.default_rng(crowd_seed))
        self.book = PositionBook(2 * settings.positions)
        self._rng = np.random.default_rng(choice_seed)
        self.log = DayLog()

    def warm_up(self, until_ms: int) -> None:
        """Run until `until_ms` without keeping what happened."""
        while self.price.now_ms < until_ms:
            self.step(self._settings.warmup_step_seconds)
            self.log = DayLog()

    def run_hour(self) -> None:
        """Run for an hour, and note what is measured at its times: open interest, funding and all positions."""
        end_ms = self.price.now_ms + _HOUR_MS
        self.log.held.append((self.price.now_ms, self.book.open_positions()))
        while self.price.now_ms < end_ms:
            if self.price.now_ms % _FIVE_MINUTES_MS == 0:
                self.log.measures.append(self.measure())
            if self.price.now_ms % _EIGHT_HOURS_MS == 0:
                self.log.funding.append((self.price.now_ms, self.crowd.premium))
            self.step(self._settings.step_seconds)

    def step(self, seconds: int) -> None:
        """Price moves; who is touched by it leaves; who wants to comes; others take what is left over."""
        move = self.price.move(seconds)
        leaving = self.book.touched(move, self._rng)
        if self._settings.planted:
            forced = leaving.slots[leaving.reasons == Exit.LIQUIDATED]
            self.price.liquidated(int(self.book.signed[forced].sum()) / self.crowd.usual_lots, seconds)
        sides, lots = self.crowd.demand(move, self.price.momentum, self.book.longs)
        surplus = int((sides * lots).sum()) - self._exposure(leaving)

        absorbing = self._absorb(surplus, move)
        left_over = surplus - self._exposure(absorbing)
        other_sides, other_lots = self.crowd.counterparties(left_over)
        leaving += absorbing
        coming = self.crowd.newcomers(np.concatenate((sides, other_sides)), np.concatenate((lots, other_lots)), move)

        gone = self.book.remove(leaving.slots)
        self.book.add(coming)
        self.price.press(surplus / self.crowd.usual_lots)
        self._note(move, leaving, gone, coming)

    def _exposure(self, leaving: Leavers) -> int:
        """Lots that close, longs positive: closing a long sells."""
        return int(self.book.signed[leaving.slots].sum())

    def _absorb(self, surplus: int, move: Move) -> Leavers:
        """Holders in profit who close into a surplus: longs sell to buyers, shorts buy from sellers."""
        side = 1 if surplus > 0 else -1
        return self.book.profitable(side, int(abs(surplus) * self._settings.absorbed), move, self._rng)

    def _note(self, move: Move, leaving: Leavers, gone: npt.NDArray[np.void], coming: Newcomers) -> None:
        self.log.moves.append(move)
        if len(coming.records):
            self.log.opened.append(coming.records)
        if len(gone):
            ends = np.empty(len(gone), dtype=CLOSED)
            ends["time"], ends["price"], ends["reason"] = leaving.times_ms, leaving.ticks, leaving.reasons
            self.log.closed.append((gone, ends))

    def measure(self) -> Measure:
        """What there is to measure now."""
        signed = self.book.signed
        longs, shorts = signed[signed > 0], -signed[signed < 0]
        top = 3 * self.crowd.usual_lots / self._settings.positions
        top_longs, top_shorts = longs[longs > top], shorts[shorts > top]
        return Measure(
            self.price.now_ms,
            self.book.longs,
            self.price.ticks,
            top_accounts=len(top_longs) / max(len(top_shorts), 1),
            top_positions=int(top_longs.sum()) / max(int(top_shorts.sum()), 1),
            accounts=len(longs) / max(len(shorts), 1),
        )
