"""How a recording goes, in words."""

import time
from collections.abc import Iterator

from liqstrat.live.recorder import Recorder


def lines(recorder: Recorder) -> Iterator[tuple[str, ...]]:
    """For each market: its name, trades, trades a minute, trades asked for again, trades that came when their interval
    was over, trades missing, liquidations, the last price, and how late the last message came."""
    minutes = max(time.monotonic() - recorder.connection.begin, 1.0) / 60
    for symbol, market in recorder.markets.items():
        state = market.state
        late = None if state.clock is None else time.time() * 1000 - recorder.connection.skew_ms - state.clock
        yield (
            symbol,
            f"{state.trades:,}",
            f"{state.trades / minutes:,.0f}",
            f"{state.backfilled:,}",
            f"{state.late:,}",
            f"{market.behind:,}",
            f"{state.liquidations:,}",
            state.price or "–",
            "–" if late is None else f"{max(late, 0):,.0f} ms",
        )
