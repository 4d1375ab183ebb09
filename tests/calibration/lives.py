"""A market of another mechanism than the simulator's and the book's, in which every position is known: SIMULATED.

Price does what it likes, whoever is liquidated. Positions open at prices of their interval and live for a lognormal
time of their own, whatever their leverage, age or profit; some have a stop, which fires before liquidation. With
`bigger` the large ones have less leverage, and `cross` of them back their position with three times the margin.
"""

from dataclasses import dataclass

import numpy as np

from liqstrat.bench.market import START
from liqstrat.calibration.evidence import History
from liqstrat.liquidation.brackets import brackets_for
from liqstrat.liquidation.flow import flow_from_bars
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.liquidation.liquidations import Liquidations
from liqstrat.liquidation.price import liquidation_price
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.market.simulator.price import Price
from liqstrat.market.simulator.settings import SimulationSettings, listing_of

SYMBOL, STEP_NS = "BTCUSDT", 300_000_000_000
#: Begin of what is fitted to.
SINCE_NS = round(START.timestamp()) * 10**9
_OPEN_INTEREST = 20_000.0


@dataclass(frozen=True, eq=False)
class Lives:
    """A market: what a model is fed with, what was liquidated, and each position: `side` (+1, -1), contracts, entry,
    `notional` (that its bracket is by, USDT; all sizes are scaled after it), price of liquidation, and the intervals
    `born` and `gone` between which it was open."""

    history: History
    liquidations: Liquidations
    side: Ints
    size: Floats
    entry: Floats
    notional: Floats
    liquidation: Floats
    born: Ints
    gone: Ints


def lives(
    mix: dict[int, float],
    seed: int,
    days: int = 10,
    *,
    volatility: float = 0.06,
    stops: float = 0.4,
    bigger: bool = False,
    cross: float = 0.0,
    positions: int = 60_000,
) -> Lives:
    """`days` of a market whose openings have the leverage `mix`, after five in which it filled."""
    rng, listing = np.random.default_rng([seed, 7]), listing_of(SYMBOL)
    filled = 5
    steps, first_ns = (days + filled) * 288, SINCE_NS - filled * 288 * STEP_NS
    price = Price(listing, SimulationSettings(volatility=volatility, home_pull=0.3), rng, first_ns // 10**6)
    moves = [price.move(300) for _ in range(steps)]
    low, high, close = (
        np.array([getattr(move, name) for move in moves]) * listing.tick for name in ("low", "high", "close")
    )
    activity = np.array([move.activity for move in moves]) * np.exp(rng.normal(0, 0.4, steps))
    born = rng.choice(steps, positions, p=activity / activity.sum())
    side = np.where(rng.random(positions) < 0.5, 1, -1)
    entry = rng.uniform(low[born], high[born])
    notional = np.exp(rng.normal(8.5, 1.3, positions))
    tiers, shares = np.array(list(mix)), np.array(list(mix.values()))
    draw = rng.random(positions)
    if bigger:
        ranks = np.argsort(np.argsort(-notional + np.exp(rng.normal(9.5, 1.5, positions)))) / positions
        draw = ranks
    leverage = tiers[np.minimum(np.searchsorted(np.cumsum(shares / shares.sum()), draw), len(tiers) - 1)]
    brackets = brackets_for(SYMBOL, START)
    size = notional / entry
    at = liquidation_price(entry, leverage, size, side, brackets)
    crossed = rng.random(positions) < cross
    at = np.where(crossed, entry + 3 * (at - entry), at)
    expires = born + 1 + np.ceil(np.exp(rng.normal(np.log(20 * 12), 1.5, positions))).astype(np.int64)
    hit = np.where(side > 0, _first(low, at, born + 1), _first(-high, -at, born + 1))
    stop = np.where(rng.random(positions) < stops, entry + rng.uniform(0.3, 0.9, positions) * (at - entry), np.nan)
    stopped = np.where(side > 0, _first(low, stop, born + 1), _first(-high, -stop, born + 1))
    gone = np.minimum(np.minimum(expires, stopped), np.minimum(hit, steps))
    liquidated = (hit < steps) & (hit == gone) & (stopped > hit)
    scale = 2 * _OPEN_INTEREST / (size * np.maximum(gone - born, 1)).sum() * steps
    size = size * scale
    alive = np.zeros(steps + 1)
    np.add.at(alive, born, size / 2)
    np.add.at(alive, gone, -size / 2)
    interest = np.maximum(np.cumsum(alive)[:-1], 1.0)
    traded = np.bincount(born, size, minlength=steps) + np.bincount(np.minimum(gone, steps - 1), size, minlength=steps)
    volume = traded + _OPEN_INTEREST * 4 / 288 * activity
    width = ModelSettings(bin_width=0.001).on_fine_bins().width
    history = []
    for i in range(steps):
        begin = first_ns + i * STEP_NS
        bar = (np.array([column[i]]) for column in (high, low, close, volume))
        history.append((flow_from_bars(begin, begin + STEP_NS, *bar, width=width, brackets=brackets), interest[i]))
    when = hit[liquidated]
    opened = np.concatenate([close[:1], close[:-1]])[when]
    far = np.where(side[liquidated] > 0, opened - low[when], high[when] - opened)
    along = np.abs(opened - at[liquidated]) / np.maximum(far, listing.tick)
    time_ns = first_ns + when * STEP_NS + (np.clip(along, 0, 1) * 0.999 * STEP_NS).astype(np.int64)
    order = np.argsort(time_ns, kind="stable")
    record = Liquidations(
        *(column[order] for column in (time_ns, at[liquidated], size[liquidated], side[liquidated] > 0))
    )
    return Lives(history, record, side, size, entry, notional, at, born, gone)


def thinned(liquidations: Liquidations) -> Liquidations:
    """The first of each second, as the exchange's stream has had them since April 2021."""
    _, first = np.unique(liquidations.time_ns // 10**9, return_index=True)
    keep = np.zeros(len(liquidations.time_ns), dtype=np.bool_)
    keep[first] = True
    return liquidations.only(keep)


def _first(values: Floats, at: Floats, since: Ints) -> Ints:
    """The first index from `since` on at which `values` is `at` or less; the number of values where there is none."""
    count, tables = len(values), [values]
    while 2 ** len(tables) <= count:
        last, half = tables[-1], 2 ** (len(tables) - 1)
        tables.append(np.minimum(last[:-half], last[half:]))
    found = since.copy()
    for power in range(len(tables) - 1, -1, -1):
        table, step = tables[power], 2**power
        fits = found + step <= count
        above = fits & ~(table[np.where(fits, found, 0)] <= at)
        found = found + np.where(above, step, 0)
    return found
