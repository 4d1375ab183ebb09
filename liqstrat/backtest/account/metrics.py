"""The figures that matter, as pure functions; what is undefined is None, never NaN or infinite.

Money is in USDT, shares are fractions (0.01 is 1 %).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from liqstrat.backtest.account.equity import EquityCurve
from liqstrat.backtest.account.ledger import Ledger, RoundTrip
from liqstrat.backtest.account.returns import HOURS_A_YEAR, LEAST_SAMPLES, sharpe
from liqstrat.liquidation.grid import Floats

SHARPE_SAMPLING = (
    f"hourly returns that do not overlap, annualised by sqrt({HOURS_A_YEAR}), from {LEAST_SAMPLES} hours on"
)


@dataclass(frozen=True)
class Metrics:
    """The figures of one run, or of one strategy in it."""

    net_return: float | None
    net_pnl: float
    final_equity: float
    max_drawdown: float | None
    sharpe: float | None
    profit_factor: float | None
    win_rate: float | None
    trades: int
    exposure: float
    fees: float
    funding: float
    slippage: float


def metrics_of(ledger: Ledger, curve: EquityCurve, balance: Decimal) -> Metrics:
    """All figures of what `ledger` and its `curve` say, for an account that began with `balance`.

    trades: positions that were opened and closed. funding: received less paid. slippage: see `ledger.Fill`.
    """
    equity = curve.equity
    net = net_pnl(ledger.trips) + float(curve.unrealized[-1])
    closed = [trip for trip in ledger.trips if trip.closed_ns is not None]
    return Metrics(
        net_return=_number(net / float(balance)),
        net_pnl=net,
        final_equity=float(balance) + net,
        max_drawdown=max_drawdown(equity),
        sharpe=sharpe(curve.times, equity),
        profit_factor=profit_factor([float(trip.pnl) for trip in closed]),
        win_rate=win_rate([float(trip.pnl) for trip in closed]),
        trades=len(closed),
        exposure=exposure(ledger.trips, int(curve.times[0]), int(curve.times[-1])),
        fees=float(sum(fill.fee for fill in ledger.fills)),
        funding=float(sum(payment.amount for payment in ledger.funding)),
        slippage=float(sum(fill.slippage for fill in ledger.fills)),
    )


def net_pnl(trips: Sequence[RoundTrip]) -> float:
    """Realized profit of all positions, open ones too, net of fees and funding."""
    return float(sum(trip.pnl for trip in trips))


def max_drawdown(equity: Floats) -> float | None:
    """The deepest fall from a peak before it, as a share of that peak; above 1 where equity went below zero."""
    peaks = np.maximum.accumulate(equity)
    if not len(equity) or peaks[0] <= 0:
        return None
    return _number(float(np.max(1 - equity / peaks)))


def profit_factor(profits: Sequence[float]) -> float | None:
    """Sum of the profits by sum of the losses; None without a loss."""
    lost = -sum(profit for profit in profits if profit < 0)
    return _number(sum(profit for profit in profits if profit > 0) / lost) if lost > 0 else None


def win_rate(profits: Sequence[float]) -> float | None:
    """Share of the trades that made a profit after costs; None without trades."""
    return sum(profit > 0 for profit in profits) / len(profits) if profits else None


def exposure(trips: Sequence[RoundTrip], start_ns: int, end_ns: int) -> float:
    """Share of the time in which at least one position was open."""
    held, until = 0, start_ns
    for opened, closed in sorted((trip.opened_ns, trip.closed_ns or end_ns) for trip in trips):
        held += max(closed - max(opened, until), 0)
        until = max(until, closed)
    return held / (end_ns - start_ns) if end_ns > start_ns else 0.0


def as_json(metrics: Metrics) -> dict[str, Any]:
    """The figures as `metrics.json` holds them, to ten decimals."""
    figures = {name: round(value, 10) if isinstance(value, float) else value for name, value in vars(metrics).items()}
    return {**figures, "sharpe_sampling": SHARPE_SAMPLING}


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
