"""What was known of the level that a trade was taken at, and what was earned by it."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from liqstrat.backtest.account.ledger import RoundTrip
from liqstrat.backtest.account.metrics import win_rate
from liqstrat.backtest.account.trades import Course
from liqstrat.liquidation.clusters import Cluster
from liqstrat.liquidation.grid import Floats

#: As near as that, a fraction of price, price has touched a level.
TOUCHED_WITHIN = 0.002
#: Positions of this leverage and above count as high.
HIGH_LEVERAGE = 50
#: With fewer trades at levels there are no thirds.
LEAST_TRADES = 9


def times_touched(level: Cluster, low: Floats, high: Floats) -> int:
    """How many times price was within `TOUCHED_WITHIN` of a level's nearer edge, or in it, since its contracts were
    opened on average, of the last hours with these lows and highs; hours one after the other are one time."""
    hours = max(math.ceil(level.age_hours), 1)
    if level.side == "long":
        near = low[-hours:] <= level.price_high * (1 + TOUCHED_WITHIN)
    else:
        near = high[-hours:] >= level.price_low * (1 - TOUCHED_WITHIN)
    return int(np.count_nonzero(np.diff(near.astype(np.int8), prepend=0) == 1))


def level_row(trip: RoundTrip) -> dict[str, Any]:
    """The columns of `positions.parquet` on the level that a trade named, if any."""
    level, known = (trip.entry.level, trip.entry.known) if trip.entry else (None, None)
    if level is None:
        return {}
    row = {
        "level_side": level.side,
        "level_low": level.price_low,
        "level_high": level.price_high,
        "level_contracts": level.contracts,
        "level_notional": level.notional,
        "level_strength": level.strength,
        "level_age_hours": level.age_hours,
        "level_leverage": mean_leverage(level),
        "level_high_leverage": high_leverage(level),
    }
    if level.band is not None:
        row |= {"level_least": level.low, "level_most": level.high}
    if known is not None:
        row |= {"level_distance": known.distance, "level_touched": known.touched, "level_seeded": known.seeded}
    return row


def mean_leverage(level: Cluster) -> float:
    """By contracts."""
    return sum(tier * share for tier, share in level.leverage.items())


def high_leverage(level: Cluster) -> float:
    """Share of the contracts with `HIGH_LEVERAGE` or more."""
    return sum(share for tier, share in level.leverage.items() if tier >= HIGH_LEVERAGE)


#: What trades are told apart by, each a number of the columns of `level_row`.
_BY: dict[str, Callable[[dict[str, Any]], float | None]] = {
    "size": lambda row: row["level_notional"],
    "strength": lambda row: row["level_strength"],
    "leverage": lambda row: row["level_leverage"],
    "high_leverage": lambda row: row["level_high_leverage"],
    "age": lambda row: row["level_age_hours"],
    "distance": lambda row: None if "level_distance" not in row else abs(row["level_distance"]),
    "seeded": lambda row: row.get("level_seeded"),
}


def by_level(closed: Sequence[tuple[RoundTrip, Course]]) -> dict[str, list[dict[str, Any]]]:
    """What closed trades earned by what was known of their level: for each thing a list of its parts.

    `named` counts trades with and without a level; the rest is of those with one. Numbers are cut into thirds of these
    trades, where there are nine at the least and they differ; a part has its bounds `low` and `high`. A part's
    `trades`, `pnl` (USDT), `win_rate`, `expectancy` and `expectancy_r` are as of all trades.
    """
    rows = [level_row(trip) for trip, _ in closed]
    named = [(row, one) for row, one in zip(rows, closed, strict=True) if row]
    without = [one for row, one in zip(rows, closed, strict=True) if not row]
    found = {"named": [_part("at a level", [one for _, one in named]), _part("no level", without)]}
    if not named:
        return found
    found["side"] = [
        _part(f"{side}s liquidated", [one for row, one in named if row["level_side"] == side])
        for side in ("long", "short")
    ]
    for name, number in _BY.items():
        values = np.array([np.nan if (value := number(row)) is None else value for row, _ in named])
        found[name] = _thirds(values, [one for _, one in named])
    counts = [row.get("level_touched") for row, _ in named]
    found["touched"] = [
        _part(text, [one for count, (_, one) in zip(counts, named, strict=True) if count is not None and fits(count)])
        for text, fits in _TOUCHED
    ]
    return found


_TOUCHED: tuple[tuple[str, Callable[[int], bool]], ...] = (
    ("never", lambda count: count == 0),
    ("once", lambda count: count == 1),
    ("more often", lambda count: count > 1),
)


def _thirds(values: Floats, trades: Sequence[tuple[RoundTrip, Course]]) -> list[dict[str, Any]]:
    known = values[np.isfinite(values)]
    cuts = np.quantile(known, [1 / 3, 2 / 3]) if len(known) >= LEAST_TRADES else np.zeros(0)
    if len(np.unique(cuts)) < 2 or not known.min() < cuts[1] <= known.max():
        groups = [("all", np.isfinite(values))]
    else:
        low, high = cuts.tolist()
        groups = [("low", values <= low), ("middle", (values > low) & (values <= high)), ("high", values > high)]
    parts = []
    for name, rows in groups:
        own = values[rows]
        bounds = {"low": float(own.min()), "high": float(own.max())} if len(own) else {}
        parts.append({**_part(name, [trades[i] for i in np.flatnonzero(rows).tolist()]), **bounds})
    return parts


def _part(name: str, trades: Sequence[tuple[RoundTrip, Course]]) -> dict[str, Any]:
    profits = [float(trip.pnl) for trip, _ in trades]
    multiples = [course.r for _, course in trades if course.r is not None]
    return {
        "part": name,
        "trades": len(trades),
        "pnl": math.fsum(profits),
        "win_rate": win_rate(profits),
        "expectancy": math.fsum(profits) / len(profits) if profits else None,
        "expectancy_r": math.fsum(multiples) / len(multiples) if multiples else None,
    }
