"""Gaps in what should be steady, and the ranges between them. Times inside are arrays of microseconds since 1970."""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from liqstrat.moments import at_us

Times = npt.NDArray[np.int64]

#: So many gaps are named; all are counted.
SHOWN = 10


@dataclass(frozen=True, slots=True)
class Range:
    """From the first to the last moment (UTC) of a stretch."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Gap:
    """Between the last row before (`start`) and the first row after (`end`), UTC: how many rows are missing."""

    start: datetime
    end: datetime
    missing: int


def missing_steps(times: Times, step_us: int) -> list[Gap]:
    """The gaps of rising `times` that should be `step_us` apart; a tenth of a step early or late is none."""
    steps = np.diff(times)
    wide = np.flatnonzero(steps > 1.1 * step_us)
    return [
        Gap(at_us(times[i]), at_us(times[i + 1]), max(round(int(steps[i]) / step_us) - 1, 1)) for i in wide.tolist()
    ]


def usual_step(times: Times) -> int | None:
    """The step (microseconds) that occurs most often; None where there is none."""
    steps = np.diff(times)
    if not len(steps):
        return None
    values, counts = np.unique(steps, return_counts=True)
    return int(values[counts.argmax()])


def largest(gaps: Iterable[Gap], count: int = SHOWN) -> tuple[Gap, ...]:
    """Those that miss most, in order of time."""
    return tuple(sorted(heapq.nlargest(count, gaps, key=lambda gap: gap.missing), key=lambda gap: gap.start))


def covered(first: datetime, last: datetime, gaps: Sequence[Gap | Range], at_least: timedelta) -> list[Range]:
    """What lies between gaps that are as long as `at_least`."""
    edges = [first]
    for gap in sorted(gaps, key=lambda gap: gap.start):
        if gap.end - gap.start >= at_least:
            edges += [gap.start, gap.end]
    edges.append(last)
    return [Range(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if start < end]


def common(one: Sequence[Range], other: Sequence[Range]) -> list[Range]:
    """Where both have something; both in order of time."""
    found = []
    i = j = 0
    while i < len(one) and j < len(other):
        start, end = max(one[i].start, other[j].start), min(one[i].end, other[j].end)
        if start < end:
            found.append(Range(start, end))
        if one[i].end < other[j].end:
            i += 1
        else:
            j += 1
    return found


def together(ranges: Iterable[Range]) -> list[Range]:
    """Where any has something, in order of time."""
    found: list[Range] = []
    for one in sorted(ranges, key=lambda one: one.start):
        if found and one.start <= found[-1].end:
            found[-1] = Range(found[-1].start, max(found[-1].end, one.end))
        else:
            found.append(one)
    return found
