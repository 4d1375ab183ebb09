"""Where one position would be liquidated, and how near that is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from liqstrat.errors import LiqstratError
from liqstrat.liquidation.brackets import BracketTable
from liqstrat.liquidation.contract import KNOWN_QUOTES, contract_of
from liqstrat.liquidation.price import Formula, Side, bracket_at_liquidation, liquidation_price

Risk = Literal["high", "medium", "low"]

#: A position is at high risk when a move of less than this fraction of price liquidates it, at low risk from the
#: second on. 2 % is an ordinary day's range of BTCUSDT, 10 % that of a bad one.
HIGH_RISK_BELOW = 0.02
LOW_RISK_FROM = 0.10


@dataclass(frozen=True)
class PositionRisk:
    """One side of one leverage.

    liquidation_price: None where no price liquidates. distance: fraction of entry; distance_quote: how far price has to
    go, in its own currency. loss: what the position has lost then, and maintenance_amount: of the bracket then, both
    in the currency of its margin (USDT; of an inverse contract the coin). maintenance_rate: of that bracket.
    allowed_leverage: the highest that the exchange allows for the notional at entry.
    """

    side: Side
    leverage: int
    liquidation_price: float | None
    distance: float | None
    distance_quote: float | None
    loss: float | None
    maintenance_rate: float
    maintenance_amount: float
    allowed_leverage: int
    risk: Risk


def require_contract(symbol: str) -> None:
    """Raise `LiqstratError` unless the formulas hold for `symbol`, as its name tells."""
    is_linear = any(symbol.endswith(quote) and symbol != quote for quote in KNOWN_QUOTES)
    if not is_linear and not contract_of(symbol).inverse:
        raise LiqstratError(
            f'symbol "{symbol}" is no contract that is known here, expected one like BTCUSDT, BTCUSDC or BTCUSD_PERP'
        )


def position_risks(
    entry: float,
    leverages: Sequence[int],
    brackets: BracketTable,
    notional: float = 10_000.0,
    formula: Formula = "exact",
) -> list[PositionRisk]:
    """Both sides of every leverage for a position worth `notional` that was opened at `entry`, isolated margin.

    notional: in the currency of prices, also of inverse contracts: USDT, USDC, USD.

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
    contract = brackets.contract
    contracts = notional / contract.worth(entry)
    held = contracts * contract.held(entry)
    price = float(liquidation_price(entry, leverage, contracts, side, brackets, formula))
    bracket = int(bracket_at_liquidation(held, leverage, side, brackets))
    distance = abs(price / entry - 1) if price > 0 else None
    return PositionRisk(
        side=side,
        leverage=leverage,
        liquidation_price=price if price > 0 else None,
        distance=distance,
        distance_quote=abs(price - entry) if price > 0 else None,
        loss=abs(contract.profit(contracts, entry, price)) if price > 0 else None,
        maintenance_rate=float(brackets.rates[bracket]),
        maintenance_amount=float(brackets.amounts[bracket]),
        allowed_leverage=int(brackets.max_leverage[int(brackets.index_of(held))]),
        risk=_risk(distance),
    )


def _risk(distance: float | None) -> Risk:
    if distance is None or distance >= LOW_RISK_FROM:
        return "low"
    return "high" if distance < HIGH_RISK_BELOW else "medium"
