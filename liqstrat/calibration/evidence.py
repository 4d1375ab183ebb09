"""What recorded liquidations say about leverage: how much of each tier the book saw reached where each of them was.

The interface on which everything else in this package rests: if *all* contracts had been opened at one leverage, how
many would price have reached, by size class, side and hour (`Evidence.reached`), and at each recorded liquidation
(`Evidence.at`)? Both are sums of a book's `Consumed`, divided by the mix it was built with, so a mix is judged by a
dot product. The book is only nearly linear in its mix (what was consumed does not close later), so after a fit the
evidence is gathered again with the new mix.

A book is built for each size class, with the maintenance margin of that class. A position's size is that of its
liquidation, and its bracket caps its leverage; the many trades it was opened with say nothing of it. Without this,
tiers above a large position's cap seem to be liquidated less than they are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from liqstrat.calibration.seeds import Seeds
from liqstrat.calibration.sizes import BOOK, SizeClass, class_of
from liqstrat.liquidation.book import LiquidationBook
from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.grid import Floats, Ints, bin_of
from liqstrat.liquidation.liquidations import Liquidations
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.moments import HOUR_NS

#: Blocks of this length share one chance that what is reached is really liquidated.
_BLOCK_NS = HOUR_NS
#: Entries, sizes and the price of the closing order blur where a liquidation is seen, in bins.
_BLUR = np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9.0
#: Seeds make up all but this of what stands in a bin: too much to tell the rest.
_SEEDS_ALONE = 0.01
#: Of what can be reached and says nothing of the mix: seeds, and what opened in the interval itself.
GUESSES, _SEEDS, _BRIEF = 2, 0, 1

#: A market as the book is fed with it: flow of each interval and open interest (contracts) at its end.
History = Sequence[tuple[Flow, float]]


@dataclass(frozen=True, eq=False)
class Evidence:
    """Amounts are shares of the mean open interest; `side` is 0 for longs, 1 for shorts; blocks are hours.

    reached[side, block, class, tier]: what price ran through in the hour, had all been opened at this leverage (or at
      the highest that the class allows, where that is less).
    guessed[side, block, class, guess]: the same, for the mix of `ModelSettings`, of what was open before history, and
      of what opened in the interval that liquidated it. Where the first stands is a guess, and how much there is of the
      second hangs on the path inside an interval, so they explain liquidations but say nothing of the mix. Of those at
      100x a tenth were of the second sort on simulated markets; without it they would be taken for low leverage.
    bins[side, block]: price bins traded through.
    days[block]: days since 1970.
    Of each liquidation: `at[liquidation, tier]` and `guessed_at[liquidation, guess]` as above in its bin and interval,
      `side`, `block`, `size_class` and `contracts`.
    """

    reached: Floats
    guessed: Floats
    bins: Floats
    days: Ints
    at: Floats
    guessed_at: Floats
    side: Ints
    block: Ints
    size_class: Ints
    contracts: Floats


def gather(
    history: History,
    liquidations: Liquidations,
    classes: Sequence[SizeClass],
    settings: ModelSettings,
    since_ns: int,
) -> Evidence:
    """Evidence from the intervals of `history` that end after `since_ns`; the ones before fill the book."""
    ends = np.array([flow.end_ns for flow, _ in history])
    chosen = (liquidations.time_ns >= since_ns) & (liquidations.time_ns < ends[-1])
    time_ns, price = liquidations.time_ns[chosen], liquidations.price[chosen]
    contracts, side = liquidations.contracts[chosen], np.where(liquidations.long[chosen], 0, 1)
    first = max(since_ns, history[0][0].start_ns) // _BLOCK_NS
    blocks = int((int(ends[-1]) - 1) // _BLOCK_NS - first) + 1
    interest = float(np.mean([contracts for _, contracts in history]))
    size_class = class_of(classes, price, contracts)
    seen = _Seen(np.searchsorted(ends, time_ns, side="right"), bin_of(price, settings.width), side)
    shape = (2, blocks, len(classes))
    reached, guessed = np.zeros((*shape, len(settings.leverage))), np.zeros((*shape, GUESSES))
    at, guessed_at = np.zeros((len(price), len(settings.leverage))), np.zeros((len(price), GUESSES))
    for number, one in enumerate(classes):
        tally = _Tally(one, settings, seen, np.flatnonzero(size_class == number), blocks)
        for i, (flow, open_interest) in enumerate(history):
            tally.step(i, flow, open_interest, int((flow.end_ns - 1) // _BLOCK_NS - first), flow.end_ns > since_ns)
        reached[:, :, number], guessed[:, :, number] = tally.reached @ one.capped, tally.guessed
        at += tally.at @ one.capped
        guessed_at += tally.guessed_at
    return Evidence(
        reached=reached / interest,
        guessed=guessed / interest,
        bins=_bins(history, settings.width, since_ns, first, blocks),
        days=(np.arange(blocks) + first) // 24,
        at=at / interest,
        guessed_at=guessed_at / interest,
        side=side,
        block=np.clip(time_ns // _BLOCK_NS - first, 0, blocks - 1),
        size_class=size_class,
        contracts=contracts / interest,
    )


@dataclass(frozen=True, eq=False)
class _Seen:
    """Liquidations in time order: the interval, price bin and side (0 long) of each."""

    interval: Ints
    bin: Ints
    side: Ints


class _Tally:
    """Steps the book of one size class and adds up what it says was reached."""

    def __init__(self, size: SizeClass, settings: ModelSettings, seen: _Seen, rows: Ints, blocks: int) -> None:
        self._book = LiquidationBook(settings, BOOK, [size.table], brief=True)
        shares = np.array([settings.leverage[int(tier)] for tier in self._book.tiers])
        self._mix = shares / shares.sum()
        self._effective = size.capped @ self._mix
        self._seen, self._rows, self._width = seen, rows, settings.width
        self._next = 0
        self._seeds: Seeds | None = None
        self.reached, self.guessed = np.zeros((2, blocks, len(shares))), np.zeros((2, blocks, GUESSES))
        self.at, self.guessed_at = np.zeros((len(seen.bin), len(shares))), np.zeros((len(seen.bin), GUESSES))

    def step(self, number: int, flow: Flow, open_interest: float, block: int, counts: bool) -> None:
        """Work interval `number`, and count what it consumed in `block` if it `counts`."""
        low, high = bin_of([flow.low, flow.high], self._width).tolist() if flow.volume > 0 else (0, 0)
        left = None
        if self._seeds and flow.volume > 0 and self._seeds.breaks(low, high):
            left = self._seeds.left(self._book.map())
        consumed = self._book.step(replace(flow, brackets=np.zeros_like(flow.brackets)), open_interest)
        if counts:
            rows = self._rows_of(number)
            sides = ((consumed.long_first, consumed.longs), (consumed.short_first, consumed.shorts))
            for side, (first, contracts) in enumerate(sides):
                if contracts.shape[1]:
                    self._count(side, first, contracts, None if left is None else left[side], rows, block)
            if consumed.brief is not None:
                for side, contracts in enumerate((consumed.brief.longs, consumed.brief.shorts)):
                    self._guess(_BRIEF, side, consumed.brief.first, contracts, rows, block)
        if flow.volume > 0:
            if self._seeds is None:
                self._seeds = Seeds(self._book.map(), low, high)
            self._seeds.extend(low, high)

    def _rows_of(self, number: int) -> Ints:
        """The liquidations of this class in interval `number`; asked for in order."""
        first = last = self._next
        while first < len(self._rows) and self._seen.interval[self._rows[first]] < number:
            first = last = first + 1
        while last < len(self._rows) and self._seen.interval[self._rows[last]] == number:
            last += 1
        self._next = last
        return self._rows[first:last]

    def _count(self, side: int, first: int, contracts: Floats, left: Floats | None, rows: Ints, block: int) -> None:
        known = contracts
        if left is not None and self._seeds:
            seeds = self._seeds.among(side, first, contracts, left)
            known = np.where(seeds > (1 - _SEEDS_ALONE) * contracts, 0.0, contracts - seeds)
            self._guess(_SEEDS, side, first, seeds, rows, block)
        known = known / self._mix[:, np.newaxis]
        self.reached[side, block] += known.sum(axis=1)
        for chosen, column, weight in self._near(side, first, known.shape[1], rows):
            self.at[chosen] += weight * known[:, column].T

    def _guess(self, guess: int, side: int, first: int, contracts: Floats, rows: Ints, block: int) -> None:
        amounts = self._effective @ (contracts / self._mix[:, np.newaxis])
        self.guessed[side, block, guess] += amounts.sum()
        for chosen, column, weight in self._near(side, first, len(amounts), rows):
            self.guessed_at[chosen, guess] += weight * amounts[column]

    def _near(self, side: int, first: int, bins: int, rows: Ints) -> Iterator[tuple[Ints, Ints, float]]:
        """Liquidations of `rows` on that side with the column of a bin in which each may have stood, and its weight."""
        mine = rows[self._seen.side[rows] == side] if len(rows) else rows
        if not len(mine):
            return
        for step, weight in enumerate(_BLUR.tolist()):
            column = self._seen.bin[mine] - first + step - len(_BLUR) // 2
            inside = (column >= 0) & (column < bins)
            yield mine[inside], column[inside], weight


def _bins(history: History, width: float, since_ns: int, first: int, blocks: int) -> Floats:
    bins = np.zeros((2, blocks))
    for flow, _ in history:
        if flow.volume > 0 and flow.end_ns > since_ns:
            low, high = bin_of([flow.low, flow.high], width)
            bins[:, int((flow.end_ns - 1) // _BLOCK_NS - first)] += high - low + 1
    return bins
