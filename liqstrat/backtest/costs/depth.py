"""What a taker order pays beyond the last price: a book as deep as recent trading, eaten through by the order.

**Model.** A day's tape says nothing of resting orders, so they are inferred from what traded. On each side of the last
price rests `share` times the volume of a mean minute, spread evenly over the range (high less low) of a mean minute;
means are over the last 15 minutes that have ended and in which something traded. Then a taker order of `x` times a mean
minute's volume walks `x / share` mean ranges and pays half of that on average; in USDT of price, and never less than a
tick:

    slippage = tick / 2 + range * contracts / (2 * share * volume)

With `share` 0.1, an order of 1 % of a minute's volume pays 5 % of a minute's range, one of 10 % half a range.

**Assumed**: resting liquidity scales with traded volume, thins out when the market is volatile, and does not come back
while one order walks. Minutes without a trade say nothing: a market that has been silent is taken to be as deep as when
it last traded. Before the first minute has ended nothing is known and an order pays one tick. Where history has candles
of `n` minutes only, a minute has an nth of their volume, and a range smaller by the root of n, as price wanders.
"""

from collections.abc import Mapping

import numpy as np

from liqstrat.catalog.minutes import Floats, MinuteBars
from liqstrat.liquidation.grid import Ints

WINDOW_MINUTES = 15


class RecentDepth:
    """How deep the book of each symbol is taken to be, from the minutes that have ended."""

    def __init__(self, minutes: Mapping[str, MinuteBars], share: float) -> None:
        self._minutes = minutes
        self._known = {symbol: (len(bars), _windows(bars)) for symbol, bars in minutes.items()}
        self._share = share

    def contracts_by_price(self, symbol: str, now_ns: int) -> float:
        """Contracts resting per USDT of price on each side at `now_ns`; 0 where nothing is known yet."""
        volume, travelled = self._window(symbol, now_ns)
        return self._share * volume / travelled if travelled > 0 else 0.0

    def recent_volume(self, symbol: str, now_ns: int) -> float:
        """Contracts that traded in the last 15 minutes that traded; 0 where nothing is known yet."""
        return self._window(symbol, now_ns)[0]

    def slippage(self, symbol: str, now_ns: int, filled: float, contracts: float, tick: float) -> float:
        """USDT per contract that the next `contracts` of an order pay of which `filled` have been filled already."""
        by_price = self.contracts_by_price(symbol, now_ns)
        walked = (filled + contracts / 2) / by_price if by_price else 0.0
        return max(tick / 2 + walked, tick)

    def _window(self, symbol: str, now_ns: int) -> tuple[float, float]:
        bars, (count, windows) = self._minutes[symbol], self._known[symbol]
        if len(bars) != count:
            # Those of a market that runs grow.
            windows = _windows(bars)
            self._known[symbol] = (len(bars), windows)
        traded, volume, travelled = windows
        place = traded[bars.ended(now_ns)]
        return float(volume[place]), float(travelled[place])


def _windows(bars: MinuteBars) -> tuple[Ints, Floats, Floats]:
    """How many of the first minutes traded, and sums of volume and range of the last ones that did, by that number."""
    trades, each = bars.volume > 0, bars.minutes_a_bar
    count = np.concatenate(([0], np.cumsum(trades)))
    travelled = (bars.high - bars.low)[trades] / np.sqrt(each)
    return count, _window_sums(bars.volume[trades] / each), _window_sums(travelled)


def _window_sums(values: Floats) -> Floats:
    """Sums of the last `WINDOW_MINUTES` values before each index; one entry more than `values`."""
    total = np.concatenate(([0.0], np.cumsum(values)))
    first = np.maximum(np.arange(len(total)) - WINDOW_MINUTES, 0)
    return total - total[first]
