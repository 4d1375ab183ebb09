"""How large a position may be: by what its stop would lose, by what the account can carry, and by what the exchange
and the market allow."""

from decimal import ROUND_DOWN, Decimal
from typing import NamedTuple

from liqstrat.backtest.ticket import BRACKET, NO_ROOM, THIN, TOO_SMALL

#: Part of the account's carrying capacity that is used: the rest pays fees and a fill away from the last price.
USABLE = Decimal("0.95")
_NOTHING = Decimal(0)
_UNBOUNDED = Decimal("Infinity")


class Size(NamedTuple):
    """Contracts (base asset); where they are 0, the reason."""

    contracts: Decimal
    reason: str = ""


def quantity_for(
    *,
    equity: Decimal,
    risk: Decimal,
    price: Decimal,
    stop: Decimal,
    leverage: Decimal,
    carried: Decimal = _NOTHING,
    cap: Decimal = _UNBOUNDED,
    most: Decimal = _UNBOUNDED,
    costs: Decimal = _NOTHING,
    step: Decimal,
    least_quantity: Decimal = _NOTHING,
    least_notional: Decimal = _NOTHING,
) -> Size:
    """Contracts of which the way from `price` to `stop` loses the share `risk` of `equity`, rounded down to `step`.

    `costs` (share of notional, entry and exit together) come on top of that way. The notional stays below `USABLE` of
    `equity * leverage`, less the notional `carried` by what the account holds and has ordered, and below `cap`, what
    the exchange's brackets leave for the symbol; the contracts stay below `most`, what the market can take. All in
    USDT. Where that is less than the exchange's least order, nothing, with the reason that decides.
    """
    distance = abs(price - stop) + costs * (price + stop)
    if distance <= 0 or equity <= 0 or price <= 0:
        return Size(_NOTHING, NO_ROOM if equity <= 0 else TOO_SMALL)
    bounds = {
        TOO_SMALL: equity * risk / distance,
        NO_ROOM: (equity * leverage * USABLE - carried) / price,
        BRACKET: cap / price,
        THIN: most,
    }
    reason = min(bounds, key=lambda name: bounds[name])
    steps = (bounds[reason] / step).to_integral_value(ROUND_DOWN)
    quantity = max(steps, _NOTHING) * step
    if not quantity or quantity < least_quantity or quantity * price < least_notional:
        return Size(_NOTHING, reason)
    return Size(quantity)
