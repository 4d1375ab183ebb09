"""Where in a window contracts are liquidated, as a conditional logit that is fitted forward, day by day.

The share of a band in what its window reached is `exposure * exp(features @ coefficients)` over the window's sum of the
same (McFadden 1974). Each day is predicted with coefficients learnt on the days before it and teaches only then, so a
law that drifts is followed and nothing is judged on what it was fitted to (Dawid's prequential principle, 1984). A day
is learnt by Newton's method on its likelihood and on what is known so far, a normal law around the last coefficients
(the dynamic generalised linear model of West, Harrison and Migon 1985). What was learnt fades with `_HALF_LIFE`.

Contracts of one window are liquidated together, so a thousand do not tell a thousand times as much as one: a window
counts for at most `_MOST` draws, which it comes near to the more was liquidated in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from liqstrat.liquidation.grid import Floats, Ints

#: Days after which what was learnt counts for half.
_HALF_LIFE = 30.0
#: Independent draws that a window is worth at most.
_MOST = 4.0
#: Prior: standard deviation of the difference of coefficients of neighbouring knots, and of each coefficient.
_STEP, _WHOLE = 0.7, 2.0
_ROUNDS, _CLOSE = 8, 1e-4


@dataclass(frozen=True, eq=False)
class Part:
    """Features that belong together, `columns[band, feature]`, with the prior precision of their coefficients."""

    columns: Floats
    precision: Floats


def curve(values: Floats, knots: Floats) -> Part:
    """A function of `values` that is linear between `knots` and constant beyond, without a shape of its own: its
    prior lets neighbours differ by little."""
    clipped = np.clip(values, knots[0], knots[-1])
    upper = np.clip(np.searchsorted(knots, clipped, side="right"), 1, len(knots) - 1)
    along = (clipped - knots[upper - 1]) / (knots[upper] - knots[upper - 1])
    columns = np.zeros((len(values), len(knots)))
    rows = np.arange(len(values))
    columns[rows, upper - 1], columns[rows, upper] = 1 - along, along
    steps = np.diff(np.eye(len(knots)), axis=0)
    return Part(columns, steps.T @ steps / _STEP**2 + np.eye(len(knots)) / _WHOLE**2)


def slope(values: Floats, spread: float = 1.0) -> Part:
    """Proportional to `values`, with the standard deviation `spread` of the coefficient around nothing."""
    return Part(values[:, np.newaxis], np.eye(1) / spread**2)


def forward_shares(parts: Sequence[Part], exposure: Floats, window: Ints, day: Ints, observed: Floats) -> Floats:
    """The share of each band in its window, by what the days before its own tell.

    Bands of one window stand together and windows of one day, in order of time. observed: contracts liquidated.
    """
    columns = np.concatenate([part.columns for part in parts], axis=1)
    prior = _blocks([part.precision for part in parts])
    share = np.empty(len(exposure))
    known, precision = np.zeros(len(prior)), prior
    totals: list[Floats] = []
    kept = 0.5 ** (1 / _HALF_LIFE)
    starts = np.flatnonzero(np.diff(day, prepend=day[0] - 1)) if len(day) else np.zeros(0, dtype=np.int64)
    for first, stop in zip(starts, [*starts[1:], len(day)], strict=True):
        one = _Day.of(columns[first:stop], exposure[first:stop], window[first:stop], observed[first:stop])
        share[first:stop] = one.shares(known)
        if one.totals.any():
            totals.append(one.totals[one.totals > 0])
            worth = _MOST * one.totals / (one.totals + float(np.median(np.concatenate(totals))))
            known, precision = one.learn(known, precision, worth)
        precision = kept * precision + (1 - kept) * prior
    return share


@dataclass(frozen=True, eq=False)
class _Day:
    """The bands of a day; `starts` are the first of each window, `lengths` their numbers, `totals` their contracts,
    `placed` the share of each band in the contracts of its window."""

    columns: Floats
    exposure: Floats
    starts: Ints
    lengths: Ints
    totals: Floats
    placed: Floats

    @classmethod
    def of(cls, columns: Floats, exposure: Floats, window: Ints, observed: Floats) -> "_Day":
        starts = np.flatnonzero(np.diff(window, prepend=window[0] - 1))
        lengths = np.diff(starts, append=len(window))
        totals = np.add.reduceat(observed, starts)
        placed = observed / np.repeat(np.where(totals > 0, totals, 1.0), lengths)
        return cls(columns, exposure, starts, lengths, totals, placed)

    def shares(self, coefficients: Floats) -> Floats:
        logs = self.columns @ coefficients
        weight = self.exposure * np.exp(logs - logs.max())
        shares: Floats = weight / np.repeat(np.add.reduceat(weight, self.starts), self.lengths)
        return shares

    def learn(self, known: Floats, precision: Floats, worth: Floats) -> tuple[Floats, Floats]:
        """Coefficients and their precision after this day, whose windows are `worth` so many draws each."""
        weight, found = np.repeat(worth, self.lengths), known
        for _ in range(_ROUNDS):
            share = self.shares(found)
            pulled = weight * share
            means = np.add.reduceat(self.columns * share[:, np.newaxis], self.starts)
            information = (
                self.columns.T @ (self.columns * pulled[:, np.newaxis])
                - means.T @ (means * worth[:, np.newaxis])
                + precision
            )
            gradient = self.columns.T @ (weight * self.placed - pulled) - precision @ (found - known)
            step = np.linalg.solve(information, gradient)
            found = found + step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
            if np.abs(step).max() < _CLOSE:
                break
        return found, information


def _blocks(parts: Sequence[Floats]) -> Floats:
    size = sum(len(part) for part in parts)
    whole, at = np.zeros((size, size)), 0
    for part in parts:
        whole[at : at + len(part), at : at + len(part)] = part
        at += len(part)
    return whole
