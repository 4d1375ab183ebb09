"""The price at which a position is liquidated: isolated margin, one-way mode."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from liqstrat.liquidation.brackets import BracketTable
from liqstrat.liquidation.contract import LINEAR, Contract

Floats = npt.NDArray[np.float64]
Formula = Literal["exact", "linear"]
Side = Literal["long", "short"]


def liquidation_price(
    entry: npt.ArrayLike,
    leverage: npt.ArrayLike,
    contracts: npt.ArrayLike,
    side: Side | npt.ArrayLike,
    brackets: BracketTable,
    formula: Formula = "exact",
) -> Floats:
    """Liquidation price of positions, in the unit of `entry`; arguments broadcast against each other.

    `entry` is the average entry price, `contracts` the size (see `Contract`), `side` "long", "short" or an array of
    +1 and -1. A position that no price can liquidate (a long at 1x; of inverse contracts, a short) has 0.0.

    "exact" solves *margin + profit = maintenance margin* with the bracket that the position has **at its
    liquidation price**, as the exchange does, so the result is continuous in size. For bracket rate `m` and
    amount `a`: long `(E(1 - 1/L) - a/q) / (1 - m)`, short `(E(1 + 1/L) + a/q) / (1 + m)`. Inverse, with `q` the size in
    US dollars and `a` in coin: long `q(1 + m) / ((1 + 1/L)q/E + a)`, short `q(1 - m) / ((1 - 1/L)q/E - a)`.
    Sources: Binance, "How to Calculate Liquidation Price of USDⓈ-M Futures Contracts", "… of COIN-M Futures Contracts".

    "linear" is the older approximation `E(1 ∓ 1/L ± m/L)` that many heatmaps use, with the bracket at entry. It is
    kept for comparison: at 100x it misses by 65 % of the distance.
    """
    entry, leverage, contracts = (np.asarray(v, dtype=np.float64) for v in (entry, leverage, contracts))
    sign = _sign(side)
    notional = contracts * brackets.contract.held(entry)
    if formula == "linear":
        rate = brackets.rates[brackets.index_of(notional)]
        return np.maximum(entry * (1 - sign / leverage + sign * rate / leverage), 0.0)
    bracket = bracket_at_liquidation(notional, leverage, sign, brackets)
    price = bracket_liquidation_price(
        entry, leverage, contracts, sign, brackets.rates[bracket], brackets.amounts[bracket], brackets.contract
    )
    return np.maximum(price, 0.0)


def bracket_liquidation_price(
    entry: npt.ArrayLike,
    leverage: npt.ArrayLike,
    contracts: npt.ArrayLike,
    side: Side | npt.ArrayLike,
    rate: npt.ArrayLike,
    amount: npt.ArrayLike,
    contract: Contract = LINEAR,
) -> Floats:
    """The exact formula for a given maintenance `rate` and `amount`, see `liquidation_price`.

    What no price liquidates is zero or less.
    """
    entry, leverage, contracts, rate, amount = (
        np.asarray(v, dtype=np.float64) for v in (entry, leverage, contracts, rate, amount)
    )
    sign = _sign(side)
    if contract.inverse:
        left = (1 + sign / leverage) * contracts * contract.held(entry) + sign * amount
        worth = contracts * contract.worth(entry)
        price: Floats = np.zeros(np.shape(worth * left * rate))
        np.divide(worth * (1 + sign * rate), left, out=price, where=left > 0)
        return price
    return (entry * (1 - sign / leverage) - sign * amount / contracts) / (1 - sign * rate)


def bracket_at_liquidation(
    notional: npt.ArrayLike, leverage: npt.ArrayLike, side: Side | npt.ArrayLike, brackets: BracketTable
) -> npt.NDArray[np.int64]:
    """The bracket that positions of `notional` at entry have once price is at their liquidation price.

    What is left above maintenance margin changes sign once on the way out, so the floors before that are counted.
    Inverse contracts are worth more coins the lower price is: their longs grow on the way, as linear shorts do.
    """
    floors = brackets.floors
    maintenance = floors * brackets.rates - brackets.amounts
    shrinks = -_sign(side) if brackets.contract.inverse else _sign(side)
    notional, leverage, sign = (
        np.asarray(v, dtype=np.float64)[..., np.newaxis] for v in np.broadcast_arrays(notional, leverage, shrinks)
    )
    left = notional / leverage + sign * (floors - notional) - maintenance
    return np.maximum((sign * left <= 0).sum(axis=-1) - 1, 0)


def _sign(side: Side | npt.ArrayLike) -> Floats:
    if isinstance(side, str):
        return np.float64({"long": 1.0, "short": -1.0}[side])  # type: ignore[return-value]
    return np.asarray(side, dtype=np.float64)
