"""The perpetual as Nautilus sees it: precision, tick, step and limits."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from nautilus_trader.model import CryptoPerpetual, Currency, Money, Price, Quantity, Symbol

from liqstrat.catalog.instruments import instrument_id, money_of
from liqstrat.errors import LiqstratError
from liqstrat.liquidation.contract import KNOWN_QUOTES, contract_of, replayable
from liqstrat.market.instruments import Instrument


@dataclass(frozen=True)
class Precision:
    """Decimals of the prices and quantities of one symbol."""

    symbol: str
    price: int
    size: int


def fitting(used: Precision, markets: Sequence[Instrument]) -> Precision:
    """The decimals in which the history, which uses `used`, and each tick and step of `markets` can be told.

    `markets` is one market on all days, so that a catalog need not be written anew for a backtest of another year.
    """
    prices = [used.price, *(_digits(market.price_tick) for market in markets)]
    sizes = [used.size, *(_digits(market.quantity_step) for market in markets)]
    return Precision(used.symbol, max(prices), max(sizes))


def finer_than(market: Instrument | None, used: Precision) -> tuple[str, ...]:
    """In words, where the history has finer prices or quantities than the market had on its day."""
    if market is None:
        return ()
    told = (("prices", used.price, "tick", market.price_tick), ("quantities", used.size, "step", market.quantity_step))
    return tuple(
        f"{used.symbol}: {values} have {digits} decimals, finer than the {name} {unit.normalize():f} of {market.as_of}"
        for values, digits, name, unit in told
        if digits > _digits(unit)
    )


def make_instrument(precision: Precision, market: Instrument | None) -> CryptoPerpetual:
    """The perpetual, margined in what it is quoted in, with tick, step and limits of `market` where these were loaded.

    Where `precision` is finer than tick or step, its last digit is taken for them: the history trades in it.

    Both margin rates are 1, because the engine divides them by the account's leverage: an order needs
    `notional / leverage`, and a position keeps it locked, as on the exchange. The exchange's maintenance margin goes
    by bracket, which an instrument cannot say; `AccountLiquidator` applies it. Fees are the venue's.

    Raises `LiqstratError` for a symbol that is not quoted in USDT or USDC, or that no run can be of: see `replayable`.
    """
    symbol = precision.symbol
    try:
        replayable(symbol)
    except ValueError as error:
        raise LiqstratError(f"symbol {error}") from None
    base, quote = _base(symbol, market), money_of(symbol)
    return CryptoPerpetual(
        instrument_id=instrument_id(symbol),
        raw_symbol=Symbol(symbol),
        base_currency=Currency.from_str(base),
        quote_currency=quote,
        settlement_currency=quote,
        is_inverse=False,
        price_precision=precision.price,
        size_precision=precision.size,
        price_increment=Price.from_decimal(_unit(market.price_tick if market else None, precision.price)),
        size_increment=Quantity.from_decimal(_unit(market.quantity_step if market else None, precision.size)),
        margin_init=Decimal(1),
        margin_maint=Decimal(1),
        ts_event=0,
        ts_init=0,
        **_limits(market, precision.size),
    )


def _base(symbol: str, market: Instrument | None) -> str:
    named = contract_of(symbol).quote
    base, quote = symbol.removesuffix(named), named
    if market and market.base_asset and market.quote_asset:
        base, quote = market.base_asset, market.quote_asset
    if not base or base == symbol or quote != named or named not in KNOWN_QUOTES:
        raise LiqstratError(
            f'symbol "{symbol}" is not quoted in {" or ".join(KNOWN_QUOTES)}, expected one like BTCUSDT'
        )
    return base


def _limits(market: Instrument | None, size_decimals: int) -> dict[str, Any]:
    """The least of an order. What the exchange does not say is not limited.

    The engine holds an order that closes a position to the most of an order, too, and would so refuse a liquidation:
    the instrument does not say it.
    """
    if market is None:
        return {}
    limits: dict[str, Any] = {}
    if market.min_quantity:
        limits["min_quantity"] = Quantity.from_decimal(market.min_quantity.quantize(_last_digit(size_decimals)))
    if market.min_notional:
        limits["min_notional"] = Money.from_decimal(market.min_notional, money_of(market.symbol))
    return limits


def _unit(exchange: Decimal | None, digits: int) -> Decimal:
    """The exchange's tick or step, unless the history needs a finer one."""
    if exchange is None or _digits(exchange) < digits:
        return _last_digit(digits)
    return exchange.quantize(_last_digit(digits))


def _digits(value: Decimal) -> int:
    """Digits after the point."""
    return max(-int(value.normalize().as_tuple().exponent), 0)


def _last_digit(digits: int) -> Decimal:
    return Decimal(1).scaleb(-digits)
