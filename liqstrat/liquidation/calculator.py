"""Where one position would be liquidated, and how near that is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from liqstrat.errors import LiqstratError
from liqstrat.liquidation.brackets import BracketTable
from liqstrat.liquidation.price import Formula, Side, bracket_at_liquidation, liquidation_price

Risk = Literal["high", "medium", "low"]

#: A position is at high risk when a move of less than this fraction of price liquidates it, at low risk from the
#: second on. 2 % is an ordinary day's range of BTCUSDT, 10 % that of a bad one.
HIGH_RISK_BELOW = 0.02
LOW_RISK_FROM = 0.10


@dataclass(frozen=True)
class PositionRisk:
    """One side of one leverage.

    liquidation_price: USDT, None where no price liquidates. distance: fraction of entry; distance_usdt: USDT a unit of
    base asset. maintenance_rate and maintenance_amount (USDT): of the bracket at the liquidation price.
    allowed_leverage: the highest that the exchange allows for the notional at entry.
    """

    side: Side
    leverage: int
    liquidation_price: float | None
    distance: float | None
    distance_usdt: float | None
    maintenance_rate: float
    maintenance_amount: float
    allowed_leverage: int
    risk: Risk


def require_perpetual(symbol: str) -> None:
    """Raise `LiqstratError` unless the formula holds for `symbol`: a perpetual quoted in USDT, as its name tells."""
    if not symbol.endswith("USDT") or symbol == "USDT":
        raise LiqstratError(f'symbol "{symbol}" is no perpetual quoted in USDT, expected one like BTCUSDT')


def position_risks(
    entry: float,
    leverages: Sequence[int],
    brackets: BracketTable,
    notional: float = 10_000.0,
    formula: Formula = "exact",
) -> list[PositionRisk]:
    """Both sides of every leverage for a position of `notional` USDT opened at `entry`, isolated margin.

    Raises `ValueError` where an argument is not above zero or a leverage is below one.
    """
    if not (0 < entry < math.inf and 0 < notional < math.inf):
        raise ValueError(f"entry is {entry} and notional {notional}, expected both above zero")
    if bad := [leverage for leverage in leverages if leverage < 1]:
        raise ValueError(f"leverage is {bad[0]}, expected 1 or more")
    sides: tuple[Side, Side] = ("long", "short")
    return [
        _position_risk(entry, leverage, side, brackets, notional, formula) for leverage in leverages for side in sides
    ]


def _position_risk(
    entry: float, leverage: int, side: Side, brackets: BracketTable, notional: float, formula: Formula
) -> PositionRisk:
    price = float(liquidation_price(entry, leverage, notional / entry, side, brackets, formula))
    bracket = int(bracket_at_liquidation(notional, leverage, side, brackets))
    distance = abs(price / entry - 1) if price > 0 else None
    return PositionRisk(
        side=side,
        leverage=leverage,
        liquidation_price=price if price > 0 else None,
        distance=distance,
        distance_usdt=abs(price - entry) if price > 0 else None,
        maintenance_rate=float(brackets.rates[bracket]),
        maintenance_amount=float(brackets.amounts[bracket]),
        allowed_leverage=int(brackets.max_leverage[int(brackets.index_of(notional))]),
        risk=_risk(distance),
    )


def _risk(distance: float | None) -> Risk:
    if distance is None or distance >= LOW_RISK_FROM:
        return "low"
    return "high" if distance < HIGH_RISK_BELOW else "medium"
