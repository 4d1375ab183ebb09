"""What traded inside one interval: by price bin, taker side and notional bracket."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from liqstrat.liquidation.brackets import BracketTable
from liqstrat.liquidation.compiled import compiled
from liqstrat.liquidation.grid import EDGE_TOLERANCE, Floats, Ints, bin_of, log_step
from liqstrat.liquidation.large import LargeRule, LargeTrades


@dataclass(frozen=True, eq=False)
class Flow:
    """Trades of the interval `[start_ns, end_ns)`, in groups; it is known at `end_ns`, not before.

    Arrays hold one entry a group: `bins` (price bin, of the width it was counted with), `buy` (the taker bought),
    `brackets` (bracket of the trades' notional) and `contracts` (sum). `low`, `high` and `close` are prices in USDT,
    NaN without trades. `large` are the large ones among them, where they were asked for.
    """

    start_ns: int
    end_ns: int
    bins: Ints
    buy: npt.NDArray[np.bool_]
    brackets: Ints
    contracts: Floats
    low: float
    high: float
    close: float
    large: LargeTrades | None = None

    @cached_property
    def volume(self) -> float:
        """Contracts traded."""
        return float(_sum(self.contracts))


def flow_from_trades(
    start_ns: int,
    end_ns: int,
    price: Floats,
    contracts: Floats,
    buy: npt.NDArray[np.bool_],
    *,
    width: float,
    brackets: BracketTable,
    large: LargeRule | None = None,
) -> Flow:
    """Group trades (arrays of one entry a trade, in time order) into the flow of their interval."""
    bins, contract = bin_of(price, width), brackets.contract
    chosen = None if large is None else large.chosen(contracts * contract.worth(price))
    largest = None if chosen is None else LargeTrades(bins[chosen], buy[chosen], contracts[chosen])
    if not len(price):
        return _flow(start_ns, end_ns, np.zeros((0, 2, len(brackets))), 0, np.nan, np.nan, np.nan, largest)
    first, count = int(bins.min()), int(bins.max() - bins.min()) + 1
    group = ((bins - first) * 2 + buy) * len(brackets) + brackets.index_of(contracts * contract.held(price))
    sums = np.bincount(group, weights=contracts, minlength=count * 2 * len(brackets))
    shaped = sums.reshape(count, 2, len(brackets))
    extremes = float(price.min()), float(price.max()), float(price[-1])
    return _flow(start_ns, end_ns, shaped, first, *extremes, largest)


def flow_from_bars(
    start_ns: int,
    end_ns: int,
    high: Floats,
    low: Floats,
    close: Floats,
    volume: Floats,
    taker_buy: Floats | None = None,
    *,
    width: float,
    brackets: BracketTable,
) -> Flow:
    """Approximate the flow by bars (arrays of one entry a bar) where single trades are not at hand.

    A bar's volume is spread evenly over the bins between its low and high. `taker_buy` is the part of it in which
    takers bought, where that is known (else NaN, or None for all): half of it without. Trade sizes are unknown, so all
    of it counts in the lowest bracket, and none is large.
    """
    if not len(close):
        return _flow(start_ns, end_ns, np.zeros((0, 2, len(brackets))), 0, np.nan, np.nan, np.nan)
    bought = volume / 2 if taker_buy is None else np.where(np.isnan(taker_buy), volume / 2, taker_buy)
    bins, buy, sums, lowest, highest = _spread(high, low, volume - bought, bought, log_step(width))
    lowest_bracket = np.zeros(len(bins), dtype=np.int64)
    return Flow(start_ns, end_ns, bins, buy, lowest_bracket, sums, lowest, highest, float(close[-1]))


@compiled
def _spread(
    high: Floats, low: Floats, sold: Floats, bought: Floats, step: float
) -> tuple[Ints, npt.NDArray[np.bool_], Floats, float, float]:
    """Bins that the bars reach over, once for each taker side, the volume in each, and the lowest and highest price."""
    count = len(sold)
    lows, highs = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
    for i in range(count):
        lows[i] = np.floor(np.log(low[i]) / step + EDGE_TOLERANCE)
        highs[i] = np.floor(np.log(high[i]) / step + EDGE_TOLERANCE)
    first = lows.min()
    reached = highs.max() - first + 1
    held = np.zeros((reached, 2))
    for i in range(count):
        for k in range(lows[i] - first, highs[i] - first + 1):
            held[k, 0] += sold[i] / (highs[i] - lows[i] + 1)
            held[k, 1] += bought[i] / (highs[i] - lows[i] + 1)
    bins, sums = np.empty(2 * reached, dtype=np.int64), np.empty(2 * reached)
    groups = 0
    for k in range(reached):
        if held[k, 0] + held[k, 1] > 0:
            bins[groups : groups + 2], sums[groups], sums[groups + 1] = first + k, held[k, 0], held[k, 1]
            groups += 2
    return bins[:groups], np.arange(groups) % 2 == 1, sums[:groups], low.min(), high.max()


@compiled
def _sum(values: Floats) -> float:
    """NumPy's takes four times as long for a few values."""
    return values.sum()  # type: ignore[no-any-return]


def _flow(
    start_ns: int,
    end_ns: int,
    sums: Floats,
    first_bin: int,
    low: float,
    high: float,
    close: float,
    large: LargeTrades | None = None,
) -> Flow:
    bins, buy, brackets = np.nonzero(sums)
    contracts = sums[bins, buy, brackets]
    # Compiled code is compiled again for arrays that lie in memory otherwise.
    brackets = np.ascontiguousarray(brackets)
    return Flow(start_ns, end_ns, bins + first_bin, buy.astype(np.bool_), brackets, contracts, low, high, close, large)
