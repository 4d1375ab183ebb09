"""A map's distances to liquidation against those of real positions, as snapshots of a venue that shows them have it."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from liqstrat.errors import LiqstratError
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.liquidation.map import LiquidationMap
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.maps import maps_at
from liqstrat.market.archive.foreign import read_csv, read_parquet
from liqstrat.market.archive.layout import RefusedError
from liqstrat.market.store import Store
from liqstrat.moments import at_us, microseconds
from liqstrat.progress import SILENT, Progress

#: Parts of the notional that are at most so far from liquidation.
SHARES = (0.05, 0.1, 0.25, 0.5, 0.75)
#: Names by which columns are known.
_COLUMNS = {
    "time": ("snapshot", "time", "timestamp", "t"),
    "coin": ("coin", "symbol", "asset"),
    "side": ("side",),
    "size": ("size", "contracts", "quantity"),
    "liquidation_price": ("liquidation_price", "liq_price", "liquidationPx"),
    "mark": ("mark", "mark_price", "price"),
}
#: A position may be about to be liquidated, and its figures of different moments; more of the notional is not.
_MOST_BEYOND = 0.02
_SIDES = {"long": True, "short": False, "buy": True, "sell": False}


@dataclass(frozen=True, eq=False)
class Positions:
    """One entry a position of a snapshot: `time_us` (microseconds since 1970), size in contracts, prices in USDT.

    liquidation: NaN where no price liquidates the position. twice: rows that were left out as they stood there already.
    """

    time_us: Ints
    long: npt.NDArray[np.bool_]
    size: Floats
    liquidation: Floats
    mark: Floats
    twice: int = 0

    def __len__(self) -> int:
        return len(self.size)


@dataclass(frozen=True)
class Distances:
    """Distances to liquidation as fractions of price, below which lie `SHARES` of the notional; None is farther than
    any. far: the share that no price liquidates."""

    notional: float
    quantiles: tuple[float | None, ...]
    far: float


@dataclass(frozen=True)
class PositionsScore:
    """Of positions and of each model's maps at the same moments, by side ("longs", "shorts", "both").

    apart: by model, the largest difference between the two shares of notional that is nearer than some distance
    (Kolmogorov's), both sides together as far as there are positions of them.
    """

    symbol: str
    simulated: bool
    snapshots: int
    positions: int
    real: dict[str, Distances]
    models: dict[str, dict[str, Distances]]
    apart: dict[str, float]
    remarks: list[str]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "shares": SHARES}


def read_positions(path: Path, symbol: str) -> Positions:
    """The positions of a symbol (`BTCUSDT`) or its coin (`BTC`) in a CSV or Parquet file; raises `LiqstratError`."""
    try:
        rows = read_parquet(path) if path.suffix.lower() == ".parquet" else read_csv(path)
        names = {}
        for ours, known in _COLUMNS.items():
            found = next((name for name in known if name in rows.columns), None)
            if found is None:
                raise RefusedError(f"has no column {known[0]}; it has {', '.join(rows.columns[:12])}")
            names[ours] = found
        wanted = [i for i, coin in enumerate(rows.of(names["coin"])) if _is_of(coin, symbol)]
        if not wanted:
            there = ", ".join(sorted(set(rows.of(names["coin"])))[:8])
            raise RefusedError(f"has no position of {symbol}; it has {there}")
        all_of_it = len(wanted)
        if len(rows.columns) > len(names):
            # Without more columns, as one of accounts, two positions may well be alike.
            lines = list(zip(*rows.cells.values(), strict=True))
            wanted = list({lines[i]: i for i in reversed(wanted)}.values())[::-1]
        side = [rows.of(names["side"])[i].lower() for i in wanted]
        wrong = next((i for i, one in zip(wanted, side, strict=True) if one not in _SIDES), None)
        if wrong is not None:
            raise rows.refused(wrong, names["side"], "long or short")
        size, liquidation, mark = (rows.floats(names[name], wanted) for name in ("size", "liquidation_price", "mark"))
        for name, numbers in (("size", size), ("mark", mark)):
            if (bad := ~(numbers > 0)).any():
                raise rows.refused(wanted[int(np.argmax(bad))], names[name], "a number above 0")
    except FileNotFoundError:
        raise LiqstratError(f"{path}: there is no such file") from None
    except RefusedError as error:
        raise LiqstratError(f"{path}: {error}") from None
    times, long = rows.moments(names["time"])[wanted], np.array([_SIDES[one] for one in side])
    return Positions(times, long, size, liquidation, mark, all_of_it - len(wanted))


def score_positions(
    store: Store,
    symbol: str,
    positions: Positions,
    models: dict[str, ModelSettings],
    *,
    warmup: timedelta,
    progress: Progress = SILENT,
) -> PositionsScore:
    """Hold maps at the moments of snapshots against the positions in them; raises `LiqstratError` where none fit."""
    span = store.span(symbol, "open_interest")
    moments = [at_us(us) for us in np.unique(positions.time_us)]
    inside = [moment for moment in moments if span and span[0] + warmup <= moment <= span[1] + timedelta(days=1)]
    if not inside:
        there = f"{span[0]:%Y-%m-%d} to {span[1]:%Y-%m-%d}" if span else "nowhere"
        raise LiqstratError(
            f"{store.path}: the {len(moments)} snapshots are of {moments[0]:%Y-%m-%d} to {moments[-1]:%Y-%m-%d}, "
            f"and open interest of {symbol} reaches from {there}; {warmup.days} days before a snapshot fill the book"
        )
    known = np.isin(positions.time_us, [microseconds(moment) for moment in inside])
    mine = _of_positions(positions, known)
    shown = np.unique(mine[2])
    found: dict[str, dict[str, Distances]] = {}
    apart: dict[str, float] = {}
    for name, settings in models.items():
        theirs = _of_maps(list(maps_at(store, symbol, inside, settings, warmup, progress)))
        alike = np.isin(theirs[2], shown)
        found[name], apart[name] = _sides(*theirs), _apart(mine, (theirs[0][alike], theirs[1][alike], theirs[2][alike]))
    remarks = list(_remarks(positions, known, len(moments) - len(inside)))
    return PositionsScore(
        symbol=symbol,
        simulated=store.simulated(symbol),
        snapshots=len(inside),
        positions=int(known.sum()),
        real=_sides(*mine),
        models=found,
        apart=apart,
        remarks=[*remarks, *store.remarks],
    )


def _remarks(positions: Positions, known: npt.NDArray[np.bool_], left_out: int) -> Iterator[str]:
    """What is worth saying of positions, those `known` being held against maps."""
    if left_out:
        yield f"{left_out} snapshots are of times without enough history."
    if positions.twice:
        yield f"{positions.twice:,} rows stand there twice and count once."
    for name, there in (("longs", positions.long[known]), ("shorts", ~positions.long[known])):
        if not there.any():
            yield f"There are no {name} among the positions: maps are held against the other side alone."
    sign = np.where(positions.long, 1.0, -1.0)
    beyond = (sign * (positions.liquidation - positions.mark) > 0) & known
    worth = positions.size * positions.mark
    part = float(worth[beyond].sum() / worth[known].sum())
    if part > _MOST_BEYOND:
        yield (
            f"{part:.0%} of the notional has its liquidation price beyond mark, where it would be liquidated already: "
            "are both of the same market and in the same unit?"
        )


def _is_of(coin: str, symbol: str) -> bool:
    return coin == symbol or symbol in (f"{coin}USDT", f"{coin}USDC")


def _of_positions(positions: Positions, chosen: npt.NDArray[np.bool_]) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    """Distances (infinite where nothing liquidates), notional and side."""
    sign = np.where(positions.long, 1.0, -1.0)
    away = sign * (1 - positions.liquidation / positions.mark)
    away = np.where(np.isfinite(away) & (positions.liquidation > 0), np.maximum(away, 0.0), np.inf)
    return away[chosen], (positions.size * positions.mark)[chosen], positions.long[chosen]


def _of_maps(maps: Sequence[LiquidationMap]) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    """The same of maps: each contract is valued at the price of the moment, each map weighs alike."""
    away, weight, long = [], [], []
    for one in maps:
        distance = np.abs(one.middles / one.price - 1)
        longs, shorts = (one.longs, one.long_unplaced, True), (one.shorts, one.short_unplaced, False)
        for contracts, unplaced, is_long in (longs, shorts):
            away.append(np.append(distance, np.inf))
            weight.append(np.append(contracts.sum(axis=0), unplaced.sum()) * one.price)
            long.append(np.full(len(distance) + 1, is_long))
    return np.concatenate(away), np.concatenate(weight), np.concatenate(long)


def _sides(away: Floats, weight: Floats, long: npt.NDArray[np.bool_]) -> dict[str, Distances]:
    every = np.ones(len(long), dtype=np.bool_)
    parts = {"longs": long, "shorts": ~long, "both": every}
    return {name: _distances(away[part], weight[part]) for name, part in parts.items()}


def _distances(away: Floats, weight: Floats) -> Distances:
    order = np.argsort(away, kind="stable")
    total = float(weight.sum())
    if not total > 0:
        return Distances(0.0, tuple(None for _ in SHARES), 0.0)
    reached = np.cumsum(weight[order]) / total
    found = [float(away[order][min(int(np.searchsorted(reached, share)), len(order) - 1)]) for share in SHARES]
    far = float(weight[~np.isfinite(away)].sum()) / total
    return Distances(total, tuple(one if np.isfinite(one) else None for one in found), far)


def _apart(one: tuple[Floats, Floats, Any], other: tuple[Floats, Floats, Any]) -> float:
    at = np.unique(np.concatenate((one[0], other[0])))
    at = at[np.isfinite(at)]
    shares = []
    for away, weight, _ in (one, other):
        order = np.argsort(away)
        total = np.concatenate(([0.0], np.cumsum(weight[order]))) / weight.sum()
        shares.append(total[np.searchsorted(away[order], at, side="right")])
    return float(np.abs(shares[0] - shares[1]).max()) if len(at) else 0.0
