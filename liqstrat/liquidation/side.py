"""Contracts by leverage tier and liquidation price, of all longs or of all shorts, and what price takes of them.

The loops over groups of trades and tiers are compiled (Numba) at their first use, and kept for the next process. To
call one costs as much as to run through a hundred groups, so a model does all it can in one call.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from liqstrat.liquidation.brackets import BracketTable
from liqstrat.liquidation.compiled import compiled
from liqstrat.liquidation.grid import Floats, Ints, log_step
from liqstrat.liquidation.price import Formula, liquidation_price

#: Layers of `Side.amounts`: contracts, the same times when they were opened (hours since 1970), and those of the seed.
CONTRACTS, HOURS, SEED = range(3)
#: Rows of `Side.rows`, of one number a tier: the factor of all its amounts, then sums over bins: of the contracts,
#: placed or not, of those that no price liquidates, and of the seed.
SCALE, SUMS, UNPLACED, SEED_SUMS = range(4)

_SPARE_BINS = 256
_SMALLEST_SCALE = 1e-60
#: Beyond all bins.
FAR = 1 << 62


@dataclass(frozen=True, eq=False)
class Tiers:
    """For one bracket table: how a contract of each bracket spreads over tiers, and how far away each is liquidated.

    Arrays `[bracket, tier]`; `shift` counts bins from the entry's, `fraction` is the part that falls one bin higher,
    `placed` is false where no price liquidates (a long at 1x).
    """

    share: Floats
    shift: Ints
    fraction: Floats
    placed: npt.NDArray[np.bool_]

    @cached_property
    def reach(self) -> tuple[int, int]:
        """The smallest and the largest `shift`."""
        return int(self.shift.min()), int(self.shift.max())


def spread_over_tiers(
    brackets: BracketTable, tiers: Ints, mix: Floats, sign: int, width: float, formula: Formula
) -> Tiers:
    """Cut the mix at each bracket's highest leverage and find each tier's distance on the grid.

    The distance of a bracket is that of its geometric middle (the lowest bracket's: of half its cap).
    """
    share = np.zeros((len(brackets), len(tiers)))
    for bracket, cap in enumerate(brackets.max_leverage):
        allowed = max(int(np.searchsorted(tiers, cap, side="right")) - 1, 0)
        share[bracket, : allowed + 1] = mix[: allowed + 1]
        share[bracket, allowed] += mix[allowed + 1 :].sum()
    lows = np.where(brackets.floors > 0, brackets.floors, brackets.caps[0] / 4)
    highs = np.where(np.isfinite(brackets.caps), brackets.caps, 2 * lows)
    notional = np.sqrt(lows * highs)[:, np.newaxis]
    ratio = liquidation_price(1.0, tiers, notional / brackets.contract.held(1.0), sign, brackets, formula)
    placed = ratio > 0
    distance = np.log(np.where(placed, ratio, 1.0)) / log_step(width)
    shift = np.floor(distance).astype(np.int64)
    return Tiers(share, shift, distance - shift, placed)


class Side:
    """All longs (`sign` +1) or all shorts (-1): contracts by tier and price bin, on a window of the grid that grows.

    Amounts are kept unscaled, with one factor a tier, so that closing a share of a tier touches no array.

    amounts: `[layer, tier, bin]`, from bin `first` on. rows: `[row, tier]`. nearest: the bin nearest to price in which
    anything may stand.
    """

    def __init__(self, sign: int, tiers: int) -> None:
        self.sign = sign
        self.first = 0
        self.amounts = np.zeros((3, tiers, 0))
        self.rows = np.zeros((4, tiers))
        self.rows[SCALE] = 1.0
        self.nearest = -sign * FAR

    @property
    def bins(self) -> int:
        """How many price bins the window has."""
        return int(self.amounts.shape[2])

    def reaches(self, edge: int) -> bool:
        """Whether anything may stand in bin `edge` or beyond it towards the price's old side."""
        return (self.nearest - edge) * self.sign >= 0

    def saved(self) -> dict[str, npt.NDArray[Any]]:
        """All that is in it, for `restore`."""
        return {"amounts": self.amounts.copy(), "rows": self.rows.copy(), "place": np.array([self.first, self.nearest])}

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> None:
        """Become what was saved."""
        self.amounts, self.rows = saved["amounts"].copy(), saved["rows"].copy()
        self.first, self.nearest = saved["place"].tolist()

    def take_out(self, edge: int) -> tuple[int, Floats]:
        """Remove all from bin `edge` towards the price's old side; returns the first bin and what was there."""
        first, taken, self.nearest = take(self.amounts, self.rows, self.first, self.nearest, self.sign, edge)
        return first, taken

    def add(
        self, bins: Ints, brackets: Ints, weights: Floats, tiers: Tiers, amount: float, edge: int, hour: float
    ) -> None:
        """Open `amount` contracts with entries in `bins`, of notionals in `brackets`, in proportion to `weights`.

        `tiers.share` counts before anything dies: `edge` is the bin of the price reached against this side, and what
        would be liquidated there has opened and died inside the interval, so the rest is scaled up to `amount`.
        """
        self.make_room(int(bins.min()), int(bins.max()), tiers, edge)
        self.nearest = put(
            self.amounts, self.rows, self.first, self.nearest, self.sign,
            bins, brackets, weights, np.full(len(bins), edge), tiers.share, tiers.shift, tiers.fraction, tiers.placed,
            amount, edge, hour, edge, np.zeros((0, 0)),
        )  # fmt: skip

    def call_seed(self) -> None:
        """Remember all that is there now as what was open when history began."""
        settle(self.amounts, self.rows)
        self.amounts[SEED], self.rows[SEED_SUMS] = self.amounts[CONTRACTS], self.rows[SUMS]

    def make_room(self, low: int, high: int, tiers: Tiers, edge: int) -> None:
        """Widen the window for entries in bins from `low` to `high`, see `add`."""
        nearest, farthest = tiers.reach
        bound = edge - self.sign
        first, last = min(low + nearest, bound), max(high + farthest, bound) + 1
        if self.first <= first and last < self.first + self.bins:
            return
        if not self.bins:
            self.first = first - _SPARE_BINS
        before = self.first - first + _SPARE_BINS if first < self.first else 0
        after = last + 1 - self.first - self.bins + _SPARE_BINS if last >= self.first + self.bins else 0
        self.amounts = np.pad(self.amounts, ((0, 0), (0, 0), (before, after)))
        self.first -= before


@compiled
def take(amounts, rows, first, nearest, sign, edge):  # type: ignore[no-untyped-def]
    """Empty a side's bins from `edge` towards the price's old side; returns the first of them, what was in them by tier
    and bin, and the nearest bin from now on."""
    tiers, bins = amounts.shape[1], amounts.shape[2]
    if (nearest - edge) * sign < 0:
        return edge, np.zeros((tiers, 0)), nearest
    low, high = (edge, nearest) if sign > 0 else (nearest, edge)
    low, high = max(low - first, 0), min(high + 1 - first, bins)
    taken = np.zeros((tiers, max(high - low, 0)))
    for tier in range(tiers):
        for column in range(low, high):
            rows[SUMS, tier] -= amounts[CONTRACTS, tier, column]
            rows[SEED_SUMS, tier] -= amounts[SEED, tier, column]
            taken[tier, column - low] = amounts[CONTRACTS, tier, column] * rows[SCALE, tier]
            for layer in range(3):
                amounts[layer, tier, column] = 0.0
    return first + low, taken, edge - sign


@compiled
def keep(amounts, rows, kept):  # type: ignore[no-untyped-def]
    """Keep a share of each tier; the rest closes."""
    too_small = False
    for tier in range(len(kept)):
        rows[SCALE, tier] *= kept[tier]
        too_small |= rows[SCALE, tier] < _SMALLEST_SCALE
    if too_small:
        settle(amounts, rows)


@compiled
def settle(amounts, rows):  # type: ignore[no-untyped-def]
    """Multiply the factors into the amounts, and count anew what sums had drifted from."""
    layers, tiers, bins = amounts.shape
    for tier in range(tiers):
        scale, placed = rows[SCALE, tier], 0.0
        for column in range(bins):
            for layer in range(layers):
                amounts[layer, tier, column] *= scale
            placed += amounts[CONTRACTS, tier, column]
        rows[UNPLACED, tier] *= scale
        rows[SEED_SUMS, tier] *= scale
        rows[SUMS, tier] = placed + rows[UNPLACED, tier]
        rows[SCALE, tier] = 1.0


@compiled
def total(rows: Floats) -> float:
    """Contracts of a side, placed or not."""
    contracts = 0.0
    for tier in range(rows.shape[1]):
        contracts += rows[SUMS, tier] * rows[SCALE, tier]
    return contracts


@compiled
def put(  # type: ignore[no-untyped-def]
    amounts, rows, first, nearest, sign, bins, brackets, weights, edges, share, shift, fraction, placed,
    amount, edge, hour, low, brief,
):  # fmt: skip
    """The loop of `Side.add`, for which there must be room; returns the nearest bin from then on.

    `edges` are the bins of the price reached against the side from each entry on, `edge` that of the whole interval.
    `brief[tier, bin]`, from bin `low` on, gets what opened and was liquidated inside the interval, where it reaches.
    """
    tiers = rows.shape[1]
    living = 0.0
    for i in range(len(bins)):
        bound = edges[i] - sign
        for tier in range(tiers):
            part, target = weights[i] * share[brackets[i], tier], bins[i] + shift[brackets[i], tier]
            if not placed[brackets[i], tier]:
                living += part
            else:
                if (bound - target) * sign >= 0:
                    living += part * (1 - fraction[brackets[i], tier])
                if (bound - target - 1) * sign >= 0:
                    living += part * fraction[brackets[i], tier]
    all_dead = not living > 0
    if all_dead:
        for i in range(len(bins)):
            for tier in range(tiers):
                living += weights[i] * share[brackets[i], tier]
    for i in range(len(bins)):
        bound = edge - sign if all_dead else edges[i] - sign
        for tier in range(tiers):
            opened = weights[i] * share[brackets[i], tier] * amount / living
            part = opened / rows[SCALE, tier]
            target, upper = bins[i] + shift[brackets[i], tier], fraction[brackets[i], tier]
            if all_dead:
                # There is no room that price did not run through: next to where it ended.
                target, upper = bound, 0.0
            elif not placed[brackets[i], tier]:
                rows[UNPLACED, tier] += part
                rows[SUMS, tier] += part
                continue
            for step in range(2):
                added = part * (upper if step else 1 - upper)
                at = target + step
                if (bound - at) * sign < 0:
                    if 0 <= at - low < brief.shape[1]:
                        brief[tier, at - low] += opened * (upper if step else 1 - upper)
                elif added > 0:
                    amounts[CONTRACTS, tier, at - first] += added
                    amounts[HOURS, tier, at - first] += added * hour
                    rows[SUMS, tier] += added
                    if (at - nearest) * sign > 0:
                        nearest = at
    return nearest


@compiled
def _add_parts(held, begin, low, high, parts, first, seen):  # type: ignore[no-untyped-def]
    """Add to the bins of `seen`, the first of which is `first`, their parts from `low` up to `high`; `held` begins with
    the part `begin`. Of each bin one part after the other, but of all bins at once, which is twice as fast."""
    whole, after = -(-low // parts), high // parts
    if whole < after:
        inside, bins = held[whole * parts - begin : after * parts - begin], seen[whole - first : after - first]
        for part in range(parts):
            for column in range(len(bins)):
                bins[column] += inside[column * parts + part]
    edge = min(whole * parts, high)
    for at in range(low, edge):
        seen[at // parts - first] += held[at - begin]
    for at in range(max(after * parts, edge), high):
        seen[at // parts - first] += held[at - begin]


@compiled
def windows(  # type: ignore[no-untyped-def]
    long_amounts, long_rows, long_first, short_amounts, short_rows, short_first, first, last, parts,
    longs_to, shorts_from,
):  # fmt: skip
    """Four layers `[tier, bin]`: contracts of longs and of shorts, then contracts times their opening time of both.

    Each bin from `first` up to `last` is the sum of `parts` of the sides'. Longs from the part `longs_to` on are left
    out, and shorts before `shorts_from`.
    """
    tiers = long_rows.shape[1]
    shown = np.zeros((4, tiers, last - first))
    for side in range(2):
        amounts, rows, begin = (
            (long_amounts, long_rows, long_first) if side == 0 else (short_amounts, short_rows, short_first)
        )
        low, high = max(first * parts, begin), min(last * parts, begin + amounts.shape[2])
        low, high = (low, min(high, longs_to)) if side == 0 else (max(low, shorts_from), high)
        for layer in range(2):
            for tier in range(tiers):
                seen, scale = shown[2 * layer + side, tier], rows[SCALE, tier]
                _add_parts(amounts[layer, tier], begin, low, high, parts, first, seen)
                for column in range(len(seen)):
                    seen[column] *= scale
    return shown


@compiled
def profiles(  # type: ignore[no-untyped-def]
    long_amounts, long_rows, long_first, short_amounts, short_rows, short_first, first, last, parts
):  # fmt: skip
    """The contracts of `windows` summed over tiers, of longs and of shorts: added up in the same order, to the bit."""
    shown, of_tier = np.zeros((2, last - first)), np.empty(last - first)
    for side in range(2):
        amounts, rows, begin = (
            (long_amounts, long_rows, long_first) if side == 0 else (short_amounts, short_rows, short_first)
        )
        low, high = max(first * parts, begin), min(last * parts, begin + amounts.shape[2])
        seen = shown[side]
        for tier in range(rows.shape[1]):
            scale = rows[SCALE, tier]
            of_tier[:] = 0.0
            _add_parts(amounts[CONTRACTS, tier], begin, low, high, parts, first, of_tier)
            for column in range(len(seen)):
                seen[column] += of_tier[column] * scale
    return shown[0], shown[1]


@compiled
def seeded_share(long_rows: Floats, short_rows: Floats) -> float:
    """Part of both sides' contracts that was open when history began."""
    seeded, contracts = 0.0, total(long_rows) + total(short_rows)
    for tier in range(long_rows.shape[1]):
        seeded += long_rows[SEED_SUMS, tier] * long_rows[SCALE, tier]
        seeded += short_rows[SEED_SUMS, tier] * short_rows[SCALE, tier]
    return seeded / contracts if contracts > 0 else 0.0
