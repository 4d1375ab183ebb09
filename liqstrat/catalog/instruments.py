"""What Nautilus calls a symbol, its bars, its exchange and its money.

Nothing of DuckDB's may be within reach from here: Nautilus keeps classes of custom data, and by their modules this one,
until after DuckDB has been unloaded, which DuckDB then complains about.
"""

from functools import cache

from nautilus_trader.model import BarType, Currency, InstrumentId, Venue

from liqstrat.liquidation.contract import contract_of

VENUE = Venue("BINANCE")


def instrument_id(symbol: str) -> InstrumentId:
    """`BTCUSDT-PERP.BINANCE` for `BTCUSDT`."""
    return InstrumentId.from_str(f"{symbol}-PERP.{VENUE}")


@cache
def money_of(symbol: str) -> Currency:
    """What a market pays in, and so the currency of the account of a run: USDT, or USDC."""
    return Currency.from_str(contract_of(symbol).margin)


def minute_bars(symbol: str) -> BarType:
    """The type of the catalog's bars: one minute, of trades, stamped with their close."""
    return BarType.from_str(f"{instrument_id(symbol)}-1-MINUTE-LAST-EXTERNAL")
