"""The maximum of a smooth function of a few parameters."""

from collections.abc import Callable

import numpy as np

from liqstrat.liquidation.grid import Floats, Ints

_STEP, _LONGEST, _CLOSE, _ROUNDS, _STIFFEST = 1e-4, 2.0, 1e-6, 100, 1e12


def maximum(
    value: Callable[[Floats], float], gradient: Callable[[Floats], Floats], start: Floats, free: Ints | None = None
) -> Floats:
    """Newton's method, damped until every step rises; only parameters `free` move."""
    free = np.arange(len(start)) if free is None else free
    point, best, damping = start.copy(), value(start), 1e-2
    for _ in range(_ROUNDS):
        slope = gradient(point)[free]
        sizes, axes = np.linalg.eigh(curvature(gradient, point, free))
        while True:
            step = axes @ ((axes.T @ slope) / (np.abs(sizes) + damping))
            longest = float(np.abs(step).max())
            moved = point.copy()
            moved[free] += step * min(1.0, _LONGEST / max(longest, 1e-300))
            reached = value(moved)
            if reached >= best - 1e-9:
                break
            damping = damping * 10 + 1e-3
            if damping > _STIFFEST:
                return point
        point, best, damping = moved, reached, damping / 10
        if longest < _CLOSE:
            break
    return point


def curvature(gradient: Callable[[Floats], Floats], point: Floats, free: Ints) -> Floats:
    """Minus the second derivatives in the parameters `free`."""
    rows = []
    for place in free:
        shift = np.zeros(len(point))
        shift[place] = _STEP
        rows.append((gradient(point - shift) - gradient(point + shift))[free] / (2 * _STEP))
    found = np.array(rows)
    return (found + found.T) / 2
