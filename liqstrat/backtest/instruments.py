"""The perpetual as Nautilus sees it: identifiers, precision, currencies."""

from decimal import Decimal

from nautilus_trader.model import BarType, CryptoPerpetual, Currency, InstrumentId, Price, Quantity, Symbol, Venue

from liqstrat.errors import LiqstratError

VENUE = Venue("BINANCE")
QUOTE = Currency.from_str("USDT")


def instrument_id(symbol: str) -> InstrumentId:
    """`BTCUSDT-PERP.BINANCE` for `BTCUSDT`."""
    return InstrumentId.from_str(f"{symbol}-PERP.{VENUE}")


def minute_bars(symbol: str) -> BarType:
    """The type of the catalog's bars: one minute, of trades, stamped with their close."""
    return BarType.from_str(f"{instrument_id(symbol)}-1-MINUTE-LAST-EXTERNAL")


def make_instrument(symbol: str, price_decimals: int, size_decimals: int) -> CryptoPerpetual:
    """The USDT-margined perpetual of `symbol`, whose prices and quantities have so many decimals.

    The tick is the last decimal that the history really uses, which may be finer than the exchange's tick of a day.

    Both margin rates are 1, because the engine divides them by the account's leverage: an order needs
    `notional / leverage`, and a position keeps it locked, as on the exchange. The exchange's maintenance margin goes
    by bracket, which an instrument cannot say; `AccountLiquidator` applies it. Fees are the venue's.

    Raises `LiqstratError` for a symbol that is not quoted in USDT.
    """
    base = symbol.removesuffix(QUOTE.code)
    if not base or base == symbol:
        raise LiqstratError(f'symbol "{symbol}" is not quoted in {QUOTE.code}, expected one like BTC{QUOTE.code}')
    return CryptoPerpetual(
        instrument_id=instrument_id(symbol),
        raw_symbol=Symbol(symbol),
        base_currency=Currency.from_str(base),
        quote_currency=QUOTE,
        settlement_currency=QUOTE,
        is_inverse=False,
        price_precision=price_decimals,
        size_precision=size_decimals,
        price_increment=Price.from_decimal(_last_digit(price_decimals)),
        size_increment=Quantity.from_decimal(_last_digit(size_decimals)),
        margin_init=Decimal(1),
        margin_maint=Decimal(1),
        ts_event=0,
        ts_init=0,
    )


def _last_digit(decimals: int) -> Decimal:
    return Decimal(1).scaleb(-decimals)
