"""From what happened in a day to the trades one would have seen: agents' orders and market makers' churn."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from liqstrat.market.simulator.market import DayLog
from liqstrat.market.simulator.orders import ORDER, agents_orders
from liqstrat.market.simulator.positions import Floats, Ints
from liqstrat.market.simulator.price import DAY_MS
from liqstrat.market.simulator.settings import SimulationSettings

Bools = npt.NDArray[np.bool_]

#: Sizes of orders: standard deviation of their logarithm, and how many usual ones the largest is.
_SPREAD, _LARGEST = 2.0, 250.0
#: Aggregated trades an order becomes on average, by walking through price levels.
_LEVELS_PER_ORDER = 1.45
_MOST_LEVELS = 12
#: Market makers move their quotes this often (ms); between, trades bounce from bid to ask.
_REQUOTE_MS = 800
#: How closely takers' side follows price over a step and within it, and how much it varies by itself.
_FOLLOWS, _CHASES, _WAVERS = 0.6, 0.6, 0.35


@dataclass(frozen=True, slots=True, eq=False)
class Trades:
    """Aggregated trades in time order: ms since epoch, price in ticks, quantity in lots, whether the taker bought,
    how many single trades each stands for, and the id of the position that it liquidated (0: none)."""

    times_ms: Ints
    ticks: Ints
    lots: Ints
    buy: Bools
    singles: Ints
    liquidates: Ints

    def __len__(self) -> int:
        return len(self.lots)


@dataclass(frozen=True, slots=True, eq=False)
class _Path:
    """The day's moves as arrays of one entry a step; `corners` are times in the step (ms) and prices (ticks)."""

    start: Ints
    low: Ints
    high: Ints
    low_first: Bools
    corner_ms: Ints
    corner_ticks: Ints

    def ticks_at(self, step: Ints, offset_ms: Ints) -> Ints:
        """Price at `offset_ms` after the start of each `step`."""
        times, ticks = self.corner_ms[step], self.corner_ticks[step]
        leg = (offset_ms[:, np.newaxis] >= times[:, 1:4]).sum(axis=1)
        row = np.arange(len(step))
        begin, end = times[row, leg], times[row, leg + 1]
        share = (offset_ms - begin) / np.maximum(end - begin, 1)
        before, after = ticks[row, leg], ticks[row, leg + 1]
        at: Ints = np.rint(before + share * (after - before)).astype(np.int64)
        return at


def trades_of(log: DayLog, usual_lots: int, settings: SimulationSettings, rng: np.random.Generator) -> Trades:
    """All trades of a day: none outside its moves' extremes, and every extreme is traded at."""
    path = _path(log)
    usual = settings.churn * usual_lots / (settings.trades / _LEVELS_PER_ORDER)
    agents, bought, sold = agents_orders(log, settings, rng)
    fillers = [_fillers(lots, buy, path, usual, rng) for lots, buy in ((bought, True), (sold, False))]
    orders = np.concatenate((agents, *fillers, _churn(log, path, usual, settings, rng)))
    orders = orders[np.argsort(orders["time"], kind="stable")]
    return _walk_the_book(orders, path, usual, rng)


def _path(log: DayLog) -> _Path:
    moves = log.moves
    rows = [
        (m.open, m.low, m.high, m.close, m.close) if m.low_first else (m.open, m.high, m.low, m.close, m.close)
        for m in moves
    ]
    return _Path(
        start=np.array([m.start_ms for m in moves]),
        low=np.array([m.low for m in moves]),
        high=np.array([m.high for m in moves]),
        low_first=np.array([m.low_first for m in moves]),
        corner_ms=np.array([(0, *m.turns_ms, m.length_ms) for m in moves]),
        corner_ticks=np.array(rows),
    )


def _churn(
    log: DayLog, path: _Path, usual: float, settings: SimulationSettings, rng: np.random.Generator
) -> npt.NDArray[np.void]:
    """Orders between market makers. The first two of a step trade at its extremes."""
    activity = np.array([m.activity for m in log.moves])
    surprise = np.array([m.surprise for m in log.moves])
    length_ms = log.moves[0].length_ms
    expected = settings.trades / _LEVELS_PER_ORDER * length_ms / DAY_MS * activity
    counts = 2 + rng.poisson(np.maximum(expected - 2, 0))
    step = np.repeat(np.arange(len(counts)), counts)
    first = np.cumsum(counts) - counts
    offset = rng.integers(0, length_ms, len(step))
    offset[first], offset[first + 1] = path.corner_ms[:, 1], path.corner_ms[:, 2]
    quoted = offset - offset % _REQUOTE_MS
    quoted[first], quoted[first + 1] = offset[first], offset[first + 1]
    ticks = path.ticks_at(step, quoted)
    chased = np.sign(ticks - path.ticks_at(step, np.maximum(quoted - _REQUOTE_MS, 0)))
    lean = _FOLLOWS * surprise + _WAVERS * rng.standard_normal(len(counts))
    buy = rng.random(len(step)) < 0.5 + 0.5 * np.tanh(lean[step] + _CHASES * chased)
    buy[first], buy[first + 1] = ~path.low_first, path.low_first

    low, high = path.low[step], path.high[step]
    orders = np.zeros(len(step), dtype=ORDER)
    orders["step"], orders["time"], orders["buy"] = step, path.start[step] + offset, buy
    orders["price"] = np.clip(ticks + buy, low, high)
    orders["lots"] = _sizes(len(step), usual, rng)
    return orders


def _fillers(lots: Ints, buy: bool, path: _Path, usual: float, rng: np.random.Generator) -> npt.NDArray[np.void]:
    """`lots` by step that others traded against agents' resting orders, in pieces, while price rested."""
    pieces = np.where(lots > 0, 1 + rng.poisson(np.minimum(lots / (4 * usual), 20)), 0)
    step, pieces_lots = _split(lots, pieces, rng)
    orders = np.zeros(len(step), dtype=ORDER)
    rest, end = path.corner_ms[step, 3], path.corner_ms[step, 4]
    orders["time"] = path.start[step] + rest + (rng.random(len(step)) * (end - rest)).astype(np.int64)
    orders["step"], orders["lots"], orders["buy"] = step, pieces_lots, buy
    orders["price"] = path.corner_ticks[step, 4]
    return orders


def _walk_the_book(orders: npt.NDArray[np.void], path: _Path, usual: float, rng: np.random.Generator) -> Trades:
    """Large orders walk through levels of the order book, in the same millisecond, within the step's extremes."""
    buy, start = orders["buy"], orders["price"]
    room = np.where(buy, path.high[orders["step"]] - start, start - path.low[orders["step"]])
    depth = 3 * usual * rng.exponential(size=len(orders))
    levels = 1 + np.minimum(orders["lots"] / np.maximum(depth, 1e-9), _MOST_LEVELS - 1).astype(np.int64)
    levels = np.minimum(levels, room + 1)
    gap = np.minimum(rng.geometric(0.6, len(orders)), room // np.maximum(levels - 1, 1))
    order, lots = _split(orders["lots"], levels, rng)
    nth = np.arange(len(order)) - np.searchsorted(order, order, side="left")
    ticks = start[order] + np.where(buy[order], 1, -1) * nth * gap[order]
    return Trades(
        times_ms=orders["time"][order],
        ticks=ticks,
        lots=lots,
        buy=buy[order],
        singles=1 + rng.poisson(np.log1p(lots / usual)),
        liquidates=orders["liquidates"][order],
    )


def _split(lots: Ints, parts: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Split each of `lots` into `parts` at random; (index, lots) of the parts that are not empty."""
    index = np.repeat(np.arange(len(lots)), parts)
    weight = rng.exponential(size=len(index))
    total = np.bincount(index, weights=weight, minlength=len(lots))
    running = np.cumsum(weight)
    before = np.concatenate(([0.0], np.cumsum(total)))[:-1]
    share = np.minimum((running - before[index]) / total[index], 1.0)
    share[np.cumsum(parts)[parts > 0] - 1] = 1.0
    bound = np.rint(share * lots[index]).astype(np.int64)
    previous = np.concatenate(([0], bound[:-1]))
    previous[(np.cumsum(parts) - parts)[parts > 0]] = 0
    size = bound - previous
    return index[size > 0], size[size > 0]


def _sizes(count: int, usual: float, rng: np.random.Generator) -> Ints:
    drawn: Floats = rng.lognormal(np.log(usual) - _SPREAD**2 / 2, _SPREAD, count)
    return np.clip(np.rint(drawn), 1, max(1, round(_LARGEST * usual))).astype(np.int64)
