"""What each trade went through: how far price went against and for it, what it risked, and what it made of that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from liqstrat.backtest.account.ledger import Ledger, OrderRecord, RoundTrip
from liqstrat.catalog.minutes import MinuteBars
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.moments import MINUTE_NS


@dataclass(frozen=True)
class Course:
    """How a trade went.

    mae, mfe: the farthest that price went against it and for it, as shares of the entry price, at least zero; seen in
    the whole minutes within it and at its end, so that nothing counts from before its entry. risk: USDT that the
    first stop would have cost, without fees; None without a stop. r: its net profit by that.
    """

    mae: float
    mfe: float
    risk: float | None
    r: float | None


def courses(ledger: Ledger, minutes: Mapping[str, MinuteBars], end_ns: int) -> list[Course]:
    """The course of each of the ledger's trips, up to `end_ns` of those still open; minutes hold their symbols."""
    low, high = np.full(len(ledger.trips), np.nan), np.full(len(ledger.trips), np.nan)
    for symbol in sorted({trip.symbol for trip in ledger.trips}):
        at = [i for i, trip in enumerate(ledger.trips) if trip.symbol == symbol]
        low[at], high[at] = _extremes(minutes[symbol], [ledger.trips[i] for i in at], end_ns)
    stops = _stops(ledger)
    return [_course(trip, below, above, stops) for trip, below, above in zip(ledger.trips, low, high, strict=True)]


def _extremes(bars: MinuteBars, trips: Sequence[RoundTrip], end_ns: int) -> tuple[Floats, Floats]:
    """The lowest and highest price of the whole minutes of each trip, NaN where there is none."""
    opened = np.array([trip.opened_ns for trip in trips], dtype=np.int64)
    closed = np.array([end_ns if trip.closed_ns is None else trip.closed_ns for trip in trips], dtype=np.int64)
    first = np.clip(-((bars.start_ns - opened) // MINUTE_NS), 0, len(bars))
    stop = np.clip((closed - bars.start_ns) // MINUTE_NS, first, len(bars))
    pairs: Ints = np.column_stack([first, stop]).ravel()
    some = stop > first
    # One more entry, at which a stretch up to the end may stop.
    low = np.minimum.reduceat(np.append(bars.low, np.nan), pairs)[::2]
    high = np.maximum.reduceat(np.append(bars.high, np.nan), pairs)[::2]
    return np.where(some, low, np.nan), np.where(some, high, np.nan)


def _stops(ledger: Ledger) -> dict[tuple[str, str], list[OrderRecord]]:
    """Stops by strategy and symbol, in the order of sending, but for those that never came to the exchange."""
    found: dict[tuple[str, str], list[OrderRecord]] = {}
    for order in ledger.orders:
        lost = order.closed_ns is None and order.reason
        if order.role == "stop" and not lost and order.first_trigger and order.submitted_ns is not None:
            found.setdefault((order.strategy, order.symbol), []).append(order)
    return found


def _course(trip: RoundTrip, low: float, high: float, stops: dict[tuple[str, str], list[OrderRecord]]) -> Course:
    seen = [price for price in (low, high, trip.exit_price) if price is not None and np.isfinite(price)]
    way = 1 if trip.side == "long" else -1
    moves = [way * (price / trip.entry_price - 1) for price in seen]
    risk = _risk(trip, stops.get((trip.strategy, trip.symbol), []))
    return Course(
        mae=max(0.0, *(-move for move in moves)) if moves else 0.0,
        mfe=max(0.0, *moves) if moves else 0.0,
        risk=risk,
        r=None if risk is None else float(trip.pnl) / risk,
    )


def _risk(trip: RoundTrip, stops: Sequence[OrderRecord]) -> float | None:
    """USDT from the entry to the first stop that was in force while the trip was open, on the side where it loses."""
    against = "sell" if trip.side == "long" else "buy"
    until = trip.closed_ns
    for order in stops:
        sent, ended = order.submitted_ns, order.closed_ns
        in_force = (ended is None or ended > trip.opened_ns) and (until is None or sent is None or sent < until)
        if order.side != against or order.first_trigger is None or not in_force:
            continue
        distance = (trip.entry_price - float(order.first_trigger)) * (1 if trip.side == "long" else -1)
        return distance * float(trip.quantity) if distance > 0 else None
    return None
