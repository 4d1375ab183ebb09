"""How large a position may be: by what its stop would lose, and by what the account can carry."""

from decimal import ROUND_DOWN, Decimal

#: Part of the account's carrying capacity that is used: the rest pays fees and a fill away from the last price.
USABLE = Decimal("0.95")


def quantity_for(
    *,
    equity: Decimal,
    risk: Decimal,
    price: Decimal,
    stop: Decimal,
    leverage: Decimal,
    carried: Decimal = Decimal(0),
    step: Decimal,
    least_quantity: Decimal = Decimal(0),
    least_notional: Decimal = Decimal(0),
) -> Decimal:
    """Contracts (base asset) of which the way from `price` to `stop` loses the share `risk` of `equity`; 0: too small.

    Fees and slippage come on top. The notional stays below `USABLE` of `equity * leverage`, less the notional `carried`
    by other positions of the account. All in USDT, rounded down to a multiple of `step`.
    """
    distance = abs(price - stop)
    if distance <= 0 or equity <= 0 or price <= 0:
        return Decimal(0)
    room = equity * leverage * USABLE - carried
    wanted = min(equity * risk / distance, room / price)
    steps = (wanted / step).to_integral_value(ROUND_DOWN)
    quantity = max(steps, Decimal(0)) * step
    if quantity < least_quantity or quantity * price < least_notional:
        return Decimal(0)
    return quantity
